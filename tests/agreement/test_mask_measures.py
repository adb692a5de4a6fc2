from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.agreement import mask_measures
from curate.errors import RecordError
from curate.geometry import masks

W, H = 100, 80


def square(x: int, y: int, side: int) -> np.ndarray:  # type: ignore[type-arg]
    mask = np.zeros((H, W), dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_dice_of_known_masks() -> None:
    """Two squares of 20 by 20, moved by 10: 200 of 400 pixels are shared."""
    assert mask_measures.dice(square(10, 10, 20), square(20, 10, 20)) == pytest.approx(0.5)
    assert mask_measures.dice(square(0, 0, 0), square(0, 0, 0)) == 0.0


def test_boundary_iou_of_known_masks() -> None:
    """By hand: the band is 2% of the diagonal of 128.06, 3 pixels.

    Ring of a square of side s and width 3: s^2 - (s - 6)^2. The inner square lies 1 pixel inside: its ring
    covers the depths 1 to 3 of the outer square, whose own covers 0 to 2. Both hold depths 1 and 2: 18^2 -
    14^2.
    """
    assert mask_measures.boundary_width(W, H) == 3
    outer, inner = square(10, 10, 20), square(11, 11, 18)
    assert mask_measures.boundary(outer, 3).sum() == 20**2 - 14**2
    shared, union = 18**2 - 14**2, (20**2 - 14**2) + (18**2 - 12**2) - (18**2 - 14**2)
    assert mask_measures.boundary_iou(outer, inner) == pytest.approx(shared / union)


def eroded(mask: np.ndarray, times: int) -> np.ndarray:  # type: ignore[type-arg]
    """As the authors of boundary IoU erode: by squares of 3, outside is background."""
    import cv2

    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=times)[1:-1, 1:-1] > 0)


circles = st.tuples(st.integers(0, W), st.integers(0, H), st.integers(2, 30))


def disk(x: int, y: int, radius: int) -> np.ndarray:  # type: ignore[type-arg]
    yy, xx = np.mgrid[:H, :W]
    return np.asarray((xx - x) ** 2 + (yy - y) ** 2 <= radius**2)


@settings(deadline=None, max_examples=40)
@given(circles, st.integers(1, 6))
def test_the_band_is_what_erosion_takes(circle: tuple[int, int, int], band: int) -> None:
    mask = disk(*circle)
    np.testing.assert_array_equal(mask_measures.boundary(mask, band), mask & ~eroded(mask, band))


@settings(deadline=None, max_examples=40)
@given(circles, circles)
def test_dice_and_the_greatest_distance_are_those_of_simpleitk(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    a, b = disk(*first), disk(*second)
    images = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (a, b)]
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    assert mask_measures.dice(a, b) == pytest.approx(overlap.GetDiceCoefficient())
    hausdorff = SimpleITK.HausdorffDistanceImageFilter()
    hausdorff.Execute(*images)
    ours = mask_measures.hausdorff_95(a, b)
    assert ours is not None
    assert ours <= hausdorff.GetHausdorffDistance() + 1 + 1e-6  # the whole mask's, not the outline's


def test_hausdorff_of_moved_squares_is_the_move() -> None:
    assert mask_measures.hausdorff_95(square(10, 10, 20), square(17, 10, 20)) == pytest.approx(7.0, abs=0.01)
    assert mask_measures.hausdorff_95(square(10, 10, 20), square(0, 0, 0)) is None


def test_all_measures_in_the_window_are_those_of_the_whole() -> None:
    a, b = disk(50, 40, 20), disk(56, 43, 19)
    found = mask_measures.compare(masks.encode(a), masks.encode(b), width=W, height=H)
    assert found.dice == pytest.approx(mask_measures.dice(a, b))
    assert found.boundary_iou == pytest.approx(mask_measures.boundary_iou(a, b))
    assert found.hausdorff_95 == pytest.approx(mask_measures.hausdorff_95(a, b))


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(RecordError, match="two masks of one size"):
        mask_measures.dice(np.ones((2, 2), bool), np.ones((2, 3), bool))
