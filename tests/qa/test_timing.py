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
    times = timing.capped(
        np.array([5.0, 100.0, np.nan, 0.0]), np.array([1, 1, 1, 1]), np.zeros(4, np.bool_), idle_cap_s=60
    )
    np.testing.assert_array_equal(times.seconds, [5, 60, np.nan, np.nan])
    assert times.capped.tolist() == [False, True, False, False]


def test_lunch_is_cut_and_large_images_are_not() -> None:
    """Times are 10 s an object, give or take; one image has 30 objects, two pages stayed open over lunch."""
    rng = np.random.default_rng(0)
    objects = np.array([*rng.integers(0, 4, size=98), 30, 2, 2])
    seconds = 10 * (objects + 1) * rng.lognormal(0, 0.3, size=len(objects))
    seconds[-2:] = 3600.0, 5000.0
    times = timing.capped(seconds, objects, np.zeros(len(objects), np.bool_))
    assert times.capped.tolist() == [False] * 99 + [True] * 2
    cap = times.caps[0]
    assert cap is not None
    np.testing.assert_allclose(times.seconds[-2:], cap * 3 / 2)  # three parts: two objects and the image
    assert 20 * np.exp(3.5 * 0.2) < cap < 20 * np.exp(3.5 * 0.45)
    np.testing.assert_array_equal(times.seconds[:-2], seconds[:-2])


def test_the_slower_arm_has_a_cap_of_its_own() -> None:
    rng = np.random.default_rng(1)
    control = np.arange(400) % 2 == 1
    seconds = np.where(control, 60.0, 10.0) * rng.lognormal(0, 0.2, size=400)
    times = timing.capped(seconds, np.ones(400, np.int64), control)
    assert times.caps[1] == pytest.approx(6 * float(times.caps[0] or 0), rel=0.2)
    assert times.capped.sum() <= 2


@pytest.mark.parametrize("seconds", [np.full(50, 7.0), np.array([1.0, 900.0])])
def test_no_cap_without_a_spread(seconds: np.ndarray) -> None:
    times = timing.capped(seconds, np.ones(len(seconds), np.int64), np.zeros(len(seconds), np.bool_))
    np.testing.assert_array_equal(times.seconds, seconds)
    assert times.caps == (None, None)
