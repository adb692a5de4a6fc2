from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from curate.geometry import masks, outlines
from curate.records import BoolArray

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
MASKS = arrays(np.bool_, SHAPES, elements=st.booleans())


@settings(max_examples=300, deadline=None)
@given(MASKS)
def test_an_outline_fills_to_the_mask_it_was_traced_from(mask: BoolArray) -> None:
    height, width = mask.shape
    polygons = outlines.trace(masks.encode(mask), width=width, height=height)
    filled = outlines.filled(polygons, width=width, height=height)
    assert filled == (masks.encode(mask) if mask.any() else None)


def test_a_ring_with_an_island_in_its_hole_has_two_parts() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    parts = outlines.trace(masks.encode(mask), width=9, height=9)
    assert sorted(len(part) for part in parts) == [1, 2]
    assert (4.0, 4.0, 5.0, 4.0, 5.0, 5.0, 4.0, 5.0) in [part[0] for part in parts]


def test_pixels_that_touch_at_a_corner_are_two_parts() -> None:
    parts = outlines.trace(masks.encode(np.eye(2, dtype=bool)), width=2, height=2)
    assert [len(part) for part in parts] == [1, 1]


@settings(max_examples=100, deadline=None)
@given(MASKS.filter(lambda mask: bool(mask.any())))
def test_one_joined_ring_fills_to_the_same_pixels_by_the_even_odd_rule(mask: BoolArray) -> None:
    height, width = mask.shape
    ring = outlines.joined(outlines.trace(masks.encode(mask), width=width, height=height))
    corners = np.reshape(ring, (-1, 2))
    ends = np.roll(corners, -1, axis=0)
    inside = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            row = y + 0.5
            crosses = (corners[:, 1] > row) != (ends[:, 1] > row)
            a, b = corners[crosses], ends[crosses]
            at = a[:, 0] + (row - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
            inside[y, x] = (at < x + 0.5 + 1e-9).sum() % 2
    assert np.array_equal(inside, mask)
