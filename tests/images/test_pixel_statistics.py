"""Quality figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from curate.images import pixel_statistics


def test_a_flat_picture() -> None:
    flat = Image.new("RGB", (70, 50), (80, 80, 80))
    assert pixel_statistics.measure(flat) == pixel_statistics.PixelStatistics(80.0, 0.0, 0.0)


def test_two_halves() -> None:
    pixels = np.zeros((10, 10, 3), dtype=np.uint8)
    pixels[:, 5:] = 100
    measured = pixel_statistics.measure(Image.fromarray(pixels))
    assert measured.brightness == 50.0
    assert measured.contrast == 50.0
    # Inner pixels are 8 x 8; beside the edge the Laplacian is +100 in one column and -100 in the next.
    assert measured.sharpness == pytest.approx(16 * 100**2 / 64)


def test_a_checkerboard_is_as_sharp_as_can_be() -> None:
    board = (np.indices((12, 12)).sum(axis=0) % 2 * 255).astype(np.uint8)
    measured = pixel_statistics.measure(Image.fromarray(board).convert("RGB"))
    assert measured.contrast == 127.5
    assert measured.sharpness == pytest.approx((4 * 255) ** 2)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 2100), st.integers(0, 2**32))
def test_sums_are_those_of_the_definition(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    luma = rng.choice([0, 255], (height, width)).astype(np.uint8)  # the largest sums there are
    measured = pixel_statistics.measure_luma(luma)
    wide = luma.astype(np.int64)
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    assert measured.brightness == pytest.approx(wide.mean())
    assert measured.contrast == pytest.approx(wide.std(), abs=1e-6)
    assert measured.sharpness == pytest.approx(laplacian.var() if laplacian.size else 0.0)


def test_large_pictures_are_measured_at_half_size() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (384, 400, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    assert pixel_statistics.measure(picture) == pixel_statistics.measure_luma(
        np.asarray(picture.convert("L").reduce(2))
    )
    small = picture.crop((0, 0, 400, 383))
    assert pixel_statistics.measure(small) == pixel_statistics.measure_luma(np.asarray(small.convert("L")))


def test_blur_lowers_sharpness() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    blurred = noise.filter(ImageFilter.GaussianBlur(2))
    assert pixel_statistics.measure(blurred).sharpness < pixel_statistics.measure(noise).sharpness / 10


def test_a_picture_without_inner_pixels() -> None:
    assert pixel_statistics.measure(Image.new("RGB", (2, 2))).sharpness == 0.0
