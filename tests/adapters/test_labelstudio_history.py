"""The record of what labelers were shown, in the project's description."""

from __future__ import annotations

from curate.adapters.labelstudio import history
from curate.adapters.labelstudio.history import Shown

FIRST, SECOND = "2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"


def test_changes_are_added_below_what_people_wrote() -> None:
    text = history.added("Signs of Rome\nask Anna", "g1", "t1", FIRST)
    text = history.added(text, "g2", "t1", SECOND)
    assert text.startswith("Signs of Rome\nask Anna\n")
    assert history.read(text) == (Shown(FIRST, "g1", "t1"), Shown(SECOND, "g2", "t1"))


def test_other_suggestions_are_a_change_as_well() -> None:
    text = history.suggested(history.added("ask Anna", "g1", "t1", FIRST), "m1", FIRST)
    assert history.suggests(text, "m1")
    assert not history.suggests("ask Anna", "m1")
    assert history.suggested(text, "m1", SECOND) == text
    text = history.added(text, "g2", "t1", SECOND)
    assert history.read(text)[-1] == Shown(SECOND, "g2", "t1", "m1")


def test_the_same_again_changes_nothing() -> None:
    text = history.added(None, None, "t1", FIRST)
    assert history.added(text, None, "t1", SECOND) == text


def test_an_answer_was_given_under_what_was_shown_then() -> None:
    known = history.read(history.added(history.added("", "g1", "t1", FIRST), "g2", "t2", SECOND))
    assert history.at(known, "2026-01-15T10:00:00.000000Z") == Shown(FIRST, "g1", "t1")
    assert history.at(known, SECOND) == Shown(SECOND, "g2", "t2")
    assert history.at(known, "2025-12-31T23:59:59.999999Z") is None
    assert history.at(known, None) is None
    assert history.at((), SECOND) is None


def test_a_description_without_a_record_or_with_a_damaged_one_tells_nothing() -> None:
    text = history.added("", "g1", "t1", FIRST)
    assert history.read(None) == history.read("hello") == history.read(text[:-3]) == ()
