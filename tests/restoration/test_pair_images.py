"""Files of pairs: every level holds the same pixels, and flat pictures are packed by what packs them best."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

from curate.restoration import pair_images

PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:240, :240])


def page() -> np.ndarray:
    """Lines of text, as a screenshot has them."""
    image = Image.new("RGB", (480, 480), "white")
    for y in range(5, 470, 14):
        ImageDraw.Draw(image).text((5, y), "The quick brown fox jumps over the lazy dog. " * 2, fill="black")
    return np.asarray(image)


def by_pillow(pixels: np.ndarray, level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=level)
    return file.getvalue()


@pytest.mark.parametrize("level", [None, 0, 4, 9])
@pytest.mark.parametrize("pixels", [PHOTO, page(), np.zeros((4, 8, 3), np.uint8)])
def test_a_file_holds_its_pixels_at_every_level(pixels: np.ndarray, level: int | None) -> None:
    packed = pair_images.png(pixels, level)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(packed))), pixels)
    if level is not None:
        assert packed == by_pillow(pixels, level)


def test_without_a_level_a_photo_is_as_small_as_by_zlib_and_a_page_not_larger() -> None:
    assert len(pair_images.png(PHOTO, None)) < 1.03 * len(by_pillow(PHOTO, 4))
    assert len(pair_images.png(page(), None)) <= len(by_pillow(page(), 6))
