"""Holes, islands, and masks that miss their box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from curate.labeling import mask_cleanup
from curate.records import BoolArray


def drawn(text: str) -> BoolArray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


MASK = drawn(
    """
    ...........
    .######..#.
    .#.##.#....
    .#.####....
    .######..##
    .........##
    """
)  # 26 pixels in islands of 21, 1 and 4; holes of 2 and 1 in the first


def test_small_islands_go_and_small_holes_close() -> None:
    assert int(MASK.sum()) == 26
    only = mask_cleanup.clean(MASK, max_hole=0.0, max_island=1 / 26)
    assert [only[1, 9], only[4, 9]] == [False, True]
    assert int(only.sum()) == 25
    both = mask_cleanup.clean(MASK, max_hole=0.0, max_island=4 / 26)
    assert int(both.sum()) == 21
    closed = mask_cleanup.clean(MASK, max_hole=1 / 26, max_island=0.0)
    assert [closed[2, 5], closed[2, 2]] == [True, False]
    assert int(mask_cleanup.clean(MASK, max_hole=2 / 26, max_island=0.0).sum()) == 29


def test_with_shares_of_zero_nothing_changes() -> None:
    assert mask_cleanup.clean(MASK, max_hole=0.0, max_island=0.0) is MASK


def test_the_largest_island_stays() -> None:
    two = drawn("##.. .... ..#.")
    assert mask_cleanup.clean(two, max_hole=0.0, max_island=1.0).tolist() == drawn("##.. .... ....").tolist()


def test_corners_join_islands_and_part_holes() -> None:
    diagonal = drawn("#.. .#. ..#")
    assert mask_cleanup.clean(diagonal, max_hole=0.0, max_island=0.9) is diagonal
    ring = drawn(".##. #.## ##.# .##.")  # two holes that touch at a corner
    assert int(mask_cleanup.clean(ring, max_hole=1 / 10, max_island=0.0).sum()) == 12


def test_a_bay_at_the_border_is_no_hole() -> None:
    bay = drawn("### #.. ###")
    assert mask_cleanup.clean(bay, max_hole=1.0, max_island=0.0) is bay
    edge = drawn("#.# ### ###")
    assert mask_cleanup.clean(edge, max_hole=1.0, max_island=0.0) is edge


def test_an_empty_mask_stays_empty() -> None:
    empty = np.zeros((4, 5), dtype=np.bool_)
    assert not mask_cleanup.clean(empty, max_hole=1.0, max_island=1.0).any()
    assert not mask_cleanup.fits_box(empty, np.array([0, 0, 5, 4], dtype=np.float32), min_iou=0.0)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_the_same_as_on_the_whole_picture(mask: BoolArray) -> None:
    before = mask.copy()
    cleaned = mask_cleanup.clean(mask, max_hole=0.2, max_island=0.3)
    assert (mask == before).all()
    wide = np.pad(mask, 3)
    assert (mask_cleanup.clean(wide, max_hole=0.2, max_island=0.3)[3:-3, 3:-3] == cleaned).all()
    if mask.any():
        assert cleaned.any()
    assert (mask_cleanup.clean(mask.T, max_hole=0.2, max_island=0.3) == cleaned.T).all()


@pytest.mark.parametrize(
    ("box", "iou"),
    [((1, 1, 11, 6), 1.0), ((1, 1, 11, 3.5), 0.5), ((1, 1, 6, 6), 0.5), ((20, 20, 30, 30), 0.0)],
)
def test_the_box_around_a_mask_is_held_against_its_own(box: tuple[float, ...], iou: float) -> None:
    mask = np.zeros((30, 30), dtype=np.bool_)
    mask[1, 1], mask[5, 10] = True, True  # pixels 1..10 by 1..5: a box from 1 to 11 and 1 to 6
    corners = np.array(box, dtype=np.float32)
    assert mask_cleanup.fits_box(mask, corners, min_iou=iou)
    assert not mask_cleanup.fits_box(mask, corners, min_iou=iou + 0.001)
