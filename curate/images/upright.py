"""From the bytes of one file to what ingest keeps of it: header, quality, and the upright file to write."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from curate.images import colour, exif, formats, jpeg, quality
from curate.images.frames import Frames, pictures, turned_upright
from curate.images.image_errors import DECODER_ERRORS, Header, Limits, UnfitImageError, check, damaged
from curate.images.jpeg import JpegHead
from curate.images.quality import Quality
from curate.images.turned import turned

__all__ = ["Frames", "Header", "Limits", "Quality", "UnfitImageError", "Upright", "upright"]

# Levels of luma that a turned file may differ from the turned picture by; see `curate.images.turned`.
_TURN_TOLERANCE = 4


@dataclass(frozen=True, slots=True)
class Upright:
    """One picture of a file.

    Attributes:
        header: Of the file; sizes are those of this frame.
        extension: Of the upright file, with its dot: ".jpg", ".png" or ".webp".
        content: What the upright file must hold; None = the source bytes as they are, which show upright
            sRGB to every reader.
        quality: Of the luma of the upright picture.
        frame: 0-based.
        frames: How many the file holds, at least 1.
    """

    header: Header
    extension: str
    content: bytes | None
    quality: Quality
    frame: int
    frames: int


def upright(data: bytes, limits: Limits, *, frames: Frames, jpeg_quality: int) -> list[Upright]:
    """Decode every pixel of the wanted frames of a file and say what is to be kept of them.

    The bytes decide the format, never the name. Orientation is applied; colours become 8-bit sRGB as
    `curate.images.colour` says. A file that is upright sRGB is never encoded anew; a JPEG that is only
    turned, or gray, is changed without loss where that is possible.

    Args:
        data: The whole file.
        limits: Checked on the header, before any pixel is decoded; with all frames their sum keeps to
            `max_pixels`.
        frames: Of animations and files of several pages: the first, all of them, or drop the file.
        jpeg_quality: 1..100, of upright copies that must be encoded anew.

    Returns:
        One picture, or one a frame with `frames="all"`.

    Raises:
        UnfitImageError: With reason and detail.
    """
    if not data:
        raise UnfitImageError("empty_file", "0 bytes")
    kind = formats.sniff(data)
    if kind == "JPEG":
        return [_jpeg(data, limits, jpeg_quality)]
    found = []
    for one in pictures(data, kind, limits, frames):
        content = None if one.untouched else _encoded(one.picture, "PNG")
        measured = quality.measure(one.picture)
        found.append(Upright(one.header, one.extension, content, measured, one.frame, one.frames))
    return found


def _jpeg(data: bytes, limits: Limits, jpeg_quality: int) -> Upright:
    head = jpeg.read_head(data)
    said = exif.read(head.exif, head.xmp)
    turn = said.orientation or 1
    size = (head.height, head.width) if turn >= 5 else (head.width, head.height)
    header = Header("JPEG", *size, said.orientation, said.captured_at)
    check(header, limits)
    luma = jpeg.luma(data, head, header, half=quality.is_halved(*size))
    content: bytes | None = None
    measured = None
    if len(head.components) > 3 or not colour.is_srgb(head.icc):
        content, measured = _recoloured(data, head, header, jpeg_quality)
    elif turn != 1 or not head.plain:
        content = _turned(data, head, turn, luma)
        if content is None:
            content, measured = _recoloured(data, head, header, jpeg_quality)
    return Upright(header, ".jpg", content, measured or quality.measure_luma(luma), 0, 1)


def _turned(data: bytes, head: JpegHead, turn: int, luma: NDArray[np.uint8]) -> bytes | None:
    """The file turned without loss, looked at again; None where that cannot be."""
    content = turned(data, head, turn)
    if content is None:
        return None
    wanted = np.asarray(turned_upright(Image.fromarray(luma), turn))
    height, width = wanted.shape
    try:
        seen = simplejpeg.decode_jpeg(content, "GRAY", min_height=height, min_width=width, strict=True)[
            ..., 0
        ]
    except DECODER_ERRORS:
        return None
    if seen.shape != wanted.shape:
        return None
    differences = np.subtract(seen, wanted, dtype=np.int16)
    furthest = max(int(differences.max()), -int(differences.min()))
    return content if furthest <= _TURN_TOLERANCE else None


def _recoloured(data: bytes, head: JpegHead, header: Header, jpeg_quality: int) -> tuple[bytes, Quality]:
    """Decoded, converted, turned and encoded anew."""
    space = {1: "GRAY", 4: "CMYK"}.get(len(head.components), "RGB")
    try:
        values = simplejpeg.decode_jpeg(data, colorspace=space, strict=True)
        if space == "CMYK" and head.adobe is not None:
            np.subtract(255, values, out=values)  # Adobe writes ink as 0
        mode = {"GRAY": "L"}.get(space, space)
        stored = Image.frombuffer(mode, (head.width, head.height), values, "raw", mode, 0, 1)
        if head.icc:
            stored.info["icc_profile"] = head.icc
        picture = turned_upright(colour.to_srgb(stored), header.exif_orientation)
    except DECODER_ERRORS as error:
        raise damaged(error, header) from error
    return _encoded(picture, "JPEG", quality=jpeg_quality, subsampling=0), quality.measure(picture)


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """Without EXIF and ICC data: the picture is upright sRGB."""
    buffer = io.BytesIO()
    picture.info.clear()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
