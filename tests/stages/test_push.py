"""Stage push against a server in memory."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from curate import schema, system, tables
from curate.errors import InputError, ParamsError, StorageError, TableError
from curate.params import LabelStudioParams
from curate.ports import ImageChoice, TaskDraft
from curate.records import StageReport
from curate.shown import record
from curate.stages import push
from tests import builders
from tests.fakes import FakeAnnotationTool

RECEIPT, SHOWN = Path("data/push/receipt.json"), Path("data/push/shown")


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
        outputs=push.Outputs(receipt=RECEIPT, shown=SHOWN),
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
    assert report.line() == (
        "push: 6 tasks, 6 created, 0 unchanged, 0 with new suggestions, 0 not in the plan, "
        "6 newly recorded as shown"
    )
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


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("address", ["how%20to.png", "<how to.png>"])
def test_another_image_in_the_guideline_is_another_guideline(tmp_path: Path, address: str) -> None:
    (tmp_path / "guide.md").write_text(f"![how]({address}) ![far](https://x.org/y.png)", encoding="utf-8")
    digests = []
    for content in (b"one", b"two", b"one"):
        (tmp_path / "how to.png").write_bytes(content)
        tool = FakeAnnotationTool()
        run(tool, instructions=Path("guide.md"))
        digests.append(tool.specs["unit"].guideline_digest)
    assert digests[0] == digests[2] != digests[1]


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
    (planned,) = push.plan(LabelStudioParams(project="unit"), inputs=inputs, tool=tool)
    assert (planned.title, planned.counts.created) == ("unit", 6)
    assert (tool.specs, tool.filled) == ({}, {})
    run(tool)
    (again,) = push.plan(LabelStudioParams(project="unit"), inputs=inputs, tool=tool)
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


def shown() -> list[dict[str, Any]]:
    return list(record.load(SHOWN).shown.to_pylist())


def written() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHOWN.iterdir()}


def other_model(number: int = 2) -> None:
    """The stage autolabel ran again with another model, whose boxes lie elsewhere."""
    path = Path("data/autolabel/annotations.parquet")
    rows = [
        {**row, "model_version": f"unit-{number}", "annotation_id": f"{row['annotation_id'][:-1]}x{number}"}
        for row in tables.read(path, schema.ANNOTATIONS).to_pylist()
    ]
    tables.write_rows(rows, path, schema.ANNOTATIONS)


def test_what_is_shown_is_recorded_with_everything_that_people_see(project: builders.SmallProject) -> None:
    path = Path("data/select/plan.parquet")
    plan = tables.read(path, schema.PLAN).to_pylist()
    two, five = builders.image_id("two"), builders.image_id("five")
    (model,) = [row for row in project.annotations["autolabel"] if row.image_id == five]
    for row in plan:
        if row["image_id"] == two:
            row.update(arm="control", reason="control")
        if row["image_id"] == five:
            row.update(seeded_kind="moved", seeded_id=model.annotation_id)
    tables.write_rows(plan, path, schema.PLAN)
    Path("guide.md").write_text("Draw tight boxes.")
    tool = FakeAnnotationTool()
    report = run(tool, instructions=Path("guide.md"))
    assert dict(report.this_run) == {"newly recorded as shown": 6}
    rows = {row["image_id"]: row for row in shown()}
    assert {row["since"] for row in rows.values()} == {"2026-01-05T10:00:00.000000Z"}
    assert {row["confirmed_at"] for row in rows.values()} == {"2026-01-05T10:00:01.000000Z"}
    digests = {(row["guideline_digest"], row["taxonomy_digest"]) for row in rows.values()}
    assert digests == {(tool.specs["unit"].guideline_digest, tool.specs["unit"].taxonomy_digest)}
    suggestions = record.load(SHOWN).suggestions.to_pylist()
    for task in tool.tasks.values():
        row = rows[task.image_id]
        held = {
            (one["annotation_id"], one["category"], tuple(one["bbox_xyxy"]), one["rle"], one["model_version"])
            for one in suggestions
            if one["suggestions_digest"] == row["suggestions_digest"]
        }
        assert held == {
            (one.annotation_id, one.category, one.bbox_xyxy, one.rle, one.model_version)
            for one in task.pre_annotations
            if one.outcome == "object"
        }
    assert (rows[two]["arm"], rows[two]["suggestions_digest"]) == ("control", None)
    assert rows[two]["proposed_digest"] is not None
    assert rows[five]["right_xyxy"] == list(model.bbox_xyxy or ())
    assert rows[five]["wrong_xyxy"] not in (None, rows[five]["right_xyxy"])
    assert Path(SHOWN / f"guideline-{rows[two]['guideline_digest']}.md").read_text() == "Draw tight boxes."
    assert Path(SHOWN / f"taxonomy-{rows[two]['taxonomy_digest']}.yaml").read_text() == builders.TAXONOMY


@pytest.mark.usefixtures("project")
def test_a_push_that_shows_nothing_new_adds_nothing() -> None:
    tool = FakeAnnotationTool()
    run(tool)
    before = written()
    assert run(tool).this_run == ()
    assert written() == before
    other_model()
    assert dict(run(tool).this_run)["newly recorded as shown"] == 6
    assert {name: written()[name] for name in before} == before


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("reached", [0, 2, 6])
def test_after_a_kill_it_is_known_what_reached_the_server(reached: int) -> None:
    """A push dies between writing and sending; the next one has yet other suggestions."""
    tool = FakeAnnotationTool()
    run(tool)
    other_model()
    tool.dies_after = reached
    tool.clock += timedelta(hours=1)
    with pytest.raises(KeyboardInterrupt):
        run(tool)
    assert [row["reached"] for row in shown()] == [True] * 6 + [None] * 6
    held = {key for key, task in tool.tasks.items() if versions(task) == {"unit-2"}}
    other_model(3)
    tool.dies_after = None
    tool.clock += timedelta(hours=1)
    run(tool)
    second = [row for row in shown() if row["since"] == "2026-01-05T11:00:00.000000Z"]
    assert len(second) == 6
    for row in second:  # what is not there now may have been there: it stays open
        there = row["task_id"] in held or row["suggestions_digest"] is None
        assert row["reached"] is (True if there else None)
    assert {row["reached"] for row in shown()} == ({True} if reached == 6 else {True, None})


@pytest.mark.usefixtures("project")
def test_what_people_saw_is_never_said_to_have_been_lost() -> None:
    """A push of another model dies when all is sent, and a task of the first model has left the plan."""
    tool = FakeAnnotationTool()
    run(tool)
    plan = tables.read(Path("data/select/plan.parquet"), schema.PLAN)
    left = plan["task_id"][0].as_py()
    tables.write(
        plan.filter(pc.not_equal(plan["task_id"], left)), Path("data/select/plan.parquet"), schema.PLAN
    )
    other_model()
    tool.dies_after = 6
    tool.clock += timedelta(hours=1)
    with pytest.raises(KeyboardInterrupt):
        run(tool)
    tool.dies_after = None
    tool.clock += timedelta(hours=1)
    run(tool)
    second = [row for row in shown() if row["since"] == "2026-01-05T11:00:00.000000Z"]
    assert len(second) == 5
    assert all(row["reached"] for row in second)
    assert False not in {row["reached"] for row in shown()}


@pytest.mark.usefixtures("project")
def test_two_pushes_at_once_write_no_record_together() -> None:
    RECEIPT.parent.mkdir(parents=True)
    with (
        system.locked(RECEIPT.with_name("lock")),
        pytest.raises(StorageError, match="another process writes to data/push"),
    ):
        run(FakeAnnotationTool())
    assert not SHOWN.exists()


@pytest.mark.usefixtures("project")
def test_a_kill_before_the_first_task_and_the_same_again() -> None:
    tool = FakeAnnotationTool(dies_after=0)
    with pytest.raises(KeyboardInterrupt):
        run(tool)
    tool.dies_after = None
    tool.clock += timedelta(hours=1)
    run(tool)
    assert [row["reached"] for row in shown()] == [True] * 6
    assert {row["since"] for row in shown()} == {
        "2026-01-05T10:00:00.000000Z"
    }  # from when it may have been there
    assert {row["confirmed_at"] for row in shown()} == {"2026-01-05T11:00:01.000000Z"}


@pytest.mark.usefixtures("project")
def test_nothing_is_sent_where_it_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(record, "append", full)
    tool = FakeAnnotationTool()
    with pytest.raises(StorageError):
        run(tool)
    assert not tool.filled


def versions(task: TaskDraft) -> set[str | None]:
    return {row.model_version for row in task.pre_annotations}


def key(name: str) -> str:
    """The key of an image's task."""
    return next(
        str(row["task_id"])
        for row in tables.read(Path("data/select/plan.parquet"), schema.PLAN).to_pylist()
        if row["image_id"] == builders.image_id(name)
    )


def test_another_model_suggests_only_where_nobody_has_begun(project: builders.SmallProject) -> None:
    """Task one is answered, two is begun, of six the model saw nothing and somebody agreed."""
    autolabel = Path("data/autolabel/annotations.parquet")
    rows = tables.read(autolabel, schema.ANNOTATIONS).to_pylist()
    nothing = builders.annotation("six", None, None, origin="model", model_version="unit-1")
    tables.write_rows(
        [row for row in rows if row["image_id"] != builders.image_id("six")] + [nothing.row()],
        autolabel,
        schema.ANNOTATIONS,
    )
    plan = tables.read(Path("data/select/plan.parquet"), schema.PLAN).to_pylist()
    first = next(row for row in rows if row["image_id"] == builders.image_id("one"))
    for row in plan:  # the answered one was shown with a planted error
        if row["image_id"] == builders.image_id("one"):
            row.update(seeded_kind="moved", seeded_id=first["annotation_id"])
    tables.write_rows(plan, Path("data/select/plan.parquet"), schema.PLAN)
    tool = FakeAnnotationTool()
    run(tool)
    assert tool.asked_for_work == 0
    before, recorded = dict(tool.tasks), written()
    answered = [row for row in project.annotations["autolabel"] if row.image_id == builders.image_id("one")]
    tool.answers = {(key("one"), "ann@x.org"): tuple(answered), (key("six"), "ann@x.org"): ()}
    tool.drafted = frozenset({key("two")})
    tables.write_rows(rows, autolabel, schema.ANNOTATIONS)
    other_model()
    for row in plan:  # select plants the error in what the new model says
        if row["seeded_id"] is not None:
            row.update(seeded_id=f"{row['seeded_id'][:-1]}x2")
    tables.write_rows(plan, Path("data/select/plan.parquet"), schema.PLAN)
    answers = dict(tool.answers)
    push.plan(LabelStudioParams(project="unit"), inputs=push.inputs(Path("taxonomy.yaml")), tool=tool)
    assert tool.asked_for_work == 1  # a dry run says what a push would do
    report = run(tool)
    begun = {key("one"), key("two"), key("six")}
    for task_id, task in tool.tasks.items():
        kept = task_id in begun
        assert (shown_as(task) == shown_as(before[task_id])) is kept or not shown_as(task)
        assert versions(task) <= ({"unit-1"} if kept else {"unit-2"})
    assert tool.answers == answers
    assert dict(report.counts)["kept as somebody began them"] == 3
    # What was shown stays as it was written; rows are added for the other three alone.
    assert {name: written()[name] for name in recorded} == recorded
    assert {row["task_id"] for row in shown()[6:]} == set(before) - begun
    assert run(tool).this_run == ()


def shown_as(task: TaskDraft) -> list[tuple[object, ...]]:
    return [
        (row.annotation_id, row.category, row.bbox_xyxy, row.rle, row.model_version)
        for row in task.pre_annotations
        if row.outcome == "object"
    ]


@pytest.mark.usefixtures("project")
def test_other_thresholds_of_the_same_model_reach_every_task() -> None:
    """What people judge from then on is what the thresholds say."""
    tool = FakeAnnotationTool()
    run(tool)
    tool.answers = {(key("three"), "ann@x.org"): ()}
    path = Path("data/autolabel/annotations.parquet")
    rows = tables.read(path, schema.ANNOTATIONS).to_pylist()
    mine = [row for row in rows if row["image_id"] == builders.image_id("three")]
    assert len(mine) == 2
    tables.write_rows([row for row in rows if row is not mine[0]], path, schema.ANNOTATIONS)
    assert "kept" not in run(tool).line()
    assert [row.annotation_id for row in tool.tasks[key("three")].pre_annotations] == [
        mine[1]["annotation_id"]
    ]


@pytest.mark.usefixtures("project")
def test_suggestions_of_a_category_that_is_gone_are_renewed_all_the_same() -> None:
    tool = FakeAnnotationTool()
    run(tool)
    tool.answers = {(task_id, "ann@x.org"): () for task_id in tool.tasks}
    other_model()
    Path("taxonomy.yaml").write_text(builders.TAXONOMY.replace("parking_sign", "halt_sign"))
    path = Path("data/autolabel/annotations.parquet")
    rows = tables.read(path, schema.ANNOTATIONS).to_pylist()
    for row in rows:
        row["category"] = "halt_sign" if row["category"] == "parking_sign" else row["category"]
    tables.write_rows(rows, path, schema.ANNOTATIONS)
    run(tool)
    names = {row.category for task in tool.tasks.values() for row in task.pre_annotations}
    assert "parking_sign" not in names
    assert {version for task in tool.tasks.values() for version in versions(task)} == {"unit-1", "unit-2"}
