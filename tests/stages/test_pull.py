"""Stage pull: waiting for people, and a snapshot of what they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate import schema, tables
from curate.errors import AnnotationToolError, TableError, WaitingForPeopleError
from curate.params import LabelStudioParams, QaParams
from curate.ports import ProjectSpec
from curate.records import Annotation, StageReport
from curate.stages import pull
from tests import builders
from tests.fakes import FakeAnnotationTool

TABLE = Path("data/pull/annotations.parquet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    """Two people have answered all six tasks, but the table is not there yet."""
    monkeypatch.chdir(tmp_path)
    built = builders.small_project(tmp_path, stage="pull")
    TABLE.unlink()
    return built


def answered(project: builders.SmallProject, *, leave_out: int = 0) -> FakeAnnotationTool:
    """A server with everybody's answers but the last few."""
    tool = FakeAnnotationTool()
    tool.ensure_project(ProjectSpec("unit", (), "", 2, Path("data/ingest/images")))
    by_answer: dict[tuple[str, str], list[Annotation]] = {}
    for row in project.annotations["pull"]:
        by_answer.setdefault((str(row.task_id), str(row.annotator_id)), []).append(row)
    keys = sorted(by_answer)
    for key in keys[: len(keys) - leave_out]:
        tool.answer(key[1], *by_answer[key])
    return tool


def run(tool: FakeAnnotationTool, *, allow_partial: bool = False) -> StageReport:
    return pull.run(
        pull.PullParams(LabelStudioParams(project="unit"), QaParams(allow_partial=allow_partial)),
        inputs=pull.Inputs(
            images=Path("data/dedupe/images.parquet"),
            plan=Path("data/select/plan.parquet"),
            receipt=Path("data/push/receipt.json"),
        ),
        outputs=pull.Outputs(table=TABLE),
        ports=pull.Ports(tool=tool),
    )


def test_everybodys_rows(project: builders.SmallProject) -> None:
    report = run(answered(project))
    rows = [Annotation.from_row(row) for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()]
    assert {row.annotation_id for row in rows} == {row.annotation_id for row in project.annotations["pull"]}
    assert [row.annotation_id for row in rows] == sorted(row.annotation_id for row in rows)
    assert report.line() == "pull: 6 tasks done, 6 tasks, 12 answers, 11 objects, 0 skipped"
    assert report.metrics["empty"] == 3
    assert report.metrics["objects_by_annotator"] == dict(zip(builders.ANNOTATORS, (6, 5), strict=True))


def test_rows_name_the_taxonomy_that_was_shown(project: builders.SmallProject) -> None:
    run(answered(project))
    assert tables.read(TABLE, schema.ANNOTATIONS)["taxonomy_digest"].null_count == 14
    receipt = Path("data/push/receipt.json")
    receipt.parent.mkdir(parents=True)
    receipt.write_text('{"taxonomy": "0123456789ab"}')
    run(answered(project))
    assert set(tables.read(TABLE, schema.ANNOTATIONS)["taxonomy_digest"].to_pylist()) == {"0123456789ab"}
    receipt.write_text("{")
    with pytest.raises(TableError, match=r"receipt\.json is damaged .*: run dvc repro --force push"):
        run(answered(project))


def test_the_same_answers_in_another_order_give_the_same_bytes(project: builders.SmallProject) -> None:
    run(answered(project))
    first = TABLE.read_bytes()
    tool = answered(project)
    tool.answers = dict(reversed(tool.answers.items()))
    run(tool)
    assert TABLE.read_bytes() == first


def test_while_people_are_not_done_it_stops_with_one_line(project: builders.SmallProject) -> None:
    with pytest.raises(WaitingForPeopleError) as info:
        run(answered(project, leave_out=1))
    assert str(info.value) == (
        "waiting for people: 5 of 6 tasks done (11 of 12 looks) at http://fake/projects/1/data - "
        "label on, then run `dvc repro` again (qa.allow_partial: true goes on with what is there)"
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
        run(FakeAnnotationTool())
