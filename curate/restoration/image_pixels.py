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
from PIL import Image, ImageOps

from curate.errors import InputError
from curate.extras import require
from curate.images import color, pixel_limit
from curate.records import FloatArray

_PNG, _PNG_DEPTH_AT = b"\x89PNG\r\n\x1a\n", 24
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
_PNM = (b"P5", b"P6")
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, tifffile.TiffFileError)
_FULL = {8: 255, 16: 65535}  # the value of white
Samples = NDArray[Any]  # uint8 or uint16


@dataclass(frozen=True, slots=True)
class ImagePixels:
    """One image.

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
        """8 or 16."""
        return int(self.color.dtype.itemsize) * 8

    @property
    def white(self) -> int:
        """The largest value."""
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
        """Height, width, 3."""
        return self.color.shape

    def __getitem__(self, rows: slice) -> FloatArray:
        part = self.color[rows]
        return part.astype(np.float32) / np.float32(_FULL[part.dtype.itemsize * 8])


class TooLargeError(InputError):
    """An image has more pixels than are read."""


def read(path: Path, *, max_pixels: int) -> ImagePixels:
    """Decode a file.

    The bytes decide the format. EXIF's orientation is applied. CMYK and other colors that PNG has not become
    sRGB; palettes become RGB; a float picture is refused.

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
            _refuse_size(data, path, max_pixels)
            return _decoded(data)
    except FileNotFoundError as error:
        raise InputError(f"image {path} does not exist") from error
    except _DAMAGED as error:
        raise InputError(f"image {path} cannot be read ({error})") from error


def _decoded(data: bytes) -> ImagePixels:
    if data.startswith(_PNG) and data[_PNG_DEPTH_AT : _PNG_DEPTH_AT + 1] == b"\x10":
        return _deep_png(data)
    if data.startswith(_TIFF) and (page := _deep_tiff(data)) is not None:
        return page
    if data.startswith(_PNM) and _pnm_white(data) > 255:
        raise ValueError("its 16 bits cannot be kept: convert it to PNG or TIFF of 16 bits")
    with Image.open(io.BytesIO(data)) as image:
        return _from_pillow(image)


def _pnm_white(data: bytes) -> int:
    """The largest value that the header of a PGM or PPM names: the third number, comments left out."""
    header = re.sub(rb"#[^\r\n]*", b"", data[:4096])
    found = re.match(rb"P[56]\s+\d+\s+\d+\s+(\d+)\s", header)
    return int(found[1]) if found else 255


def _refuse_size(data: bytes, path: Path, max_pixels: int) -> None:
    with Image.open(io.BytesIO(data)) as header:
        width, height = header.size
    if width * height > max_pixels:
        raise TooLargeError(
            f"image {path} has {width}x{height} pixels, more than upscale.max_pixels = {max_pixels:,}"
        )


def _from_pillow(image: Image.Image) -> ImagePixels:
    image.load()
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise ValueError("its values are floats: convert it to 8 or 16 bits first")
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


def _deep_tiff(data: bytes) -> ImagePixels | None:
    """The first page, where it has 16 bits a sample; None where it has not."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        colors = {0: 1, 1: 1, 2: 3}.get(int(page.photometric))
        if page.dtype != np.uint16:
            return None
        if colors is None:
            raise ValueError(f"its 16 bits of {page.photometric.name} cannot be kept: convert it to RGB")
        if 1 in page.extrasamples:
            raise ValueError("its colors are multiplied by alpha: store them as they are, with plain alpha")
        values = page.asarray()
        if values.ndim == 3 and int(page.planarconfig) == 2:
            values = np.moveaxis(values, 0, -1)
        if int(page.photometric) == 0:
            values = 65535 - values
        profile = page.tags.get(34675)
        turn = page.tags.get(274)
    if values.ndim == 3 and values.shape[2] > colors and not page.extrasamples:
        values = values[..., :colors]
    return _deep(_turned(values, int(turn.value) if turn else 1), bytes(profile.value) if profile else None)


def _deep(values: Samples, profile: bytes | None) -> ImagePixels:
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
