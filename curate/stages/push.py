"""Stage push: a labelling project with one task per image and the model's suggestions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from curate import schema, system, tables
from curate.errors import InputError, ParamsError
from curate.labeling import taxonomy
from curate.params import LabelStudioParams
from curate.ports import AnnotationTool, ProjectSpec, PushCounts, PushPlan, TaskDraft
from curate.qa import task_drafts
from curate.records import Annotation, StageReport
from curate.shown.rows import PlannedTask
from curate.stages import renewed_suggestions, shown_record

_IMAGE_COLUMNS = ("image_id", "path", "width", "height", "drop_reason", "sources")
_ROWS = 2_000  # of annotations in memory as plain Python at a time
RECEIPT, SHOWN = Path("data/push/receipt.json"), Path("data/push/shown")
_SHOWN = re.compile(r"!\[[^\]]*\]\(\s*(?:<([^>]+)>|([^\s)]+))")  # where an image of a Markdown text is
_NOTHING = PushCounts(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables, taxonomy, and the folder of upright images (all relative to the project's root)."""

    images: Path
    annotations: Path
    plan: Path
    taxonomy: Path
    images_root: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage leaves.

    Attributes:
        receipt: What was asked for: title, number of tasks, digests of all that labelers see; nothing of the
            server.
        shown: Folder of the record of what was put before people; it is added to, and never made anew.
    """

    receipt: Path
    shown: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The annotation server; None = there is none: answers are imported, and nothing is shown to anybody."""

    tool: AnnotationTool | None


def inputs(taxonomy_file: Path) -> Inputs:
    """Paths of what the stage reads, as the wiring says, for the command line."""
    return Inputs(
        images=Path("data/dedupe/images.parquet"),
        annotations=Path("data/autolabel/annotations.parquet"),
        plan=Path("data/select/plan.parquet"),
        taxonomy=taxonomy_file,
        images_root=Path("data/ingest/images"),
    )


def run(params: LabelStudioParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Make the server hold what the plan asks for. Safe to kill and to repeat; work of people is not touched.

    Raises:
        InputError: An image file disappeared.
        ParamsError: The file with the instructions cannot be read.
        AnnotationToolError: Unreachable, refused, or a project that contradicts the taxonomy.
        StorageError: Another push of this project is running.
    """
    outputs.receipt.parent.mkdir(parents=True, exist_ok=True)
    with system.locked(outputs.receipt.with_name("lock")):  # two pushes at once would write one record
        if ports.tool is None:
            return _without_server(params, inputs, outputs)
        return _push(params, inputs, outputs, ports.tool)


def _without_server(params: LabelStudioParams, inputs: Inputs, outputs: Outputs) -> StageReport:
    _, specs = _wanted(params, inputs)
    outputs.shown.mkdir(parents=True, exist_ok=True)
    _write_receipt(params, [], specs[0], outputs.receipt)
    return StageReport("push", (("tasks", 0),), {"suggested_objects": 0, "projects": 0})


def _push(params: LabelStudioParams, inputs: Inputs, outputs: Outputs, tool: AnnotationTool) -> StageReport:
    planned, specs = _wanted(params, inputs)
    planned, kept = renewed_suggestions.keep_begun(outputs.shown, planned, specs[0], tool)
    drafts = [task.draft for task in planned]
    added = shown_record.before_push(outputs.shown, planned, specs, tool, taxonomy_file=inputs.taxonomy)
    counts = _NOTHING
    for spec in specs:
        project = tool.ensure_project(spec)
        counts += tool.push_tasks(project, _of(drafts, spec.labeler), removed=params.removed)
    labelers = {spec.labeler for spec in specs}
    for labeler, project in sorted(tool.projects(params.project).items(), key=str):
        if labeler not in labelers:  # the plan does not name that person any more
            counts += tool.push_tasks(project, [], removed=params.removed)
    shown_record.after_push(outputs.shown, tool)
    _write_receipt(params, drafts, specs[0], outputs.receipt)
    strange = tool.strange_projects(params.project)
    return _report(drafts, counts, len(specs), added, strange, kept=kept)


def _write_receipt(
    params: LabelStudioParams, drafts: Sequence[TaskDraft], spec: ProjectSpec, path: Path
) -> None:
    receipt = {
        "project": params.project,
        "tasks": len(drafts),
        "labeler_slots": sum(draft.overlap for draft in drafts),
        "taxonomy": spec.taxonomy_digest,
        "guideline": spec.guideline_digest,
        "digest": task_drafts.digest(drafts),
    }
    with tables.replacing(path) as partial:
        partial.write_text(json.dumps(receipt, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def plan(
    params: LabelStudioParams, *, inputs: Inputs, tool: AnnotationTool, shown: Path = SHOWN
) -> list[PushPlan]:
    """What `run` would do on the server, one entry per project; changes nothing.

    Raises:
        CurateError: As `run` would.
    """
    planned, specs = _wanted(params, inputs)
    planned, _ = renewed_suggestions.keep_begun(shown, planned, specs[0], tool)
    drafts = [task.draft for task in planned]
    labelers = {spec.labeler for spec in specs}
    left = sorted(set(tool.projects(params.project)) - labelers, key=str)
    every = [*specs, *(replace(specs[0], labeler=labeler) for labeler in left)]
    return [
        tool.plan_push(
            spec, _of(drafts, spec.labeler) if spec.labeler in labelers else [], removed=params.removed
        )
        for spec in every
    ]


def _wanted(params: LabelStudioParams, inputs: Inputs) -> tuple[list[PlannedTask], list[ProjectSpec]]:
    """All tasks, and the projects that they go into: one, or (`blind: strict`) one per labeler."""
    categories = taxonomy.load(inputs.taxonomy)
    planned = _planned(inputs, [category.name for category in categories])
    drafts = [task.draft for task in planned]
    spec = project_spec(params, drafts, taxonomy_file=inputs.taxonomy, images_root=inputs.images_root)
    labelers = sorted({labeler for draft in drafts for labeler in draft.labelers})
    return planned, [replace(spec, labeler=labeler, overlap=1) for labeler in labelers] or [spec]


def project_spec(
    params: LabelStudioParams, drafts: Sequence[TaskDraft], *, taxonomy_file: Path, images_root: Path
) -> ProjectSpec:
    """The project that some tasks go into, with the user's categories, questions and guideline.

    Raises:
        ParamsError: The guideline or the taxonomy cannot be read.
    """
    categories = taxonomy.load(taxonomy_file)
    guideline = _instructions(params.instructions)
    return ProjectSpec(
        title=params.project,
        categories=categories,
        instructions=guideline or "",
        instructions_folder=None if params.instructions is None else params.instructions.parent,
        task_ids=frozenset(draft.task_id for draft in drafts),
        overlap=max((draft.overlap for draft in drafts), default=1),
        images_root=images_root,
        choices=taxonomy.load_choices(taxonomy_file),
        attributes=taxonomy.load_attributes(taxonomy_file),
        guideline_digest=None
        if params.instructions is None
        else _digest(guideline or "", params.instructions),
        taxonomy_digest=taxonomy.digest(categories),
    )


def _of(drafts: Sequence[TaskDraft], labeler: str | None) -> list[TaskDraft]:
    """The tasks of one project."""
    if labeler is None:
        return list(drafts)
    return [replace(draft, overlap=1) for draft in drafts if labeler in draft.labelers]


def _planned(inputs: Inputs, names: Sequence[str]) -> list[PlannedTask]:
    images = tables.read(inputs.images, schema.IMAGES, columns=_IMAGE_COLUMNS).to_pylist()
    slots = tables.read(inputs.plan, schema.PLAN).to_pylist()
    by_id = {image["image_id"]: image for image in images}
    made = task_drafts.planned_tasks(slots, by_id, _annotations(inputs.annotations), names=names)
    planned = [replace(task, draft=_named(task.draft, by_id[task.draft.image_id])) for task in made]
    for task in planned:
        if not Path(task.draft.path).is_file():
            raise InputError(f"{task.draft.path} disappeared: run `dvc repro`")
    return planned


def _named(draft: TaskDraft, image: Mapping[str, Any]) -> TaskDraft:
    """Name the task by the raw file: that is what people know the image by."""
    return replace(draft, name=Path(next(iter(image["sources"]), "")).name)


def _annotations(path: Path) -> Iterator[Annotation]:
    for batch in tables.read(path, schema.ANNOTATIONS).to_batches(max_chunksize=_ROWS):
        yield from map(Annotation.from_row, batch.to_pylist())


def _digest(guideline: str, path: Path) -> str:
    """Digest of the guideline and the local images that it shows: another image is another guideline."""
    content = hashlib.sha256(guideline.encode())
    for name in sorted({bracketed or bare for bracketed, bare in _SHOWN.findall(guideline)}):
        image = path.parent / unquote(name)
        if image.is_file():
            content.update(image.read_bytes())
    return content.hexdigest()[:12]


def _instructions(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"labelstudio.instructions = {path} cannot be read: {error}") from error


def _report(
    drafts: Sequence[TaskDraft],
    counts: PushCounts,
    projects: int,
    added: int,
    strange: Sequence[str],
    *,
    kept: int,
) -> StageReport:
    left = (
        ("made anew as somebody changed the picture on the server", counts.edited),
        ("closed", counts.closed),
        ("opened again", counts.reopened),
        ("deleted", counts.deleted),
        ("with another number of labelers", counts.overlap_changed),
        ("done or open by the count of people", counts.recounted),
    )
    return StageReport(
        "push",
        (
            ("tasks", len(drafts)),
            ("created", counts.created),
            ("unchanged", counts.unchanged),
            ("with new suggestions", counts.predictions_replaced),
            *((("kept as somebody began them", kept),) if kept else ()),
            *((name, number) for name, number in left if number),
            ("not in the plan", counts.surplus),
        ),
        {
            "suggested_objects": sum(_objects(draft) for draft in drafts),
            "projects": projects,
            "duplicates_removed": counts.duplicates_removed,
        },
        this_run=(
            *((("newly recorded as shown", added),) if added else ()),
            *(((f"other projects ({'; '.join(strange)})", len(strange)),) if strange else ()),
        ),
    )


def _objects(draft: TaskDraft) -> int:
    return sum(row.outcome == "object" for row in draft.pre_annotations)
