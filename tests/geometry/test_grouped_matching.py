"""All groups at once: the same matches as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.geometry import grouped_matching
from curate.geometry.boxes import box_iou
from curate.geometry.grouped_matching import Grouped, best_iou, match_groups, paired_iou
from curate.geometry.matching import match

NAMES = ("car", "sign", "tree")
# A coarse grid: many boxes overlap, many are equal, many pairs tie.
corner = st.integers(0, 4)
side = st.integers(1, 3)
row = st.tuples(st.integers(0, 5), corner, corner, side, side, st.integers(0, 2))


def grouped(rows: list[tuple[int, ...]]) -> Grouped:
    ordered = sorted(rows)
    boxes = np.array([(x, y, x + w, y + h) for _, x, y, w, h, _ in ordered], dtype=np.float64).reshape(-1, 4)
    group, category = (np.array([r[at] for r in ordered], dtype=np.int64) for at in (0, 5))
    return Grouped(group, boxes, category)


@given(st.lists(row, max_size=25), st.lists(row, max_size=25), st.sampled_from([0.2, 0.5, 1.0]))
@settings(max_examples=150, deadline=None)
def test_as_one_by_one(a: list[tuple[int, ...]], b: list[tuple[int, ...]], threshold: float) -> None:
    first, second = grouped(a), grouped(b)
    found = match_groups(first, second, NAMES, iou_threshold=threshold)
    expected = []
    for group in range(6):
        rows_a, rows_b = (np.flatnonzero(side.group == group) for side in (first, second))
        names_a, names_b = (
            [NAMES[code] for code in side.categories[rows]]
            for side, rows in ((first, rows_a), (second, rows_b))
        )
        one = match(first.boxes[rows_a], second.boxes[rows_b], names_a, names_b, iou_threshold=threshold)
        expected += list(zip(rows_a[one.a].tolist(), rows_b[one.b].tolist(), one.iou.tolist(), strict=True))
    assert list(zip(found.a.tolist(), found.b.tolist(), found.iou.tolist(), strict=True)) == expected


@given(st.lists(row, max_size=25), st.lists(row, max_size=25))
@settings(max_examples=50, deadline=None)
def test_the_best_overlap_is_that_of_the_group(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    first, second = grouped(a), grouped(b)
    for at, best in enumerate(best_iou(first, second).tolist()):
        others = second.boxes[second.group == first.group[at]]
        assert best == box_iou(first.boxes[at : at + 1], others).max(initial=0.0)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(int(v) for v in rng.integers((0, 0, 0, 1, 1, 0), (40, 4, 4, 4, 4, 3))) for _ in range(300)]
    first, second = grouped(rows[:150]), grouped(rows[150:])
    whole = match_groups(first, second, NAMES, iou_threshold=0.3)
    monkeypatch.setattr(grouped_matching, "_CHUNK_PAIRS", 5)
    parts = match_groups(first, second, NAMES, iou_threshold=0.3)
    assert len(whole.a) > 20
    for one, other in ((whole.a, parts.a), (whole.b, parts.b), (whole.iou, parts.iou)):
        np.testing.assert_array_equal(one, other)


def test_rows_in_pairs() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0]], dtype=np.float64)
    b = np.array([[1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]], dtype=np.float64)
    np.testing.assert_allclose(paired_iou(a, b), [1 / 3, 0, 0])


def test_nothing_at_all() -> None:
    assert len(match_groups(grouped([]), grouped([]), NAMES, iou_threshold=0.5).a) == 0
