"""Of two sizes, which came first: each way to resample, on a photograph and on a soft one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from skimage import data

from curate.dedupe.resampling import was_enlarged

COFFEE = Image.fromarray(data.coffee()).convert("L")
WAYS = [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]


def luma(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32)


def resized(image: Image.Image, scale: float, method: Image.Resampling) -> Image.Image:
    return image.resize((round(image.width * scale), round(image.height * scale)), method)


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("scale", [0.4, 0.7, 1.4, 2, 2.3])
def test_each_way_to_resample_is_told(method: Image.Resampling, scale: float) -> None:
    made = luma(resized(COFFEE, scale, method))
    original = luma(COFFEE)
    assert was_enlarged(made, original) if scale > 1 else not was_enlarged(original, made)


@pytest.mark.parametrize("scale", [1.6, 2, 2.5])
def test_a_picture_enlarged_without_smoothing_repeats_rows(scale: float) -> None:
    assert was_enlarged(luma(resized(COFFEE, scale, Image.Resampling.NEAREST)), luma(COFFEE))


def test_a_soft_picture_has_no_detail_of_its_own_and_is_told_all_the_same() -> None:
    soft = COFFEE.filter(ImageFilter.GaussianBlur(2))
    grain = np.random.default_rng(3).normal(0, 1, (soft.height, soft.width))
    noisy = Image.fromarray(np.clip(luma(soft) + grain + 0.5, 0, 255).astype(np.uint8))
    assert not was_enlarged(luma(noisy), luma(resized(noisy, 0.5, Image.Resampling.BOX)))
    assert was_enlarged(luma(resized(noisy, 1.7, Image.Resampling.BICUBIC)), luma(noisy))


@pytest.mark.parametrize("quality", [60, 80])
def test_the_beat_of_interpolation_is_seen_where_a_jpeg_added_detail(quality: int) -> None:
    """Without it the larger one seems to have detail of its own."""
    buffer = io.BytesIO()
    resized(COFFEE, 1.7, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=quality)
    assert was_enlarged(luma(Image.open(io.BytesIO(buffer.getvalue()))), luma(COFFEE))
