"""Marks on labels that overlap, and their undo, on a stand-in dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from curate.adapters import fiftyone_marking
from curate.adapters.fiftyone_marking import MARKS

DELETE = next(mark for mark in MARKS if mark.name == "delete_labels")


@dataclass
class Labels:
    """A dataset of two images, or what is selected of it; labels a, b, c of the consensus, d disputed."""

    tags: dict[str, list[str]] = field(default_factory=lambda: {key: [] for key in "abcd"})
    only: Sequence[str] = "abcd"
    info: dict[str, Any] = field(default_factory=dict)

    def get_field_schema(self) -> tuple[str, ...]:
        return "consensus", "disputed"

    def select_labels(self, *, ids: Sequence[str]) -> Labels:
        return Labels(self.tags, ids)

    def values(self, paths: Sequence[str]) -> list[list[Any]]:
        """By image; None where it has no such labels, and for tags that were never set."""
        held: list[str | None] = ["ab", "c"] if paths[0].startswith("consensus.") else [None, "d"]
        ids: list[Any] = [None if one is None else [key for key in one if key in self.only] for one in held]
        tags: list[Any] = [
            None if one is None else [list(self.tags[key]) or None for key in one] for one in ids
        ]
        return [{"id": ids, "tags": tags}[path.rpartition(".")[2]] for path in paths]

    def tag_labels(self, tag: str) -> None:
        for key in self.only:
            self.tags[key] = [*dict.fromkeys([*self.tags[key], tag])]

    def untag_labels(self, tag: str) -> None:
        for key in self.only:
            self.tags[key] = [one for one in self.tags[key] if one != tag]

    def save(self) -> None:
        pass


def click(dataset: Labels, ids: str) -> str:
    fields = {key: "disputed" if key == "d" else "consensus" for key in ids}
    chosen = [{"label_id": key, "field": name} for key, name in fields.items()]
    return fiftyone_marking.apply(SimpleNamespace(dataset=dataset, selected_labels=chosen), DELETE, "")


def test_an_undo_leaves_labels_that_had_the_tag_before() -> None:
    dataset = Labels()
    assert click(dataset, "ab") == "delete: 2 of 2 selected labels"
    assert click(dataset, "bcd") == "delete: 2 of 3 selected labels"
    assert click(dataset, "ad") == "delete: 0 of 2 selected labels"
    assert fiftyone_marking.undo(dataset) == "delete: taken back from 0"
    assert dataset.tags == {key: ["delete"] for key in "abcd"}
    assert fiftyone_marking.undo(dataset) == "delete: taken back from 2"
    assert dataset.tags == {"a": ["delete"], "b": ["delete"], "c": [], "d": []}
    assert fiftyone_marking.undo(dataset) == "delete: taken back from 2"
    assert fiftyone_marking.undo(dataset) == "nothing to take back"
    assert not any(dataset.tags.values())


def test_nothing_selected_marks_nothing() -> None:
    assert click(Labels(), "") == "nothing is selected: select labels first"
