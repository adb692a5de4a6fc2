"""The upscaler that a setting names, by the ending of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from curate.adapters import diffusion_upscaler, torch_device, weights
from curate.adapters.diffusion_upscaler import DiffusionUpscaler
from curate.adapters.ncnn_upscaler import NcnnUpscaler
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.adapters.spandrel_upscaler import ENDINGS, SpandrelUpscaler
from curate.errors import ModelError
from curate.params.upscale import BICUBIC, DiffusionParams
from curate.ports import Upscaler
from curate.records import FloatArray

_DIFFUSION: Final = DiffusionParams()


class BicubicUpscaler:
    """No model: Pillow's bicubic kernel, with which every model is compared."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.model_version = f"{BICUBIC}-x{scale}"
        self.ran_on = "cpu float32"

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`."""
        size = (tile.shape[1] * self.scale, tile.shape[0] * self.scale)
        planes = [Image.fromarray(np.ascontiguousarray(tile[..., c])) for c in range(3)]
        return np.stack([np.asarray(one.resize(size, Image.Resampling.BICUBIC)) for one in planes], axis=-1)


def check_there(model: str, *, setting: str) -> None:
    """Refuse a model that is not there, before anything else is said about it.

    Args:
        model: A file of weights, a folder of diffusers, or bicubic.
        setting: What names it, for the message.

    Raises:
        ModelError: There is none.
    """
    if model != BICUBIC and not diffusion_upscaler.is_pipeline(model):
        weights.find(model, noun="upscaler", setting=setting)


def load(
    model: str,
    *,
    scale: int | None,
    device: str = "auto",
    precision: torch_device.Precision = "float32",
    diffusion: DiffusionParams = _DIFFUSION,
    device_setting: str = "upscale.device",
) -> Upscaler:
    """Load the upscaler that a model's name means.

    Args:
        model: A file of weights, a folder of diffusers, or bicubic.
        scale: What it must make of a pixel, a side; None = whatever it does. Bicubic makes this, or 4.
        device: auto, cpu, cuda or mps; ncnn runs on the CPU.
        precision: Of PyTorch's models.
        diffusion: What a folder of diffusers is run with.
        device_setting: Where the user sets the device, for messages.

    Raises:
        ModelError: Missing, damaged, of an unknown kind, or of another scale.
        MissingExtraError: Its packages are not installed.
    """
    if model == BICUBIC:
        return BicubicUpscaler(scale or 4)
    path = Path(model).expanduser()
    if diffusion_upscaler.is_pipeline(model):
        found: Upscaler = DiffusionUpscaler(
            path, device=device, precision=precision, settings=diffusion, setting=device_setting
        )
        return _of_scale(found, path, scale)
    path = weights.find(model, noun="upscaler", setting="upscale.models")
    if path.suffix in ENDINGS:
        found = SpandrelUpscaler(path, device=device, precision=precision, setting=device_setting)
    elif path.suffix == ".param":
        found = NcnnUpscaler(path)
    elif path.suffix == ".onnx":
        found = OnnxUpscaler(path, device=device, setting=device_setting)
    else:
        raise ModelError(f"upscaler {path}: expected {', '.join(ENDINGS)}, .param (ncnn) or .onnx")
    return _of_scale(found, path, scale)


def _of_scale(found: Upscaler, path: Path, scale: int | None) -> Upscaler:
    if scale is not None and found.scale != scale:
        raise ModelError(f"upscaler {path} enlarges {found.scale} times, upscale.scale is {scale}")
    return found
