"""Stage push against a server in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate import schema, tables
from curate.errors import InputError, ParamsError, TableError
from curate.params import LabelStudioParams
from curate.ports import ImageChoice
from curate.records import StageReport
from curate.stages import push
from tests import builders
from tests.fakes import FakeAnnotationTool

RECEIPT = Path("data/push/receipt.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    return builders.small_project(tmp_path, stage="select")


def run(tool: FakeAnnotationTool, **params: object) -> StageReport:
    return push.run(
        LabelStudioParams(**{"project": "unit", **params}),
        inputs=push.Inputs(
            images=Path("data/dedupe/images.parquet"),
            annotations=Path("data/autolabel/annotations.parquet"),
            plan=Path("data/select/plan.parquet"),
            taxonomy=Path("taxonomy.yaml"),
            images_root=Path("data/ingest/images"),
        ),
        outputs=push.Outputs(receipt=RECEIPT),
        ports=push.Ports(tool=tool),
    )


def test_everything_planned_is_pushed(project: builders.SmallProject) -> None:
    tool = FakeAnnotationTool()
    report = run(tool)
    kept = {image.image_id for image in project.images if image.drop_reason is None}
    assert {task.image_id for task in tool.tasks.values()} == kept
    assert {task.overlap for task in tool.tasks.values()} == {2}
    pushed = {row.annotation_id for task in tool.tasks.values() for row in task.pre_annotations}
    assert pushed == {row.annotation_id for row in project.annotations["autolabel"]}
    spec = tool.specs["unit"]
    assert [category.name for category in spec.categories] == ["stop_sign", "parking_sign"]
    assert spec.overlap == 2
    assert report.line() == "push: 6 tasks, 6 created, 0 unchanged, 0 with new suggestions, 0 not in the plan"
    assert report.metrics["suggested_objects"] == sum(
        row.outcome == "object" for row in project.annotations["autolabel"]
    )


@pytest.mark.usefixtures("project")
def test_the_receipt_knows_nothing_of_the_server() -> None:
    tool = FakeAnnotationTool()
    run(tool)
    first = RECEIPT.read_bytes()
    assert "unchanged" in run(tool).line()
    run(FakeAnnotationTool())
    assert RECEIPT.read_bytes() == first
    assert set(json.loads(first)) == {"project", "tasks", "labeler_slots", "digest", "taxonomy", "guideline"}


@pytest.mark.usefixtures("project")
def test_the_guideline_is_read_from_its_file(tmp_path: Path) -> None:
    tool = FakeAnnotationTool()
    (tmp_path / "guide.md").write_text("Draw *tight* boxes.", encoding="utf-8")
    run(tool, instructions=Path("guide.md"))
    assert tool.specs["unit"].instructions == "Draw *tight* boxes."
    with pytest.raises(ParamsError, match=r"labelstudio\.instructions = gone\.md cannot be read"):
        run(tool, instructions=Path("gone.md"))


def test_an_image_that_disappeared_is_named_before_anything_is_sent(project: builders.SmallProject) -> None:
    tool = FakeAnnotationTool()
    path = next(image.path for image in project.images if image.drop_reason is None)
    assert path is not None
    Path(path).unlink()
    with pytest.raises(InputError, match=f"{path} disappeared: run `dvc repro`"):
        run(tool)
    assert not tool.specs
    assert not RECEIPT.exists()


@pytest.mark.usefixtures("project")
def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    tool = FakeAnnotationTool()
    inputs = push.inputs(Path("taxonomy.yaml"))
    (planned,) = push.plan(LabelStudioParams(project="unit"), inputs=inputs, ports=push.Ports(tool))
    assert (planned.title, planned.counts.created) == ("unit", 6)
    assert (tool.specs, tool.filled) == ({}, {})
    run(tool)
    (again,) = push.plan(LabelStudioParams(project="unit"), inputs=inputs, ports=push.Ports(tool))
    assert (again.counts.created, again.counts.unchanged) == (0, 6)


@pytest.mark.usefixtures("project")
def test_blind_strict_is_a_project_for_each_labeler_and_who_left_is_closed() -> None:
    path = Path("data/select/plan.parquet")
    rows = tables.read(path, schema.PLAN).to_pylist()
    people = ["a@x.org", "b@x.org"]
    for row in rows:
        row["labeler"] = people[row["slot"]]
    tables.write_rows(rows, path, schema.PLAN)
    tool = FakeAnnotationTool()
    run(tool)
    assert set(tool.projects("unit")) == set(people)
    assert [len(tasks) for tasks in tool.filled.values()] == [6, 6]
    assert {task.overlap for tasks in tool.filled.values() for task in tasks.values()} == {1}
    for row in rows:
        row["labeler"] = people[0]
    tables.write_rows([row for row in rows if row["slot"] == 0], path, schema.PLAN)
    assert "6 closed" in run(tool).line()


@pytest.mark.usefixtures("project")
def test_the_questions_of_the_taxonomy_are_asked() -> None:
    path = Path("taxonomy.yaml")
    path.write_text(
        path.read_text() + "choices:\n  - {name: weather, options: [sun, rain]}\n", encoding="utf-8"
    )
    tool = FakeAnnotationTool()
    run(tool)
    assert tool.specs["unit"].choices == (ImageChoice("weather", ("sun", "rain")),)


@pytest.mark.usefixtures("project")
def test_another_guideline_has_another_digest_and_no_guideline_has_none(tmp_path: Path) -> None:
    tool = FakeAnnotationTool()
    run(tool)
    assert json.loads(RECEIPT.read_text())["guideline"] is None
    digests = set()
    for text in ("one", "two"):
        (tmp_path / "guide.md").write_text(text, encoding="utf-8")
        run(tool, instructions=Path("guide.md"))
        digests.add(json.loads(RECEIPT.read_text())["guideline"])
        assert tool.specs["unit"].guideline_digest in digests
    assert len(digests) == 2


@pytest.mark.usefixtures("project")
def test_a_missing_plan_says_what_to_run() -> None:
    Path("data/select/plan.parquet").unlink()
    with pytest.raises(TableError, match="run the stage select first"):
        run(FakeAnnotationTool())
