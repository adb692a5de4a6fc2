"""Test pictures in every encoding, and what ingest makes of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.images.upright_srgb import Header, Limits, PixelStatistics, UnfitImageError, Upright, upright

LIMITS = Limits(min_side=16, max_pixels=1_000_000, max_aspect=8.0)
ORIENTATION, EXIF_IFD, GPS_IFD, TAKEN = 0x0112, 0x8769, 0x8825, 0x9003


@dataclass(frozen=True)
class Seen:
    """What ingest keeps of a file, with the pixels that every later stage sees."""

    header: Header
    extension: str
    untouched: bool
    statistics: PixelStatistics
    pixels: np.ndarray
    content: bytes


def seen(data: bytes, limits: Limits = LIMITS, *, lossless: bool = False) -> Seen:
    [found] = upright(data, limits, frames="first", jpeg_quality=95, lossless=lossless)
    return shown(data, found)


def shown(data: bytes, found: Upright) -> Seen:
    content = data if found.content is None else found.content
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "RGB"
        assert image.size == (found.header.width, found.header.height)
        assert {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[str(image.format)] == found.extension
        assert image.getexif().get(ORIENTATION, 1) not in range(2, 9)
        pixels = np.asarray(image)
    return Seen(found.header, found.extension, found.content is None, found.statistics, pixels, content)


def reason_of(data: bytes, limits: Limits = LIMITS, frames: Any = "first") -> tuple[str, str]:
    with pytest.raises(UnfitImageError) as caught:
        upright(data, limits, frames=frames, jpeg_quality=95)
    assert "\n" not in caught.value.detail
    return caught.value.reason, caught.value.detail


def drawn() -> np.ndarray:
    """48 x 32 pixels without any symmetry: four plain quadrants and a gradient."""
    pixels = np.zeros((32, 48, 3), dtype=np.uint8)
    pixels[:16, :24] = (200, 30, 30)
    pixels[:16, 24:] = (30, 200, 30)
    pixels[16:, :24] = (30, 30, 200)
    pixels[16:, 24:] = (220, 220, 40)
    pixels[4:8, :, 0] = np.linspace(0, 255, 48)
    return pixels


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rows and columns as EXIF 2.32 (4.6.5 A, Orientation) says where row 0 and column 0 are seen."""
    p = pixels
    return {
        1: p,  # row 0 = top, column 0 = left
        2: p[:, ::-1],  # top, right
        3: p[::-1, ::-1],  # bottom, right
        4: p[::-1],  # bottom, left
        5: p.transpose(1, 0, 2),  # left, top
        6: p.transpose(1, 0, 2)[::-1],  # right, top
        7: p.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
        8: p.transpose(1, 0, 2)[:, ::-1],  # left, bottom
    }[orientation]


def saved(picture: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif kind == "JXL":
        pytest.importorskip("pillow_jxl")
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(np.ascontiguousarray(picture))
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif
