"""Small upright pictures from files on disk, decoded no finer than a hash needs.

Headers are read as ingest reads them, so that both stages turn a picture in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image

from curate.errors import InputError
from curate.images import color, exif, frames, jpeg
from curate.images.image_errors import DECODER_ERRORS, UnfitImageError
from curate.images.load_upright import ADVICE
from curate.images.pixel_limit import open_any_size
from curate.records import UInt8Image

_SWAPPED: Final = 5  # EXIF orientations from here on exchange width and height
_ERRORS: Final = (*DECODER_ERRORS, Image.DecompressionBombError)  # of icons within a file, say


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
        """The pixels as a Pillow picture, RGB or L."""
        return Image.fromarray(self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels)


def read_small(path: Path, min_side: int | None) -> Small:
    """Decode a file to an upright picture of at least `min_side` pixels on each side, if it has that many.

    JPEGs are decoded straight to an eighth, a quarter or a half of their size. All others, and JPEGs that
    this cannot be done with (CMYK, colors that are not sRGB), are decoded in full by Pillow. At full size
    both decoders give the same pixels: libjpeg-turbo's.

    Args:
        path: JPEG, PNG, WebP or anything else that Pillow reads; EXIF orientation is applied.
        min_side: Pixels; None = every pixel, as Pillow decodes them.

    Raises:
        InputError: The file is missing, damaged or truncated; names it.
    """
    try:
        with path.open("rb", buffering=0) as file:  # in one piece
            data = file.readall()
        small = _jpeg(data, min_side or 0) if data[:3] == b"\xff\xd8\xff" else None
        return small or _full(path, data)
    except FileNotFoundError as error:
        raise InputError(f"image {path} has disappeared: {ADVICE}") from error
    except _ERRORS as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"image {path} cannot be read ({line}): {ADVICE}") from error


def _full(path: Path, data: bytes) -> Small:
    with open_any_size(path) as image:
        image.load()
        profile = frames.profile_of(image, data)
        plain = image.mode in ("L", "RGB") and "transparency" not in image.info and color.is_srgb(profile)
        picture = image if plain else color.to_srgb(image, profile)
        pixels = upright(np.atleast_3d(np.asarray(picture)), frames.turn_of(image, data))
    return Small(pixels, pixels.shape[1], pixels.shape[0])


def _jpeg(data: bytes, min_side: int) -> Small | None:
    """The JPEG at reduced size, at full size if `min_side` is 0; None if Pillow must look at it."""
    try:
        head = jpeg.read_head(data)
    except UnfitImageError:
        return None
    if len(head.components) not in (1, 3) or not color.is_srgb(head.icc):
        return None
    kind = "GRAY" if len(head.components) == 1 else "RGB"
    try:
        pixels = simplejpeg.decode_jpeg(data, kind, min_height=min_side, min_width=min_side)
    except ValueError:
        return None  # Pillow tells whether it is damaged or only unusual
    orientation = (exif.read(head.exif, head.xmp).orientation if head.exif or head.xmp else None) or 1
    turned = upright(pixels, orientation)
    size = (head.width, head.height)
    return Small(turned, *(size[::-1] if orientation >= _SWAPPED else size))


def upright(pixels: UInt8Image, orientation: int) -> UInt8Image:
    """(H, W, C) pixels turned as an EXIF orientation says; as they are where it is not one of 1..8."""
    if _SWAPPED <= orientation <= 8:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
