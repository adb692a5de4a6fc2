"""Push and pull against the real server: nothing twice, nothing lost, whatever happens in between."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from curate.adapters.labelstudio import (
    accounts,
    client,
    label_config,
    project,
    project_mark,
    push,
    wanted_tasks,
)
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.image_storage import LocalFiles
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ImageChoice, ProjectRef, ProjectSpec, TaskDraft
from curate.records import Category
from tests import builders
from tests.integration import pulled
from tests.integration.killed_push import push_and_die

pytestmark = [pytest.mark.integration, pytest.mark.postgresql(soak=True), pytest.mark.timeout(300)]
IMAGES = Path("data/ingest/images")
PASSWORD = "a-long-password"
FIRST, SECOND = "first@demo.invalid", "second@demo.invalid"
_numbers = itertools.count(1)


@pytest.fixture
def tool(labelstudio: Connection) -> LabelStudioTool:
    return LabelStudioTool(labelstudio, batch_size=2, timeout_s=60)


@pytest.fixture
def reader(labelstudio: Connection) -> client.Client:
    return client.Client(labelstudio, timeout_s=60)


@pytest.fixture
def reference(drafts: list[TaskDraft], tool: LabelStudioTool) -> ProjectRef:
    """A project of the test's own."""
    assert drafts
    return tool.ensure_project(spec())


def spec(title: str | None = None, categories: tuple[Category, ...] | None = None) -> ProjectSpec:
    known = categories or taxonomy.load(Path("taxonomy.yaml"))
    return ProjectSpec(title or f"project {next(_numbers)}", known, "# Guide\nBe *kind*.", 2, IMAGES)


def state(reader: client.Client, reference: ProjectRef) -> list[tuple[str, int, int, str]]:
    """Key, labelers, predictions and digest of every task on the server."""
    found = push.index(reader, reference)
    return sorted((one.task_id, one.overlap, one.predictions, one.data["suggestions"]) for one in found)


def answer(  # noqa: PLR0917 - reads as a sentence where it is called
    labelstudio: Connection,
    reader: client.Client,
    reference: ProjectRef,
    email: str,
    task_id: str,
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
    **body: Any,
) -> None:
    """What a person does on the page: take the suggestions, change them, submit."""
    number = next(one.number for one in push.index(reader, reference) if one.task_id == task_id)
    suggested = reader.get("/api/predictions/", action="reading", task=number)
    regions = suggested[0]["result"] if suggested else []
    session = accounts.ensure_user(labelstudio, email, PASSWORD)
    session.post(
        f"/api/tasks/{number}/annotations/",
        {"result": change(regions), "lead_time": 4.5, **body},
        action="answering",
    )


def wanted(drafts: list[TaskDraft]) -> dict[str, int]:
    return {draft.task_id: draft.overlap for draft in drafts}


def with_model(draft: TaskDraft, version: str) -> TaskDraft:
    """The same suggestions from another model."""
    rows = tuple(replace(row, model_version=version) for row in draft.pre_annotations)
    return replace(draft, pre_annotations=rows)


def test_pushing_twice_is_pushing_once(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef
) -> None:
    first = tool.push_tasks(reference, drafts)
    assert (first.created, first.unchanged, first.surplus) == (6, 0, 0)
    there = state(reader, reference)
    assert [(key, overlap) for key, overlap, _, _ in there] == sorted(wanted(drafts).items())
    suggested = {draft.task_id: any(r.outcome == "object" for r in draft.pre_annotations) for draft in drafts}
    assert [(key, bool(count)) for key, _, count, _ in there] == sorted(suggested.items())
    second = tool.push_tasks(reference, drafts)
    assert (second.created, second.unchanged, second.predictions_replaced) == (0, 6, 0)
    assert state(reader, reference) == there


def test_a_project_is_found_again_by_its_title(drafts: list[TaskDraft], tool: LabelStudioTool) -> None:
    assert drafts
    wanted_spec = spec()
    made = tool.ensure_project(wanted_spec)
    assert tool.ensure_project(wanted_spec) == made == tool.find_project(wanted_spec.title)
    with pytest.raises(AnnotationToolError, match="no project 'of nobody': run `dvc repro --force push`"):
        tool.find_project("of nobody")


def test_two_projects_of_one_title_are_not_guessed_at(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client
) -> None:
    assert drafts
    for _ in range(2):
        reader.sdk.projects.create(title="twins", label_config="<View></View>")
    with pytest.raises(AnnotationToolError, match="several projects are called 'twins'"):
        tool.find_project("twins")


def of_pipeline(labelstudio: Connection, folder: Path) -> LabelStudioTool:
    return LabelStudioTool(labelstudio, timeout_s=60, pipeline_file=folder / "pipeline")


def test_a_renamed_project_is_ours_and_a_copy_is_not(
    drafts: list[TaskDraft], reader: client.Client, labelstudio: Connection, tmp_path: Path
) -> None:
    tool = of_pipeline(labelstudio, tmp_path)
    wanted_spec = replace(spec("marked"), task_ids=frozenset(draft.task_id for draft in drafts))
    ours = tool.ensure_project(wanted_spec)
    tool.push_tasks(ours, drafts)
    there = reader.get(f"/api/projects/{ours.project_id}/", action="reading")
    reader.patch(f"/api/projects/{ours.project_id}/", {"title": "signs, first round"}, action="renaming")
    copied = {name: there[name] for name in ("label_config", "description")}
    for title in ("marked", "marked [backup]", "another"):
        reader.post("/api/projects/", {"title": title, **copied}, action="copying")
    assert tool.ensure_project(wanted_spec) == ours == tool.find_project("marked")
    assert list(tool.projects("marked")) == [None]
    told = tool.strange_projects("marked")
    assert sum("is a copy of project" in line for line in told) == 3
    assert sum(line.endswith("'signs, first round' is 'marked', renamed") for line in told) == 1
    assert tool.push_tasks(ours, drafts).unchanged == 6


def test_a_typed_over_description_is_marked_again(
    drafts: list[TaskDraft], reader: client.Client, labelstudio: Connection, tmp_path: Path
) -> None:
    tool = of_pipeline(labelstudio, tmp_path)
    ours = tool.ensure_project(spec("typed over"))
    tool.push_tasks(ours, drafts)
    path = f"/api/projects/{ours.project_id}/"
    reader.patch(path, {"description": "Signs of July."}, action="typing")
    keys = frozenset(draft.task_id for draft in drafts)
    assert tool.ensure_project(replace(spec("typed over"), task_ids=keys)) == ours
    description = reader.get(path, action="reading")["description"]
    assert description.startswith("Signs of July.\n")
    mark = project_mark.read(description)
    assert mark is not None
    assert mark.number == ours.project_id


def test_two_pipelines_on_one_project_are_refused_and_a_fresh_clone_is_not(
    drafts: list[TaskDraft], labelstudio: Connection, tmp_path: Path
) -> None:
    keys = frozenset(draft.task_id for draft in drafts)
    first = of_pipeline(labelstudio, tmp_path / "first")
    ours = first.ensure_project(replace(spec("shared title"), task_ids=keys))
    first.push_tasks(ours, drafts)
    strange = replace(spec("shared title"), task_ids=frozenset({"of another data set"}))
    with pytest.raises(AnnotationToolError, match=r"is full of other tasks: set labelstudio\.project"):
        of_pipeline(labelstudio, tmp_path / "second").ensure_project(strange)
    known = of_pipeline(labelstudio, tmp_path / "third")
    project_mark.pipeline_id(tmp_path / "third/pipeline")
    with pytest.raises(AnnotationToolError, match=r"belongs to another pipeline: set labelstudio\.project"):
        known.ensure_project(strange)
    clone = of_pipeline(labelstudio, tmp_path / "clone")
    assert clone.ensure_project(replace(spec("shared title"), task_ids=keys)) == ours
    mine, theirs = (
        project_mark.read_pipeline_id(tmp_path / f"{name}/pipeline") for name in ("first", "clone")
    )
    assert mine == theirs is not None


@pytest.mark.parametrize("together", [True, False], ids=["one folder", "two folders"])
def test_first_pushes_at_once_make_one_project(
    drafts: list[TaskDraft], reader: client.Client, labelstudio: Connection, tmp_path: Path,
    *, together: bool,
) -> None:  # fmt: skip
    assert drafts
    title = f"at once {together}"
    folders = [tmp_path if together else tmp_path / str(number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        tools = [of_pipeline(labelstudio, folder) for folder in folders]
        wanted_spec = spec(title)
        made = list(pool.map(lambda tool: tool.ensure_project(wanted_spec), tools))
    there = [one for one in project_mark.listed(reader) if one.title == title]
    (ours,) = [one.number for one in there if one.genuine]
    assert {one.project_id for one in made} == {ours}
    beside = [f"project {one.number} '{title}' is empty, made beside ours: delete it" for one in there]
    told = {line for tool in tools for line in tool.strange_projects(title)}
    assert told == {line for line, one in zip(beside, there, strict=True) if one.number != ours}
    assert {tool.ensure_project(wanted_spec).project_id for tool in tools} == {ours}


@pytest.mark.parametrize("after", [1, 3, 5])
def test_killed_while_it_creates_and_run_again(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    *, labelstudio_root: Path, after: int,
) -> None:  # fmt: skip
    push_and_die(labelstudio_root, reference, drafts, "POST /import", after)
    assert len(push.index(reader, reference)) == after
    assert tool.push_tasks(reference, drafts).created == 6 - after
    assert [(key, overlap) for key, overlap, _, _ in state(reader, reference)] == sorted(
        wanted(drafts).items()
    )
    assert tool.push_tasks(reference, drafts).unchanged == 6


@pytest.mark.parametrize("deadly", ["POST /api/dm/actions/", "PATCH /api/tasks/"])
def test_killed_while_it_closes_and_opens_and_run_again(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    *, labelstudio_root: Path, deadly: str,
) -> None:  # fmt: skip
    tool.push_tasks(reference, drafts)
    there = state(reader, reference)
    push_and_die(labelstudio_root, reference, drafts[:3], deadly, 2)
    tool.push_tasks(reference, drafts[:3])
    closed = {one.task_id for one in push.index(reader, reference) if one.closed}
    assert closed == {draft.task_id for draft in drafts[3:]}
    push_and_die(labelstudio_root, reference, drafts, deadly, 1)
    tool.push_tasks(reference, drafts)
    assert state(reader, reference) == there
    assert tool.push_tasks(reference, drafts).unchanged == 6


def test_a_batch_that_arrived_twice_is_healed_without_touching_work(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    labelstudio: Connection,
) -> None:  # fmt: skip
    tool.push_tasks(reference, drafts)
    there = state(reader, reference)
    items = wanted_tasks.wanted_tasks(drafts[:3], ("stop_sign", "parking_sign"), LocalFiles(IMAGES))
    body = [
        {"data": item.data, "predictions": [item.prediction] if item.prediction else []} for item in items
    ]
    reader.post(f"/api/projects/{reference.project_id}/import", body, action="importing again")
    copies = [one for one in push.index(reader, reference) if one.task_id == drafts[0].task_id]
    assert len(copies) == 2
    session = accounts.ensure_user(labelstudio, FIRST, PASSWORD)
    session.post(
        f"/api/tasks/{copies[1].number}/annotations/", {"result": [], "lead_time": 1.0}, action="answering"
    )
    assert tool.push_tasks(reference, drafts).closed == 3
    assert sum(one.closed for one in push.index(reader, reference)) == 3  # somebody may have had them open
    assert tool.push_tasks(reference, drafts).duplicates_removed == 3
    assert state(reader, reference) == there
    rows, _ = pulled.rows(labelstudio, reference, drafts)
    assert [(row.task_id, row.annotator_id) for row in rows] == [(drafts[0].task_id, FIRST)]


def test_new_suggestions_replace_the_old_ones_and_no_work(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    labelstudio: Connection,
) -> None:  # fmt: skip
    tool.push_tasks(reference, drafts)
    target = next(draft for draft in drafts if len(draft.pre_annotations) == 2)
    answer(labelstudio, reader, reference, FIRST, target.task_id)
    before, _ = pulled.rows(labelstudio, reference, drafts)
    newer = [replace(with_model(draft, "unit-2"), overlap=2) for draft in drafts]
    counts = tool.push_tasks(reference, newer)
    with_objects = sum(any(row.outcome == "object" for row in draft.pre_annotations) for draft in drafts)
    assert (counts.created, counts.predictions_replaced) == (0, with_objects)
    assert Counter(overlap for _, overlap, _, _ in state(reader, reference)) == {2: 6}
    shown = reader.get(f"/api/projects/{reference.project_id}/", action="reading")["model_version"]
    assert shown == "unit-2"
    for one in push.index(reader, reference):
        versions = [
            p["model_version"] for p in reader.get("/api/predictions/", action="reading", task=one.number)
        ]
        assert versions == ["unit-2"] * one.predictions
    after, _ = pulled.rows(labelstudio, reference, drafts)
    assert after == before


def test_a_done_task_opens_again_when_more_people_are_wanted(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    labelstudio: Connection,
) -> None:  # fmt: skip
    single = drafts[-1]
    tool.push_tasks(reference, drafts)
    answer(labelstudio, reader, reference, FIRST, single.task_id)
    tool.push_tasks(reference, [*drafts[:-1], replace(single, overlap=2)])
    session = accounts.ensure_user(labelstudio, SECOND, PASSWORD)
    offered = set()
    for _ in drafts:
        task = session.get(f"/api/projects/{reference.project_id}/next", action="asking for work")
        offered.add(task["data"]["task_id"])
        session.post(
            f"/api/tasks/{task['id']}/annotations/", {"result": [], "lead_time": 1.0}, action="answering"
        )
    assert single.task_id in offered


def test_everybodys_answers_come_back(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    labelstudio: Connection,
) -> None:  # fmt: skip
    tool.push_tasks(reference, drafts)
    shared, pair = drafts[0], next(d for d in drafts if len(d.pre_annotations) == 2)
    other = next(d for d in drafts[2:] if d is not pair)

    def moved(regions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        regions[0]["value"]["x"] += 1.0
        return regions

    answer(labelstudio, reader, reference, FIRST, shared.task_id)
    answer(labelstudio, reader, reference, SECOND, shared.task_id, moved)
    answer(labelstudio, reader, reference, FIRST, pair.task_id, lambda regions: regions[:2])
    answer(labelstudio, reader, reference, SECOND, other.task_id, lambda _: [], was_cancelled=True)
    rows, progress = pulled.rows(labelstudio, reference, drafts)
    again, _ = pulled.rows(labelstudio, reference, drafts)
    assert rows == again
    by_answer = Counter((row.task_id, row.annotator_id, row.outcome) for row in rows)
    objects = [row for row in shared.pre_annotations if row.outcome == "object"]
    outcome = "object" if objects else "empty"
    assert by_answer[(shared.task_id, FIRST, outcome)] == max(len(objects), 1)
    assert by_answer[(shared.task_id, SECOND, outcome)] == max(len(objects), 1)
    assert by_answer[(pair.task_id, FIRST, "object")] == 1
    assert by_answer[(other.task_id, SECOND, "skipped")] == 1
    assert (progress.slots_done, progress.slots_needed, progress.tasks) == (4, 8, 6)
    assert progress.tasks_done == (3 if pair.overlap == 1 else 2)
    accepted = {row.parent_id: row for row in rows if row.annotator_id == FIRST and row.outcome == "object"}
    for source in (*objects, pair.pre_annotations[0]):
        if source.annotation_id in accepted:
            kept = accepted[source.annotation_id]
            assert (kept.category, kept.bbox_xyxy, kept.rle) == (
                source.category,
                source.bbox_xyxy,
                source.rle,
            )
            assert kept.lead_time_s == 4.5
            assert kept.created_at is not None
            assert kept.created_at.endswith("Z")
    assert accepted


def test_who_answers_again_is_counted_once(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    labelstudio: Connection,
) -> None:  # fmt: skip
    tool.push_tasks(reference, drafts)
    target = next(draft for draft in drafts if any(row.outcome == "object" for row in draft.pre_annotations))
    answer(labelstudio, reader, reference, FIRST, target.task_id)
    answer(labelstudio, reader, reference, FIRST, target.task_id, lambda _: [])
    rows, progress = pulled.rows(labelstudio, reference, drafts)
    assert [row.outcome for row in rows] == ["empty"]
    assert (progress.slots_done, progress.superseded) == (1, 1)


def test_a_project_of_an_earlier_version_gets_polygons_and_questions_and_keeps_its_work(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, labelstudio: Connection
) -> None:
    title = "of an earlier version"
    known = taxonomy.load(Path("taxonomy.yaml"))
    view = ET.fromstring(label_config.label_config(known))  # noqa: S314 - our own
    (panel,) = (part for part in view.iter("View") if part.find("PolygonLabels") is not None)
    panel.remove(panel.find("PolygonLabels"))  # type: ignore[arg-type]
    reader.post(
        "/api/projects/", {"title": title, "label_config": ET.tostring(view, "unicode")}, action="making"
    )
    reference = tool.find_project(title)
    tool.push_tasks(reference, drafts)
    answer(labelstudio, reader, reference, FIRST, drafts[-1].task_id)
    weather = ImageChoice("weather", ("sun", "rain"))
    asked = replace(spec(title), choices=(weather,), guideline_digest="g1", taxonomy_digest="t1")
    plan = tool.plan_push(asked, drafts)
    assert (plan.title, plan.counts.unchanged) == (title, 6)
    assert "change label_config" in plan.project
    assert tool.ensure_project(asked) == reference
    now = reader.get(f"/api/projects/{reference.project_id}/", action="reading")
    assert '<PolygonLabels name="polygon"' in now["label_config"]
    assert '<Choices name="weather"' in now["label_config"]
    assert tool.plan_push(asked, drafts).project == ()
    # Somebody chooses; then the question may not vanish.
    number = next(t.number for t in push.index(reader, reference) if t.task_id == drafts[-2].task_id)
    where = {"id": "w", "type": "choices", "from_name": "weather", "to_name": "image"}
    region = {**where, "value": {"choices": ["sun"]}}
    session = accounts.ensure_user(labelstudio, FIRST, PASSWORD)
    session.post(
        f"/api/tasks/{number}/annotations/", {"result": [region], "lead_time": 1.0}, action="answering"
    )
    with pytest.raises(AnnotationToolError, match="the control weather"):
        tool.ensure_project(replace(asked, choices=()))


def test_a_label_that_somebody_has_only_begun_to_use_stays_too(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, labelstudio: Connection
) -> None:
    reference = tool.ensure_project(spec("begun"))
    tool.push_tasks(reference, drafts)
    target = next(d for d in drafts if any(row.category == "stop_sign" for row in d.pre_annotations))
    number = next(t.number for t in push.index(reader, reference) if t.task_id == target.task_id)
    regions = reader.get("/api/predictions/", action="reading", task=number)[0]["result"]
    session = accounts.ensure_user(labelstudio, FIRST, PASSWORD)
    session.post(f"/api/tasks/{number}/drafts", {"result": regions, "lead_time": 1.0}, action="beginning")
    known = taxonomy.load(Path("taxonomy.yaml"))
    without = tuple(category for category in known if category.name != "stop_sign")
    with pytest.raises(AnnotationToolError, match="work of people with categories stop_sign"):
        tool.ensure_project(spec("begun", without))


def test_the_taxonomy_may_grow_but_not_lose_what_people_used(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, labelstudio: Connection,
    *, labelstudio_root: Path,
) -> None:  # fmt: skip
    known = taxonomy.load(Path("taxonomy.yaml"))
    more = (*known, Category("priority_diamond", 2, ("diamond",), 0.4, "#ffe119"))
    reference = tool.ensure_project(spec("growing"))
    tool.push_tasks(reference, drafts)
    assert tool.ensure_project(spec("growing", more)) == reference
    config = reader.get(f"/api/projects/{reference.project_id}/", action="reading")["label_config"]
    assert project.category_names(config) == ("stop_sign", "parking_sign", "priority_diamond")
    assert tool.ensure_project(spec("growing", known)) == reference  # nobody has used it: it may go again
    target = next(d for d in drafts if any(row.category == "stop_sign" for row in d.pre_annotations))
    answer(labelstudio, reader, reference, FIRST, target.task_id)
    without = tuple(category for category in known if category.name != "stop_sign")
    refused = pytest.raises(AnnotationToolError, match="work of people with categories stop_sign")
    with refused:
        tool.ensure_project(spec("growing", without))
    # The server's own summary is emptied whenever it counts no answers, and it may miscount for ever.
    found = list((labelstudio_root / ".labelstudio/data").glob("*.sqlite3"))
    if found:
        with closing(sqlite3.connect(found[0], isolation_level=None, timeout=30)) as other:
            forget = "UPDATE projects_projectsummary SET created_labels = '{}' WHERE project_id = ?"
            assert other.execute(forget, (reference.project_id,)).rowcount == 1
        with refused:
            tool.ensure_project(spec("growing", without))


def test_a_folder_that_the_server_may_not_serve_is_explained(tool: LabelStudioTool, tmp_path: Path) -> None:
    outside = tmp_path / "images"
    outside.mkdir()
    categories = (Category("stop_sign", 0, ("stop sign",), 0.4, "#e6194b"),)
    with pytest.raises(AnnotationToolError, match="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"):
        tool.ensure_project(ProjectSpec("outside", categories, "", 1, outside))


def test_an_invalid_suggestion_stops_the_push_before_anything_is_sent(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef
) -> None:
    bad = builders.annotation("one", "stop_sign", (10, 10, 500, 60), origin="model", size=(600, 120))
    with pytest.raises(AnnotationToolError, match="outside the image"):
        tool.push_tasks(reference, [*drafts[1:], replace(drafts[0], pre_annotations=(bad,))])
    assert push.index(reader, reference) == []
