"""Upscalers in ONNX: one input and one output (1, 3, H, W) of RGB in [0, 1]."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from curate import system
from curate.adapters import tile_errors, torch_device, weights
from curate.adapters.ncnn_upscaler import probed_scale
from curate.errors import ModelError
from curate.extras import require
from curate.records import FloatArray

_PROBE = 32
_TYPES = ("tensor(float)", "tensor(float16)")
_RANK = 4  # image, plane, row, column


class OnnxUpscaler:
    """An `Upscaler` on onnxruntime: on a GPU where `device` is cuda or auto and the package has one."""

    def __init__(self, path: Path, *, device: str = "cpu", setting: str = "upscale.device") -> None:
        """Load the network.

        Args:
            path: The file.
            device: auto, cpu, cuda or mps.
            setting: Where the user sets the device, for the message.

        Raises:
            ModelError: Damaged, or no upscaler of RGB images.
            MissingExtraError: onnxruntime is not installed.
        """
        runtime = require("onnxruntime", extra="restoration")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or system.cores())
        there = runtime.get_available_providers()
        wanted = ["CUDAExecutionProvider"] if device in ("auto", "cuda") else []
        if device == "cuda" and wanted[0] not in there:
            raise ModelError(
                f"onnxruntime has no CUDA here: install onnxruntime-gpu, or set {setting} to cpu"
            )
        providers = [name for name in (*wanted, "CPUExecutionProvider") if name in there]
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime's errors have no common root but this one
            raise ModelError(f"{path} cannot be loaded: {torch_device.first_line(error)}") from error
        given, made = _ends(self._session, path)
        self._path = path
        self._names, self._half = (given.name, made.name), given.type == "tensor(float16)"
        height, width = given.shape[2:]
        self._fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        self.model_version = f"{path.stem}@{weights.digest(weights.parts(path))}"
        kind = self._session.get_providers()[0].removesuffix("ExecutionProvider").lower()
        self.ran_on = f"{kind} {'float16' if self._half else 'float32'}"
        self.scale = 1  # until it is known
        self.scale = probed_scale(self.upscale, path, min(self._fixed or (_PROBE,)))

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`. Where the file fixes a size, smaller tiles are padded to it."""
        height, width = tile.shape[:2]
        planes = tile.transpose(2, 0, 1)[None]
        if self._fixed is not None:
            missing = (self._fixed[0] - height, self._fixed[1] - width)
            if min(missing) < 0:
                raise ModelError(
                    f"the ONNX file takes tiles of {self._fixed[1]}x{self._fixed[0]} only: set upscale.tile "
                    f"to {min(self._fixed)}, or export it with free sizes"
                )
            planes = np.pad(planes, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")
        planes = np.ascontiguousarray(planes, dtype=np.float16 if self._half else np.float32)
        with tile_errors.named(self._path, tile):
            (made,) = self._session.run([self._names[1]], {self._names[0]: planes})
        if made.ndim != _RANK or len(made) != 1:
            raise ModelError(f"{self._path} makes {made.shape} of {planes.shape}: no upscaler of RGB images")
        whole = np.ascontiguousarray(made[0].transpose(1, 2, 0), dtype=np.float32)
        if self._fixed is None:
            return whole
        factor = whole.shape[0] // self._fixed[0]
        return np.ascontiguousarray(whole[: height * factor, : width * factor])


def _ends(session: Any, path: Path) -> tuple[Any, Any]:
    """The input and the output of an upscaler of RGB images.

    Raises:
        ModelError: It is something else.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if (len(inputs), len(outputs)) != (1, 1):
        raise ModelError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs, not one: no upscaler")
    for one, what in ((inputs[0], "takes"), (outputs[0], "makes")):
        if one.type not in _TYPES:
            raise ModelError(f"{path} {what} {one.type}, expected {' or '.join(_TYPES)} of RGB in [0, 1]")
    shape = inputs[0].shape
    if len(shape) != _RANK or not _may_be(shape[0], 1) or not _may_be(shape[1], 3):
        raise ModelError(f"{path} takes {shape}, expected (1, 3, H, W): no upscaler of RGB images")
    return inputs[0], outputs[0]


def _may_be(side: object, wanted: int) -> bool:
    """Whether a side is that, or free."""
    return not isinstance(side, int) or side == wanted
