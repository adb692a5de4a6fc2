"""Stage push against a server in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.errors import InputError, ParamsError, TableError
from curate.params import LabelStudioParams
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
    assert set(json.loads(first)) == {"project", "tasks", "labeler_slots", "digest", "taxonomy"}


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
    with pytest.raises(InputError, match=f"{path} disappeared: run `dvc repro --force ingest`"):
        run(tool)
    assert not tool.specs
    assert not RECEIPT.exists()


@pytest.mark.usefixtures("project")
def test_a_missing_plan_says_what_to_run() -> None:
    Path("data/select/plan.parquet").unlink()
    with pytest.raises(TableError, match="run the stage select first"):
        run(FakeAnnotationTool())
