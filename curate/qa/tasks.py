"""From the plan to drafts of tasks, and a digest that says whether two pushes meant the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from curate.errors import TableError
from curate.ports import TaskDraft
from curate.qa import plan
from curate.records import Annotation


def draft_tasks(
    slots: Iterable[Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
    annotations: Iterable[Annotation],
) -> list[TaskDraft]:
    """One draft a planned task, with the model's rows for its image.

    Args:
        slots: Rows of the `plan` table.
        images: Rows of the `images` table by image_id (image_id, path, width, height).
        annotations: The model's rows; rejected ones and those of images without a task are left out.

    Returns:
        Drafts ordered by key.

    Raises:
        TableError: The plan names an image that the images table lacks or has dropped.
    """
    rows = sorted(slots, key=lambda slot: (slot["task_id"], slot["slot"]))
    wanted = plan.labelers_wanted(slot["task_id"] for slot in rows)
    by_image: dict[str, list[Annotation]] = {}
    for row in annotations:
        if row.outcome in ("rejected", "failed"):
            continue
        by_image.setdefault(row.image_id, []).append(row)
    drafts = []
    for slot in rows:
        if slot["slot"] != 0:
            continue
        image = images.get(slot["image_id"])
        if image is None or image["drop_reason"] is not None:
            raise TableError(
                f"the plan names image {slot['image_id'][:12]}, which is not kept: "
                "run `dvc repro --force select`"
            )
        suggested = sorted(by_image.get(slot["image_id"], []), key=lambda row: row.annotation_id)
        drafts.append(
            TaskDraft(
                task_id=slot["task_id"],
                image_id=slot["image_id"],
                path=image["path"],
                width=image["width"],
                height=image["height"],
                overlap=wanted[slot["task_id"]],
                pre_annotations=tuple(suggested),
            )
        )
    return drafts


def digest(drafts: Iterable[TaskDraft]) -> str:
    """64 hex digits that change with any task, its number of labelers, or any suggestion."""
    canonical = [
        [draft.task_id, draft.image_id, draft.overlap, [row.row() for row in draft.pre_annotations]]
        for draft in sorted(drafts, key=lambda draft: draft.task_id)
    ]
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()
