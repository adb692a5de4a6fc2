"""Stage pull: waiting for people, and a snapshot of what they did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curate import schema, tables
from curate.errors import AnnotationToolError, WaitingForPeopleError
from curate.params import LabelStudioParams, QaParams
from curate.records import Annotation, StageReport
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
    assert report.metrics["objects_by_annotator"] == dict(zip(builders.ANNOTATORS, (6, 5), strict=True))


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


def test_what_could_not_be_read_is_one_line(project: builders.SmallProject) -> None:
    tool = answered(project)
    tool.raw = {"control of type ellipselabels": 2, "rotated rectangle": 1}
    report = run(tool)
    told = "3 regions kept raw (control of type ellipselabels: 2; rotated rectangle: 1)"
    assert report.line().endswith(told)
    assert report.metrics["raw_regions"] == tool.raw


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


def test_the_control_arm_began_from_no_model(project: builders.SmallProject) -> None:
    path = Path("data/select/plan.parquet")
    slots = tables.read(path, schema.PLAN).to_pylist()
    control = slots[0]["task_id"]
    for slot in slots:
        slot["arm"] = "control" if slot["task_id"] == control else "suggested"
    tables.write_rows(slots, path, schema.PLAN)
    tool = answered(project)
    tool.model_version = "m1"
    run(tool)
    rows = tables.read(ANSWERS, schema.ANSWERS).to_pylist()
    assert {row["model_version"] for row in rows if row["task_id"] == control} == {None}
    assert {row["model_version"] for row in rows if row["task_id"] != control} == {"m1"}
