from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecordError
from curate.geometry import boxes

side = st.floats(0.01, 500)
corner = st.floats(-500, 500)
xywh = st.tuples(corner, corner, side, side)


def corners(rows: Sequence[tuple[float, ...]]) -> boxes.Boxes:
    """Corner and size (N, 4) to corners (N, 4)."""
    return boxes.as_boxes([(x, y, x + width, y + height) for x, y, width, height in rows])


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ((10, 10, 40, 40), (20, 20, 40, 40), 900 / 2300),  # 0.391304, docs of common detection toolkits
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 2, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 2, 2), 0.0),  # they touch
        ((0, 0, 2, 2), (9, 9, 2, 2), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_iou_of_known_boxes(a: tuple[int, ...], b: tuple[int, ...], iou: float) -> None:
    found = boxes.box_iou(corners([a]), corners([b]))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(iou, abs=1e-6)


@given(st.lists(xywh, max_size=5), st.lists(xywh, max_size=5))
def test_iou_is_symmetric_bounded_and_one_with_itself(a: list, b: list) -> None:  # type: ignore[type-arg]
    first, second = corners(a), corners(b)
    iou = boxes.box_iou(first, second)
    assert iou.shape == (len(a), len(b))
    assert ((iou >= 0) & (iou <= 1 + 1e-9)).all()
    np.testing.assert_allclose(iou, boxes.box_iou(second, first).T)
    np.testing.assert_allclose(np.diag(boxes.box_iou(first, first)), 1.0)


def test_iou_agrees_with_pixels_counted() -> None:
    rng = np.random.default_rng(3)
    grid = np.zeros((2, 40, 40), dtype=bool)
    for _ in range(50):
        drawn = rng.integers(0, 39, size=(2, 2, 2))
        rows = np.concatenate([drawn.min(axis=1), drawn.max(axis=1) + 1], axis=1)
        grid[:] = False
        for index, (x1, y1, x2, y2) in enumerate(rows):
            grid[index, y1:y2, x1:x2] = True
        expected = (grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum()
        assert boxes.box_iou(rows[:1], rows[1:])[0, 0] == pytest.approx(expected)


@given(st.lists(xywh, max_size=5))
def test_corner_and_size_round_trip(rows: list) -> None:  # type: ignore[type-arg]
    back = boxes.xyxy_to_xywh(corners(rows))
    np.testing.assert_allclose(back, boxes.as_boxes(rows), atol=1e-9)


def test_clip_cuts_at_the_borders() -> None:
    clipped = boxes.clip([(-5, -5, 30, 10), (50, 50, 60, 60)], width=20, height=12)
    np.testing.assert_array_equal(clipped, [(0, 0, 20, 10), (20, 12, 20, 12)])
    np.testing.assert_array_equal(boxes.area(clipped), [200, 0])


@pytest.mark.parametrize("wrong", [np.zeros((2, 3)), np.zeros(4), np.zeros((1, 4, 1))])
def test_other_shapes_are_refused_with_the_shape(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(RecordError, match=r"expected boxes \(N, 4\), got"):
        boxes.as_boxes(wrong)
