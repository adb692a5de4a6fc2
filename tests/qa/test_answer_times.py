"""Answers over time: the unit follows from how long the work took; sums are right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.params.quality import QualityParams
from curate.qa import answer_times
from curate.stages import quality
from tests.stages import test_quality as stage


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """60 images in an hour, a minute each, by Ann and Bob."""
    root = tmp_path_factory.mktemp("times")
    inputs, _ = stage.project(root)
    quality.run(
        QualityParams(bootstrap=50), inputs=inputs, outputs=quality.Outputs(root / "q", root / "plots")
    )
    return stage.rows(root / "plots/answer_times.csv")


def test_an_hour_of_work_is_told_by_the_minute(rows: list[dict[str, Any]]) -> None:
    assert len({row["period"] for row in rows}) == 60
    assert rows[0]["period"] == "2026-01-05T10:00"
    assert {row["annotator_id"] for row in rows} == {"labeler-1", "labeler-2"}


def test_sums_are_those_of_the_answers(rows: list[dict[str, Any]]) -> None:
    assert sum(int(row["answers"]) for row in rows) == 120
    assert sum(int(row["objects"]) for row in rows) == 120
    assert sum(int(row["gold_answers"]) for row in rows) == 24
    right = {who: sum(int(row["gold_right"]) for row in rows if row["annotator_id"] == who)
             for who in ("labeler-1", "labeler-2")}  # fmt: skip
    assert right == {"labeler-1": 12, "labeler-2": 0}
    first = next(row for row in rows if row["annotator_id"] == "labeler-1")
    assert (float(first["seconds"]), int(first["timed"]), int(first["idle"])) == (20.0, 1, 0)


@pytest.mark.parametrize(
    ("days", "period"), [(0.01, "2026-01-05T10:00"), (0.2, "2026-01-05T10:00"), (4, "2026-01-05")]
)
def test_longer_work_is_told_by_the_hour_or_day(tmp_path: Path, days: float, period: str) -> None:
    inputs, outputs = stage.project(tmp_path)
    answers = tables.read(inputs.answers, schema.ANSWERS).to_pylist()
    begun = answer_times._time("2026-01-05T10:00:00.000000Z")
    assert begun is not None
    for number, row in enumerate(answers):
        when = begun + timedelta(days=days * number / (len(answers) - 1))
        row["created_at"] = when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tables.write_rows(answers, inputs.answers, schema.ANSWERS)
    quality.run(QualityParams(bootstrap=50), inputs=inputs, outputs=outputs)
    found = stage.rows(outputs.plots / "answer_times.csv")
    assert found[0]["period"] == period
    assert len({row["period"] for row in found}) == {0.01: 15, 0.2: 5, 4: 5}[days]
