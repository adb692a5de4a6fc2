"""Time saved by suggestions: planted effects are found, intervals cover them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curate.qa import control_comparison, joined_answers
from curate.qa.bootstrap_figures import Resampling
from curate.qa.control_comparison import CONTROL, SUGGESTED
from tests.qa import answering
from tests.qa.answering import BOX, PEOPLE

HOW = Resampling(400)
OTHER = (100.0, 20.0, 150.0, 90.0)


def made(seed: int, *, images: int = 240, saving: float = 0.3, overlap: float = 0.3) -> dict[str, Any]:
    """Answers of three labelers, 1 in 5 images without suggestions; half the objects are ones to propose.

    A labeler's pace, the image's own difficulty (shared by all who look at it) and chance vary; time grows
    with the objects. Suggestions multiply it by 1 - `saving`.
    """
    rng = np.random.default_rng(seed)
    objects = rng.poisson(3, size=images)
    proposed = rng.binomial(objects, 0.8) + rng.poisson(0.3, size=images)
    control = rng.random(images) < 0.2
    hard = rng.lognormal(-0.02, 0.2, size=images)
    looked = np.where(rng.random(images) < overlap, 2, 1)
    image = np.repeat(np.arange(images), looked)
    person = (np.arange(len(image)) + rng.integers(3, size=images)[image]) % 3
    pace = np.array([0.7, 1.0, 1.6])[person]
    seconds = pace * hard[image] * (5 + 12 * objects[image]) * rng.lognormal(-0.045, 0.3, size=len(image))
    seconds = seconds * np.where(control[image], 1.0, 1 - saving)
    return {
        "seconds": seconds, "proposed": proposed[image].astype(float), "control": control[image],
        "person": person, "image": image,
    }  # fmt: skip


def saved(how: Resampling = HOW, **given: Any) -> control_comparison.Saved:
    return control_comparison.saved(given.pop("seconds"), **given, how=how)


def test_a_planted_saving_is_found() -> None:
    measured = saved(**made(0, images=6000))
    assert measured.share.value == pytest.approx(0.3, abs=0.02)
    assert measured.labelers == 3
    low, high = measured.share.low, measured.share.high
    assert low is not None
    assert high is not None
    assert low < 0.3 < high
    assert high - low < 0.06


@pytest.mark.parametrize("saving", [0.0, 0.3, -0.2])
def test_intervals_cover_the_truth_about_95_times_of_100(saving: float) -> None:
    covered = 0
    for trial in range(200):
        measured = saved(Resampling(400, seed=trial), **made(1000 + trial, saving=saving))
        assert measured.share.low is not None
        assert measured.share.high is not None
        covered += measured.share.low <= saving <= measured.share.high
    assert 0.90 <= covered / 200 <= 0.985


def test_adjusting_removes_what_chance_did_and_narrows_the_interval() -> None:
    """Over many draws the adjusted estimate is right on average, and varies less than the plain one."""
    plain, adjusted = [], []
    for trial in range(150):
        measured = saved(Resampling(0), **made(5000 + trial))
        adjusted.append(float(measured.share.value or 0))
        plain.append(float(measured.unadjusted.value or 0))
    assert np.mean(adjusted) == pytest.approx(0.3, abs=0.01)
    assert np.std(adjusted) < 0.85 * np.std(plain)


def test_a_known_answer_by_hand() -> None:
    """Every object takes 10 s, in each arm the same line: nothing is saved, though the plain means differ."""
    proposed = np.array([*range(1, 11), *range(2, 12)], dtype=np.float64)
    control = np.arange(20) >= 10
    one = {"control": control, "person": np.zeros(20, int), "image": np.arange(20), "proposed": proposed}
    measured = saved(seconds=10 * proposed, **one)
    assert measured.share.value == pytest.approx(0, abs=1e-12)
    assert measured.unadjusted.value == pytest.approx(1 - 55 / 65)
    half = saved(seconds=np.where(control, 10.0, 5.0) * proposed, **one)
    assert half.share.value == pytest.approx(0.5)  # 5 s against 10 s an object, both at 6 objects
    assert half.seconds[SUGGESTED].value == pytest.approx(30)
    assert half.seconds[CONTROL].value == pytest.approx(60)


def test_a_labeler_of_one_arm_only_is_left_out() -> None:
    given = made(3)
    slow = {
        "seconds": np.full(50, 5000.0), "proposed": np.full(50, 3.0), "control": np.zeros(50, bool),
        "person": np.full(50, 9), "image": np.arange(1000, 1050),
    }  # fmt: skip
    both = {key: np.concatenate([given[key], slow[key]]) for key in given}
    assert saved(**both).share == saved(**given).share


def test_too_small_an_arm_gives_a_reason_and_no_figure() -> None:
    given = made(4, images=30)
    few = ~given["control"] | (given["image"] < 8)
    measured = saved(**{key: values[few] for key, values in given.items()})
    assert measured.share.value is None
    assert "10 are needed" in str(measured.share.reason)
    nobody = saved(**{key: values[:0] for key, values in given.items()})
    assert nobody.share.value is None


def test_the_two_labelers_of_an_image_are_compared_in_their_arm() -> None:
    names = [f"image {number}" for number in range(24)]
    control = set(names[:12])
    plan = answering.plans(
        *(answering.plan(name, arm="control" if name in control else "suggested") for name in names),
        answering.plan("alone"),
    )
    given = answering.answers(
        *(answering.answer(name, person) for name in names for person in PEOPLE), answering.answer("alone")
    )
    drawn = [answering.drew(name, "stop_sign", BOX, person) for name in names for person in PEOPLE]
    drawn += [answering.drew(name, "stop_sign", OTHER, PEOPLE[0]) for name in sorted(control)]
    drawn.append(answering.drew("alone", "stop_sign", BOX))
    looked = answering.collect(plan, given)
    table = answering.annotations(*drawn)
    objects = joined_answers.drawn(looked, table, ["stop_sign"])
    rows = np.ones(len(looked), np.bool_)

    def between(arm: int) -> tuple[float | None, int]:
        f1, iou = control_comparison.between_labelers(
            looked, objects, arm, rows=rows, how=Resampling(100), iou_threshold=0.5
        )
        assert iou.value == 1.0
        return f1.value, f1.n

    assert between(CONTROL) == (pytest.approx(2 / 3), 12)
    assert between(SUGGESTED) == (1.0, 12)
    nobody = control_comparison.between_labelers(
        looked, objects, CONTROL, rows=~rows, how=Resampling(100), iou_threshold=0.5
    )
    assert nobody[0].reason == "no image of this arm was seen by two labelers"


def test_three_labelers_make_three_pairs() -> None:
    first, second = control_comparison._pairs(np.array([7, 5, 7, 5, 7]), np.arange(5))
    pairs = {(min(a, b), max(a, b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)}
    assert pairs == {(1, 3), (0, 2), (0, 4), (2, 4)}
