"""The rows of the record that a push adds: what each task shows from now on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.ports import TaskDraft
from curate.records import Annotation

_CONTENT = (
    "reason", "arm", "suggestions_digest", "proposed_digest", "model_version", "guideline_digest",
    "taxonomy_digest", "seeded_kind", "seeded_id", "wrong_xyxy", "wrong_category", "right_xyxy",
    "right_category",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task as it is about to be shown.

    Attributes:
        draft: What the server will hold.
        reason: Of the plan.
        arm: suggested or control.
        proposed: What models propose for the image, shown or not, before any error was planted.
        seeded_kind: Of the planted error; None = there is none.
        seeded_id: annotation_id of the suggestion that carries it.
    """

    draft: TaskDraft
    reason: str
    arm: str
    proposed: tuple[Annotation, ...]
    seeded_kind: str | None = None
    seeded_id: str | None = None


def objects(annotations: Iterable[Annotation]) -> list[Annotation]:
    """The rows that show an object, ordered by annotation_id."""
    return sorted((row for row in annotations if row.outcome == "object"), key=lambda row: row.annotation_id)


def suggestions_digest(annotations: Iterable[Annotation]) -> str | None:
    """24 hex digits that change with any suggestion; None where there is none."""
    rows = [
        [row.annotation_id, row.category, row.bbox_xyxy, row.rle, row.score, row.model_version, *_more(row)]
        for row in objects(annotations)
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:24] if rows else None


def _more(row: Annotation) -> list[dict[str, Any]]:
    """What only some suggestions have, so that digests of all others are those of older records."""
    more = {"attributes": row.attributes, "polygon": row.polygon}
    return [{name: value for name, value in more.items() if value}] if any(more.values()) else []


def model_version(proposed: Iterable[Annotation]) -> str | None:
    """Join the versions of all models that looked at an image; None where none was asked."""
    return "+".join(sorted({row.model_version for row in proposed if row.model_version})) or None


def suggestion_rows(annotations: Iterable[Annotation]) -> list[dict[str, Any]]:
    """Rows of `shown_suggestions` of one set of suggestions."""
    rows = objects(annotations)
    digest = suggestions_digest(rows)
    return [
        {
            "suggestions_digest": digest,
            "annotation_id": row.annotation_id,
            "category": row.category,
            "bbox_xyxy": list(row.bbox_xyxy or ()),
            "rle": row.rle,
            "score": row.score,
            "model_version": row.model_version,
            "polygon": row.polygon,
            "attributes": [(name, list(values)) for name, values in row.attributes] or None,
        }
        for row in rows
    ]


def shown_rows(task: PlannedTask, *, guideline: str | None, taxonomy: str | None) -> list[dict[str, Any]]:
    """Rows of `shown` without `shown_id` and `since`: one, or one per labeler with a project of their own."""
    draft = task.draft
    wrong, right = (
        next((row for row in objects(side) if row.annotation_id == task.seeded_id), None)
        if task.seeded_kind is not None
        else None
        for side in (draft.pre_annotations, task.proposed)
    )
    content = {
        "task_id": draft.task_id,
        "image_id": draft.image_id,
        "reason": task.reason,
        "arm": task.arm,
        "suggestions_digest": suggestions_digest(draft.pre_annotations),
        "proposed_digest": suggestions_digest(task.proposed),
        "model_version": model_version(task.proposed),
        "guideline_digest": guideline,
        "taxonomy_digest": taxonomy,
        "seeded_kind": task.seeded_kind,
        "seeded_id": task.seeded_id,
        "wrong_xyxy": _box(wrong),
        "wrong_category": None if wrong is None else wrong.category,
        "right_xyxy": _box(right),
        "right_category": None if right is None else right.category,
    }
    return [{**content, "labeler": labeler} for labeler in draft.labelers or (None,)]


def content_key(row: Mapping[str, Any]) -> str:
    """What must differ for a row to be news: all but its id, its task and its time."""
    return json.dumps([row[name] for name in _CONTENT])


def _box(row: Annotation | None) -> Sequence[float] | None:
    """Corners as the table keeps them, in float32."""
    if row is None or row.bbox_xyxy is None:
        return None
    return [float(np.float32(corner)) for corner in row.bbox_xyxy]
