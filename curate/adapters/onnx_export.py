"""An upscaler of PyTorch as an ONNX file of free sizes, checked against the model it was made from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from curate import tables
from curate.adapters import exported_model, torch_device
from curate.adapters.exported_model import Exported
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.adapters.spandrel_upscaler import SpandrelUpscaler
from curate.errors import ModelError
from curate.extras import require


def export(weights: Path, out: Path) -> Exported:
    """Write `out`, in one step, once it is known to make what the model makes.

    Raises:
        ModelError: The weights cannot be loaded or exported, or the file makes other pixels.
        MissingExtraError: spandrel, onnx, onnxscript or onnxruntime is not installed.
        StorageError: The file cannot be written.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="restoration")
    model = SpandrelUpscaler(weights, device="cpu", precision="float32")
    with tables.replacing(out) as partial:
        _write(model.module, partial)
        checks = exported_model.compare(model, OnnxUpscaler(partial), what="ONNX")
    return Exported((out,), model.scale, checks)


def _write(module: Any, path: Path) -> None:
    torch = require("torch", extra="restoration")
    exporter = require("torch.onnx", extra="restoration")
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
