"""Weights on disk: which file a setting names, its digest, and whether it is the one that was meant."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.adapters import public_models, torch_device
from curate.errors import ModelError
from curate.extras import require
from curate.file_identity import sha256_of

# The main weights file of a folder or a Hub snapshot: the first of these that is there.
MAIN_FILES = ("model.safetensors", "pytorch_model.bin")

# Folder of BERT beside a checkpoint of groundingdino-py.
TEXT_ENCODER = "bert-base-uncased"


def cache_folder() -> Path:
    """Folder of fetched files that are no repository of the Hub: CURATE_MODELS, if set."""
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


def text_encoder_files(checkpoint: Path) -> list[Path]:
    """Files of BERT beside a checkpoint of groundingdino-py that change the boxes: all but its weights.

    Args:
        checkpoint: The .pth file, which holds the text encoder's weights itself.
    """
    folder = checkpoint.parent / TEXT_ENCODER
    return sorted(path for pattern in ("*.json", "*.txt") for path in folder.glob(pattern))


def parts(path: Path) -> list[Path]:
    """All files that weights consist of: the one that is named first, then those beside it.

    Of ncnn the .bin beside the .param; of ONNX the external data files that the graph names: after a new
    export it may be only these that changed.

    Args:
        path: The file that is named.

    Raises:
        ModelError: It ends with .onnx, and is no ONNX file.
        MissingExtraError: It ends with .onnx, and the package onnx is not installed.

    Examples:
        >>> [one.name for one in parts(Path("realesr.param"))]
        ['realesr.param', 'realesr.bin']
    """
    if path.suffix == ".param":
        return [path, path.with_suffix(".bin")]
    if path.suffix != ".onnx":
        return [path]
    onnx = require("onnx", extra="restoration")
    try:
        graph = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors have no common root but this one
        raise ModelError(f"{path} cannot be read as ONNX: {torch_device.first_line(error)}") from error
    return [path, *(path.parent / name for name in sorted(set(_external_data(graph))))]


def _external_data(message: Any) -> Iterator[str]:
    """Names of the files that tensors at any depth of an ONNX graph lie in, relative to its own."""
    if getattr(message, "data_location", 0) == 1:  # TensorProto.EXTERNAL
        yield from (one.value for one in message.external_data if one.key == "location")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in [value] if hasattr(value, "ListFields") else value:
                yield from _external_data(one)


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
    return sha256_of(path)
