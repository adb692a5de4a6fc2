"""Figures of `curate qa status`: known answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curate.ports import Progress
from curate.qa import labeling_progress

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def row(person: str, days_ago: float, **changes: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values = {
        "annotator_id": person, "outcome": "submitted", "superseded": False, "created_at": at,
        "updated_at": at, "lead_time_s": 10.0,
    }  # fmt: skip
    return {**values, **changes}


def status(rows: list[dict[str, Any]], *, looks: int = 100, done: int = 20) -> labeling_progress.Status:
    return labeling_progress.status(Progress(done, looks, done, looks), rows, url="http://x", now=NOW)


def test_nobody_yet() -> None:
    found = status([], done=0)
    assert (found.labelers, found.days, found.per_day, found.days_to_go) == ((), {}, None, None)


def test_the_pace_is_that_of_the_last_week() -> None:
    rows = [row("a", 30 + n) for n in range(5)] + [row("a", n / 2) for n in range(14)]
    found = status(rows)
    assert found.per_day == pytest.approx(2.0)
    assert found.days_to_go == pytest.approx(40.0)


def test_a_young_project_counts_from_its_first_answer() -> None:
    assert status([row("a", 2), row("a", 1), row("a", 1), row("b", 0)]).per_day == pytest.approx(2.0)
    assert status([row("a", 0.1)] * 3).per_day == pytest.approx(3.0)  # the first day is a whole one


def test_nobody_for_a_week_is_no_end_in_sight() -> None:
    found = status([row("a", 9)])
    assert (found.per_day, found.days_to_go) == (0.0, None)


def test_done_is_done() -> None:
    assert status([row("a", 9)], looks=20, done=20).days_to_go == 0.0


def test_each_labeler_has_a_line() -> None:
    found = status(
        [
            row("ben", 3, lead_time_s=4.0),
            row("anna", 2, lead_time_s=8.0),
            row("anna", 0.5, lead_time_s=None),
            row("anna", 0.2, lead_time_s=20.0),
            row("anna", 0.1, outcome="skipped", lead_time_s=999.0),
            row("anna", 0.3, superseded=True),
            row("ben", 0.01, outcome="draft"),
            row("carl", 0.0, outcome="draft"),
        ]
    )
    anna, ben, carl = found.labelers
    assert (anna.person, anna.answers, anna.skipped, anna.begun, anna.today) == ("anna", 4, 1, 0, 3)
    assert anna.median_s == 14.0
    assert (ben.person, ben.answers, ben.begun, ben.last_at) == ("ben", 1, 1, "2026-11-21T11:45:36.000000Z")
    assert (carl.person, carl.answers, carl.median_s) == ("carl", 0, None)
    assert (found.begun, found.skipped) == (2, 1)


def test_days_run_from_the_first_with_work_to_today() -> None:
    found = status([row("a", 2), row("a", 2), row("a", 0)])
    assert found.days == {"2026-11-19": 2, "2026-11-20": 0, "2026-11-21": 1}
    assert status([row("a", 40)]).days == {}


def test_it_is_json() -> None:
    found = json.loads(json.dumps(status([row("a", 1)]).as_json()))
    assert found["labelers"][0]["person"] == "a"
    assert found["looks_done"] == 20
