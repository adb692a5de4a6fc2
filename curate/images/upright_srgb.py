"""From the bytes of one file to what ingest keeps of it: header, statistics, the upright file to write."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.images import color, exif, formats, jpeg, pixel_statistics, quality_figures, quantization_tables
from curate.images.frames import Frames, pictures, turned_upright
from curate.images.image_errors import DECODER_ERRORS, Header, Limits, UnfitImageError, check, damaged
from curate.images.pixel_statistics import PixelStatistics
from curate.images.quality_figures import QualityFigures

__all__ = ["Frames", "Header", "Limits", "PixelStatistics", "UnfitImageError", "Upright", "upright"]


@dataclass(frozen=True, slots=True)
class Upright:
    """Picture of a file as upright sRGB.

    Attributes:
        header: Of the file; sizes are those of this frame.
        extension: Of the upright file, with its dot: ".jpg", ".png" or ".webp".
        content: What the upright file must hold; None = the source bytes as they are, which show upright
            sRGB to every reader.
        statistics: Of the luma of the upright picture.
        quality: Of the same plane, and of the file.
        frame: 0-based.
        frames: How many the file holds, at least 1.
    """

    header: Header
    extension: str
    content: bytes | None
    statistics: PixelStatistics
    quality: QualityFigures
    frame: int
    frames: int


def upright(
    data: bytes, limits: Limits, *, frames: Frames, jpeg_quality: int, lossless: bool = False
) -> list[Upright]:
    """Decode every pixel of the wanted frames of a file and say what is to be kept of them.

    The bytes decide the format, never the name. Orientation is applied; colors become 8-bit sRGB as
    `curate.images.color` says. A file that is upright sRGB is never encoded anew. A JPEG that is turned, gray
    or of other colors is: as a JPEG of `jpeg_quality` without subsampling, or as a PNG, which loses nothing
    and takes several times the bytes.

    Args:
        data: The whole file.
        limits: Checked on the header, before any pixel is decoded; with all frames their sum keeps to
            `max_pixels`.
        frames: Of animations and files of several pages: the first, all of them, or drop the file.
        jpeg_quality: 1..100, of upright copies of JPEGs.
        lossless: Copies of JPEGs are PNGs.

    Returns:
        One picture, or one per frame with `frames="all"`.

    Raises:
        UnfitImageError: With reason and detail.
    """
    if not data:
        raise UnfitImageError("empty_file", "0 bytes")
    kind = formats.sniff(data)
    if kind == "JPEG":
        return [_jpeg(data, limits, None if lossless else jpeg_quality)]
    found = []
    for one in pictures(data, kind, limits, frames):
        content = None if one.untouched else _encoded(one.picture, "PNG")
        measured = _measured(pixel_statistics.plane(one.picture), one.picture.size, None)
        found.append(Upright(one.header, one.extension, content, *measured, one.frame, one.frames))
    return found


def _jpeg(data: bytes, limits: Limits, quality: int | None) -> Upright:
    head = jpeg.read_head(data)
    told = exif.read(head.exif, head.xmp)
    turn = told.orientation or 1
    size = (head.height, head.width) if turn >= 5 else (head.width, head.height)
    header = Header("JPEG", *size, told.orientation, told.captured_at)
    check(header, limits)
    luma, lacks_end = jpeg.luma(data, head, header, half=pixel_statistics.is_halved(*size))
    saved_with = quantization_tables.quality(data, head)
    if lacks_end:
        data += b"\xff\xd9"
    if turn == 1 and head.is_common and jpeg.has_common_sampling(head) and color.is_srgb(head.icc):
        content = data if lacks_end else None
        return Upright(header, ".jpg", content, *_measured(luma, size, saved_with), 0, 1)
    try:
        stored = jpeg.picture(data, header)
        picture = turned_upright(color.to_srgb(stored, head.icc), turn)
    except DECODER_ERRORS as error:
        raise damaged(error, header) from error
    measured = _measured(pixel_statistics.plane(picture), picture.size, saved_with)
    if quality is None:
        return Upright(header, ".png", _encoded(picture, "PNG"), *measured, 0, 1)
    content = _encoded(picture, "JPEG", quality=quality, subsampling=0)
    return Upright(header, ".jpg", content, *measured, 0, 1)


def _measured(
    luma: NDArray[np.uint8], size: tuple[int, int], saved_with: int | None
) -> tuple[PixelStatistics, QualityFigures]:
    statistics = pixel_statistics.measure_luma(luma)
    halved = pixel_statistics.is_halved(*size)
    return statistics, quality_figures.measure(
        luma, statistics.sharpness, halved=halved, jpeg_quality=saved_with
    )


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """Without EXIF and ICC data: the picture is upright sRGB."""
    buffer = io.BytesIO()
    picture.info.clear()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
