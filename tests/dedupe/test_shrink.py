from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.dedupe.luma import upright
from curate.dedupe.shrink import shrink
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
def test_luma_is_pillows_to_the_bit_for_pictures_that_are_not_tall(
    seed: int, one: int, other: int, bands: int
) -> None:
    pixels = _random(seed, min(one, other), max(one, other), bands)
    luma, colour = shrink(pixels, 32, 4)
    expected_luma, expected_colour = _pillow(pixels)
    np.testing.assert_array_equal(luma, expected_luma)
    assert np.abs(colour.astype(int) - expected_colour).max() <= 1


def test_luma_of_tall_photographs_is_within_a_few_levels_of_pillows() -> None:
    smooth = Image.fromarray(_random(0, 9, 5)).resize((70, 260), Image.Resampling.BICUBIC)
    luma, _ = shrink(np.asarray(smooth), 32, 4)
    assert np.abs(luma.astype(int) - _pillow(np.asarray(smooth))[0]).max() <= 2


def test_one_colour_stays_what_it_is() -> None:
    luma, colour = shrink(np.full((77, 130, 3), (200, 10, 255), dtype=np.uint8), 32, 4)
    assert (colour == (200, 10, 255)).all()
    assert (luma == np.asarray(Image.new("RGB", (1, 1), (200, 10, 255)).convert("L"))[0, 0]).all()


def test_views_with_strides_are_read_rightly() -> None:
    pixels = _random(1, 64, 90)
    np.testing.assert_array_equal(
        shrink(pixels[:, ::-1], 32, 4)[0], shrink(np.ascontiguousarray(pixels[:, ::-1]), 32, 4)[0]
    )


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
