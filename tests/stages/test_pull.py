"""Stage pull: waiting for people, and a snapshot of what they did."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.errors import AnnotationToolError, TableError, WaitingForPeopleError
from curate.labeling import taxonomy
from curate.params import LabelStudioParams, QaParams
from curate.records import Annotation, StageReport
from curate.shown import record
from curate.stages import pull
from tests import builders
from tests.pulled import FakeAnnotationReader, answer_row

TABLE, ANSWERS = Path("data/pull/annotations.parquet"), Path("data/pull/answers.parquet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    """Two people have answered all six tasks, but the table is not there yet."""
    monkeypatch.chdir(tmp_path)
    built = builders.small_project(tmp_path, stage="pull")
    TABLE.unlink()
    return built


def answered(project: builders.SmallProject, *, leave_out: int = 0) -> FakeAnnotationReader:
    """A server with everybody's answers but the last few."""
    tool = FakeAnnotationReader()
    by_answer: dict[tuple[str, str], list[Annotation]] = {}
    for row in project.annotations["pull"]:
        by_answer.setdefault((str(row.task_id), str(row.annotator_id)), []).append(row)
    keys = sorted(by_answer)
    for key in keys[: len(keys) - leave_out]:
        tool.answer(key[1], *by_answer[key])
    return tool


def run(tool: FakeAnnotationReader, *, allow_partial: bool = False) -> StageReport:
    return pull.run(
        pull.PullParams(LabelStudioParams(project="unit"), QaParams(allow_partial=allow_partial)),
        inputs=pull.Inputs(
            images=Path("data/dedupe/images.parquet"),
            plan=Path("data/select/plan.parquet"),
            shown=Path("data/push/shown"),
            taxonomy=Path("taxonomy.yaml"),
        ),
        outputs=pull.Outputs(table=TABLE, answers=ANSWERS),
        ports=pull.Ports(reader=tool),
    )


def test_everybodys_rows(project: builders.SmallProject) -> None:
    report = run(answered(project))
    rows = [Annotation.from_row(row) for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()]
    assert {row.annotation_id for row in rows} == {row.annotation_id for row in project.annotations["pull"]}
    assert [row.annotation_id for row in rows] == sorted(row.annotation_id for row in rows)
    assert report.line() == "pull: 6 tasks done, 6 tasks, 12 answers, 11 objects, 0 skipped, 6 tasks read"
    assert report.metrics["empty"] == 3
    assert report.metrics["objects_by_annotator"] == {"labeler-1": 6, "labeler-2": 5}


def test_the_same_answers_in_another_order_give_the_same_bytes(project: builders.SmallProject) -> None:
    report = run(answered(project))
    first = TABLE.read_bytes(), ANSWERS.read_bytes()
    tool = answered(project)
    tool.answers = dict(reversed(tool.answers.items()))
    assert run(tool).metrics == report.metrics
    assert (TABLE.read_bytes(), ANSWERS.read_bytes()) == first


def test_while_people_are_not_done_it_stops_with_one_line(project: builders.SmallProject) -> None:
    with pytest.raises(WaitingForPeopleError) as info:
        run(answered(project, leave_out=1))
    assert str(info.value) == (
        "waiting for people: 5 of 6 tasks done (11 of 12 looks) at http://fake/projects/1/data - "
        "label on, then run `dvc repro` again (qa.allow_partial: true goes on with what is there; "
        "`curate qa status` shows more)"
    )
    assert not TABLE.exists()


def test_it_goes_on_with_what_is_there_if_asked_to(project: builders.SmallProject) -> None:
    report = run(answered(project, leave_out=1), allow_partial=True)
    assert report.line().startswith("pull: 5 tasks done, 6 tasks, 11 answers")
    assert TABLE.exists()


def test_work_on_an_image_that_is_gone_is_left_out(project: builders.SmallProject) -> None:
    gone = builders.image_id("one")
    builders.write_images(
        Path("data/dedupe/images.parquet"), [image for image in project.images if image.image_id != gone]
    )
    run(answered(project))
    assert gone not in tables.read(TABLE, schema.ANNOTATIONS)["image_id"].to_pylist()


@pytest.mark.usefixtures("project")
def test_without_a_project_it_says_so() -> None:
    with pytest.raises(AnnotationToolError, match="no project 'unit'"):
        run(FakeAnnotationReader(title="another"))


def test_a_snapshot_is_told_from_another_by_its_digest(project: builders.SmallProject) -> None:
    first = run(answered(project)).metrics["snapshot"]
    tool = answered(project)
    (task, person), rows = next(iter(tool.answers.items()))
    tool.answers[(task, person)] = (replace(rows[0], lead_time_s=99.0), *rows[1:])
    assert run(tool).metrics["snapshot"] != first


def test_all_answers_have_a_row_also_drafts_and_older_ones(project: builders.SmallProject) -> None:
    tool = answered(project)
    some = project.annotations["pull"][0]
    tool.others = [
        answer_row(some, outcome="draft"),
        answer_row(some, superseded=True, answer_id="older", choices=[("weather", ["rain"])]),
    ]
    report = run(tool)
    rows = tables.read(ANSWERS, schema.ANSWERS).to_pylist()
    assert len(rows) == 14
    assert [row["outcome"] for row in rows].count("draft") == 1
    assert [row["choices"] for row in rows if row["superseded"]] == [[("weather", ["rain"])]]
    assert dict(report.counts)["answers"] == 12
    assert report.metrics["drafts"] == 1


def test_what_could_not_be_read_is_counted_by_reason_and_named(project: builders.SmallProject) -> None:
    tool = answered(project)
    tool.raw = {"control of type rating": 2}
    tool.counted = {
        "n_unreadable": 2,
        "unreadable": {"no category": 1, "unknown category horse": 2},
        "corrected": {"identical object": 3},
        "unattended": {"lead@x.invalid": 4},
        "in_projects_of_others": {"lead@x.invalid": 8},
        "nameless": 9,
        "foreign_tasks": 5,
        "edited_tasks": 6,
        "answers_outside_plan": 7,
    }
    report = run(tool)
    for told in (
        "2 unreadable answers, held back (no category: 1; unknown category horse: 2)",
        "4 answers made without a page, no looks (labeler-1: 4)",
        "8 answers in a colleague's project, left out (labeler-1: 8)",
        "9 answers of deleted accounts without a name, each a person of its own",
        "7 answers to tasks outside the plan, not read",
        "2 regions kept raw (control of type rating: 2)",
        "5 tasks that push did not make",
        "6 tasks that were edited on the server",
        "3 times: identical object",
    ):
        assert told in report.line()
    assert "@" not in report.line() + json.dumps(report.metrics)  # who it is stands in data/people.csv
    assert report.metrics["unreadable"] == 2
    assert report.metrics["unreadable_regions"] == {"no category": 1, "unknown category horse": 2}
    assert report.metrics["raw_regions"] == tool.raw


def test_the_labels_must_be_the_taxonomys(project: builders.SmallProject) -> None:
    tool = answered(project)
    run(tool)
    assert tool.labels == [category.name for category in taxonomy.load(Path("taxonomy.yaml"))]


def test_what_is_accepted_without_a_human_is_not_waited_for(project: builders.SmallProject) -> None:
    path = Path("data/select/plan.parquet")
    slots = tables.read(path, schema.PLAN).to_pylist()
    accepted = slots[0]["task_id"]
    for slot in slots:
        slot["arm"] = "accepted" if slot["task_id"] == accepted else "suggested"
    tables.write_rows(slots, path, schema.PLAN)
    tool = answered(project)
    tool.answers = {key: rows for key, rows in tool.answers.items() if key[0] != accepted}
    assert run(tool).line().startswith("pull: 5 tasks done, 5 tasks, 10 answers")
    tool.counted = {"answers_outside_plan": 3, "imported_outside_plan": {slots[0]["image_id"]: 2, "gone": 1}}
    told = "2 imported answers to images accepted without a human (run `dvc repro --force select`)"
    assert told in run(tool).line()


def joined(tool: FakeAnnotationReader) -> dict[tuple[str, str], dict[str, Any]]:
    run(tool)
    rows = tables.read(ANSWERS, schema.ANSWERS).to_pylist()
    return {(row["task_id"], row["annotator_id"]): row for row in rows}


def given_at(project: builders.SmallProject, moments: dict[str, str]) -> FakeAnnotationReader:
    """Everybody answered in ten seconds, at a moment each."""
    tool = answered(project)
    for (task, person), rows in tool.answers.items():
        when = moments[person]
        changed = [replace(row, created_at=when, updated_at=when, lead_time_s=10.0) for row in rows]
        tool.answers[(task, person)] = tuple(changed)
    return tool


def test_an_answer_is_joined_to_what_was_shown_when_it_was_begun(project: builders.SmallProject) -> None:
    """The first labeler answers before the plan, the taxonomy and the arms change, the second after."""
    first, second = builders.ANNOTATORS
    path = Path("data/select/plan.parquet")
    slots = tables.read(path, schema.PLAN).to_pylist()
    control = slots[0]["task_id"]
    for slot in slots:
        slot["arm"] = "control" if slot["task_id"] == control else "suggested"
    tables.write_rows(slots, path, schema.PLAN)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY.replace("threshold: 0.4", "threshold: 0.3"))
    builders.show(project.root, since="2026-01-06T08:00:00.000000Z", until="2026-01-06T08:01:00.000000Z")
    moments = {first: "2026-01-05T12:00:00.000000Z", second: "2026-01-06T12:00:00.000000Z"}
    rows = joined(given_at(project, moments))
    shown = {row["shown_id"]: row for row in record.load(Path("data/push/shown")).shown.to_pylist()}
    for (task, person), row in rows.items():
        then = shown[row["shown_id"]]
        assert then["since"][:10] == moments[person][:10]
        assert then["arm"] == ("control" if (task, person) == (control, second) else "suggested")
        nothing = then["suggestions_digest"] is None
        assert row["model_version"] == (None if nothing else "unit-1")
        assert row["taxonomy_digest"] == then["taxonomy_digest"]
    digests = {
        row["annotator_id"]: row["taxonomy_digest"]
        for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()
    }
    assert len(set(digests.values())) == 2


def test_answers_that_cannot_be_joined_are_counted_with_the_reason(project: builders.SmallProject) -> None:
    first, second = builders.ANNOTATORS
    moments = {first: "2026-01-04T12:00:00.000000Z", second: "2026-01-06T12:00:00.000000Z"}
    tool = given_at(project, moments)
    report = run(tool)
    assert report.line().endswith(
        "6 answers not joined to what was shown (older than the record of what was shown: 6)"
    )
    assert report.metrics["not_joined"] == {"older than the record of what was shown": 6}
    rows = joined(tool)
    assert {row["shown_id"] for (_, person), row in rows.items() if person == first} == {None}
    assert {row["not_joined"] for (_, person), row in rows.items() if person == second} == {None}


@pytest.mark.usefixtures("project")
def test_without_the_record_it_says_what_to_run() -> None:
    shutil.rmtree("data/push/shown")
    with pytest.raises(TableError, match="run the stage push first"):
        run(FakeAnnotationReader())
