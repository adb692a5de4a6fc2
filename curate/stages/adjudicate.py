"""The disagreement queue as a project of its own for a senior labeler, and gold of what was decided.

The hand-off is that of the stage push: the same record of what is shown, the same server, another project.
Decisions are taken back by the stage pull (`curate.stages.adjudication_decisions`).
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import pseudonyms, schema, system, tables
from curate.agreement import adjudication_candidates, bad_rows
from curate.agreement.bad_rows import Known
from curate.errors import InputError, TableError
from curate.labeling import taxonomy
from curate.params import LabelStudioParams
from curate.ports import AnnotationTool, ProjectSpec, PushPlan, TaskDraft
from curate.qa import gold_pool
from curate.records import Annotation, StageReport, derived_id
from curate.shown.rows import PlannedTask
from curate.stages import adjudication_decisions, push, shown_record

SHOWN = Path("data/adjudication/shown")
ANNOTATIONS, ANSWERS = (
    Path("data/adjudication/annotations.parquet"),
    Path("data/adjudication/answers.parquet"),
)
GOLD_FILE = "adjudicated.parquet"
_CELLS = ("reason", "decision")  # of the queue
_IMAGE_COLUMNS = ("image_id", "path", "width", "height", "drop_reason", "sources")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What earlier stages left, the taxonomy, and who is called what; relative to the project's root."""

    taxonomy: Path
    images: Path = Path("data/dedupe/images.parquet")
    annotations: Path = Path("data/pull/annotations.parquet")
    answers: Path = Path("data/pull/answers.parquet")
    objects: Path = Path("data/agreement/objects.parquet")
    queue: Path = Path("data/agreement/queue.csv")
    people: Path = Path("data/people.csv")
    images_root: Path = Path("data/ingest/images")


def run(params: LabelStudioParams, *, inputs: Inputs, shown: Path, tool: AnnotationTool) -> StageReport:
    """Make the server hold one task for each image of the queue. Safe to kill and to repeat.

    Tasks of images that have left the queue are closed: task and work stay, and decisions still count.

    Args:
        params: The section `labelstudio`.
        inputs: What to read.
        shown: Folder of the record of what was shown; it is added to.
        tool: The server.

    Raises:
        TableError: A table is missing or damaged, or the queue names an image that is not kept.
        AnnotationToolError: Unreachable, refused, or a project that contradicts the taxonomy.
        StorageError: Another one is running.
    """
    planned, spec = _wanted(params, inputs)
    if not planned and not shown.is_dir():
        return StageReport("adjudicate", (("tasks", 0),))
    shown.parent.mkdir(parents=True, exist_ok=True)
    with system.locked(shown.with_name("lock")):
        shown_record.before_push(shown, planned, [spec], tool, taxonomy_file=inputs.taxonomy)
        project = tool.ensure_project(spec)
        counts = tool.push_tasks(project, [task.draft for task in planned])
        shown_record.after_push(shown, tool)
    left = (("closed", counts.closed), ("opened again", counts.reopened))
    return StageReport(
        "adjudicate",
        (
            ("tasks", len(planned)),
            ("created", counts.created),
            ("unchanged", counts.unchanged),
            ("with new candidates", counts.predictions_replaced),
            *((name, number) for name, number in left if number),
        ),
        {"url": project.url},
    )


def plan(params: LabelStudioParams, *, inputs: Inputs, tool: AnnotationTool) -> PushPlan:
    """What `run` would do on the server; changes nothing.

    Raises:
        CurateError: As `run` would.
    """
    planned, spec = _wanted(params, inputs)
    return tool.plan_push(spec, [task.draft for task in planned])


def write_gold(gold: Path | None, *, inputs: Inputs, names: Sequence[str]) -> tuple[Path, int, int]:
    """Add the decisions that settled an image to the known answers (`qa.gold`).

    Images with known answers in other files keep those; what an earlier call wrote stays, unless there is
    another decision now.

    Args:
        gold: The parameter `qa.gold`.
        inputs: What to read.
        names: Categories of the taxonomy.

    Returns:
        The file, how many images it holds, and how many decided ones other files know already.

    Raises:
        InputError: `qa.gold` is no folder, or a file in it is damaged.
        TableError: A table is missing or damaged.
    """
    if gold is None or not gold.is_dir():
        raise InputError(
            f"qa.gold = {gold} is no folder: make one, move known answers into it, and set qa.gold"
        )
    path = gold / GOLD_FILE
    made_from = tables.read(inputs.objects, schema.CONSENSUS_OBJECTS, columns=["made_from"])["made_from"]
    rows = tables.read(ANNOTATIONS, schema.ANNOTATIONS)
    rows = rows.filter(pc.is_in(rows["annotation_id"], value_set=pc.list_flatten(made_from.combine_chunks())))
    images = tables.read(inputs.images, schema.IMAGES, columns=gold_pool.IMAGE_COLUMNS)
    earlier = tables.read(path, schema.ANNOTATIONS) if path.exists() else rows.slice(0, 0)
    known = set(gold_pool.load(gold, images, names)["image_id"].to_pylist())
    known -= set(earlier["image_id"].to_pylist())
    decided = set(rows["image_id"].to_pylist())
    fresh = [gold_row(row) for row in rows.to_pylist() if row["image_id"] not in known]
    kept = [row for row in earlier.to_pylist() if row["image_id"] not in decided | known]
    whole = sorted([*kept, *fresh], key=lambda row: str(row["annotation_id"]))
    tables.write_rows(whole, path, schema.ANNOTATIONS)
    return path, len({row["image_id"] for row in whole}), len(decided & known)


def gold_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A known answer of a row, without the person and the server's times: a file of gold is shared.

    Its id is made of what it says, as those of the consensus are: that of the row is made of the person too,
    and who has a list of addresses could try them one by one.
    """
    nothing = dict.fromkeys(
        ("annotator_id", "parent_id", "task_id", "lead_time_s", "created_at", "updated_at")
    )
    box = (f"{value:.3f}" for value in row["bbox_xyxy"] or ())
    shape = (row["rle"] or "", row["polygon"] or "")
    identity = derived_id("gold", row["image_id"], row["outcome"], row["category"] or "", *box, *shape)
    return {**row, **nothing, "annotation_id": identity, "origin": "gold"}


def _wanted(params: LabelStudioParams, inputs: Inputs) -> tuple[list[PlannedTask], ProjectSpec]:
    planned = _planned(inputs)
    drafts = [task.draft for task in planned]
    spec = push.project_spec(params, drafts, taxonomy_file=inputs.taxonomy, images_root=inputs.images_root)
    return planned, replace(spec, title=adjudication_decisions.title(params.project), overlap=1, notes=True)


def _planned(inputs: Inputs) -> list[PlannedTask]:
    queue = _queue(inputs.queue)
    reasons = {image_id: row["reason"] for image_id, row in queue.items()}
    images = _of(tables.read(inputs.images, schema.IMAGES, columns=_IMAGE_COLUMNS), reasons)
    drawn, _ = bad_rows.sort_out(
        tables.read(inputs.annotations, schema.ANNOTATIONS),
        Known(
            {row["image_id"]: (row["width"], row["height"]) for row in images},
            {category.name for category in taxonomy.load(inputs.taxonomy)},
        ),
        policy="skip",  # the server could not show them
    )
    names = pseudonyms.names(inputs.people, drawn["annotator_id"].unique().to_pylist())
    by_image = adjudication_candidates.collect(
        reasons,
        annotations=_of(drawn, reasons),
        answers=_of(tables.read(inputs.answers, schema.ANSWERS), reasons),
        objects=_of(tables.read(inputs.objects, schema.CONSENSUS_OBJECTS), reasons),
        names=names,
    )
    known = {one.name: set(one.options) for one in taxonomy.load_attributes(inputs.taxonomy)}
    kept = {row["image_id"]: row for row in images if row["drop_reason"] is None}
    planned = []
    for priority, (image_id, reason) in enumerate(reasons.items()):
        image, found = kept.get(image_id), by_image[image_id]
        if image is None:
            raise TableError(
                f"{inputs.queue} names image {image_id[:12]}, which is not kept: run `dvc repro` first"
            )
        draft = TaskDraft(
            task_id=derived_id("adjudication", image_id),
            image_id=image_id,
            path=image["path"],
            width=image["width"],
            height=image["height"],
            overlap=1,
            pre_annotations=tuple(_with_known(row, known) for row in found.rows),
            priority=priority,
            name=Path(next(iter(image["sources"]), "")).name,
            note=_again(queue[image_id]["decision"])
            + _more(reasons[image_id], queue[image_id]["detail"])
            + found.note,
            captions=found.captions,
        )
        planned.append(PlannedTask(draft, reason, "suggested", draft.pre_annotations))
    return planned


def _with_known(row: Annotation, known: Mapping[str, Collection[str]]) -> Annotation:
    """A candidate with those of its attributes that the page can show."""
    shown = (
        (name, tuple(one for one in chosen if one in known.get(name, ()))) for name, chosen in row.attributes
    )
    return replace(row, attributes=tuple((name, chosen) for name, chosen in shown if chosen))


def _again(why: str) -> str:
    return f"The decision so far does not count: {why}.\n" if why else ""


def _more(reason: str, detail: str) -> str:
    if reason == "label_error" and detail:
        return f"{detail[0].upper()}{detail[1:]}.\n"
    return f"As a dropped copy it is labelled otherwise: {detail}.\n" if detail else ""


def _queue(path: Path) -> dict[str, dict[str, str]]:
    """Cells by image, in the order of the queue."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {
            row["image_id"]: {**{name: row[name] for name in _CELLS}, "detail": row.get("detail") or ""}
            for row in rows
        }
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} is missing or damaged ({error!r}): run `dvc repro agreement`") from error


def _of(table: pa.Table, image_ids: Iterable[str]) -> list[dict[str, Any]]:
    wanted = pc.is_in(table["image_id"], value_set=pa.array(list(image_ids), pa.string()))
    return list(table.filter(wanted).to_pylist())
