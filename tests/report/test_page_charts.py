"""The page's charts by time: each time has a name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.params import Params
from curate.project_tables import ProjectTables
from curate.qa.answer_times import COLUMNS
from curate.report import page_charts
from curate.report.inputs import Facts


def facts(*times: str) -> Facts:
    sums = {
        **dict.fromkeys(COLUMNS, "0"),
        "annotator_id": "labeler-1",
        "answers": "2",
        "timed": "2",
        "seconds": "9",
    }
    rows = [{**sums, "period": time} for time in times]
    return Facts(ProjectTables(Path(), ()), Params(), {}, plots={"answer_times": rows})


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        (["2026-01-05", "2026-01-06"], ["01-05", "01-06"]),
        (["2025-01-05", "2026-01-05"], ["2025-01-05", "2026-01-05"]),
        (["2026-01-05T09:00", "2026-01-05T10:00"], ["09:00", "10:00"]),
        (["2026-01-05T10:00", "2026-01-06T10:00"], ["01-05 10:00", "01-06 10:00"]),
        (["2025-12-31T10:00", "2026-01-01T10:00"], ["2025-12-31 10:00", "2026-01-01 10:00"]),
    ],
)
def test_no_two_times_have_one_label(times: list[str], labels: list[str]) -> None:
    assert [row["label"] for row in page_charts.periods(facts(*times))] == labels
    chart = page_charts.charts(facts(*times), [])
    for label in labels:
        assert label in chart["progress"]
        assert label in chart["pace"]
