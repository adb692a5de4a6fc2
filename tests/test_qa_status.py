"""What `curate qa status` shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from curate.cli import qa_status
from curate.qa.labeling_progress import Labeler, Status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SEEN = (NOW - timedelta(minutes=5)).isoformat()


def made(**changes: object) -> Status:
    values: dict[str, object] = {
        "url": "http://127.0.0.1:8080/projects/1/data", "tasks": 400, "tasks_done": 90, "looks": 500,
        "looks_done": 125, "begun": 2, "skipped": 3, "superseded": 1,
        "labelers": (
            Labeler("anna@x.invalid", 100, 2, 1, 40, 31.4, SEEN),
            Labeler("ben@x.invalid", 0, 0, 1, 0, None, None),
        ),
        "days": {"2026-11-19": 10, "2026-11-20": 0, "2026-11-21": 80}, "per_day": 30.0, "days_to_go": 12.5,
        "raw_regions": {"rotated rectangle": 2},
    }  # fmt: skip
    return Status(**{**values, **changes})  # type: ignore[arg-type]


def drawn(status: Status, width: int = 100) -> str:
    out = StringIO()
    Console(file=out, width=width).print(qa_status.screen(status, "signs", NOW))
    return out.getvalue()


@pytest.mark.parametrize("width", [70, 100])
def test_the_screen_says_everything_within_the_terminal(width: int) -> None:
    text = drawn(made(), width)
    for part in (
        "25%  90 of 400 tasks, 125 of 500 looks", "2 begun, 3 skipped; 30.0 answers per day; 12 days to go",
        "anna@x.invalid", "31 s", "5 min ago", "rotated rectangle: 2",
    ):  # fmt: skip
        assert part in " ".join(text.split()) or part in text
    assert max(map(len, text.splitlines())) <= width
    assert "25%  90 of 400 tasks, 125 of 500 looks" in text.splitlines()  # not behind the bar


def test_lines_say_the_same() -> None:
    lines = qa_status.plain(made(), "signs", NOW)
    assert lines[0] == "signs  http://127.0.0.1:8080/projects/1/data"
    assert lines[3] == (
        "anna@x.invalid  answers 100  skipped 2  begun 1  last 24 h 40  median 31 s  last seen 5 min ago"
    )
    assert lines[-1] == "2 regions kept raw (rotated rectangle: 2)"


def test_the_chart_has_a_character_a_day() -> None:
    assert qa_status.chart(made()).plain == "answers per day  11-19 ▁ █ 11-21  most 80"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"days_to_go": 0.0}, "all done: run `dvc repro`"),
        ({"days_to_go": 0.4}, "less than a day to go"),
        ({"days_to_go": None, "per_day": 0.0}, "no end in sight at this pace"),
        ({"days_to_go": None, "per_day": None}, "nobody has answered yet; days to go unknown"),
    ],
)
def test_the_end_in_words(changes: dict[str, object], told: str) -> None:
    assert told in qa_status.summary(made(**changes))


def test_an_empty_project_can_be_shown() -> None:
    empty = made(labelers=(), days={}, looks=0, looks_done=0, tasks=0, tasks_done=0, raw_regions={})
    assert "100%" in drawn(empty)
    assert len(qa_status.plain(empty, "signs", NOW)) == 3
