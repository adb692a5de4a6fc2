"""Categories renamed, merged and split through the tables of a project."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app
from curate.errors import ParamsError, StorageError, TableError
from curate.labeling import migration, migration_plan, taxonomy
from curate.labeling.migration import CONSENSUS, MODEL, PAIRS, PULLED
from tests import builders

TABLES = (MODEL, PULLED, CONSENSUS, PAIRS)
LINE = '  - {{id: {}, name: {}, prompts: [{}], threshold: 0.4, color: "#00000{}"}}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Categories stop_sign and parking_sign, two annotators, model, consensus and pairs."""
    builders.small_project(tmp_path)
    return tmp_path


def plan(root: Path, text: str, *entries: tuple[str, str]) -> migration_plan.Plan:
    """The plan against a taxonomy of (name, prompts) entries."""
    lines = [LINE.format(number, name, prompts, number) for number, (name, prompts) in enumerate(entries)]
    (root / "taxonomy.yaml").write_text("categories:\n" + "".join(lines))
    (root / "plan.yaml").write_text(text)
    return migration_plan.load(root / "plan.yaml", taxonomy.load(root / "taxonomy.yaml"))


def rows(root: Path, path: Path = PULLED) -> list[dict[str, Any]]:
    kind = schema.PAIRS if path == PAIRS else schema.ANNOTATIONS
    return list(tables.read(root / path, kind).to_pylist())


def categories(root: Path, path: Path = PULLED) -> list[str]:
    return sorted({row["category"] for row in rows(root, path) if row["category"]})


def listed(root: Path) -> list[dict[str, str]]:
    (path,) = (root / migration.FOLDER).glob("look-again-*.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


STOP, PARKING = ("stop_sign", "stop sign"), ("parking_sign", "parking sign")
RENAME = "rename:\n  - {from: stop_sign, to: halt}\n"
MERGE = "merge:\n  - {from: [stop_sign, parking_sign], to: sign}\n"
SPLIT = "split:\n  - {from: stop_sign, into: [octagon, other], otherwise: other}\n"


def test_a_rename_changes_names_and_nothing_else(root: Path) -> None:
    before = {path: rows(root, path) for path in TABLES}
    work = migration.prepare(root, plan(root, RENAME, ("halt", "stop sign"), PARKING))
    assert {path: rows(root, path) for path in TABLES} == before  # nothing is written yet
    work.write()
    for path in TABLES:
        expected = [
            {key: "halt" if value == "stop_sign" else value for key, value in row.items()}
            for row in before[path]
        ]
        assert rows(root, path) == expected
    assert work.listed == 0
    assert not (root / migration.FOLDER).exists()
    count = sum(row["category"] == "stop_sign" for row in before[PULLED])
    assert count > 0
    assert f"{PULLED}: stop_sign -> halt: {count}" in list(work.lines(written=True))


def test_doing_it_again_does_nothing(root: Path) -> None:
    work = plan(root, RENAME, ("halt", "stop sign"), PARKING)
    migration.prepare(root, work).write()
    again = migration.prepare(root, work)
    assert list(again.lines(written=True)) == [migration.NOTHING]


def test_a_merge_lists_what_overlaps(root: Path) -> None:
    box = (20.0, 20.0, 80.0, 80.0)
    first, second = builders.ANNOTATORS
    drawn = [
        builders.annotation("one", "stop_sign", box, annotator_id=first),
        builders.annotation("one", "parking_sign", (20.0, 20.0, 80.0, 70.0), annotator_id=first),  # IoU 0.83
        builders.annotation("one", "stop_sign", (21.0, 20.0, 80.0, 80.0), annotator_id=second),  # another's
        builders.annotation("two", "stop_sign", box, annotator_id=first),
        builders.annotation(
            "two", "stop_sign", (20.0, 20.0, 80.0, 81.0), annotator_id=first
        ),  # was one before
        builders.annotation("three", "stop_sign", box, annotator_id=first),
        builders.annotation(
            "three", "parking_sign", (20.0, 60.0, 80.0, 140.0), annotator_id=first
        ),  # IoU 0.17
        builders.annotation("four", None, None, annotator_id=first),
    ]
    builders.write_annotations(root / PULLED, drawn)
    work = migration.prepare(root, plan(root, MERGE, ("sign", "sign")))
    work.write()
    assert categories(root) == ["sign"]
    assert len(rows(root)) == len(drawn)
    found = [row for row in listed(root) if row["table"] == str(PULLED)]
    assert len(found) == 1
    assert {found[0]["annotation_id"], found[0]["other_id"]} == {
        drawn[0].annotation_id,
        drawn[1].annotation_id,
    }
    assert found[0]["why"] == "overlaps another row since the merge"
    assert {found[0]["before"], found[0]["after"]} <= {"stop_sign", "parking_sign", "sign"}


def test_the_overlap_that_counts_is_in_the_plan(root: Path) -> None:
    first = builders.ANNOTATORS[0]
    drawn = [
        builders.annotation("one", "stop_sign", (0.0, 0.0, 80.0, 80.0), annotator_id=first),
        builders.annotation("one", "parking_sign", (0.0, 0.0, 80.0, 40.0), annotator_id=first),
    ]
    builders.write_annotations(root / PULLED, drawn)
    for iou, count in ((0.5, 1), (0.51, 0)):
        text = MERGE + f"duplicate_iou: {iou}\n"
        work = migration.prepare(root, plan(root, text, ("sign", "sign")))
        assert sum(moved.listed.num_rows for moved in work.changed if moved.path == PULLED) == count


def test_a_merge_into_a_category_that_stays(root: Path) -> None:
    text = "merge:\n  - {from: [stop_sign, parking_sign], to: parking_sign}\n"
    migration.prepare(root, plan(root, text, PARKING)).write()
    assert [categories(root, path) for path in (MODEL, PULLED, CONSENSUS)] == [["parking_sign"]] * 3


def test_a_split_follows_prompt_then_suggestion_then_the_plan(root: Path) -> None:
    box = (20.0, 20.0, 80.0, 80.0)
    person = builders.ANNOTATORS[0]
    octagon = builders.annotation("one", "stop_sign", box, origin="model", score=0.9, prompt="red octagon")
    strange = builders.annotation("two", "stop_sign", box, origin="model", score=0.9, prompt="gone")
    parking = builders.annotation(
        "six", "parking_sign", box, origin="model", score=0.9, prompt="parking sign"
    )
    builders.write_annotations(root / MODEL, [octagon, strange, parking])
    drawn = {
        "edited": ("one", "stop_sign", octagon.annotation_id),
        "drawn": ("three", "stop_sign", None),
        "renamed": ("six", "stop_sign", parking.annotation_id),
        "other": ("five", "parking_sign", None),
    }
    human = {
        key: builders.annotation(image, category, box, annotator_id=person, parent_id=parent)
        for key, (image, category, parent) in drawn.items()
    }
    builders.write_annotations(root / PULLED, list(human.values()))
    migration.prepare(
        root, plan(root, SPLIT, ("octagon", "red octagon"), ("other", "other sign"), PARKING)
    ).write()
    model = {row["annotation_id"]: row["category"] for row in rows(root, MODEL)}
    assert model == {
        octagon.annotation_id: "octagon",
        strange.annotation_id: "other",
        parking.annotation_id: "parking_sign",
    }
    pulled = {row["annotation_id"]: row["category"] for row in rows(root, PULLED)}
    assert {name: pulled[row.annotation_id] for name, row in human.items()} == {
        "edited": "octagon",
        "drawn": "other",
        "renamed": "other",
        "other": "parking_sign",
    }
    why = {row["annotation_id"]: row["why"] for row in listed(root)}
    assert why[octagon.annotation_id] == "split by its prompt"
    assert why[strange.annotation_id] == "split without a clue"
    assert why[human["edited"].annotation_id] == "split as its suggestion was"
    assert why[human["drawn"].annotation_id] == "split without a clue"
    assert parking.annotation_id not in why
    assert human["other"].annotation_id not in why


def test_a_split_lists_every_row_of_the_old_category(root: Path) -> None:
    old = {
        (str(path), row["annotation_id"])
        for path in (MODEL, PULLED, CONSENSUS)
        for row in rows(root, path)
        if row["category"] == "stop_sign"
    }
    migration.prepare(root, plan(root, SPLIT, ("octagon", "stop sign"), ("other", "x"), PARKING)).write()
    assert {(row["table"], row["annotation_id"]) for row in listed(root)} == old
    assert all(row["before"] == "stop_sign" and row["after"] in ("octagon", "other") for row in listed(root))
    sides = {row[f"category_{side}"] for row in rows(root, PAIRS) for side in ("a", "b")} - {None}
    assert sides <= {"octagon", "other", "parking_sign"}


def test_a_split_may_keep_the_old_name(root: Path) -> None:
    text = "split:\n  - {from: stop_sign, into: [stop_sign, octagon], otherwise: stop_sign}\n"
    work = plan(root, text, ("stop_sign", "x"), ("octagon", "stop sign"), PARKING)
    migration.prepare(root, work).write()
    assert categories(root, MODEL) == ["octagon", "parking_sign"]
    before = {path: (root / path).read_bytes() for path in TABLES}
    migration.prepare(root, work).write()
    assert {path: (root / path).read_bytes() for path in TABLES} == before


def test_a_migration_that_was_killed_is_finished_by_doing_it_again(root: Path) -> None:
    (root / "whole").mkdir()
    whole = builders.small_project(root / "whole").root
    work = plan(whole, SPLIT, ("octagon", "stop sign"), ("other", "x"), PARKING)
    migration.prepare(whole, work).write()
    killed = migration.prepare(root, work)
    # The disk refuses the third table: what a kill there leaves behind.
    third = root / killed.changed[2].path
    tables.partial_of(third).symlink_to("/dev/full")
    with pytest.raises(StorageError, match="no space left"):
        killed.write()
    assert categories(root, MODEL) != categories(root, CONSENSUS)
    migration.prepare(root, work).write()
    for path in (*TABLES, killed.look_again):
        assert (root / path).read_bytes() == (whole / path).read_bytes()


def test_tables_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="autolabel")
    work = migration.prepare(tmp_path, plan(tmp_path, RENAME, ("halt", "stop sign"), PARKING))
    assert [moved.path for moved in work.changed] == [MODEL]
    lines = list(work.lines(written=True))
    assert lines[-1] == "next: dvc commit --force autolabel (else DVC makes the tables anew)"


def test_a_rename_onto_rows_that_are_there_is_a_merge(root: Path) -> None:
    text = "rename:\n  - {from: stop_sign, to: parking_sign}\n"
    with pytest.raises(
        ParamsError, match=r"rows of 'parking_sign' already and .* that is no rename; write it"
    ):
        migration.prepare(root, plan(root, text, PARKING))


def test_a_damaged_table_changes_nothing(root: Path) -> None:
    before = (root / MODEL).read_bytes()
    (root / CONSENSUS).write_bytes(b"PAR1")
    with pytest.raises(TableError, match="damaged"):
        migration.prepare(root, plan(root, RENAME, ("halt", "stop sign"), PARKING)).write()
    assert (root / MODEL).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to do"),
        ("rename:\n  - {from: b, to: halt}\n", ":2: the taxonomy has no category 'halt'; edit taxonomy.yaml"),
        ("rename:\n  - {from: b, to: parking_sing}\n", "did you mean 'parking_sign'?"),
        ("rename:\n  - {from: stop_sign, to: parking_sign}\n", ":2: the taxonomy still has 'stop_sign'"),
        ("rename:\n  - {from: a, to: stop_sign}\n  - {from: a, to: parking_sign}\n", ":3: 'a' is moved tw"),
        ("merge:\n  - {from: [a], to: stop_sign}\nrename:\n  - {from: stop_sign, to: parking_sign}\n",
         ":4: 'stop_sign' is both left and gone to"),
        ("split:\n  - {from: a, into: [stop_sign, parking_sign], otherwise: b}\n", ":2: otherwise = 'b' is "),
        ("split:\n  - {from: a, into: [stop_sign], otherwise: stop_sign}\n", ":2: split.0.into"),
        ("renames: []\n", "did you mean 'rename'?"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused_with_its_line(root: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        plan(root, text, STOP, PARKING)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_says_what_it_does(root: Path) -> None:
    plan(root, RENAME, ("halt", "stop sign"), PARKING)
    before = (root / PULLED).read_bytes()
    command = ["taxonomy", "migrate", str(root / "plan.yaml"), "--root", str(root)]
    dry = CliRunner().invoke(app, [*command, "--dry-run"], catch_exceptions=False).output
    assert dry.splitlines()[-1] == "nothing was written: leave out --dry-run to do it"
    assert (root / PULLED).read_bytes() == before
    done = CliRunner().invoke(app, command, catch_exceptions=False).output
    assert done.splitlines()[:-3] == dry.splitlines()[:-1]
    assert "next: dvc commit --force autolabel push pull" in done
    assert categories(root) == ["halt", "parking_sign"]
