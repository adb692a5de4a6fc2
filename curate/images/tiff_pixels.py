"""Pixels of the TIFF pages that Pillow reads wrongly or not at all, by tifffile.

Pillow is right about chunky samples of 1, 2, 4, 8 and 16 unsigned bits. Separate planes of 16 bits it
shuffles, 32 bits unsigned become negative, min-is-white of more than 8 bits stays negative, and what the file
says about its largest value or about values that are none is passed over.
"""

from __future__ import annotations

import io
import logging
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from curate.images import color
from curate.images.image_errors import ADVICE, DECODER_ERRORS, UnfitImageError

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 4, 5, 6, 8
_COLORS = {_MIN_IS_WHITE: 1, _MIN_IS_BLACK: 1, _RGB: 3, _CMYK: 4}
_RAW = (32803, 34892)  # color filter array, linear raw
_ORIENTATION, _MIN_VALUE, _MAX_VALUE, _PROFILE, _NO_DATA = 274, 280, 281, 34675, 42113
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha, of ExtraSamples
_MAX_SAMPLES = 8
_UNSIGNED = 1  # SampleFormat


class Page(NamedTuple):
    """A page as it is stored: not turned, in its own colors.

    Attributes:
        picture: 8 bits: mode L, LA, RGB, RGBA or CMYK.
        orientation: 1..8, or None.
        profile: ICC profile, or None.
    """

    picture: Image.Image
    orientation: int | None
    profile: bytes | None


def read(data: bytes, index: int, max_pixels: int) -> Page | None:
    """A page as a picture of 8 bits; None where Pillow is right about it.

    Values of 16 unsigned bits are scaled by their full range, or from MinSampleValue to MaxSampleValue;
    floats in [0, 1] by that; all others from the smallest to the greatest value, GDAL's "no data" aside.

    Args:
        data: The whole file.
        index: Of the page in the chain of directories.
        max_pixels: Of a page.

    Raises:
        UnfitImageError: unsupported_format, truncated or corrupt.

    Source: TIFF 6.0, sections 3 to 8 and 18 (ExtraSamples); GDAL_NODATA is ASCII in tag 42113.
    """
    import tifffile  # noqa: PLC0415 - needed for few files

    logging.getLogger("tifffile").disabled = True
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[index]
            _refuse_cut(page, len(data))
            _refuse_foreign(page)
            if _is_pillows(page):
                return None
            _refuse_unknown(page, max_pixels)
            picture = _picture(_samples(page, data, index), page)
            turn, profile = page.tags.valueof(_ORIENTATION), page.tags.valueof(_PROFILE)
            valid = isinstance(turn, int) and 1 <= turn <= 8
            return Page(picture, turn if valid else None, profile if isinstance(profile, bytes) else None)
    except UnfitImageError:
        raise
    except DECODER_ERRORS:
        return None  # Pillow says what is wrong


def _refuse_cut(page: Any, size: int) -> None:
    ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    if (missing := max(ends, default=0) - size) > 0:
        raise UnfitImageError("truncated", f"{missing} bytes of pixels lie behind the end of the file")


def _refuse_foreign(page: Any) -> None:
    """What neither of the two libraries knows."""
    if int(page.compression) not in TiffImagePlugin.COMPRESSION_INFO:
        raise UnfitImageError("unsupported_format", f"TIFF with compression {page.compression!s} {ADVICE}")
    if page.imagedepth != 1:
        raise UnfitImageError("unsupported_format", f"TIFF of a volume, {page.imagedepth} deep, {ADVICE}")


def _is_pillows(page: Any) -> bool:
    bits = page.bitspersample
    if page.photometric in _RAW or page.sampleformat not in (_UNSIGNED, 4) or bits not in (1, 2, 4, 8, 16):
        return False
    colors = _COLORS.get(page.photometric)
    if colors is None:  # palettes, YCbCr, Lab
        return bool(bits <= 8 or page.photometric == _YCBCR)
    if page.photometric == _MIN_IS_BLACK and page.samplesperpixel >= 3:
        return False
    if bits == 16:
        stated = any(tag in page.tags for tag in (_MAX_VALUE, _NO_DATA))
        plain = page.samplesperpixel == colors and page.photometric != _MIN_IS_WHITE
        return bool(plain and not stated and (page.planarconfig == 1 or colors == 1))
    return True


def _refuse_unknown(page: Any, max_pixels: int) -> None:
    if not page.imagewidth * page.imagelength:
        raise UnfitImageError("corrupt", "a page without a size")
    if page.imagewidth * page.imagelength > max_pixels:
        size = f"{page.imagewidth}x{page.imagelength}"
        raise UnfitImageError("too_large", f"{size} is over {max_pixels} pixels")
    colors = _colors(page)
    extra = page.samplesperpixel - (colors or 0)
    kind = page.sampleformat
    described = f"TIFF of photometric {page.photometric!s} with {page.samplesperpixel} samples"
    if colors is None or not extra >= 0 or page.samplesperpixel > _MAX_SAMPLES or kind not in (1, 2, 3, 4):
        raise UnfitImageError("unsupported_format", f"{described} {ADVICE}")


def _colors(page: Any) -> int | None:
    """Samples that are colors; a "gray" page of three or four samples is one of RGB: microscopes write it."""
    if page.photometric == _MIN_IS_BLACK and page.samplesperpixel in (3, 4):
        return 3
    return _COLORS.get(page.photometric)


def _samples(page: Any, data: bytes, index: int) -> NDArray[Any]:
    """(H, W, samples), as they are stored."""
    height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
    try:
        values = page.asarray()
    except (ValueError, NotImplementedError, KeyError) as error:
        if "requires the 'imagecodecs' package" not in str(error) and "imagecodecs" not in repr(error):
            raise
        if count == 1 and (values := _by_pillow(data, index, page.dtype)) is not None:
            return values.reshape(height, width, 1)
        raise UnfitImageError(
            "unsupported_format",
            f"TIFF with compression {page.compression!s} and {page.bitspersample}-bit samples is not read: "
            "save it uncompressed or with Deflate",
        ) from error
    if page.planarconfig == 2 and count > 1:
        values = np.moveaxis(values.reshape(count, height, width), 0, -1)
    return np.asarray(values).reshape(height, width, count)


def _by_pillow(data: bytes, index: int, dtype: Any) -> NDArray[Any] | None:
    """One sample per pixel, of a compression that only libtiff knows: right bits, perhaps a wrong sign."""
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        image.seek(index)
        image.load()
        values: NDArray[Any] = np.asarray(image)
    if values.dtype.itemsize == dtype.itemsize:
        seen: NDArray[Any] = values.view(dtype.newbyteorder("="))
        return seen
    return values if image.mode == "I" and dtype.itemsize < 4 else None


def _picture(values: NDArray[Any], page: Any) -> Image.Image:
    colors = _colors(page) or 1
    seen = values[..., :colors]
    missing = _no_data(seen, page)
    value_range = _value_range(seen, missing, page)
    shown = color.levels(seen, value_range)
    if page.photometric == _MIN_IS_WHITE:
        shown = 255 - shown
    if missing is not None:
        shown[missing] = 0
    alpha = _alpha(values, colors, page)
    if alpha is not None and colors in (1, 3):
        kind = page.extrasamples[0]
        if kind == _ASSOCIATED:  # colors are multiplied by it already
            shown = np.where(alpha > 0, np.minimum(255, shown * 255.0 / np.maximum(alpha, 1)), 0).astype(
                np.uint8
            )
        shown = np.concatenate([shown, alpha], axis=2)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if colors == 4 else "RGBA"}[shown.shape[2]]
    height, width = shown.shape[:2]
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(shown).tobytes())


def _no_data(values: NDArray[Any], page: Any) -> NDArray[np.bool_] | None:
    """Where a value stands for none; (H, W, colors)."""
    tag = page.tags.get(_NO_DATA)
    try:
        none = None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        none = None
    return None if none is None else values == np.asarray(none).astype(values.dtype)


def _value_range(values: NDArray[Any], missing: NDArray[np.bool_] | None, page: Any) -> tuple[float, float]:
    kind = values.dtype.kind
    stated = page.tags.get(_MAX_VALUE)
    if kind == "u" and stated is not None:
        low = page.tags.get(_MIN_VALUE)
        return float(np.min(low.value)) if low is not None else 0.0, float(np.max(stated.value))
    if kind == "u" and page.bitspersample <= 16 and missing is None:
        return 0.0, float(2**page.bitspersample - 1)
    if missing is None:
        if kind == "u" and values.max() > np.iinfo(values.dtype).max // 2:
            return 0.0, float(np.iinfo(values.dtype).max)  # whole numbers that use their highest bit
        return color.finite_range(values)
    there = values[~missing]
    return color.finite_range(there[None, :]) if there.size else (0.0, 1.0)


def _alpha(values: NDArray[Any], colors: int, page: Any) -> NDArray[np.uint8] | None:
    kinds = tuple(page.extrasamples)
    if not kinds or kinds[0] not in (_ASSOCIATED, _UNASSOCIATED):
        return None  # samples that say nothing of themselves are passed over
    channel = values[..., colors : colors + 1]
    top = 1.0 if channel.dtype.kind == "f" else float(np.iinfo(channel.dtype).max)
    return color.levels(channel, (0.0, top))
