"""`curate decisions pull` after pull: what became of decisions taken before, on a stand-in dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate import decision_file
from curate.adapters import fiftyone_decisions, fiftyone_edits, fiftyone_view
from curate.adapters.fiftyone_decisions import Pulled
from tests import builders
from tests.builders import image_id

X, Y = image_id("one"), image_id("copy")
FILE = Path("decisions.csv")


@dataclass
class Label:
    id: str
    label: str | None
    bounding_box: Sequence[float]
    annotation_id: str | None = None
    synced: str | None = None
    tags: list[str] = field(default_factory=list)

    def has_field(self, name: str) -> bool:
        return name == "annotation_id"

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class Sample:
    metadata = SimpleNamespace(width=100, height=100)
    last_modified_at = datetime(2026, 1, 1, tzinfo=UTC)
    field_names = ("consensus",)

    def __init__(self, key: str, labels: Sequence[Label] = ()) -> None:
        self.id, self.tags = key[:24], list[str]()
        self.synced = [f"consensus {one.annotation_id}" for one in labels]
        self.labels = list(labels)
        self.written: str | None = "digest 1"
        self.values: dict[str, Any] = {"image_id": key, "duplicate_of": None, "variant_of": None}

    def __getitem__(self, name: str) -> Any:
        own = {"consensus": SimpleNamespace(detections=self.labels), "curate_labels": self.synced}
        return {**self.values, **own, "curate_digest": self.written}[name]

    def __setitem__(self, name: str, value: str | None) -> None:
        assert name == "curate_digest"
        self.written = value


@dataclass
class Dataset:
    samples: list[Sample]
    info: dict[str, Any] = field(default_factory=dict)

    def get_field_schema(self) -> Mapping[str, None]:
        return {"consensus": None}

    def values(self, names: str | Sequence[str]) -> list[Any]:
        return self._column(names) if isinstance(names, str) else [self._column(name) for name in names]

    def _column(self, name: str) -> list[Any]:
        part = name.rpartition(".")[2]
        if part != name:
            return [[getattr(one, part) for one in sample.labels] for sample in self.samples]
        return [getattr(sample, name) if name in {"id", "tags"} else sample[name] for sample in self.samples]

    def select(self, ids: Sequence[str]) -> Dataset:
        return Dataset([sample for sample in self.samples if sample.id in ids])

    def match_tags(self, tag: str) -> Dataset:
        return Dataset([sample for sample in self.samples if tag in sample.tags])

    def match(self, query: Mapping[str, str]) -> Dataset:
        return Dataset([sample for sample in self.samples if sample["image_id"] == query["image_id"]])

    def untag_samples(self, tag: str) -> None:
        for sample in self.samples:
            sample.tags = [one for one in sample.tags if one != tag]

    def iter_samples(self, autosave: bool = False) -> Iterator[Sample]:
        assert autosave or self.samples
        return iter(self.samples)

    def save(self) -> None:
        pass


def shown(monkeypatch: pytest.MonkeyPatch, folder: Path, *samples: Sample) -> None:
    monkeypatch.chdir(folder)
    dataset = Dataset(list(samples))
    fo = SimpleNamespace(dataset_exists=lambda _: True, load_dataset=lambda _: dataset)
    monkeypatch.setattr(fiftyone_view, "connect", lambda *_, **__: fo)


def pull() -> Pulled:
    return fiftyone_decisions.pull(Path(), FILE, by="labeler-1")


def lines() -> list[tuple[str, str, str, str]]:
    return [(one.decision, one.annotation, one.argument, one.box) for one in decision_file.load(FILE)]


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_parted_pair_stays_parted_until_its_tag_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_hand: bool
) -> None:
    copy, keeper = Sample(X), Sample(Y)
    shown(monkeypatch, tmp_path, copy, keeper)
    if by_hand:  # and the other way round
        decision_file.write(FILE, [decision_file.Decision(0, Y, "different", other=X)])
    copy.values["duplicate_of"], copy.tags = Y, ["not-duplicate"]
    assert pull().added == (0 if by_hand else 1)
    copy.values["duplicate_of"] = None  # dedupe did what the line says
    for _ in range(2):
        report = pull()
        assert (report.removed, report.lines, report.problems) == (0, 1, [])
    copy.tags = []
    assert (pull().removed, decision_file.load(FILE)) == (1, [])


def test_a_tag_of_another_pair_does_not_hold_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, keeper = Sample(X), Sample(Y)
    shown(monkeypatch, tmp_path, copy, keeper)
    copy.values["duplicate_of"], keeper.values["duplicate_of"] = Y, image_id("two")
    copy.tags, keeper.tags = ["not-duplicate"], ["not-duplicate"]
    assert pull().added == 2
    copy.values["duplicate_of"] = keeper.values["duplicate_of"] = None
    copy.tags = []
    pull()
    assert [(one.image, one.other) for one in decision_file.load(FILE)] == [(Y, image_id("two"))]


def test_a_drawn_label_that_is_changed_again_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, drawn = Sample(X), Label("d1", "dog", (0.1, 0.1, 0.2, 0.2))
    shown(monkeypatch, tmp_path, sample)
    sample.labels.append(drawn)
    pull()
    assert lines() == [("add", "", "dog", "10 10 30 30")]
    drawn.bounding_box = (0.5, 0.5, 0.2, 0.2)
    sample.labels.append(Label("d2", "cat", (0.1, 0.1, 0.2, 0.2)))
    report = pull()
    assert (report.added, report.removed, report.replaced) == (2, 0, 1)
    assert lines() == [("add", "", "cat", "10 10 30 30"), ("add", "", "dog", "50 50 70 70")]
    drawn.label = "fox"
    pull()
    assert lines() == [("add", "", "cat", "10 10 30 30"), ("add", "", "fox", "50 50 70 70")]
    assert pull().line() == "decisions: 2 lines, 0 new, 0 taken back in the app"


def test_a_line_that_was_deleted_and_pulled_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Sample(X)
    sample.tags = ["drop:blurred"]
    shown(monkeypatch, tmp_path, sample)
    pull()
    (line,) = decision_file.load(FILE)
    decision_file.write(FILE, [])
    assert (pull().untagged, sample.tags) == (1, [])
    decision_file.write(FILE, [line])  # by hand, before the next sync
    assert (pull().removed, len(lines())) == (0, 1)
    decision_file.write(FILE, [])
    sample.tags = ["drop:blurred"]  # or in the app
    assert (pull().added, sample.tags) == (1, ["drop:blurred"])


def test_a_label_that_is_edited_again_or_deleted_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    one, other = (
        Label(f"d{name}", "dog", box, annotation_id=name, synced=fiftyone_edits.fingerprint("dog", box))
        for name in ("a1", "a2")
    )
    sample = Sample(X, [one, other])
    shown(monkeypatch, tmp_path, sample)
    one.bounding_box, other.label = (0.2, 0.1, 0.2, 0.2), "cat"
    pull()
    one.bounding_box = (0.3, 0.1, 0.2, 0.2)
    assert pull().line() == "decisions: 2 lines, 1 new, 0 taken back in the app, 1 replaced"
    assert lines() == [("edit", "a1", "dog", "30 10 50 30"), ("edit", "a2", "cat", "10 10 30 30")]
    sample.labels.remove(one)
    report = pull()
    assert lines() == [("delete", "a1", "", ""), ("edit", "a2", "cat", "10 10 30 30")]
    assert not report.conflicts


def test_a_label_without_a_category_is_held_back_until_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    known = Label("d0", "dog", box, annotation_id="a1", synced=fiftyone_edits.fingerprint("dog", box))
    sample, drawn = Sample(X, [known]), Label("d1", None, (0.5, 0.5, 0.2, 0.2))
    shown(monkeypatch, tmp_path, sample)
    sample.labels.append(drawn)
    known.label = None
    report = pull()
    assert lines() == []
    assert [said.partition(": ")[2] for said in sorted(report.problems)] == [
        "a label of 10 10 30 30: edit needs a category",
        "a label of 50 50 70 70: add needs a category in the column argument",
    ]
    drawn.label, known.label = "dog", "cat"
    assert pull().problems == []
    assert lines() == [("add", "", "dog", "50 50 70 70"), ("edit", "a1", "cat", "10 10 30 30")]


def test_an_edit_that_is_undone_in_the_app_takes_its_line_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    known = Label("d0", "dog", box, annotation_id="a1", synced=fiftyone_edits.fingerprint("dog", box))
    drawn = Label("d1", "cat", (0.5, 0.5, 0.2, 0.2))
    sample = Sample(X, [known])
    shown(monkeypatch, tmp_path, sample)
    sample.labels.append(drawn)
    known.label, known.tags = "fox", ["delete"]
    assert pull().added == 3
    sample.labels.remove(drawn)
    assert pull().line() == "decisions: 2 lines, 0 new, 1 taken back in the app"
    known.label, known.tags = "dog", []
    assert pull().line() == "decisions: 0 lines, 0 new, 2 taken back in the app"
    sample.labels.append(drawn)
    pull()
    assert lines() == [("add", "", "cat", "50 50 70 70")]


def test_a_line_stays_where_a_sync_wrote_its_labels_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Sample(X)
    shown(monkeypatch, tmp_path, sample)
    sample.labels.append(Label("d1", "cat", (0.5, 0.5, 0.2, 0.2)))
    pull()
    # The tables changed and came back: what is shown is the same, but not what people drew on it.
    sample.labels, sample.written = [], "digest 2"
    assert pull().line() == "decisions: 1 lines, 0 new, 0 taken back in the app"
    assert pull().removed == 0
    assert lines() == [("add", "", "cat", "50 50 70 70")]


def test_a_line_of_a_label_that_is_deleted_by_hand_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    one, other = (
        Label(f"d{name}", "dog", box, annotation_id=name, synced=fiftyone_edits.fingerprint("dog", box))
        for name in ("a1", "a2")
    )
    sample = Sample(X, [one, other])
    shown(monkeypatch, tmp_path, sample)
    one.label, other.tags = "cat", ["relabel:fox", "look"]
    assert pull().added == 2
    decision_file.write(FILE, [])
    assert pull().line() == "decisions: 0 lines, 0 new, 0 taken back in the app, 2 of deleted lines forgotten"
    assert lines() == []
    assert other.tags == ["look"]
    assert sample.written is None, "the next sync draws what the tables say"
    assert (pull().added, lines()) == (0, [])


def test_a_line_that_the_pipeline_has_read_stays_when_another_label_of_its_image_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    first, second = (
        Label(f"d{name}", "dog", box, annotation_id=name, synced=fiftyone_edits.fingerprint("dog", box))
        for name in ("a1", "a2")
    )
    sample = Sample(X, [first, second])
    shown(monkeypatch, tmp_path, sample)
    first.label = "cat"
    pull()
    # The pipeline made it a cat, and a sync wrote the sample again.
    first.synced, sample.written = fiftyone_edits.fingerprint("cat", box), "digest 2"
    second.label = "fox"
    for _ in range(3):
        assert pull().removed == 0
        assert [(one.annotation, one.argument) for one in decision_file.load(FILE)] == [
            ("a1", "cat"), ("a2", "fox"),
        ]  # fmt: skip
    second.label = "dog"
    assert pull().removed == 1
    assert [(one.annotation, one.argument) for one in decision_file.load(FILE)] == [("a1", "cat")]


@pytest.mark.parametrize("name", ["unit/one.jpg", X[:12]])
def test_a_line_by_a_place_or_a_beginning_is_the_one_that_the_app_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    builders.write_images(tmp_path / "data/ingest/images.parquet", [builders.image("one")])
    sample = Sample(X)
    shown(monkeypatch, tmp_path, sample)
    decision_file.write(FILE, [decision_file.Decision(0, name, "keep", note="by hand")])
    sample.tags = ["keep"]
    assert pull().line() == "decisions: 1 lines, 0 new, 0 taken back in the app"
    assert [(one.image, one.note) for one in decision_file.load(FILE)] == [(name, "by hand")]
    sample.tags = ["drop"]
    report = pull()
    assert (report.added, report.removed, report.conflicts) == (1, 1, [])
    decision_file.write(FILE, [decision_file.Decision(0, name, "keep"), *decision_file.load(FILE)])
    (conflict,) = pull().conflicts
    assert {one.decision for one in conflict} == {"keep", "drop"}


def test_a_tag_of_a_parted_pair_says_nothing_of_the_next_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, keeper = Sample(X), Sample(Y)
    shown(monkeypatch, tmp_path, copy, keeper)
    copy.values["duplicate_of"], copy.tags = Y, ["not-duplicate"]
    pull()
    third = image_id("two")
    copy.values["duplicate_of"] = third  # parted from the first, and like this one
    report = pull()
    assert (report.added, report.removed, report.lines) == (0, 0, 1)
    (problem,) = report.problems
    assert problem.endswith(f"says different from {Y[:12]} already; of {third[:12]}, write the line by hand")
    by_hand = decision_file.Decision(0, X, "different", other=third)
    decision_file.write(FILE, [*decision_file.load(FILE), by_hand])
    assert (pull().problems, len(decision_file.load(FILE))) == ([], 2)


@pytest.mark.parametrize("next_keeper", [None, "two"])
def test_a_line_of_a_parted_pair_that_is_deleted_by_hand_takes_its_tag_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_keeper: str | None
) -> None:
    copy, keeper = Sample(X), Sample(Y)
    shown(monkeypatch, tmp_path, copy, keeper)
    copy.values["duplicate_of"], copy.tags = Y, ["not-duplicate", "look"]
    pull()
    copy.values["duplicate_of"] = next_keeper and image_id(next_keeper)
    pull()
    decision_file.write(FILE, [])
    assert pull().untagged == 1
    assert copy.tags == ["look"]
    copy.values["duplicate_of"] = Y  # as the pipeline has it without the line
    assert (pull().added, decision_file.load(FILE)) == (0, [])
