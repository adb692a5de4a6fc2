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

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from curate.errors import CurateError

_WHITE16 = 65535
# Profiles that move no colour of the probe by more than this are sRGB under another name; levels of 255.
_SAME_COLOUR = 2
_PROBE_STEPS = 9


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture of any mode, without turning it.

    Raises:
        ValueError: Pillow knows no way from this mode to RGB.
    """
    if image.mode.startswith("I;16"):
        return _gray(np.asarray(image).astype(np.float64) / _WHITE16)
    if image.mode in ("I", "F"):
        return _gray(_unit_range(np.asarray(image).astype(np.float64), image))
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


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where it is damaged or of another colour space than `mode`."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _unit_range(values: NDArray[np.float64], image: Image.Image) -> NDArray[np.float64]:
    finite = np.where(np.isfinite(values), values, 0.0)
    low, high = float(finite.min()), float(finite.max())
    if image.mode == "I" and image.format in ("PNG", "PPM"):  # 16 bits in a wider mode
        return finite / _WHITE16
    if image.mode == "F" and low >= 0.0 and high <= 1.0:
        return finite
    return (finite - low) / (high - low) if high > low else np.zeros_like(finite)


def _gray(unit: NDArray[np.float64]) -> Image.Image:
    levels = np.rint(np.clip(unit, 0.0, 1.0) * 255.0).astype(np.uint8)
    return Image.fromarray(levels).convert("RGB")
