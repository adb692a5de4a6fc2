"""Small upright pictures from files on disk, decoded no finer than a hash needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import simplejpeg
from PIL import Image

from curate.errors import InputError
from curate.images import colour
from curate.records import UInt8Image

_ADVICE: Final = "run `dvc repro --force ingest` to make it again"
_ORIENTATION: Final = 0x0112
_SWAPPED: Final = 5  # EXIF orientations from here on exchange width and height
# What Pillow's decoders raise on damaged bytes.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class Small:
    """An upright picture, as large as was asked or larger.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, or (H, W, 1) where the file is gray.
        width: Of the file's upright pixels.
        height: Of the file's upright pixels.
    """

    pixels: UInt8Image
    width: int
    height: int

    @property
    def picture(self) -> Image.Image:
        """The same for Pillow, RGB or L."""
        return Image.fromarray(self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels)


def read_small(path: Path, least: int | None) -> Small:
    """Decode a file to an upright picture of at least `least` pixels a side, if the file has that many.

    JPEGs are decoded straight to an eighth, a quarter or a half of their size. All others, and JPEGs that
    this cannot be done with (CMYK, colours that are not sRGB), are decoded in full by Pillow. At full size
    both decoders give the same pixels: libjpeg-turbo's.

    Args:
        path: JPEG, PNG, WebP or anything else that Pillow reads; EXIF orientation is applied.
        least: Pixels; None = every pixel, as Pillow decodes them.

    Raises:
        InputError: The file is missing, damaged or truncated; names it.
    """
    try:
        with path.open("rb", buffering=0) as file:  # in one piece
            data = file.readall()
        small = _jpeg(data, least or 0) if data[:3] == b"\xff\xd8\xff" else None
        return small or _full(path)
    except FileNotFoundError as error:
        raise InputError(f"image {path} has disappeared: {_ADVICE}") from error
    except _DECODER_ERRORS as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"image {path} cannot be read ({line}): {_ADVICE}") from error


def _full(path: Path) -> Small:
    with Image.open(path) as image:
        image.load()
        picture = image if image.mode in ("L", "RGB") and not _odd(image) else colour.to_srgb(image)
        pixels = np.atleast_3d(np.asarray(picture))
        pixels = upright(pixels, image.getexif().get(_ORIENTATION, 1))
    return Small(pixels, pixels.shape[1], pixels.shape[0])


def _odd(image: Image.Image) -> bool:
    """Whether the samples are not plain sRGB values."""
    return "transparency" in image.info or not colour.is_srgb(image.info.get("icc_profile"))


def _jpeg(data: bytes, least: int) -> Small | None:
    """The JPEG at reduced size, at full size if `least` is 0; None if Pillow must look at it."""
    header = _header(data)
    if header is None:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "GRAY" if header.gray else "RGB", min_height=least, min_width=least
        )
    except ValueError:
        return None  # Pillow tells whether it is damaged or only unusual
    turned = upright(pixels, header.orientation)
    size = (header.width, header.height)
    return Small(turned, *(size[::-1] if header.orientation >= _SWAPPED else size))


def upright(pixels: UInt8Image, orientation: int) -> UInt8Image:
    """(H, W, C) pixels turned as an EXIF orientation says; as they are where it is not one of 1..8."""
    if _SWAPPED <= orientation <= 8:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    gray: bool
    orientation: int


def _header(data: bytes) -> _Header | None:
    """What matters of a JPEG's segments; None where Pillow must look."""
    orientation, profile = 1, b""
    for marker, start, end in _segments(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            found = exif_orientation(data[start + 6 : end])
            if found is None:
                return None
            orientation = found
        elif marker == 0xE1 and b"rientation" in data[start:end]:  # XMP may hold one, which Pillow obeys
            return None
        elif marker == 0xE2 and data[start : start + 12] == b"ICC_PROFILE\0":
            profile += data[start + 14 : end]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            if components not in (1, 3) or not width or not height or not colour.is_srgb(profile):
                return None
            return _Header(width, height, components == 1, orientation)
    return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of what stands before the scan; ends early where the structure is unusual."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, end
        if marker == 0xDA:
            return
        at = end


def exif_orientation(tiff: bytes) -> int | None:
    """EXIF orientation 1..8 of a TIFF block; 1 where it has none; None where the block is damaged.

    Source: TIFF 6.0, section 2; Exif 2.32, tag 0x0112.
    """
    order: Literal["<", ">"] = "<" if tiff[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * entries, 12):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, at)
            if tag == _ORIENTATION:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else None
    except struct.error:
        return None
    return None if b"rientation" in tiff else 1
