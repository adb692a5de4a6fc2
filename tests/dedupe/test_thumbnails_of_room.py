from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.dedupe.decode_small import upright
from curate.dedupe.thumbnails import color_cells, luma_thumbnail
from curate.records import UInt8Image


def _random(seed: int, height: int, width: int, bands: int = 3) -> UInt8Image:
    rng = np.random.default_rng(seed)
    # Black and white overshoot after the first pass, so that the rounding in between is seen.
    pixels = rng.integers(0, 256, (height, width, bands), dtype=np.uint8)
    return np.where(rng.random((height, 1, 1)) < 0.5, pixels, (pixels > 127) * np.uint8(255)).astype(np.uint8)


def _pillow(pixels: UInt8Image) -> tuple[UInt8Image, UInt8Image]:
    picture = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    luma = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS))
    return luma, np.asarray(picture.convert("RGB").resize((4, 4), Image.Resampling.BOX))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(4, 200), st.integers(4, 200), st.sampled_from([1, 3]))
def test_luma_is_pillows_to_the_bit_and_colors_are_within_a_level(
    seed: int, height: int, width: int, bands: int
) -> None:
    pixels = _random(seed, height, width, bands)
    expected_luma, expected_color = _pillow(pixels)
    np.testing.assert_array_equal(luma_thumbnail(pixels, 32), expected_luma)
    assert np.abs(color_cells(pixels, 4).astype(int) - expected_color).max() <= 1


@pytest.mark.parametrize("height", [700, 1333])
@pytest.mark.parametrize("off", [-2, -1, 0, 1, 2])
def test_the_order_of_passes_is_pillows_around_where_it_changes(height: int, off: int) -> None:
    rng = np.random.default_rng(3)
    blocks = Image.fromarray(((rng.random((40, 40)) > 0.5) * 255).astype(np.uint8))
    pixels = np.asarray(blocks.resize((height // 2 + 16 + off, height), Image.Resampling.NEAREST))[:, :, None]
    np.testing.assert_array_equal(luma_thumbnail(pixels, 32), _pillow(pixels)[0])


def test_one_color_stays_what_it_is() -> None:
    pixels = np.full((77, 130, 3), (200, 10, 255), dtype=np.uint8)
    assert (color_cells(pixels, 4) == (200, 10, 255)).all()
    assert (
        luma_thumbnail(pixels, 32) == np.asarray(Image.new("RGB", (1, 1), (200, 10, 255)).convert("L"))[0, 0]
    ).all()


def test_views_with_strides_are_read_rightly() -> None:
    pixels = _random(1, 64, 90)
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    np.testing.assert_array_equal(luma_thumbnail(pixels[:, ::-1], 32), luma_thumbnail(mirrored, 32))
    np.testing.assert_array_equal(color_cells(pixels[:, ::-1], 4), color_cells(mirrored, 4))


@pytest.mark.parametrize(
    ("orientation", "way"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_orientations_turn_as_pillow_turns(orientation: int, way: Image.Transpose) -> None:
    pixels = _random(2, 5, 8)
    expected = np.asarray(Image.fromarray(pixels).transpose(way))
    np.testing.assert_array_equal(upright(pixels, orientation), expected)
