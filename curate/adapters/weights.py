"""Weights on disk: which file a setting names, its digest, and whether it is the one that was meant."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.adapters import public_models, torch_device
from curate.errors import ModelError
from curate.extras import require

# The main weights file of a folder or a Hub snapshot: the first of these that is there.
MAIN_FILES = ("model.safetensors", "pytorch_model.bin")


def cache_folder() -> Path:
    """Where `curate models fetch` puts files that are no repository of the Hub: CURATE_MODELS, if set."""
    named = os.environ.get("CURATE_MODELS")
    return Path(named).expanduser() if named else Path.home() / ".cache/curate/models"


def located(model: str) -> Path | None:
    """The file or folder on this machine that a setting names; None = there is none, as of a Hub id.

    Args:
        model: A path (`~` is the user's home), the name of a public file in the cache, or a Hub id.
    """
    path = Path(model).expanduser()
    cached = cache_folder() / model
    if path.name == model and not path.is_file() and cached.is_file():
        return cached
    return path if path.exists() else None


def find(model: str, *, noun: str, setting: str) -> Path:
    """The file that a setting names: a path, or the name of a public file in the cache.

    Args:
        model: The setting's value.
        noun: What it is, for the message.
        setting: Its name in params.yaml.

    Raises:
        ModelError: There is no such file.
    """
    path = located(model)
    if path is not None and path.is_file():
        return path
    if model in public_models.BY_NAME:
        raise ModelError(f"{noun} {model} is not in {cache_folder()}: run curate models fetch")
    raise ModelError(f"{noun} {Path(model).expanduser()} does not exist: set {setting}")


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


def read_checkpoint(path: Path, *, what: str) -> Any:
    """What `torch.save` wrote: tensors and plain containers only.

    A checkpoint is a pickle, and a pickle can run any program while it is read. So nothing but tensors is
    made of it (`weights_only`), whatever the file holds.

    Args:
        path: A local file.
        what: Names it in the message.

    Raises:
        ModelError: Damaged, or it holds something else than tensors.
    """
    torch = require("torch", extra="autolabel")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except torch_device.DAMAGED as error:
        raise ModelError(f"{what} is damaged or no checkpoint: {_unread(error)}") from error


def _unread(error: BaseException) -> str:
    """Why, where the library's own words help: of other files it raises whatever their bytes make it raise.

    Of a pickle with a program in it, it advises to run that.
    """
    if isinstance(error, OSError | RuntimeError):
        return torch_device.first_line(error)
    return "only tensors and plain containers that torch.save wrote are read"


def assign(model: Any, state: Any, *, what: str, surplus: Collection[str] = ()) -> None:
    """Give a model all its weights, or none.

    Args:
        model: A `torch.nn.Module`.
        state: Tensors by name.
        what: Names the checkpoint and the architecture in the message.
        surplus: Names that a checkpoint may hold and the model may lack.

    Raises:
        ModelError: Not tensors by name, or a weight that one of both lacks or has in another shape, by name.
    """
    torch = require("torch", extra="autolabel")
    if not isinstance(state, Mapping) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise ModelError(f"{what}: the checkpoint holds no weights by name")
    own = model.state_dict()
    refuse(
        what,
        missing=[name for name in own if name not in state],
        surplus=[name for name in state if name not in own and name not in surplus],
        shape=[name for name in own if name in state and own[name].shape != state[name].shape],
    )
    model.load_state_dict({name: state[name] for name in own})


def refuse(what: str, *, missing: Sequence[str], surplus: Sequence[str], shape: Sequence[str]) -> None:
    """Name weights that a checkpoint lacks, that its model lacks, or that differ in shape.

    A model with one weight at random answers all the same, and nobody sees it.

    Raises:
        ModelError: There is one.
    """
    faults = (
        (missing, "lacks {} weights that the model has"),
        (surplus, "holds {} weights that the model has not"),
        (shape, "holds {} weights of another shape than the model's"),
    )
    told = [f"{text.format(len(names))}, such as {names[0]}" for names, text in faults if names]
    if told:
        raise ModelError(f"{what} {' and '.join(told)}: fetch it again, or name the model it belongs to")


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
