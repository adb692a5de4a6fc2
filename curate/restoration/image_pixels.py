"""Pixels of one image file as they are stored, upright: colors, alpha, 8 or 16 bits, ICC profile."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from curate.errors import CurateError, InputError
from curate.extras import require
from curate.images import color, image_errors, pixel_limit
from curate.records import FloatArray

_PNG, _PNG_DEPTH_AT = b"\x89PNG\r\n\x1a\n", 24
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
_PNM = (b"P5", b"P6")
_TIFF_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}  # samples of a color, by photometric
_DEPTHS = (1, 2, 4, 8, 16)  # bits of a TIFF's samples that are kept
_UNSIGNED = (1, 4)  # SampleFormat; 4 = not said
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha, of ExtraSamples
_DEEP = (0, 1, 2)  # photometrics of 16 bits that are kept: white or black is 0, RGB
_PLANES = 2  # PlanarConfiguration: one after the other
_FULL = {8: 255, 16: 65535}  # the value of white
Samples = NDArray[Any]  # uint8 or uint16


@dataclass(frozen=True, slots=True)
class ImagePixels:
    """Pixels of an image, with what they need to be written again.

    Attributes:
        color: (H, W, 3) RGB, uint8 or uint16; of a gray image all three are equal.
        alpha: (H, W) of the same type; None = opaque.
        gray: It is stored as gray.
        profile: ICC profile of its colors; None = sRGB.
    """

    color: Samples
    alpha: Samples | None
    gray: bool
    profile: bytes | None

    @property
    def bits(self) -> int:
        """Bits per sample, 8 or 16."""
        return int(self.color.dtype.itemsize) * 8

    @property
    def white(self) -> int:
        """Largest value of a sample."""
        return _FULL[self.bits]


@dataclass(frozen=True, slots=True)
class Unit:
    """Colors whose slices are read as float32 in [0, 1]: only the tile at work is ever that large.

    Attributes:
        color: (H, W, 3) uint8 or uint16.
    """

    color: Samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and 3."""
        return self.color.shape

    def __getitem__(self, rows: slice) -> FloatArray:
        part = self.color[rows]
        return part.astype(np.float32) / np.float32(_FULL[part.dtype.itemsize * 8])


class TooLargeError(InputError):
    """An image has more pixels than are read."""


def read(path: Path, *, max_pixels: int) -> ImagePixels:
    """Decode a file to its pixels.

    The bytes decide the format. EXIF's orientation is applied. CMYK and other colors that PNG has not become
    sRGB; palettes become RGB. Refused are floats, whole numbers of more than 16 bits or with a sign, and
    samples of a TIFF that are neither colors nor alpha.

    Args:
        path: The file.
        max_pixels: More are refused before any is decoded.

    Raises:
        TooLargeError: It has more pixels.
        InputError: It is missing, damaged, or of a kind that cannot be kept.
        MissingExtraError: A PNG of 16 bits without the extra restoration.
    """
    try:
        data = path.read_bytes()
        with pixel_limit.any_size():
            return _decoded(data, path, max_pixels)
    except FileNotFoundError as error:
        raise InputError(f"image {path} does not exist") from error
    except UnidentifiedImageError as error:  # its own words name an address in memory
        raise InputError(f"image {path} cannot be read (damaged, or no format that is read)") from error
    except (CurateError, MemoryError):  # the latter says nothing of the image
        raise
    except Exception as error:  # a decoder's defect must cost one image, not the run
        raise InputError(f"image {path} cannot be read ({image_errors.one_line(error)})") from error


def _decoded(data: bytes, path: Path, max_pixels: int) -> ImagePixels:
    if data.startswith(_TIFF):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[0]
            _refuse_size(page.imagewidth, page.imagelength, path, max_pixels)
            _refuse_samples(page)
            if page.bitspersample == 16:
                return _deep_tiff(page)
    else:
        with Image.open(io.BytesIO(data)) as header:
            _refuse_size(*header.size, path, max_pixels)
    if data.startswith(_PNG) and data[_PNG_DEPTH_AT : _PNG_DEPTH_AT + 1] == b"\x10":
        return _deep_png(data)
    if data.startswith(_PNM) and _pnm_white(data) > 255:
        raise ValueError("its 16 bits cannot be kept: convert it to PNG or TIFF of 16 bits")
    with Image.open(io.BytesIO(data)) as image:
        return _from_pillow(image)


def _pnm_white(data: bytes) -> int:
    """The largest value that the header of a PGM or PPM names: the third number, comments left out."""
    header = re.sub(rb"#[^\r\n]*", b"", data[:4096])
    found = re.match(rb"P[56]\s+\d+\s+\d+\s+(\d+)\s", header)
    return int(found[1]) if found else 255


def _refuse_size(width: int, height: int, path: Path, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLargeError(
            f"image {path} has {width}x{height} pixels, more than upscale.max_pixels = {max_pixels:,}"
        )


def _refuse_samples(page: Any) -> None:
    """What a PNG cannot hold, and what would be taken for something else.

    Source: TIFF 6.0, sections 18 (ExtraSamples: only 1 and 2 are alpha) and 19 (SampleFormat).
    """
    bits, kind = page.bitspersample, page.sampleformat
    if kind not in _UNSIGNED or bits not in _DEPTHS:
        named = {2: "whole numbers with a sign", 3: "floats"}.get(kind, "whole numbers")
        raise ValueError(f"its values are {named} of {bits} bits: convert it to 8 or 16 bits first")
    colors, kinds = _TIFF_COLORS.get(int(page.photometric)), tuple(int(one) for one in page.extrasamples)
    extra = page.samplesperpixel - (colors or page.samplesperpixel)
    alpha = extra == 1 and len(kinds) == 1 and kinds[0] in (_ASSOCIATED, _UNASSOCIATED)
    if extra and not (alpha and colors in (1, 3)):
        raise ValueError(
            f"it has {page.samplesperpixel} samples per pixel, {colors} of them color, and its ExtraSamples "
            "do not say that the other is alpha: save it without that"
        )


def _from_pillow(image: Image.Image) -> ImagePixels:
    image.load()
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise ValueError("its values are floats: convert it to 8 or 16 bits first")
    if upright.mode.startswith("I"):
        raise ValueError("its values of more than 8 bits cannot be kept: convert it to PNG or TIFF of 16")
    if upright.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in upright.info:
        gray = upright.mode in ("LA", "La", "L")
        with_alpha = np.asarray(upright.convert("RGBA"))
        alpha = None if (with_alpha[..., 3] == 255).all() else with_alpha[..., 3]
        return ImagePixels(with_alpha[..., :3], alpha, gray, profile)
    if upright.mode in ("1", "L", "P", "RGB"):
        return ImagePixels(np.asarray(upright.convert("RGB")), None, upright.mode in ("1", "L"), profile)
    return ImagePixels(np.asarray(color.to_srgb(upright, profile)), None, False, None)


def _deep_png(data: bytes) -> ImagePixels:
    """Pillow makes 8 bits of all but gray."""
    cv2 = require("cv2", extra="restoration")
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("damaged")
    with Image.open(io.BytesIO(data)) as header:
        profile = header.info.get("icc_profile")
        turn = header.getexif().get(0x0112, 1)
    if values.ndim == 3:
        order = [2, 1, 0, 3][: values.shape[2]]
        values = values[..., order]
    return _deep(_turned(values, turn), profile)


def _deep_tiff(page: Any) -> ImagePixels:
    """A page of 16 bits a sample."""
    photometric = int(page.photometric)
    if photometric not in _DEEP:
        raise ValueError(f"its 16 bits of {page.photometric.name} cannot be kept: convert it to RGB")
    if _ASSOCIATED in page.extrasamples:
        raise ValueError("its colors are multiplied by alpha: store them as they are, with plain alpha")
    values = page.asarray().reshape(_shape(page))
    if int(page.planarconfig) == _PLANES:
        values = np.moveaxis(values, 0, -1)
    if photometric == 0:  # white is 0, of alpha clear is
        colors = _TIFF_COLORS[photometric]
        values = np.concatenate([65535 - values[..., :colors], values[..., colors:]], axis=2)
    profile, turn = page.tags.get(34675), page.tags.get(274)
    return _deep(_turned(values, int(turn.value) if turn else 1), bytes(profile.value) if profile else None)


def _shape(page: Any) -> tuple[int, int, int]:
    """Shape of the samples as they lie in the file: planes first or last."""
    height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
    return (count, height, width) if int(page.planarconfig) == _PLANES else (height, width, count)


def _deep(values: Samples, profile: bytes | None) -> ImagePixels:
    """Pixels of (H, W) gray, or of (H, W, samples) of which the second or fourth is alpha."""
    if values.ndim == 2:
        values = values[..., None]
    gray = values.shape[2] < 3
    alpha = values[..., -1] if values.shape[2] in (2, 4) else None
    shown = np.repeat(values[..., :1], 3, axis=2) if gray else values[..., :3]
    if alpha is not None and (alpha == 65535).all():
        alpha = None
    return ImagePixels(np.ascontiguousarray(shown), alpha, gray, profile)


def _turned(values: Samples, orientation: int) -> Samples:
    """Upright: EXIF's 1..8."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(values[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
