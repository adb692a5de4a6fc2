"""From the bytes of one file to what ingest keeps of it: header, quality, and the upright file to write."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from curate.images import decode as _decode
from curate.images import quality
from curate.images.decode import Header, Limits, UnfitImageError
from curate.images.quality import Quality

__all__ = ["Frames", "Header", "Limits", "Quality", "UnfitImageError", "Upright", "upright"]

Frames = Literal["first", "all", "drop"]


@dataclass(frozen=True, slots=True)
class Upright:
    """One picture of a file.

    Attributes:
        header: Of the file; sizes are those of this frame.
        extension: Of the upright file, with its dot: ".jpg", ".png" or ".webp".
        content: What the upright file must hold; None = the source bytes as they are, which show upright
            sRGB to every reader.
        quality: Of the upright pixels.
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
    """Decode every pixel of a file and say what is to be kept of it.

    Args:
        data: The whole file.
        limits: Checked on the header, before any pixel is decoded.
        frames: Of animations and files of several pages: the first, all of them, or drop the file.
        jpeg_quality: 1..100, of upright copies that must be encoded anew.

    Returns:
        One picture, or one a frame with `frames="all"`.

    Raises:
        UnfitImageError: With reason and detail.
    """
    decoded = _decode.decode(data, limits)
    content: bytes | None = None
    if not decoded.untouched:
        buffer = io.BytesIO()
        if decoded.extension == ".jpg":
            decoded.picture.save(buffer, "JPEG", quality=jpeg_quality, subsampling=0)
        else:
            decoded.picture.save(buffer, "PNG")
        content = buffer.getvalue()
    return [Upright(decoded.header, decoded.extension, content, quality.measure(decoded.picture), 0, 1)]
