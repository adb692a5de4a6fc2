"""Any picture that Pillow decodes, as 8-bit RGB in sRGB.

- Alpha (a channel, a palette's or a colour key) is composited on white: hidden colours never show.
- 16-bit gray is scaled by its full range (65535 -> 255); floats in [0, 1] by 255. Other 32-bit ranges, which
  have no agreed white, are stretched from their least to their greatest value.
- An embedded ICC profile is converted to sRGB, perceptual intent; a damaged or unfitting one is ignored, as
  viewers do. CMYK without a profile is converted by Pillow's plain complement rule.
"""

from __future__ import annotations

import functools
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from curate.errors import CurateError

_WHITE16 = 65535
# Profiles that move no colour of the probe by more than this are sRGB under another name; levels of 255.
_SAME_COLOUR = 2
_PROBE_STEPS = 9
_MAX_PROFILE = 4 << 20  # bytes; the largest in use have about two million
_STRIP = 1 << 20  # pixels at a time


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture of any mode, without turning it.

    Works in strips, so that besides the picture and the result it needs some tens of megabytes.

    Raises:
        ValueError: Pillow knows no way from this mode to RGB.
    """
    width, height = image.size
    scale = _range_of(image)
    rows = max(1, _STRIP // width)
    if height <= rows:
        return _strip(image, scale)
    result = Image.new("RGB", image.size)
    for top in range(0, height, rows):
        box = (0, top, width, min(height, top + rows))
        result.paste(_strip(image.crop(box), scale), box)
    return result


def _strip(image: Image.Image, scale: tuple[float, float]) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _gray(np.asarray(image), scale)
    profile = image.info.get("icc_profile")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        opaque = _from_profile(with_alpha.convert("RGB"), profile)
        white = Image.new("RGB", image.size, (255, 255, 255))
        return Image.composite(opaque, white, alpha)
    if image.mode in ("1", "P"):
        image = image.convert("RGB")
    return _from_profile(image, profile)


@functools.lru_cache(maxsize=32)
def is_srgb(profile: bytes | None) -> bool:
    """Whether RGB values under this ICC profile mean the same colours as in sRGB (to 2 levels of 255)."""
    if not profile:
        return True
    transform = _transform(profile, "RGB")
    if transform is None:
        return True
    levels = np.linspace(0, 255, _PROBE_STEPS).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(_PROBE_STEPS, -1, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), transform))
    return int(np.abs(moved.astype(np.int16) - cube).max()) <= _SAME_COLOUR


def _from_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    transform = _transform(profile, image.mode) if profile else None
    if transform is None:
        return image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise CurateError("ImageCms returned no picture")  # only with inPlace=True
    return converted


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where it is damaged or of another colour space than `mode`."""
    if len(profile) > _MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _range_of(image: Image.Image) -> tuple[float, float]:
    """Values that become 0 and 255, of gray that is wider than 8 bits."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 0.0, float(_WHITE16)  # 16 bits, perhaps in a wider mode
    if image.mode not in ("I", "F"):
        return 0.0, 255.0
    low, high = math.inf, -math.inf
    width, height = image.size
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        values = _finite(np.asarray(image.crop((0, top, width, min(height, top + rows)))))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (0.0, 1.0) if image.mode == "F" and low >= 0.0 and high <= 1.0 else (low, high)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    values = values.astype(np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def _gray(values: NDArray[Any], scale: tuple[float, float]) -> Image.Image:
    low, high = scale
    unit = (_finite(values) - low) / (high - low) if high > low else np.zeros(values.shape)
    levels = np.rint(np.clip(unit, 0.0, 1.0) * 255.0).astype(np.uint8)
    return Image.fromarray(levels).convert("RGB")
