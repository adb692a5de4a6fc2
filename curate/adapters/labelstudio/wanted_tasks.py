"""Tasks in the server's form: light until they are sent, checked before anything is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.adapters.labelstudio import encode_regions
from curate.adapters.labelstudio.image_storage import Storage
from curate.errors import AnnotationToolError
from curate.ports import TaskDraft
from curate.progress import track

NO_SUGGESTIONS = "none"
_PICTURES = ("image", "left", "right")  # in a task's data: addresses of what people see
_FORM = 2  # raise it when the regions of the same rows change: all suggestions are sent anew


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server must hold for one key.

    Attributes:
        data: The task's data.
        overlap: Labelers wanted.
        draft: Where the suggestions come from.
        model_version: Of all suggestions of the project.
        categories: Names that the project knows.
    """

    data: dict[str, Any]
    overlap: int
    draft: TaskDraft = field(repr=False)
    model_version: str
    categories: Sequence[str] = field(repr=False)

    @property
    def task_id(self) -> str:
        """Key of the task in our tables."""
        return str(self.data["task_id"])

    @property
    def suggested(self) -> bool:
        """Whether there is a prediction; there is none where the model saw nothing, or may not say."""
        return bool(self.data["suggestions"] != NO_SUGGESTIONS)

    @property
    def prediction(self) -> dict[str, Any] | None:
        """The prediction, made at each call: the masks of a whole project would fill the memory."""
        if not self.suggested:
            return None
        scores = [row.score for row in self.draft.pre_annotations if row.score is not None]
        return {
            "model_version": self.model_version,
            "score": min(scores) if scores else None,
            "result": encode_regions.encode_task(self.draft, self.categories),
        }


def picture(address: object) -> str:
    """Name of the picture that an address shows, wherever `labelstudio.storage` keeps it."""
    return Path(str(address).rsplit("/", 1)[-1]).stem


def shows(address: object, name: str) -> bool:
    """Whether an address shows the picture of that name; an upload has "...-" before it."""
    return picture(address) == name or picture(address).endswith(f"-{name}")


def shows_other(data: Mapping[str, Any], item: Wanted) -> bool:
    """Whether a task of that data shows another picture than the one that is wanted: somebody edited it."""
    pictures = ((data.get(name), item.data[name]) for name in _PICTURES if name in item.data)
    return any(not shows(there, picture(address)) for there, address in pictures)


def wanted_tasks(tasks: Sequence[TaskDraft], categories: Sequence[str], storage: Storage) -> list[Wanted]:
    """All drafts in the server's form, first in the queue first.

    Raises:
        AnnotationToolError: A key that occurs twice.
    """
    if len({task.task_id for task in tasks}) != len(tasks):
        raise AnnotationToolError("two tasks have the same key: run `dvc repro --force select`")
    version = "+".join(sorted(_versions(tasks))) or "unknown"
    ordered = sorted(tasks, key=lambda task: (task.priority, task.task_id))
    wanted = []
    for task in track(ordered, total=len(ordered), label="push: digests"):
        data = {
            "image": storage.address(task.path),
            "task_id": task.task_id,
            "image_id": task.image_id,
            "file": task.name or Path(task.path).name,
            "width": task.width,
            "height": task.height,
            "suggestions": _digest(task, version),
            **({"note": task.note} if task.note else {}),
        }
        wanted.append(Wanted(data, task.overlap, task, version, categories))
    return wanted


def check(items: Iterable[Wanted], total: int) -> None:
    """Check all suggestions before the first is sent: the server itself accepts anything.

    Raises:
        AnnotationToolError: A box outside the image or without area, an unknown category, or a mask of
            another size; names the row and the image.
    """
    for item in track(items, total=total, label="push: check"):
        encode_regions.check_task(item.draft, item.categories)


def _versions(tasks: Iterable[TaskDraft]) -> set[str]:
    return {row.model_version for task in tasks for row in task.pre_annotations if row.model_version}


def _digest(task: TaskDraft, version: str) -> str:
    """16 hex digits that change with any suggestion; made of the rows, because encoding masks is slow."""
    rows = [
        [
            row.annotation_id, row.category, row.bbox_xyxy, row.score, row.rle,
            *([row.attributes] if row.attributes else []),
        ]
        for row in task.pre_annotations
        if row.outcome == "object"
    ]  # fmt: skip
    if not rows:
        return NO_SUGGESTIONS
    content = json.dumps([_FORM, version, rows, *([task.captions] if task.captions else [])])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
