"""Quality figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from curate.images import quality


def test_a_flat_picture() -> None:
    assert quality.measure(Image.new("RGB", (70, 50), (80, 80, 80))) == quality.Quality(80.0, 0.0, 0.0)


def test_two_halves() -> None:
    pixels = np.zeros((10, 10, 3), dtype=np.uint8)
    pixels[:, 5:] = 100
    measured = quality.measure(Image.fromarray(pixels))
    assert measured.brightness == 50.0
    assert measured.contrast == 50.0
    # Inner pixels are 8 x 8; beside the edge the Laplacian is +100 in one column and -100 in the next.
    assert measured.sharpness == pytest.approx(16 * 100**2 / 64)


def test_a_checkerboard_is_as_sharp_as_can_be() -> None:
    board = (np.indices((12, 12)).sum(axis=0) % 2 * 255).astype(np.uint8)
    measured = quality.measure(Image.fromarray(board).convert("RGB"))
    assert measured.contrast == 127.5
    assert measured.sharpness == pytest.approx((4 * 255) ** 2)


def test_blocks_of_rows_do_not_change_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 40, 3), dtype=np.uint8)
    whole = quality.measure(Image.fromarray(noise))
    monkeypatch.setattr(quality, "_ROWS", 7)
    assert quality.measure(Image.fromarray(noise)) == whole


def test_blur_lowers_sharpness() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    blurred = noise.filter(ImageFilter.GaussianBlur(2))
    assert quality.measure(blurred).sharpness < quality.measure(noise).sharpness / 10


def test_a_picture_without_inner_pixels() -> None:
    assert quality.measure(Image.new("RGB", (2, 2))).sharpness == 0.0
