"""Crops of objects: square as far as the image goes, never outside it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.labeling.run.square_crop import crop


def image() -> np.ndarray:
    rows, columns = np.mgrid[:50, :100]
    return np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8)


def test_by_hand() -> None:
    found = crop(image(), np.array([40.0, 20.0, 60.0, 30.0]))
    assert found.shape == (20, 20, 3)
    assert (found[0, 0, 0], found[0, 0, 1]) == (15, 40)  # from row 15, column 40
    at_the_border = crop(image(), np.array([0.0, 40.0, 30.0, 50.0]))
    assert (at_the_border.shape, at_the_border[0, 0, 0]) == ((30, 30, 3), 20)
    long = crop(image(), np.array([0.0, 10.0, 100.0, 20.0]))
    assert long.shape == (50, 100, 3)  # as square as the image allows
    for outside in ([120.0, 10.0, 130.0, 20.0], [-9.0, 1.0, 0.0, 5.0]):
        assert crop(image(), np.array(outside)).size == 0


@given(st.lists(st.floats(-20, 120), min_size=4, max_size=4))
def test_the_box_is_in_the_crop(values: list[float]) -> None:
    x1, x2 = sorted(values[:2])
    y1, y2 = sorted(values[2:])
    found = crop(image(), np.array([x1, y1, x2, y2]))
    columns, rows = np.arange(100), np.arange(50)
    inside_x = columns[(columns < x2) & (columns + 1 > x1)]
    inside_y = rows[(rows < y2) & (rows + 1 > y1)]
    if not (inside_x.size and inside_y.size):
        return
    assert set(inside_x) <= set(found[0, :, 1].tolist())
    assert set(inside_y) <= set(found[:, 0, 0].tolist())
    assert abs(found.shape[0] - found.shape[1]) == 0 or found.shape[0] == 50
