"""Lower bounds of a share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from curate.labeling import confidence_bounds
from curate.labeling.confidence_bounds import Sample


@pytest.mark.parametrize(
    ("right", "boxes", "level"),
    [(29, 29, 0.05), (59, 60, 0.05), (18, 20, 0.1), (1, 3, 0.01), (480, 500, 0.01)],
)
def test_clopper_pearson(right: int, boxes: int, level: float) -> None:
    low = float(confidence_bounds.lower(right / boxes, boxes, level))
    exact = stats.binomtest(right, boxes).proportion_ci(1 - 2 * level, method="exact").low
    assert low == pytest.approx(exact, abs=1e-9)
    # What it means: were this the true share, so many right ones would come with that probability.
    assert stats.binom.sf(right - 1, boxes, low) == pytest.approx(level, abs=1e-9)


def test_all_right_is_the_rule_of_three() -> None:
    assert float(confidence_bounds.lower(1.0, 29, 0.05)) == pytest.approx(0.05 ** (1 / 29))
    assert float(confidence_bounds.lower(0.0, 29, 0.05)) == 0.0


def slow(right: list[bool], images: list[int]) -> tuple[float, float, int, float]:
    """The tallies of all boxes, as the formula is written in the book."""
    y, m = {}, {}
    for hit, image in zip(right, images, strict=True):
        y[image] = y.get(image, 0) + hit
        m[image] = m.get(image, 0) + 1
    share, c = sum(right) / len(right), len(m)
    spread = sum((y[i] - share * m[i]) ** 2 for i in m) / len(right) ** 2
    return len(right), sum(right), c, spread * c / (c - 1) if c > 1 else spread


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_tallies_are_those_of_the_formula(boxes: list[tuple[bool, int]]) -> None:
    right, images = [hit for hit, _ in boxes], [image for _, image in boxes]
    sample = Sample.of(np.array(right), np.array(images, dtype=np.int64))
    for k in range(1, len(boxes) + 1):
        here = sample.at(np.array([k]))
        found = here.boxes[0], here.right[0], here.images[0], here.variance[0]
        assert found == pytest.approx(slow(right[:k], images[:k]), abs=1e-12)


def effective(right: list[bool], images: list[int]) -> float:
    sample = Sample.of(np.array(right), np.array(images, dtype=np.int64))
    return float(confidence_bounds.effective_boxes(sample.at(np.array([len(right)])), 0.05)[0])


def test_a_box_an_image_is_a_trial() -> None:
    right = [True] * 40 + [False] * 3
    assert effective(right, list(range(43))) == pytest.approx(43)


def test_boxes_that_are_always_right_together_count_once_an_image() -> None:
    right = [hit for hit in [True] * 40 + [False] * 10 for _ in range(4)]
    images = [image for image in range(50) for _ in range(4)]
    students = stats.t.ppf(0.95, 199) / stats.t.ppf(0.95, 49)
    # The design effect is 4, but for the n - 1 of either variance.
    assert effective(right, images) == pytest.approx(200 / 4 * 4 * 49 / 199 * students**2)
    assert 45 < effective(right, images) < 50


def test_where_all_are_right_an_image_counts_once() -> None:
    assert effective([True] * 12, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]) == 4


def test_boxes_that_avoid_each_other_count_no_more_than_they_are() -> None:
    assert effective([True, False] * 20, [image for image in range(20) for _ in range(2)]) == 40
