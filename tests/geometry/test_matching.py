from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecordError
from curate.geometry import boxes
from curate.geometry.matching import match

Row = tuple[float, float, float, float]
box = st.tuples(*(st.integers(0, 6) for _ in range(2)), *(st.integers(1, 6) for _ in range(2)))
drawn = st.lists(st.tuples(box, st.sampled_from("ab")), max_size=4)


def corners(objects: list[tuple[Row, str]]) -> boxes.Boxes:
    """Boxes (N, 4) xyxy of named rows of corner and size."""
    return boxes.as_boxes([(x, y, x + width, y + height) for (x, y, width, height), _ in objects])


def pairs_of(a: list[tuple[Row, str]], b: list[tuple[Row, str]], threshold: float) -> set[tuple[int, int]]:
    found = match(
        corners(a),
        corners(b),
        [name for _, name in a],
        [name for _, name in b],
        iou_threshold=threshold,
    )
    return set(zip(found.a.tolist(), found.b.tolist(), strict=True))


def test_the_sum_of_iou_decides_not_the_best_single_pair() -> None:
    # greedy would take the 0.9 first and leave the other two alone
    a = [((0, 0, 10, 10), "x"), ((3, 0, 10, 10), "x")]
    b = [((0.5, 0, 10, 10), "x"), ((-3.5, 0, 10, 10), "x")]
    assert pairs_of(a, b, 0.3) == {(0, 1), (1, 0)}


def test_same_category_comes_first_even_with_lower_iou() -> None:
    a = [((0, 0, 10, 10), "stop")]
    b = [((0, 0, 10, 10), "parking"), ((2, 0, 10, 10), "stop")]
    assert pairs_of(a, b, 0.5) == {(0, 1)}


def test_left_overs_match_across_categories() -> None:
    a = [((0, 0, 10, 10), "stop"), ((50, 0, 10, 10), "stop")]
    b = [((0, 0, 10, 10), "stop"), ((51, 0, 10, 10), "parking")]
    assert pairs_of(a, b, 0.5) == {(0, 0), (1, 1)}


@pytest.mark.parametrize(("threshold", "matches"), [(1 / 3, {(0, 0)}), (0.34, set())])
def test_the_threshold_itself_matches(threshold: float, matches: set[tuple[int, int]]) -> None:
    assert pairs_of([((0, 0, 2, 2), "x")], [((1, 0, 2, 2), "x")], threshold) == matches


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_drawn_matches_nothing(n: int, m: int) -> None:
    rows = [((0.0, 0.0, 2.0, 2.0), "x")]
    assert pairs_of(rows * n, rows * m, 0.5) == set()


@settings(deadline=None)
@given(drawn, drawn)
def test_one_to_one_above_the_threshold_and_best_in_the_first_pass(
    a: list[tuple[Row, str]], b: list[tuple[Row, str]]
) -> None:
    found = pairs_of(a, b, 0.25)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    iou = boxes.box_iou(corners(a), corners(b))
    assert all(iou[i, j] >= 0.25 for i, j in found)
    same = np.array([[x == y for _, y in b] for _, x in a], dtype=bool).reshape(len(a), len(b))
    gain = np.where(same & (iou >= 0.25), iou, 0.0)
    best = max(
        (
            sum(gain[i, j] for i, j in zip(rows, columns, strict=True))
            for size in range(min(len(a), len(b)) + 1)
            for rows in itertools.combinations(range(len(a)), size)
            for columns in itertools.permutations(range(len(b)), size)
        ),
        default=0.0,
    )
    assert sum(gain[i, j] for i, j in found) == pytest.approx(best)


@settings(deadline=None)
@given(drawn, drawn, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(a: list, b: list, random: object) -> None:  # type: ignore[type-arg]
    other_a, other_b = list(a), list(b)
    random.shuffle(other_a)  # type: ignore[attr-defined]
    random.shuffle(other_b)  # type: ignore[attr-defined]

    def content(first: list, second: list) -> list:  # type: ignore[type-arg]
        return sorted((first[i], second[j]) for i, j in pairs_of(first, second, 0.25))

    assert content(a, b) == content(other_a, other_b)


def test_missing_categories_are_refused() -> None:
    with pytest.raises(RecordError, match="1 and 0 boxes, but 0 and 0 categories"):
        match([(0, 0, 1, 1)], [], [], [], iou_threshold=0.5)
