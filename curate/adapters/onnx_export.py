"""An upscaler of PyTorch as an ONNX file of free sizes, checked against the model it was made from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from curate import tables
from curate.adapters import torch_device
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.adapters.spandrel_upscaler import SpandrelUpscaler
from curate.errors import ModelError
from curate.extras import require

SIZES: Final = ((64, 64), (48, 80), (71, 53))  # height and width at which both are compared
TOLERANCE: Final = 1e-3  # a quarter of a level of 255


@dataclass(frozen=True, slots=True)
class Check:
    """The largest difference of a value in [0, 1] at one size of the image, in pixels."""

    height: int
    width: int
    difference: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, the factor by which it enlarges, and how near it is to the model."""

    path: Path
    scale: int
    checks: tuple[Check, ...]


def export(weights: Path, out: Path, *, sizes: Sequence[tuple[int, int]] = SIZES) -> Exported:
    """Write `out`, in one step, once it is known to make what the model makes.

    Raises:
        ModelError: The weights cannot be loaded or exported, or the file makes other pixels.
        MissingExtraError: spandrel, onnx or onnxruntime is not installed.
        StorageError: The file cannot be written.
    """
    model = SpandrelUpscaler(weights, device="cpu", precision="float32")
    with tables.replacing(out) as partial:
        _write(model.module, partial)
        checks = tuple(_check(model, partial, height, width) for height, width in sizes)
    return Exported(out, model.scale, checks)


def _write(module: Any, path: Path) -> None:
    torch = require("torch", extra="restoration")
    exporter = require("torch.onnx", extra="restoration")
    require("onnxscript", extra="restoration")
    free = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about itself
            exporter.export(
                module,
                (torch.zeros(1, 3, 48, 64),),
                str(path),
                input_names=["image"],
                output_names=["upscaled"],
                dynamic_shapes=(free,),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever the architecture makes it raise
        raise ModelError(f"the model cannot be exported: {torch_device.first_line(error)}") from error


def _check(model: SpandrelUpscaler, path: Path, height: int, width: int) -> Check:
    image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    made = np.clip(OnnxUpscaler(path).upscale(image), 0, 1)
    difference = float(np.abs(made - model.upscale(image)).max())
    if not difference <= TOLERANCE:  # NaN too
        raise ModelError(
            f"the ONNX file differs from the model by {difference:.2g} at {width}x{height} pixels: "
            "not written"
        )
    return Check(height, width, difference)
