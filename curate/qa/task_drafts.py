"""From the plan to tasks as they are shown, and a digest that says whether two pushes meant the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curate.errors import TableError
from curate.ports import TaskDraft
from curate.qa import error_injection
from curate.records import Annotation
from curate.shown.rows import PlannedTask


def planned_tasks(
    slots: Iterable[Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    annotations: Iterable[Annotation],
    *,
    names: Sequence[str] = (),
) -> list[PlannedTask]:
    """Every planned task with what is shown for its image: the model's rows, none, or a planted error.

    Images that are accepted without a human make no task.

    Args:
        slots: Rows of the `plan` table.
        images: Rows of the `images` table by image_id (image_id, path, width, height).
        annotations: The model's rows; rejected ones and those of images without a task are left out.
        names: Categories of the taxonomy, for suggestions that are renamed on purpose.

    Returns:
        Tasks in the order of the queue, then by key.

    Raises:
        TableError: The plan names an image that the images table lacks or has dropped, or a suggestion that
            is none.
    """
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for slot in sorted(slots, key=lambda slot: (slot["priority"], slot["task_id"], slot["slot"])):
        if slot["arm"] != "accepted":
            tasks.setdefault(slot["task_id"], []).append(slot)
    looked_at = {rows[0]["image_id"] for rows in tasks.values()}
    by_image: dict[str, list[Annotation]] = {}
    for row in annotations:
        if row.image_id in looked_at and row.outcome not in ("rejected", "failed"):
            by_image.setdefault(row.image_id, []).append(row)
    return [_planned(rows, images, by_image.get(rows[0]["image_id"], []), names) for rows in tasks.values()]


def _planned(
    slots: Sequence[Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Annotation],
    names: Sequence[str],
) -> PlannedTask:
    first = slots[0]
    image = images.get(first["image_id"])
    if image is None or image["drop_reason"] is not None:
        raise TableError(
            f"the plan names image {first['image_id'][:12]}, which is not kept: "
            "run `dvc repro --force select`"
        )
    proposed = tuple(sorted(rows, key=lambda row: row.annotation_id))
    shown: tuple[Annotation, ...] = () if first["arm"] == "control" else proposed
    if first["seeded_kind"] is not None:
        shown = error_injection.plant(
            shown,
            first["seeded_kind"],
            first["seeded_id"],
            names=names,
            width=image["width"],
            height=image["height"],
        )
    draft = TaskDraft(
        task_id=first["task_id"],
        image_id=first["image_id"],
        path=image["path"],
        width=image["width"],
        height=image["height"],
        overlap=len(slots),
        pre_annotations=shown,
        priority=first["priority"],
        labelers=tuple(slot["labeler"] for slot in slots if slot["labeler"] is not None),
    )
    return PlannedTask(
        draft, first["reason"], first["arm"], proposed, first["seeded_kind"], first["seeded_id"]
    )


def digest(drafts: Iterable[TaskDraft]) -> str:
    """64 hex digits that change with any task, its labelers or their number, or any suggestion."""
    canonical = [
        [
            draft.task_id,
            draft.image_id,
            draft.overlap,
            list(draft.labelers),
            [row.row() for row in draft.pre_annotations],
        ]
        for draft in sorted(drafts, key=lambda draft: draft.task_id)
    ]
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()
