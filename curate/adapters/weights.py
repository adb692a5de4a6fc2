"""Weights on disk: which file a setting names, its digest, and whether it is the one that was meant."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from curate.adapters import public_models
from curate.errors import ModelError

# The main weights file of a folder or a Hub snapshot: the first of these that is there.
MAIN_FILES = ("model.safetensors", "pytorch_model.bin")


def cache_folder() -> Path:
    """Where `curate models fetch` puts files that are no repository of the Hub: CURATE_MODELS, if set."""
    named = os.environ.get("CURATE_MODELS")
    return Path(named).expanduser() if named else Path.home() / ".cache/curate/models"


def find(model: str, *, noun: str, setting: str) -> Path:
    """The file that a setting names: a path, or the name of a public file in the cache.

    Args:
        model: The setting's value.
        noun: What it is, for the message.
        setting: Its name in params.yaml.

    Raises:
        ModelError: There is no such file.
    """
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if path.name == model:
        cached = cache_folder() / model
        if cached.is_file():
            return cached
        if model in public_models.BY_NAME:
            raise ModelError(f"{noun} {model} is not in {cache_folder()}: run curate models fetch")
    raise ModelError(f"{noun} {path} does not exist: set {setting}")


def main_file(folder: Path) -> Path | None:
    """The weights file of a folder in the format of transformers; None if it holds none in one piece."""
    return next((folder / name for name in MAIN_FILES if (folder / name).is_file()), None)


def check(path: Path | None, expected: str | None, *, what: str, setting: str) -> None:
    """Refuse a weights file whose sha256 is not the expected one.

    Args:
        path: The file, or the main weights file of a folder or snapshot; None = there is none in one piece.
        expected: 64 hex digits; None = nothing is checked.
        what: Names it in the message.
        setting: Of the digest, in params.yaml.

    Raises:
        ModelError: Another digest, or nothing to check.
    """
    if expected is None:
        return
    if path is None:
        raise ModelError(f"{what} has no {' or '.join(MAIN_FILES)} to check: set {setting} to null")
    found = sha256(path)
    if found != expected:
        raise ModelError(
            f"{what} is not the one that {setting} names: expected {expected}, found {found} in {path.name}"
        )


def digest(files: Iterable[Path]) -> str:
    """12 hex digits of the sha256 over the names and contents of files.

    Raises:
        ModelError: One cannot be read.
    """
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {sha256(path)}\n".encode())
    return total.hexdigest()[:12]


def sha256(path: Path) -> str:
    """64 hex digits of a file's content; read once in a process as long as it does not change.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path.resolve(), (status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read ({error.strerror}): check its path") from error


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, _state: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
