"""Thresholds that keep a promise, on made-up scores whose truth is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from curate.labeling import thresholds
from curate.labeling.suggestion_outcomes import Verdicts
from curate.labeling.thresholds import Fit, Ladder, Target
from curate.records import Category

TARGET = Target(0.9, 0.95)


def ladder(
    scores: NDArray[np.float64], right: NDArray[np.bool_], images: Any = None, floor: float = 0.2
) -> Ladder:
    images = np.arange(len(scores)) if images is None else np.asarray(images)
    order = np.argsort(-scores, kind="stable")
    return Ladder.of(scores[order].astype(np.float32), right[order], images[order], floor=floor)


def lowest(found: Ladder, target: float = 0.9, level: float = 0.05) -> float | None:
    _, refuted = found.test(target, level)
    return float(found.candidates[refuted][-1]) if refuted.any() else None


def clopper_pearson(right: int, boxes: int, level: float) -> float:
    return float(stats.binomtest(right, boxes).proportion_ci(1 - 2 * level, method="exact").low)


def test_all_right_is_enough_from_29_images_on() -> None:
    # 0.9 ** 29 = 0.047: were the precision 0.9, so many in a row would be rarer than 1 in 20.
    for count, expected in ((28, None), (29, 0.2)):
        assert lowest(ladder(np.linspace(0.3, 0.9, count), np.ones(count, dtype=np.bool_))) == expected


def test_boxes_of_an_image_are_not_as_many_images() -> None:
    scores, right = np.linspace(0.3, 0.9, 56), np.ones(56, dtype=np.bool_)
    assert lowest(ladder(scores, right, np.repeat(np.arange(28), 2))) is None
    assert lowest(ladder(scores, right)) == 0.2


def test_the_threshold_is_where_the_bound_meets_the_target() -> None:
    """200 right ones above 0.6, and one wrong one in each hundredth below."""
    scores = np.concatenate([np.linspace(0.6, 0.99, 200), np.arange(59, 20, -1) / 100])
    found = ladder(scores, np.arange(len(scores)) < 200)
    # Starts at 239, 142, 84 and 50 images, each with a quarter of 0.05; past the first three, three quarters.
    wrong = max(count for count in range(40) if clopper_pearson(200, 200 + count, 0.05 * 3 / 4) >= 0.9)
    assert 5 < wrong < 20
    assert lowest(found) == pytest.approx(0.6 - wrong / 100)


def test_a_start_further_down_needs_nothing_from_above() -> None:
    """The best 40 are all wrong, the other 960 right: from the top nothing would pass."""
    scores = np.linspace(0.99, 0.3, 1000)
    found = ladder(scores, np.arange(1000) >= 40)
    low, refuted = found.test(0.9, 0.05)
    assert not refuted[found.sample.boxes < 400].any()
    assert refuted[-1]
    starts = 6  # 44 images x 2 ** 5 are the first power of two above 1,000
    assert low[-1] == pytest.approx(clopper_pearson(960, 1000, 0.05 / starts))


def test_the_promise_is_kept_where_precision_is_just_too_low() -> None:
    rng, fits = np.random.default_rng(1), 400
    broken = guessed = 0
    for _ in range(fits):
        found = ladder(rng.uniform(0.2, 1, 300), rng.random(300) < 0.899)
        broken += lowest(found) is not None
        guessed += bool((found.sample.right / found.sample.boxes >= 0.9)[found.sample.boxes >= 29].any())
    assert broken <= stats.binom.ppf(0.999, fits, 0.05)
    assert guessed > fits / 2  # a point estimate breaks it more often than not


def test_boxes_that_go_together_break_no_promise() -> None:
    """Four boxes per image, all right or all wrong: taken as independent, the promise breaks too often."""
    rng, fits = np.random.default_rng(2), 400
    broken = alone = 0
    for _ in range(fits):
        right = np.repeat(rng.random(150) < 0.899, 4)
        scores = rng.uniform(0.2, 1, 600)
        broken += lowest(ladder(scores, right, np.repeat(np.arange(150), 4))) is not None
        alone += lowest(ladder(scores, right)) is not None
    assert broken <= stats.binom.ppf(0.999, fits, 0.05)
    assert alone > stats.binom.ppf(0.999, fits, 0.05)


def test_a_good_category_is_recognised() -> None:
    rng = np.random.default_rng(3)
    found = [lowest(ladder(rng.uniform(0.2, 1, 400), rng.random(400) < 0.96)) for _ in range(50)]
    assert sum(threshold == 0.2 for threshold in found) >= 45


def verdicts(scores: list[float], right: list[bool], objects: list[float], category: str = "a") -> Verdicts:
    return Verdicts(
        categories=np.array([category] * len(scores), dtype=object),
        scores=np.array(scores, dtype=np.float32),
        right=np.array(right, dtype=np.bool_),
        images=np.arange(len(scores)),
        object_categories=np.array([category] * len(objects), dtype=object),
        object_scores=np.array(objects, dtype=np.float32),
        judged=len(scores),
    )


def category(name: str = "a", threshold: float = 0.3) -> Category:
    return Category(name=name, category_id=0, prompts=(name,), threshold=threshold, color="#000000")


def fit(found: Verdicts, target: Target = TARGET, threshold: float = 0.3, low: float | None = 0.3) -> Fit:
    made = {} if low is None else {"a": low}
    (only,) = thresholds.fit([category(threshold=threshold)], found, made, target)
    return only


GOOD = verdicts(
    [0.9] * 60 + [0.4] * 20, [True] * 60 + [False] * 20, [0.9] * 60 + [0.4] * 5 + [math.nan] * 5
)  # fmt: skip


def test_the_report_of_a_category() -> None:
    found = fit(GOOD)
    assert (found.before, found.floor, found.threshold) == (0.3, 0.3, 0.41)
    assert (found.boxes, found.right, found.images, found.objects) == (60, 60, 60, 70)
    assert found.at_least == pytest.approx((0.05 * 2 / 3) ** (1 / 60))  # starts at 80, 56 and 39 images
    assert found.recall_before == pytest.approx(65 / 70)
    assert found.recall == pytest.approx(60 / 70)
    assert found.images_needed is None


def test_together_asks_for_more() -> None:
    categories = [category("a"), category("b")]
    each = thresholds.fit(categories, GOOD, {"a": 0.3}, TARGET)
    both = thresholds.fit(categories, GOOD, {"a": 0.3}, Target(0.9, 0.95, together=True))
    assert [found.threshold for found in both] == [0.41, None]
    assert both[0].at_least < each[0].at_least


def test_where_nothing_is_shown_the_images_that_would_do_are_told() -> None:
    found = fit(verdicts([0.9] * 20, [True] * 20, [0.9] * 20))
    assert found.threshold is None
    assert found.images_needed == 30  # 29 in a row would do
    assert (found.boxes, found.recall) == (20, 1.0)
    hopeless = fit(verdicts([0.9] * 40, [True, False] * 20, []))
    assert (hopeless.threshold, hopeless.images_needed) == (None, None)
    assert math.isnan(hopeless.recall)


def test_a_category_without_suggestions() -> None:
    found = fit(verdicts([], [], [math.nan]), low=None)
    assert (found.threshold, found.boxes, found.recall, found.objects) == (None, 0, 0.0, 1)


@pytest.mark.parametrize(
    ("threshold", "low", "floor"),
    [
        (0.3, 0.3001, 0.3),  # made from 0.3 on
        (0.305, 0.3051, 0.305),
        (0.2, 0.3051, 0.3),  # lowered since: nothing is known below
        (0.5, 0.3051, 0.3),  # raised since: what is below was judged
        (0.3, float(np.float32(0.3)), 0.3),
        (0.29, float(np.float32(0.29)), 0.29),
    ],
)
def test_the_floor_is_where_suggestions_were_made_from(threshold: float, low: float, floor: float) -> None:
    right = verdicts([0.9] * 60, [True] * 60, [])
    found = fit(right, threshold=threshold, low=low)
    assert found.floor == pytest.approx(floor)
    assert found.threshold == pytest.approx(floor)


def test_a_score_at_the_threshold_is_above_it() -> None:
    for hundredths in range(25, 99):
        score = hundredths / 100
        found = fit(verdicts([score] * 60 + [score - 0.01] * 60, [True] * 60 + [False] * 60, []), low=0.2)
        assert found.threshold == pytest.approx(score)
        assert found.boxes == 60
