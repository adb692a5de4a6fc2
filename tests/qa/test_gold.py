"""Labelers against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from curate.intervals import Figure
from curate.qa import bootstrap_figures, gold, joined_answers
from curate.qa.bootstrap_figures import Resampling
from tests import builders
from tests.qa import answering
from tests.qa.answering import BOX, PEOPLE

HOW = Resampling(400)
OTHER = (100.0, 20.0, 150.0, 90.0)


def scored(
    names: list[str], drawn: list[builders.Annotation], known: list[builders.Annotation]
) -> tuple[joined_answers.Looks, gold.Scores]:
    plan = answering.plans(*(answering.plan(name, reason="gold") for name in names))
    given = answering.answers(
        *(
            answering.answer(name, person, created_at=f"2026-01-05T10:{minute:02d}:00.000000Z")
            for minute, name in enumerate(names)
            for person in PEOPLE
        )
    )
    looked = answering.collect(plan, given, known=names)
    tables = answering.annotations(*drawn), answering.annotations(*known)
    categories = joined_answers.category_names(*tables)
    return looked, gold.score(
        len(looked),
        joined_answers.drawn(looked, tables[0], categories),
        joined_answers.on_images(looked, tables[1], categories),
        iou_threshold=0.5,
    )


def by_hand(count: int) -> list[gold.Labeler]:
    """Ann: one right, one wrong name, one too many. Bob: nothing, where two objects are. So on each image."""
    shifted = (20.0, 20.0, 80.0, 65.0)  # IoU with BOX: 0.75
    names = [f"image {number}" for number in range(count)]
    drawn = [
        answering.drew(name, category, box)
        for name in names
        for category, box in (
            ("stop_sign", shifted),
            ("parking_sign", OTHER),
            ("stop_sign", (0.0, 100.0, 10.0, 110.0)),
        )
    ]
    known = [answering.known(name, "stop_sign", box) for name in names for box in (BOX, OTHER)]
    looked, scores = scored(names, drawn, known)
    return gold.by_labeler(looked, scores, level=0.8, min_images=2, how=HOW)


def test_figures_by_hand() -> None:
    ann, bob = by_hand(10)
    assert (ann.person, bob.person) == PEOPLE
    assert ann.f1.value == pytest.approx(2 * 1 / (3 + 2))
    assert ann.mean_iou.value == pytest.approx((0.75 + 1.0) / 2)
    assert ann.category_accuracy.value == 0.5
    assert ann.category_accuracy.n == 10  # images: matches of one image are right or wrong together
    assert bob.f1.value == 0.0
    assert bob.mean_iou.value is None
    assert bob.category_accuracy == Figure(None, None, None, 10, "nothing to measure")
    assert (ann.state, bob.state) == ("alert", "alert")


def test_few_images_give_a_reason_and_no_figure() -> None:
    for labeler in by_hand(9):
        assert labeler.f1 == Figure(None, None, None, 9, bootstrap_figures.TOO_FEW)
        assert labeler.state == "too few"


def test_an_empty_image_seen_as_empty_is_neither_right_nor_wrong() -> None:
    looked, scores = scored(["empty"], [], [])
    assert gold.by_labeler(looked, scores, level=0.8, min_images=2, how=HOW)[0].f1.value is None


@pytest.mark.parametrize(
    ("low", "high", "n", "state"),
    [
        (0.5, 0.79, 30, "alert"), (0.5, 0.8, 30, "undecided"), (0.8, 0.9, 30, "ok"),
        (0.79, 0.9, 30, "undecided"), (0.1, 0.2, 9, "too few"), (None, None, 30, "too few"),
    ],
)  # fmt: skip
def test_the_state_follows_the_whole_interval(
    low: float | None, high: float | None, n: int, state: str
) -> None:
    assert gold.state(Figure(0.5, low, high, n), level=0.8, min_images=10) == state


def test_perfect_answers_are_not_certain() -> None:
    names = [f"image {number}" for number in range(12)]
    drawn = [answering.drew(name, "stop_sign", BOX, person) for name in names for person in PEOPLE]
    looked, scores = scored(names, drawn, [answering.known(name, "stop_sign", BOX) for name in names])
    ann = gold.by_labeler(looked, scores, level=0.8, min_images=10, how=HOW)[0]
    assert ann.f1.value == ann.f1.high == 1.0
    assert ann.f1.low == pytest.approx(12 / (12 + 2.200985**2))  # Wilson, 12 of 12, Student's
    assert ann.state == "undecided"


def test_a_labeler_at_the_level_is_seldom_named_and_a_bad_one_mostly_is() -> None:
    """F1 by image varies; the truth of the first group is exactly the level, of the second far below it."""
    named = {0.8: 0, 0.6: 0}
    for trial in range(150):
        for truth in named:
            rng = np.random.default_rng([trial, round(10 * truth)])
            objects = rng.integers(1, 4, size=30)
            same = rng.binomial(objects, truth)
            f1 = bootstrap_figures.f1(
                same.astype(float), 2.0 * objects, np.arange(30), Resampling(300, seed=trial)
            )
            named[truth] += gold.state(f1, level=0.8, min_images=10) == "alert"
    assert named[0.8] / 150 <= 0.06
    assert named[0.6] / 150 >= 0.75


def test_the_running_chart_goes_by_the_time_of_the_answers() -> None:
    names = [f"image {number}" for number in range(8)]
    right = {names[0], names[1], names[2], names[5]}
    drawn = [answering.drew(name, "stop_sign", BOX if name in right else OTHER, PEOPLE[0]) for name in names]
    looked, scores = scored(names, drawn, [answering.known(name, "stop_sign", BOX) for name in names])
    run = gold.running(looked, scores, window=3)
    ann = looked.person[run.look] == 0
    assert run.number[ann].tolist() == list(range(1, 9))
    np.testing.assert_allclose(run.f1[ann], [1, 1, 1, 3 / 4, 3 / 5, 4 / 6, 4 / 7, 4 / 8])
    np.testing.assert_allclose(run.recent[ann], [1, 1, 1, 2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3])
    # Every object weighs the same here, so the ratio's variance is that of a mean of shares (n = 8, 4 hits).
    # Wilson's interval with Student's quantile, for as many trials as would have that standard error.
    q, trials = 2.364624, 7
    half = q * np.sqrt(0.25 / trials + (q / (2 * trials)) ** 2) / (1 + q * q / trials)
    np.testing.assert_allclose((run.low[ann][-1], run.high[ann][-1]), (0.5 - half, 0.5 + half), atol=1e-6)
    assert np.isnan(run.low[ann][0])
    assert run.low[ann][1] == pytest.approx(2 / (2 + 12.706205**2))
    bob = looked.person[run.look] == 1
    assert (run.f1[bob] == 0).all()
