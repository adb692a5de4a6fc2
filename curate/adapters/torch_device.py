"""The device that a model runs on: its name, precision and memory."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from curate.errors import DeviceMemoryError, ModelError
from curate.extras import require

Precision = Literal["auto", "float32", "bfloat16", "float16"]

# Read when torch is imported, which happens later. Otherwise OpenMP's threads wait for each other in busy
# loops, and small models take five to ten times as long where another program shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read at the first product of matrices: most sums are then taken in one order on any number of threads, so
# that a worker with one thread and a process with all of them find the same boxes. From three threads on the
# last bit of a mask's logits may still differ; OMP_NUM_THREADS=1 is exact.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# How PyTorch, CUDA's libraries, onnxruntime's arena and C++ say that there was no memory.
_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "_ALLOC_FAILED",
    "Failed to allocate memory",
    "bad_alloc",
    "bad allocation",
)
# What reading a damaged or foreign checkpoint has been seen to raise.
DAMAGED = (OSError, RuntimeError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError)


def choose(device: str, *, setting: str = "autolabel.device") -> Any:
    """Choose the `torch.device` to run on.

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


def describe(device: str, *, setting: str = "autolabel.device") -> str:
    """What `choose` takes, for people: kind, and of a GPU its name and memory.

    Raises:
        ModelError: It was named, and is not there.
    """
    torch, chosen = require("torch", extra="autolabel"), choose(device, setting=setting)
    if chosen.type != "cuda":
        return f"models run on {chosen.type}"
    facts = torch.cuda.get_device_properties(chosen)
    return f"models run on cuda: {facts.name}, {facts.total_memory / (1 << 30):,.0f} GiB"


@dataclass(frozen=True, slots=True)
class Place:
    """Device and precision that a model runs in.

    Attributes:
        device: A `torch.device`.
        half: The `torch.dtype` of the sums under autocast; None = float32 everywhere.
    """

    device: Any
    half: Any

    def __str__(self) -> str:
        """Kind of device and precision, such as cuda bfloat16."""
        return f"{self.device.type} {'float32' if self.half is None else str(self.half).rpartition('.')[2]}"

    @contextmanager
    def computing(self) -> Iterator[None]:
        """No gradients; the chosen precision."""
        torch = require("torch", extra="autolabel")
        with torch.inference_mode(), self.autocast():
            yield

    def autocast(self) -> Any:
        """The chosen precision, as a context."""
        torch = require("torch", extra="autolabel")
        if self.half is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.half)

    def put(self, tensor: Any) -> Any:
        """A tensor on the device; to a GPU from pinned memory, while the device goes on computing."""
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)


def place(device: str, precision: Precision, *, setting: str) -> Place:
    """The device by name and the precision by name.

    Args:
        device: See `choose`.
        precision: auto = bfloat16 on a GPU that can, float16 on another, float32 elsewhere.
        setting: Where the user sets the device, for the message.

    Raises:
        ModelError: The device was named, and is not there.
    """
    torch = require("torch", extra="autolabel")
    chosen = choose(device, setting=setting)
    if precision == "auto":
        can = chosen.type == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bfloat16" if can else "float16" if chosen.type == "cuda" else "float32"
    return Place(chosen, None if precision == "float32" else getattr(torch, precision))


def in_full_precision(module: Any, at: Place) -> None:
    """Let a module compute in float32 whatever is around it: where 8 bits are too few, as for coordinates."""
    if at.half is None:
        return
    torch = require("torch", extra="autolabel")
    inner = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(at.device.type, enabled=False):
            return inner(*map(_float32, args), **{name: _float32(value) for name, value in kwargs.items()})

    module.forward = forward


def _float32(value: Any) -> Any:
    torch = require("torch", extra="autolabel")
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@contextmanager
def enough_memory(images: int, *, setting: str = "autolabel.detector.batch_size") -> Iterator[None]:
    """Say what to do where so many images do not fit the device, and leave nothing of them there.

    Args:
        images: For the message.
        setting: What the user can set lower.

    Raises:
        DeviceMemoryError: They do not fit.
    """
    torch = require("torch", extra="autolabel")
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # their tensors would stay as long as the error does
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise DeviceMemoryError(
            f"the device has no memory for {images} image{'s' * (images != 1)}: set {setting} lower"
        ) from error


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or this machine, had no memory left: CUDA says so by type, others by words."""
    torch = sys.modules.get("torch")  # to load it for onnxruntime's sake would need the memory that lacks
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    text = str(error)
    return any(words in text for words in _NO_MEMORY)


def first_line(error: BaseException) -> str:
    """The first line of a foreign library's message, at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
