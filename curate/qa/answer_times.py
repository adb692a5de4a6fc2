"""Answers over time, by labeler: how many, how fast, how good on gold; a data file for `dvc plots`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from curate.qa.quality_figures import Measured

COLUMNS: Final = (
    "period", "annotator_id", "answers", "objects", "seconds", "timed", "idle", "gold_answers", "gold_right",
    "gold_drawn", "gold_known",
)  # fmt: skip
# The longest unit of which the work takes at least so many.
_UNITS: Final = (("%Y-%m-%d", timedelta(days=1)), ("%Y-%m-%dT%H:00", timedelta(hours=1)))
_SHORTEST: Final = "%Y-%m-%dT%H:%M"
_MIN_PERIODS: Final = 4


def by_period(measured: Measured, names: Mapping[str, str]) -> pa.Table:
    """One row per labeler and day; an hour or a minute where the work took fewer than four days or hours.

    `seconds` is the sum over the `timed` answers, that is those with a time and not idle.

    Args:
        measured: What was measured.
        names: What each labeler is called outside `data/`.
    """
    looks = measured.looks
    at = [_time(text) for text in looks.table["created_at"].to_pylist()]
    known = [time for time in at if time is not None]
    unit = _unit(max(known) - min(known)) if known else _UNITS[0][0]
    rows: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: dict.fromkeys(COLUMNS[2:], 0.0))
    for row, time in enumerate(at):
        if time is None:
            continue
        person = looks.people[looks.person[row]]
        found = rows[time.strftime(unit), names.get(person, person)]
        seconds, scores = float(measured.times.seconds[row]), measured.scores
        found["answers"] += 1
        found["objects"] += float(measured.objects[row])
        found["idle"] += float(measured.times.idle[row])
        if not np.isnan(seconds):
            found["seconds"] += seconds
            found["timed"] += 1
        if looks.gold[row]:
            found["gold_answers"] += 1
            found["gold_right"] += float(scores.same[row])
            found["gold_drawn"] += float(scores.drawn[row])
            found["gold_known"] += float(scores.known[row])
    ordered = sorted(rows.items())
    columns: dict[str, pa.Array] = {
        "period": pa.array([period for (period, _), _ in ordered], pa.string()),
        "annotator_id": pa.array([person for (_, person), _ in ordered], pa.string()),
    }
    for name in COLUMNS[2:]:
        values = [row[name] for _, row in ordered]
        whole = name != "seconds"
        columns[name] = pa.array(
            [int(v) if whole else round(v, 1) for v in values], pa.int64() if whole else pa.float64()
        )
    return pa.table(columns)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _unit(span: timedelta) -> str:
    for text, length in _UNITS:
        if span >= (_MIN_PERIODS - 1) * length:
            return text
    return _SHORTEST
