"""Lead times: idle hours cut, nothing counted twice."""

from __future__ import annotations

import numpy as np
import pytest

from curate.qa import timing
from tests.qa import answering

NOBODY = np.zeros(0, dtype=np.bool_)


def test_drafts_and_replaced_answers_are_not_counted() -> None:
    """The browser's own numbers: two drafts of 6.6 s and 14.8 s are parts of the answer's 47.1 s."""
    plan = answering.plans(answering.plan("one"), answering.plan("two"))
    at = "2026-01-05T1{}:00:00.000000Z".format
    given = answering.answers(
        answering.answer("one", outcome="draft", lead_time_s=6.6, created_at=at(0)),
        answering.answer("one", outcome="draft", lead_time_s=14.8, created_at=at(1)),
        answering.answer("one", lead_time_s=30.0, created_at=at(2), superseded=True),
        answering.answer("one", lead_time_s=47.1, created_at=at(3)),
        answering.answer("two", outcome="skipped", lead_time_s=5.0),
        answering.answer("unplanned", lead_time_s=5.0),
    )
    looked = answering.collect(plan, given)
    assert looked.seconds().tolist() == [pytest.approx(47.1)]
    assert (looked.drafts, looked.superseded, looked.skipped) == (2, 1, 1)
    assert looked.not_joined == {"no record of what was shown": 1}


def test_the_order_of_the_rows_does_not_matter() -> None:
    plan = answering.plans(*(answering.plan(name) for name in ("one", "two", "three")))
    rows = [answering.answer(n, p) for n in ("one", "two", "three") for p in answering.PEOPLE]
    one, other = (answering.collect(plan, answering.answers(*given)) for given in (rows, rows[::-1]))
    assert one.table.equals(other.table)


def test_a_stated_cap_is_for_all() -> None:
    times = timing.without_idle(
        np.array([5.0, 100.0, np.nan, 0.0]), np.array([1, 1, 1, 1]), np.zeros(4, np.bool_), idle_cap_s=60
    )
    np.testing.assert_array_equal(times.seconds, [5, np.nan, np.nan, np.nan])
    assert times.idle.tolist() == [False, True, False, False]


def test_lunch_is_cut_and_large_images_are_not() -> None:
    """Times are 10 s an object, give or take; one image has 30 objects, two pages stayed open over lunch."""
    rng = np.random.default_rng(0)
    objects = np.array([*rng.integers(0, 4, size=98), 30, 2, 2])
    seconds = 10 * (objects + 1) * rng.lognormal(0, 0.3, size=len(objects))
    seconds[-2:] = 3600.0, 5000.0
    times = timing.without_idle(seconds, objects, np.zeros(len(objects), np.bool_))
    assert times.idle.tolist() == [False] * 99 + [True] * 2
    cap = times.limits[0]
    assert cap is not None
    assert np.isnan(times.seconds[-2:]).all()
    assert 20 * np.exp(3.5 * 0.2) < cap < 20 * np.exp(3.5 * 0.45)
    np.testing.assert_array_equal(times.seconds[:-2], seconds[:-2])


def test_the_slower_arm_has_a_cap_of_its_own() -> None:
    rng = np.random.default_rng(1)
    control = np.arange(400) % 2 == 1
    seconds = np.where(control, 60.0, 10.0) * rng.lognormal(0, 0.2, size=400)
    times = timing.without_idle(seconds, np.ones(400, np.int64), control)
    assert times.limits[1] == pytest.approx(6 * float(times.limits[0] or 0), rel=0.2)
    assert times.idle.sum() <= 2


@pytest.mark.parametrize("seconds", [np.full(50, 7.0), np.array([1.0, 900.0])])
def test_no_cap_without_a_spread(seconds: np.ndarray) -> None:
    times = timing.without_idle(seconds, np.ones(len(seconds), np.int64), np.zeros(len(seconds), np.bool_))
    np.testing.assert_array_equal(times.seconds, seconds)
    assert times.limits == (None, None)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_idle_answers_do_not_bend_the_arms_differently(share: float) -> None:
    """The arms' times spread differently, and pages are left open for hours equally often."""
    rng = np.random.default_rng(2)
    control = np.arange(20_000) % 4 == 0
    objects = rng.integers(0, 4, size=len(control))
    spread = np.where(control, 0.25, 0.5)
    true = np.where(control, 20.0, 10.0) * (1 + objects) * rng.lognormal(-(spread**2) / 2, spread)
    seconds = np.where(
        rng.random(len(control)) < share, true + rng.uniform(1_800, 20_000, len(control)), true
    )
    times = timing.without_idle(seconds, objects, control)
    ratio = np.nanmean(times.seconds[~control]) / np.nanmean(times.seconds[control])
    assert ratio == pytest.approx(0.5, abs=0.01)
    suggested, alone = (float(limit or 0) for limit in times.limits)
    cut = np.minimum(seconds, np.where(control, alone, suggested) * (1 + objects) / 2)
    assert cut[~control].mean() / cut[control].mean() > 0.5 + share / 4  # what cutting to the limit does
