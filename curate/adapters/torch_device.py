"""The device that a model runs on, and weights files on disk."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.errors import DeviceMemoryError, ModelError
from curate.extras import require

# Read when torch is imported, which happens later. Otherwise OpenMP's threads wait for each other in busy
# loops, and small models take five to ten times as long where another program shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read at the first product of matrices: most sums are then taken in one order on any number of threads, so
# that a worker with one thread and a process with all of them find the same boxes. From three threads on the
# last bit of a mask's logits may still differ; OMP_NUM_THREADS=1 is exact.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# What reading a damaged or foreign checkpoint has been seen to raise.
DAMAGED = (OSError, RuntimeError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError)


def choose(device: str, *, setting: str = "autolabel.device") -> Any:
    """A `torch.device`.

    Args:
        device: auto, cpu, cuda or mps; auto takes cuda, mps or cpu, the first that is there.
        setting: Where the user sets it, for the message.

    Raises:
        ModelError: It was named, and is not there.
    """
    torch = require("torch", extra="autolabel")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, usable in there.items() if usable)
    if not there[device]:
        raise ModelError(f"device {device} is not available here: set {setting} to auto or cpu")
    if device == "cpu":
        torch.backends.mkldnn.set_flags(False)  # its sums depend on the number of threads
    return torch.device(device)


@contextmanager
def enough_memory(images: int) -> Iterator[None]:
    """Say what to do where a forward pass over so many images does not fit the device.

    Raises:
        DeviceMemoryError: It does not.
    """
    try:
        yield
    except require("torch", extra="autolabel").OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"the device has no memory for {images} images: set autolabel.detector.batch_size lower"
        ) from error


def digest(files: Iterable[Path]) -> str:
    """12 hex digits of the sha256 over the names and contents of files.

    Raises:
        ModelError: One cannot be read.
    """
    total = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(
                f"model file {path} cannot be read ({error.strerror}): check its path"
            ) from error
        total.update(f"{path.name} {content}\n".encode())
    return total.hexdigest()[:12]


def first_line(error: BaseException) -> str:
    """The first line of a foreign library's message, at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
