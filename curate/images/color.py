"""Any picture that Pillow decodes, as 8-bit RGB in sRGB: what a browser shows.

- Alpha (a channel, a palette's or a color key) is composited on white: hidden colors never show.
- 16-bit gray is scaled by its full range (65535 -> 255), or by the range that the file states.
- A profile, of gray pictures too, is converted to sRGB, perceptual intent; a damaged or unfitting one is
  ignored, as viewers do. CMYK without a profile is converted by Pillow's plain complement rule.
"""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from curate.errors import CurateError

# Profiles that move no color of the probe by more than this are sRGB under another name; levels of 255.
_SAME_COLOR = 2
_PROBE_STEPS = 9
_MAX_PROFILE = 4 << 20  # bytes; the largest in use have about two million
_STRIP = 1 << 20  # pixels at a time
_ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")


def to_srgb(
    image: Image.Image, profile: bytes | None = None, *, value_range: tuple[float, float] | None = None
) -> Image.Image:
    """Convert a loaded picture of any mode, without turning it.

    Works in strips, so that besides the picture and the result it needs some tens of megabytes.

    Args:
        image: Its own `icc_profile` is not looked at.
        profile: ICC profile of its colors; None = sRGB.
        value_range: Values that become 0 and 255, of gray that is wider than 8 bits; None = of 16 bits the
            full range; of 32 bits from the smallest to the greatest value, but (0, 1) for floats within it.

    Raises:
        ValueError: Pillow knows no way from this mode to RGB.
    """
    width, height = image.size
    scale = value_range or _range_of(image)
    rows = max(1, _STRIP // width)
    if height <= rows:
        return _strip(image, profile, scale)
    result = Image.new("RGB", image.size)
    for top in range(0, height, rows):
        box = (0, top, width, min(height, top + rows))
        result.paste(_strip(image.crop(box), profile, scale), box)
    return result


def _strip(image: Image.Image, profile: bytes | None, scale: tuple[float, float]) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image)
        opaque = _from_profile(Image.fromarray(levels(values, scale)), profile)
        key = image.info.get("transparency")
        if not isinstance(key, int):
            return opaque
        return Image.composite(opaque, _white(image.size), Image.fromarray(values != key))
    if image.mode == "LAB":
        return _applied(image, _lab_transform())
    if image.mode in _ALPHA or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        gray = image.mode in ("LA", "La", "L", "1")
        opaque = _from_profile(with_alpha.convert("L" if gray else "RGB"), profile)
        return Image.composite(opaque, _white(image.size), with_alpha.getchannel("A"))
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    return _from_profile(image, profile)


def _white(size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, (255, 255, 255))


@functools.lru_cache(maxsize=32)
def is_srgb(profile: bytes | None) -> bool:
    """Whether RGB values under this ICC profile mean the same colors as in sRGB (to 2 levels of 255)."""
    transform = _transform(profile, "RGB") if profile else None
    if transform is None:
        return True
    steps = np.linspace(0, 255, _PROBE_STEPS).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(_PROBE_STEPS, -1, 3)
    moved = np.asarray(_applied(Image.fromarray(cube), transform))
    return int(np.abs(moved.astype(np.int16) - cube).max()) <= _SAME_COLOR


def _from_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB of a picture of mode L, RGB or CMYK; gray under a profile of RGB is gray of that."""
    if not profile:
        return image.convert("RGB")
    if image.mode == "L":
        table = _gray_table(profile)
        return image.convert("RGB") if table is None else image.convert("RGB").point(table)
    transform = _transform(profile, image.mode)
    return image.convert("RGB") if transform is None else _applied(image, transform)


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise CurateError("ImageCms returned no picture")  # only with inPlace=True
    return converted


@functools.lru_cache(maxsize=8)
def _gray_table(profile: bytes) -> list[int] | None:
    """Red of all 256 grays, then green, then blue; None where the profile is ignored."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    # Without optimisation, which is for many pixels and puts dark grays ten levels off.
    for mode in ("L", "RGB"):
        transform = _transform(profile, mode, ImageCms.Flags.NOOPTIMIZE)
        if transform is not None:
            return [int(v) for v in np.asarray(_applied(ramp.convert(mode), transform))[0].T.ravel()]
    return None


@functools.lru_cache(maxsize=8)
def _transform(
    profile: bytes, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ImageCms.ImageCmsTransform | None:
    """Build the transform from the profile to sRGB; None if it is damaged or of another space than `mode`."""
    if len(profile) > _MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@functools.cache
def _lab_transform() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")


def _range_of(image: Image.Image) -> tuple[float, float]:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 0.0, 65535.0  # 16 bits, perhaps in a wider mode
    return finite_range(np.asarray(image)) if image.mode in ("I", "F") else (0.0, 255.0)


def finite_range(values: NDArray[Any]) -> tuple[float, float]:
    """The smallest and the greatest value, NaN and infinities aside; (0, 1) for floats that keep to it."""
    low, high = np.inf, -np.inf
    for row in values:
        finite = row[np.isfinite(row)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high or (values.dtype.kind == "f" and low >= 0.0 and high <= 1.0):
        return 0.0, 1.0
    return low, high


def levels(values: NDArray[Any], value_range: tuple[float, float]) -> NDArray[np.uint8]:
    """Values of any kind as 0..255, the range's ends becoming 0 and 255; what is not finite becomes 0."""
    low, high = value_range
    result = np.empty(values.shape, np.uint8)
    for row, into in zip(values, result, strict=True):  # floats of the whole would be eight times the size
        unit = (row.astype(np.float64) - low) / (high - low) if high > low else np.zeros(row.shape)
        unit = np.where(np.isfinite(unit), unit, 0.0)
        into[...] = np.rint(np.clip(unit, 0.0, 1.0) * 255.0)
    return result
