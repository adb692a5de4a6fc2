"""Stage push: a labelling project with one task an image and the model's suggestions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from curate import schema, tables
from curate.errors import InputError, ParamsError
from curate.labeling import taxonomy
from curate.params import LabelStudioParams
from curate.ports import AnnotationTool, ProjectSpec, TaskDraft
from curate.qa import tasks
from curate.records import Annotation, StageReport

_IMAGE_COLUMNS = ("image_id", "path", "width", "height", "drop_reason")


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
    """What was asked for: title, number and digest of tasks, the taxonomy's digest; nothing of the server."""

    receipt: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The annotation server."""

    tool: AnnotationTool


def run(params: LabelStudioParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Make the server hold what the plan asks for. Safe to kill and to repeat; work of people is not touched.

    Raises:
        InputError: An image file disappeared.
        ParamsError: The file with the instructions cannot be read.
        AnnotationToolError: Unreachable, refused, or a project that contradicts the taxonomy.
    """
    drafts = _drafts(inputs)
    spec = ProjectSpec(
        title=params.project,
        categories=taxonomy.load(inputs.taxonomy),
        instructions=_instructions(params.instructions),
        overlap=max((draft.overlap for draft in drafts), default=1),
        images_root=inputs.images_root,
    )
    project = ports.tool.ensure_project(spec)
    counts = ports.tool.push_tasks(project, drafts)
    receipt = {
        "project": params.project,
        "tasks": len(drafts),
        "labeler_slots": sum(draft.overlap for draft in drafts),
        "taxonomy": taxonomy.digest(spec.categories),
        "digest": tasks.digest(drafts),
    }
    with tables.replacing(outputs.receipt) as partial:
        partial.write_text(json.dumps(receipt, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return StageReport(
        "push",
        (
            ("tasks", len(drafts)),
            ("created", counts.created),
            ("unchanged", counts.unchanged),
            ("with new suggestions", counts.predictions_replaced),
            ("not in the plan", counts.surplus),
        ),
        {"suggested_objects": sum(_objects(draft) for draft in drafts)},
    )


def _drafts(inputs: Inputs) -> list[TaskDraft]:
    images = tables.read(inputs.images, schema.IMAGES, columns=_IMAGE_COLUMNS).to_pylist()
    rows = tables.read(inputs.annotations, schema.ANNOTATIONS).to_pylist()
    slots = tables.read(inputs.plan, schema.PLAN).to_pylist()
    drafts = tasks.draft_tasks(
        slots,
        {image["image_id"]: image for image in images},
        [Annotation.from_row(row) for row in rows],
        names=[category.name for category in taxonomy.load(inputs.taxonomy)],
    )
    for draft in drafts:
        if not Path(draft.path).is_file():
            raise InputError(f"{draft.path} disappeared: run `dvc repro --force ingest`")
    return drafts


def _instructions(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"labelstudio.instructions = {path} cannot be read: {error}") from error


def _objects(draft: TaskDraft) -> int:
    return sum(row.outcome == "object" for row in draft.pre_annotations)
