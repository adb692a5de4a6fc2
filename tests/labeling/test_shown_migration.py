"""What was shown, after categories were renamed, merged or split: it is held against answers as before."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.errors import TableError
from curate.labeling import migration, migration_plan, taxonomy, threshold_fitting
from curate.labeling.thresholds import Target
from curate.params.quality import QualityParams
from curate.qa import injected_error_hold
from curate.records import Annotation
from curate.shown import record
from curate.shown.renames import Renames
from curate.stages import quality
from tests import builders
from tests.shown import showing

WRONG = "parking_sign"  # what the stop sign of "one" was called on purpose
RENAME = "rename:\n  - {from: parking_sign, to: park}\n  - {from: stop_sign, to: stop}\n"
SPLIT = "split:\n  - {from: parking_sign, into: [blue, other], otherwise: other}\n"
MERGE = "merge:\n  - {from: [stop_sign, parking_sign], to: sign}\n"


def rows(root: Path, path: Path) -> list[Annotation]:
    return [Annotation.from_row(row) for row in tables.read(root / path, schema.ANNOTATIONS).to_pylist()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two people; on "one" a category was planted, and both took every suggestion over as it was shown."""
    builders.small_project(tmp_path, stage="autolabel")
    model = {row.image_id: row for row in rows(tmp_path, migration.MODEL) if row.outcome == "object"}
    seeded = model[builders.image_id("one")]
    planted = {"seeded_kind": "category", "seeded_id": seeded.annotation_id}
    names = ("one", "two", "three", "four", "five", "six")
    plan = [
        builders.plan_row(name, slot, **(planted if name == "one" else {}))
        for name in names
        for slot in (0, 1)
    ]
    tables.write_rows(plan, tmp_path / "data/select/plan.parquet", schema.PLAN)
    builders.show(tmp_path)
    drawn = []
    for row in rows(tmp_path, migration.MODEL):
        name = next(name for name in names if builders.image_id(name) == row.image_id)
        category = WRONG if row is seeded or row.annotation_id == seeded.annotation_id else row.category
        for person in builders.ANNOTATORS:
            made = builders.annotation(name, category, row.bbox_xyxy, annotator_id=person)
            drawn.append(replace(made, rle=row.rle, parent_id=row.annotation_id))
    builders.write_pulled(tmp_path, drawn)
    return tmp_path


def migrate(root: Path, text: str, *entries: tuple[str, str]) -> migration.Migration:
    lines = [
        f'  - {{id: {number}, name: {name}, prompts: [{prompt}], threshold: 0.4, color: "#e6194b"}}\n'
        for number, (name, prompt) in enumerate(entries)
    ]
    (root / "taxonomy.yaml").write_text("categories:\n" + "".join(lines))
    (root / "plan.yaml").write_text(text)
    made = migration_plan.load(root / "plan.yaml", taxonomy.load(root / "taxonomy.yaml"))
    work = migration.prepare(root, made)
    work.write()
    return work


def renamed(root: Path) -> migration.Migration:
    return migrate(root, RENAME, ("stop", "stop sign"), ("park", "parking sign"))


def held(root: Path) -> list[str]:
    answers = tables.read(root / "data/pull/answers.parquet", schema.ANSWERS)
    drawn = tables.read(root / migration.PULLED, schema.ANNOTATIONS)
    known = record.load(root / migration.RECORD)
    return injected_error_hold.find(known, answers, drawn, iou_threshold=0.5).left_in


def figures(root: Path) -> dict[str, Any]:
    """What the stage quality says of people and suggestions."""
    (root / "data/push/receipt.json").write_text('{"guideline": null, "taxonomy": null}')
    inputs = quality.Inputs(
        images=root / "data/dedupe/images.parquet",
        shown=root / migration.RECORD,
        plan=root / "data/select/plan.parquet",
        annotations=root / migration.PULLED,
        answers=root / "data/pull/answers.parquet",
        receipt=root / "data/push/receipt.json",
        taxonomy=root / "taxonomy.yaml",
        gold=None,
    )
    return dict(
        quality.run(QualityParams(), inputs=inputs, outputs=quality.Outputs(root / "q", root / "p")).metrics
    )


def fates(root: Path) -> list[dict[str, str]]:
    with (root / "q/suggestions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_planted_category_is_found_after_a_rename(root: Path) -> None:
    assert held(root) == [builders.image_id("one")]
    renamed(root)
    assert held(root) == [builders.image_id("one")]


def test_a_planted_category_is_found_after_a_split(root: Path) -> None:
    migrate(root, SPLIT, ("stop_sign", "stop sign"), ("blue", "parking sign"), ("other", "x"))
    assert held(root) == [builders.image_id("one")]
    shown = record.load(root / migration.RECORD)
    categories = {
        row["annotation_id"]: row["category"]
        for row in shown.suggestions.to_pylist()
        if row["suggestions_digest"] in set(shown.shown["suggestions_digest"].to_pylist())
    }
    people = {row.parent_id: row.category for row in rows(root, migration.PULLED) if row.category}
    assert (
        categories == people
    )  # each suggestion is called what the rows are that were left as they were shown
    assert set(categories.values()) == {"stop_sign", "blue", "other"}


def test_a_planted_category_that_was_merged_is_no_error_any_more(root: Path) -> None:
    assert figures(root)["seeded_errors"]["all"]["n"] == 2
    migrate(root, MERGE, ("sign", "sign"))
    assert held(root) == []
    assert figures(root)["seeded_errors"]["all"]["n"] == 0


def test_no_figure_of_people_or_suggestions_changes_with_a_name(root: Path) -> None:
    before, accepted = figures(root), fates(root)
    assert {row["accepted"] for row in accepted} == {"1"}
    renamed(root)
    after = figures(root)
    assert str(after) == _with_new_names(str(before))
    assert str(fates(root)) == _with_new_names(str(accepted))


def _with_new_names(text: str) -> str:
    return text.replace("stop_sign", "stop").replace("parking_sign", "park")


def fit(root: Path) -> list[tuple[Any, ...]]:
    fitting = threshold_fitting.run(
        root / migration.MODEL,
        root / migration.PULLED,
        root / "taxonomy.yaml",
        target=Target(0.5, 0.7, together=False),
        iou_threshold=0.5,
        shown=root / migration.RECORD,
        pulled=root / "data/pull/answers.parquet",
    )
    return [(one.boxes, one.right, one.floor, one.threshold) for one in fitting.fits]


def test_thresholds_are_fitted_to_the_same_answers(root: Path) -> None:
    before = fit(root)
    assert [one[0] for one in before] == [2, 3]
    renamed(root)
    assert fit(root) == before


def test_the_record_stays_as_it_was_shown_and_is_renamed_once(root: Path) -> None:
    folder = root / migration.RECORD
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    old = record.load(folder)
    work = renamed(root)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert f"{migration.RECORD}: stop_sign -> stop: 3" in list(work.lines(written=True))
    assert "next: dvc commit --force autolabel push pull (else DVC makes the tables anew)" in list(
        work.lines(written=True)
    )
    assert record.load(folder, as_shown=True).suggestions == old.suggestions
    assert {*record.load(folder).suggestions["category"].to_pylist()} == {"stop", "park"}
    parts = sorted(path.name for path in folder.iterdir())
    again = renamed(root)
    assert list(again.lines(written=True)) == [migration.NOTHING]
    assert sorted(path.name for path in folder.iterdir()) == parts


def test_what_is_shown_after_a_rename_under_a_name_that_is_given_back_keeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    showing.write(folder, [showing.row("one", ["m1"])], since=showing.at(8))
    record.rename(folder, record.load(folder), Renames(2, {"stop_sign": "stop"}, {}))
    showing.write(folder, [showing.row("two", ["m1"]), showing.row("one", ["m1"])], since=showing.at(9))
    known = record.load(folder)
    named = {row["suggestions_digest"]: row["category"] for row in known.suggestions.to_pylist()}
    by_part = {
        (row["part"], row["image_id"]): named[row["suggestions_digest"]] for row in known.shown.to_pylist()
    }
    one, two = builders.image_id("one"), builders.image_id("two")
    assert by_part == {(1, one): "stop", (3, one): "stop_sign", (3, two): "stop_sign"}
    then = record.load(folder, as_shown=True).suggestions.to_pylist()
    keys = [(row["suggestions_digest"], row["annotation_id"]) for row in then]
    assert len(keys) == len(set(keys)) == 2  # each set once, though two parts have that of "one"


def test_a_record_that_grew_meanwhile_is_not_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    showing.write(folder, [showing.row("one", ["m1"])], since=showing.at(8))
    known = record.load(folder)
    showing.write(folder, [showing.row("two", ["m1"])], since=showing.at(9))
    with pytest.raises(TableError, match="added to meanwhile"):
        record.rename(folder, known, Renames(2, {"stop_sign": "stop"}, {}))
