"""Upscalers of ncnn: a .param file with its .bin beside it; on the CPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from curate import system
from curate.adapters import tile_errors, weights
from curate.errors import DeviceMemoryError, ModelError
from curate.extras import require
from curate.records import FloatArray

_PROBE = 32  # pixels of the tile that tells the scale
_NO_MEMORY = -100  # what ncnn's layers answer then


class NcnnUpscaler:
    """An `Upscaler` from ncnn's files. What goes in and out is RGB in [0, 1], planes first."""

    def __init__(self, path: Path) -> None:
        """Load the network.

        Raises:
            ModelError: A file is missing, damaged or of another model than the other one, or they are no
                upscaler of RGB images.
            MissingExtraError: ncnn is not installed.
        """
        ncnn = require("ncnn", extra="restoration")
        binary = path.with_suffix(".bin")
        if not binary.is_file():
            raise ModelError(f"{binary} is missing: ncnn's weights lie beside {path.name}")
        self._ncnn, self._net = ncnn, ncnn.Net()
        self._net.opt.num_threads = int(os.environ.get("OMP_NUM_THREADS") or system.cores())
        try:
            left = _read_weights(ncnn, self._net, binary) if self._net.load_param(str(path)) == 0 else None
        except OSError as error:
            raise ModelError(f"{binary} cannot be read: {error.strerror}") from error
        if left is None:
            raise ModelError(f"{path} or {binary.name} is damaged, or of another version of ncnn")
        if left:
            raise ModelError(
                f"{binary} holds {left:,} bytes of weights more than the layers of {path.name} take: the two "
                "files are of two models"
            )
        if len(self._net.input_names()) != 1 or len(self._net.output_names()) != 1:
            raise ModelError(f"{path} has not one input and one output: no upscaler")
        self._path = path
        self.model_version = f"{path.stem}@{weights.digest(weights.parts(path))}"
        self.ran_on = "cpu"  # in whichever precision ncnn takes for each layer
        self.scale = probed_scale(self.upscale, path)

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`."""
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
        extractor = self._net.create_extractor()
        extractor.input(self._net.input_names()[0], self._ncnn.Mat(planes).clone())
        failed, made = extractor.extract(self._net.output_names()[0])
        if failed == _NO_MEMORY:
            raise DeviceMemoryError(tile_errors.NO_MEMORY)
        if failed:
            raise ModelError(
                f"{self._path} cannot be run on a tile of {tile.shape[1]}x{tile.shape[0]} pixels"
            )
        return np.ascontiguousarray(np.array(made).transpose(1, 2, 0))


def _read_weights(ncnn: Any, net: Any, binary: Path) -> int | None:
    """Give layers their weights, and tell how many bytes none of them took; None = there are too few.

    The weights have no names: layers take theirs in turn, and ncnn's own reading of a file does not tell
    where it ended.
    """
    address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    with binary.open("rb") as file:

        class Reader(ncnn.DataReader):  # type: ignore[misc]
            def read(self, buffer: object, size: int) -> int:
                data = file.read(size)
                ctypes.memmove(address(buffer, None), data, len(data))
                return len(data)

        reader = Reader()
        return binary.stat().st_size - file.tell() if net.load_model(reader) == 0 else None


def probed_scale(upscale: Callable[[FloatArray], FloatArray], path: Path, side: int = _PROBE) -> int:
    """The whole factor by which a model enlarges a gray tile.

    Args:
        upscale: Of an `Upscaler`.
        path: Names the model in the message.
        side: Pixels of the tile.

    Raises:
        ModelError: It is none.
    """
    made = upscale(np.full((side, side, 3), 0.5, dtype=np.float32))
    factor = made.shape[0] // side
    if made.shape != (side * factor, side * factor, 3) or factor < 1:
        raise ModelError(f"{path} makes {made.shape} of {(side, side, 3)}: no upscaler of RGB images")
    return factor
