"""Stage pull: a snapshot of what people did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate import schema, tables
from curate.errors import TableError, WaitingForPeopleError
from curate.params import LabelStudioParams, QaParams
from curate.ports import AnnotationTool, Progress
from curate.qa import plan
from curate.records import Annotation, StageReport


@dataclass(frozen=True, slots=True)
class PullParams:
    """The two sections of params.yaml that this stage reads."""

    labelstudio: LabelStudioParams
    qa: QaParams


@dataclass(frozen=True, slots=True)
class Inputs:
    """The images and the plan; the receipt says that push came first, and with which taxonomy."""

    images: Path
    plan: Path
    receipt: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """The table of annotations with origin "human"."""

    table: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The annotation server."""

    tool: AnnotationTool


def run(params: PullParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Read everybody's answers to the planned tasks.

    Raises:
        WaitingForPeopleError: Slots are open and `qa.allow_partial` is false.
        AnnotationToolError: Unreachable, refused, or no such project.
        TableError: A table or the receipt is damaged.
    """
    project = ports.tool.find_project(params.labelstudio.project)
    slots = tables.read(inputs.plan, schema.PLAN, columns=["task_id"])["task_id"].to_pylist()
    rows, progress = ports.tool.pull_annotations(project, plan.labelers_wanted(slots))
    if progress.slots_done < progress.slots_needed and not params.qa.allow_partial:
        raise WaitingForPeopleError(
            f"waiting for people: {progress.tasks_done} of {progress.tasks} tasks done "
            f"({progress.slots_done} of {progress.slots_needed} looks) at {project.url} - label on, then run "
            "`dvc repro` again (qa.allow_partial: true goes on with what is there)"
        )
    known = set(tables.read(inputs.images, schema.IMAGES, columns=["image_id"])["image_id"].to_pylist())
    digest = _taxonomy_digest(inputs.receipt)
    rows = [replace(row, taxonomy_digest=digest) for row in rows if row.image_id in known]
    tables.write_rows([row.row() for row in rows], outputs.table, schema.ANNOTATIONS)
    return _report(rows, progress)


def _taxonomy_digest(receipt: Path) -> str | None:
    """Of the taxonomy that push showed to the labelers; None where its receipt does not tell."""
    try:
        digest = json.loads(receipt.read_text(encoding="utf-8")).get("taxonomy")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{receipt} is damaged ({error}): run dvc repro --force push") from error
    return None if digest is None else str(digest)


def _report(rows: Sequence[Annotation], progress: Progress) -> StageReport:
    outcomes = Counter(row.outcome for row in rows)
    objects = [row for row in rows if row.outcome == "object"]
    return StageReport(
        "pull",
        (
            ("tasks done", progress.tasks_done),
            ("tasks", progress.tasks),
            ("answers", len({(row.task_id, row.annotator_id) for row in rows})),
            ("objects", len(objects)),
            ("skipped", outcomes["skipped"]),
        ),
        {
            "slots_done": progress.slots_done,
            "slots_needed": progress.slots_needed,
            "empty": outcomes["empty"],
            "superseded": progress.superseded,
            "objects_from_suggestions": sum(row.parent_id is not None for row in objects),
            "objects_with_mask": sum(row.rle is not None for row in objects),
            "objects_by_annotator": dict(sorted(Counter(str(row.annotator_id) for row in objects).items())),
        },
    )
