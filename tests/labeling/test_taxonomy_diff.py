"""What changed between two taxonomies."""

from __future__ import annotations

from typing import Any

import pytest

from curate.labeling import taxonomy_diff
from curate.records import Category


def category(number: int, name: str, **changes: Any) -> Category:
    values: dict[str, Any] = {"prompts": (name,), "threshold": 0.4, "color": "#112233", **changes}
    return Category(name=name, category_id=number, **values)


OLD = [category(0, "cat"), category(1, "dog"), category(2, "fox", parent="dog")]


def kinds(new: list[Category]) -> list[tuple[str, str]]:
    return [(change.name, change.kind) for change in taxonomy_diff.compare(OLD, new)]


def test_nothing_changed() -> None:
    assert taxonomy_diff.compare(OLD, list(reversed(OLD))) == []


def test_the_id_says_what_belongs_together() -> None:
    assert kinds([category(0, "cat"), category(1, "hound", prompts=("dog",)), OLD[2]]) == [
        ("hound", "renamed")
    ]
    assert kinds([category(0, "cat"), category(7, "dog"), OLD[2]]) == [("dog", "removed"), ("dog", "added")]


@pytest.mark.parametrize(
    ("kind", "change", "before", "after"),
    [
        ("prompts", {"prompts": ("cat", "kitten")}, "['cat']", "['cat', 'kitten']"),
        ("threshold", {"threshold": 0.45}, "0.4", "0.45"),
        ("color", {"color": "#000000"}, "#112233", "#000000"),
        ("description", {"description": "Purrs."}, "''", "'Purrs.'"),
        ("parent", {"parent": "dog"}, "none", "dog"),
    ],
)
def test_every_field_is_compared(kind: str, change: dict[str, Any], before: str, after: str) -> None:
    (found,) = taxonomy_diff.compare(OLD, [category(0, "cat", **change), *OLD[1:]])
    assert (found.kind, found.before, found.after) == (kind, before, after)
    assert found.line() == f"0 cat: {kind} {before} -> {after}; {found.necessary}"


def test_what_is_necessary_is_said() -> None:
    lines = [
        change.line() for change in taxonomy_diff.compare(OLD, [category(0, "tom", prompts=("cat",)), OLD[1]])
    ]
    assert lines[0].startswith("0 tom: renamed cat -> tom; curate taxonomy migrate with `rename`")
    assert lines[1].startswith("2 fox: removed; curate taxonomy migrate with `merge` or `split`")
