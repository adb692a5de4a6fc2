"""Which row of the record an answer was begun under: by time, by descent, or honestly not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.shown import join, record
from curate.shown.join import Begun, Showings
from tests import builders
from tests.shown import showing
from tests.shown.showing import at

ANN = "ann@example.org"


def found(
    showings: Showings, created: str | None, *, lead: float | None = 30, updated: str | None = None,
    parents: frozenset[str] = frozenset(), name: str = "one",
) -> Begun:  # fmt: skip
    return showings.begun(
        showing.task(name), ANN, created_at=created, updated_at=updated or created, lead_time_s=lead,
        parents=parents,
    )  # fmt: skip


@pytest.fixture
def two(tmp_path: Path) -> Showings:
    """From 10:00 model a's suggestion, from 12:00 (there at 12:05) model b's."""
    showing.write(tmp_path, [showing.row("one", ["a"])], since=at(10), confirmed=at(10, 5))
    showing.write(tmp_path, [showing.row("one", ["b"])], since=at(12), confirmed=at(12, 5))
    return Showings(record.load(tmp_path))


def version(begun: Begun) -> str | None:
    return begun.showing.model_version if begun.showing else begun.why


@pytest.mark.parametrize(
    ("created", "lead", "expected"),
    [
        (at(9), 30, join.BEFORE_RECORD),
        (at(10, 1), 30, "a"),  # nothing else was ever there
        (at(11), 30, "a"),
        (at(12, 10), 1200, "a"),  # the page was opened before the change
        (at(13), 30, "b"),
        (at(12, 4), 60, join.CHANGED_MEANWHILE),
        (at(12, 10), 420, join.CHANGED_MEANWHILE),
        (at(13), None, join.CHANGED_MEANWHILE),  # nobody knows for how long it was open
    ],
)
def test_by_time(two: Showings, created: str, lead: float | None, expected: str) -> None:
    assert version(found(two, created, lead=lead)) == expected


def test_an_object_that_descends_from_a_suggestion_tells_which_was_shown(two: Showings) -> None:
    a, b = (frozenset({showing.suggestion("one", name).annotation_id}) for name in "ab")
    assert version(found(two, at(12, 4), lead=60, parents=a)) == "a"
    assert version(found(two, at(12, 4), lead=60, parents=b)) == "b"
    # A draft of the day before, submitted long after the change: time alone would say b.
    assert version(found(two, at(15), lead=30, parents=a)) == "a"
    # Sent before b was: no descent can make it b.
    assert version(found(two, at(11), parents=b)) == "a"


def test_the_seconds_of_an_answer_that_was_opened_again_say_little(two: Showings) -> None:
    """Created at 13:00, changed at 16:00 with three hours on the clock: begun at 10:00? At 12:59?"""
    assert version(found(two, at(13), lead=10_800, updated=at(16))) == join.CHANGED_MEANWHILE
    assert version(found(two, at(13), lead=60, updated=at(16))) == "b"


def test_a_task_without_a_record_is_not_joined(two: Showings) -> None:
    assert version(found(two, at(13), name="two")) == join.NO_RECORD


def test_rows_that_never_reached_the_server_were_not_shown(tmp_path: Path) -> None:
    showing.write(tmp_path, [showing.row("one", ["a"])], since=at(10), confirmed=at(10, 5))
    showing.write(tmp_path, [showing.row("one", ["b"])], since=at(12), reached=False)
    assert version(found(Showings(record.load(tmp_path)), at(13))) == "a"


def test_a_row_without_an_outcome_may_or_may_not_have_been_shown(tmp_path: Path) -> None:
    showing.write(tmp_path, [showing.row("one", ["a"])], since=at(10), confirmed=at(10, 5))
    showing.write(tmp_path, [showing.row("one", ["b"])], since=at(12))
    showings = Showings(record.load(tmp_path))
    assert version(found(showings, at(11))) == "a"
    assert version(found(showings, at(13))) == join.CHANGED_MEANWHILE
    b = frozenset({showing.suggestion("one", "b").annotation_id})
    assert version(found(showings, at(13), parents=b)) == "b"


def test_another_guideline_alone_leaves_no_doubt_of_what_was_suggested(tmp_path: Path) -> None:
    for hour, guideline in ((10, "g1"), (12, "g2")):
        rows = [showing.row("one", ["a"], guideline=guideline)]
        showing.write(tmp_path, rows, since=at(hour), confirmed=at(hour, 5))
    showings = Showings(record.load(tmp_path))
    assert version(found(showings, at(12, 4), lead=60)) == "a"

    def guideline(moment: str) -> str | None:
        then = showings.texts_at(moment)
        return None if then is None else then.guideline

    assert [guideline(moment) for moment in (at(9), at(10, 1), at(12, 4), at(12, 6))] == [
        None, "g1", "g1", "g2"
    ]  # fmt: skip


def test_a_guideline_counts_for_tasks_that_left_the_plan_before(tmp_path: Path) -> None:
    showing.write(tmp_path, [showing.row("one", ["a"], guideline="g1")], since=at(10), confirmed=at(10, 5))
    showing.write(tmp_path, [showing.row("two", ["a"], guideline="g2")], since=at(12), confirmed=at(12, 5))
    then = Showings(record.load(tmp_path)).texts_at(at(13))
    assert then is not None
    assert then.guideline == "g2"


def test_projects_of_single_labelers_are_told_apart(tmp_path: Path) -> None:
    rows = [{**showing.row("one", ["a"]), "labeler": ANN}, {**showing.row("one", ["b"]), "labeler": "bob"}]
    showing.write(tmp_path, rows, since=at(10), confirmed=at(10, 5))
    showings = Showings(record.load(tmp_path))
    assert version(found(showings, at(11))) == "a"
    begun: Any = showings.begun(
        showing.task("one"), "bob", created_at=at(11), updated_at=at(11), lead_time_s=5
    )
    assert version(begun) == "b"


def test_the_control_arm_shows_nothing(tmp_path: Path) -> None:
    showing.write(tmp_path, [showing.row("one", ["a"], arm="control")], since=at(10), confirmed=at(10, 5))
    begun = found(Showings(record.load(tmp_path)), at(11))
    assert begun.showing is not None
    assert (begun.showing.model_version, begun.showing.suggestions) == (None, frozenset())
    assert builders.image_id("one")
