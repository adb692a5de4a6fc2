"""Categories renamed in decisions of seniors, known answers, imported tables, decisions.csv and the fit."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import decision_file, schema, tables
from curate.cli import app
from curate.decision_file import Decision
from curate.labeling import migration, taxonomy
from curate.labeling.fitted_precision import Promise, written
from curate.records import Annotation
from tests import builders
from tests.labeling.test_migration import MERGE, RENAME, SPLIT, plan

BOX = (20.0, 20.0, 80.0, 80.0)
GOLD = Path("gold")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    builders.small_project(tmp_path)
    (tmp_path / GOLD).mkdir()
    return tmp_path


def prepared(
    root: Path, text: str, *entries: tuple[str, str], decisions: Path | None = None
) -> migration.Migration:
    return migration.prepare(root, plan(root, text, *entries), gold=GOLD, decisions=decisions)


def categories(root: Path, path: Path) -> list[str | None]:
    return list(tables.read(root / path, schema.ANNOTATIONS)["category"].to_pylist())


HALT, PARKING = ("halt", "stop sign"), ("parking_sign", "parking sign")


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("data/adjudication/annotations.parquet", "human"),
        ("gold/known.parquet", "gold"),
        ("labels/answers/old.parquet", "human"),
        ("labels/suggestions/old.parquet", "model"),
    ],
)
def test_a_rename_reaches_every_table_of_annotations(root: Path, path: str, origin: str) -> None:
    row = builders.annotation("one", "stop_sign", BOX, origin=origin, annotator_id="senior", task_id="t")
    builders.write_annotations(root / path, [row, builders.annotation("four", None, None, origin=origin)])
    work = prepared(root, RENAME, HALT, PARKING)
    work.write()
    assert sorted(map(str, categories(root, Path(path)))) == ["None", "halt"]
    assert f"{path}: stop_sign -> halt: 1" in list(work.lines(written=True))
    assert list(prepared(root, RENAME, HALT, PARKING).changed) == []


def test_decisions_of_seniors_follow_what_they_were_made_of_in_a_split(root: Path) -> None:
    mine = next(
        Annotation.from_row(row)
        for row in tables.read(root / migration.PULLED, schema.ANNOTATIONS).to_pylist()
        if row["category"] == "stop_sign"
    )
    model = next(
        row["annotation_id"]
        for row in tables.read(root / migration.MODEL, schema.ANNOTATIONS).to_pylist()
        if row["image_id"] == mine.image_id
    )
    builders.write_annotations(root / migration.PULLED, [replace(mine, parent_id=model)])
    kept = builders.annotation("one", "stop_sign", BOX, annotator_id="senior", parent_id=mine.annotation_id)
    drawn = builders.annotation("five", "stop_sign", BOX, annotator_id="senior")
    builders.write_annotations(root / migration.DECIDED, [kept, drawn])
    prepared(root, SPLIT, ("octagon", "stop sign"), ("other", "x"), PARKING).write()
    decided = {
        row["annotation_id"]: row["category"]
        for row in tables.read(root / migration.DECIDED, schema.ANNOTATIONS).to_pylist()
    }
    assert decided == {kept.annotation_id: "octagon", drawn.annotation_id: "other"}


def test_lines_of_decisions_are_renamed_and_reasons_to_drop_are_not(root: Path) -> None:
    image = builders.image_id("one")
    lines = [
        Decision(0, image, "relabel", annotation="a1", argument="stop_sign"),
        Decision(0, image, "add", argument="stop_sign", box="1 2 30 40"),
        Decision(0, image, "add", argument="parking_sign", box="1 2 3 4"),
        Decision(0, builders.image_id("two"), "drop", argument="stop_sign"),
    ]
    decision_file.write(root / "decisions.csv", lines)
    path = Path("decisions.csv")
    work = prepared(root, SPLIT, ("octagon", "stop sign"), ("other", "x"), PARKING, decisions=path)
    assert "decisions.csv: stop_sign -> other: 2" in list(work.lines(written=False))
    work.write()
    found = {(one.decision, one.argument) for one in decision_file.load(root / path)}
    assert found == {("relabel", "other"), ("add", "other"), ("add", "parking_sign"), ("drop", "stop_sign")}
    (listed,) = (root / migration.FOLDER).glob("look-again-*.csv")
    with listed.open(newline="") as file:
        named = [row["annotation_id"] for row in csv.DictReader(file) if row["table"] == "decisions.csv"]
    assert sorted(named) == ["1 2 30 40", "a1"]
    again = prepared(root, SPLIT, ("octagon", "stop sign"), ("other", "x"), PARKING, decisions=path)
    assert again.decided is None


@pytest.mark.parametrize(
    ("text", "entries", "kept"),
    [
        (RENAME, (HALT, PARKING), {"halt": 0.4, "parking_sign": 0.5}),
        (MERGE, (("sign", "sign"),), None),
        (SPLIT, (("octagon", "stop sign"), ("other", "x"), PARKING), {"parking_sign": 0.5}),
    ],
)
def test_what_thresholds_keep_is_not_said_of_a_category_that_nobody_judged(
    root: Path, text: str, entries: tuple[tuple[str, str], ...], kept: dict[str, float] | None
) -> None:
    made = plan(root, text, *entries)
    promise = Promise(
        precision=0.9,
        confidence=0.95,
        together=False,
        model_versions=("unit-1",),
        thresholds={"stop_sign": 0.4, "parking_sign": 0.5},
    )
    file = root / "taxonomy.yaml"
    file.write_text(written(file.read_text(), promise, file))
    migration.prepare(root, made).write()
    found = taxonomy.promise(file)
    assert (None if found is None else found.thresholds) == kept
    assert [one.name for one in taxonomy.load(file)] == [name for name, _ in entries]


def test_the_command_reads_which_files_are_known_answers_and_decisions(root: Path) -> None:
    builders.write_annotations(
        root / "gold/known.parquet", [builders.annotation("one", "stop_sign", BOX, origin="gold")]
    )
    (root / "params.yaml").write_text("qa: {gold: gold}\ndedupe: {decisions: decisions.csv}\n")
    line = Decision(0, builders.image_id("one"), "relabel", annotation="a1", argument="stop_sign")
    decision_file.write(root / "decisions.csv", [line])
    plan(root, RENAME, HALT, PARKING)
    command = ["taxonomy", "migrate", str(root / "plan.yaml"), "--root", str(root)]
    done = CliRunner().invoke(app, command, catch_exceptions=False).output
    assert "gold/known.parquet: stop_sign -> halt: 1" in done
    assert "decisions.csv: stop_sign -> halt: 1" in done
    assert categories(root, Path("gold/known.parquet")) == ["halt"]
