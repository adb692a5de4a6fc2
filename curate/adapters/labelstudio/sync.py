"""Pushing: index what the server has, compare, apply, and index again until nothing is left to do.

The server is the only memory. A task carries its key and a digest of its suggestions in `data`; the digest of
a changed task is written last. So a run that dies anywhere, or a request that was applied although its answer
was lost, is found by the next index, and no step needs to know whether the one before it succeeded.

Suggestions of all tasks carry one model version, which is set on the project: Label Studio offers a labeler
only those of the project's version.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from curate.adapters.labelstudio import codec
from curate.adapters.labelstudio.client import Client, TransientError
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef, PushCounts, TaskDraft
from curate.progress import track

Item = TypeVar("Item")
_PAGE = 1000  # tasks a page of the index
_ROUNDS, _PAUSE_S = 5, 1.0
_INDEX_FIELDS = "id,data,overlap,total_annotations,cancelled_annotations,total_predictions"


@dataclass(frozen=True, slots=True)
class Existing:
    """A task on the server, without its content."""

    number: int
    task_id: str
    data: dict[str, Any]
    overlap: int
    predictions: int
    answers: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server must hold for one key. `prediction` is None where the model saw nothing."""

    data: dict[str, Any]
    overlap: int
    prediction: dict[str, Any] | None

    @property
    def task_id(self) -> str:
        """Our key."""
        return str(self.data["task_id"])


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done; `surplus` and `unchanged` are only counted."""

    create: tuple[Wanted, ...]
    replace: tuple[tuple[int, Wanted], ...]
    overlap: tuple[tuple[Existing, int], ...]
    remove: tuple[int, ...]
    surplus: int
    unchanged: int

    @property
    def empty(self) -> bool:
        """True if the server is as wanted."""
        return not (self.create or self.replace or self.overlap or self.remove)


def wanted_tasks(tasks: Sequence[TaskDraft], categories: Sequence[str], images_root: Path) -> list[Wanted]:
    """Check every draft and put it into the server's form.

    Args:
        tasks: The drafts.
        categories: Names that the project knows.
        images_root: Folder of the images; the server serves it under its own name.

    Raises:
        AnnotationToolError: A region that the labelling page could not show, or a key that occurs twice.
    """
    if len({task.task_id for task in tasks}) != len(tasks):
        raise AnnotationToolError("two tasks have the same key: run `dvc repro --force select`")
    version = "+".join(sorted({r.model_version for t in tasks for r in t.pre_annotations if r.model_version}))
    wanted = []
    for task in track(tasks, total=len(tasks), label="push: check"):
        regions = codec.encode_task(task, categories)
        scores = [row.score for row in task.pre_annotations if row.score is not None]
        prediction = {
            "model_version": version or "unknown",
            "score": min(scores) if scores else None,
            "result": regions,
        }
        below = Path(task.path).relative_to(images_root).as_posix()
        data = {
            "image": f"/data/local-files/?d={images_root.name}/{below}",
            "task_id": task.task_id,
            "image_id": task.image_id,
            "width": task.width,
            "height": task.height,
            "suggestions": _digest(prediction if regions else None),
        }
        wanted.append(Wanted(data, task.overlap, prediction if regions else None))
    return wanted


def push(client: Client, project: ProjectRef, wanted: Sequence[Wanted], *, batch_size: int) -> PushCounts:
    """Make the server hold exactly one task a key with its current suggestions.

    Raises:
        AnnotationToolError: Refused, or still not as wanted after some rounds.
    """
    first: Difference | None = None
    lost: TransientError | None = None
    for attempt in range(_ROUNDS):
        try:
            difference = compare(index(client, project), wanted)
            first = first or difference
            if difference.empty:
                return PushCounts(len(first.create), first.unchanged, len(first.replace), first.surplus)
            _apply(client, project, difference, batch_size)
            lost = None
        except TransientError as error:
            lost = error
            time.sleep(_PAUSE_S * attempt)
    raise lost or AnnotationToolError(
        f"{project.url} is still not as planned after {_ROUNDS} rounds: is someone else changing its tasks?"
    )


def index(client: Client, project: ProjectRef) -> list[Existing]:
    """All tasks of the project in the order of their numbers, without their content."""
    return [
        Existing(
            number=int(task["id"]),
            task_id=str(task["data"].get("task_id", "")),
            data=task["data"],
            overlap=int(task["overlap"]),
            predictions=int(task["total_predictions"]),
            answers=int(task["total_annotations"]) + int(task["cancelled_annotations"]),
        )
        for task in pages(
            client,
            project,
            action="indexing its tasks",
            page_size=_PAGE,
            fields="task_only",
            include=_INDEX_FIELDS,
        )
    ]


def pages(
    client: Client, project: ProjectRef, *, action: str, page_size: int, query: Any = None, **parameters: str
) -> Iterator[dict[str, Any]]:
    """Tasks of the project, page by page, in the order of their numbers."""
    asked = json.dumps({"ordering": ["tasks:id"], **(query or {})})
    page, seen, total = 1, 0, 1
    while seen < total:
        reply = client.get(
            "/api/tasks/",
            action=action,
            project=project.project_id,
            page=page,
            page_size=page_size,
            query=asked,
            **parameters,
        )
        yield from reply["tasks"]
        page, seen, total = page + 1, seen + page_size, int(reply["total"])


def compare(existing: Sequence[Existing], wanted: Sequence[Wanted]) -> Difference:
    """Find what is missing, stale or twice on the server.

    A key that is there twice (a batch whose answer was lost can be applied late) keeps the task with the most
    work of people; the others go only if nobody worked on them.
    """
    by_key: dict[str, list[Existing]] = {}
    for task in existing:
        by_key.setdefault(task.task_id, []).append(task)
    create, replace, overlap, remove, unchanged = [], [], [], [], 0
    for item in wanted:
        copies = sorted(by_key.pop(item.task_id, []), key=lambda task: (-task.answers, task.number))
        if not copies:
            create.append(item)
            continue
        kept = copies[0]
        remove += [task.number for task in copies[1:] if task.answers == 0]
        if kept.data != item.data or kept.predictions != (item.prediction is not None):
            replace.append((kept.number, item))
        else:
            unchanged += 1
        if kept.overlap != item.overlap:
            overlap.append((kept, item.overlap))
    surplus = sum(len(tasks) for tasks in by_key.values())
    return Difference(tuple(create), tuple(replace), tuple(overlap), tuple(remove), surplus, unchanged)


def _apply(client: Client, project: ProjectRef, difference: Difference, batch_size: int) -> None:
    if difference.remove:
        _act(client, project, "delete_tasks", difference.remove)
    for batch in _batches(difference.replace, batch_size, "push: replace"):
        _replace(client, project, batch)
    for task, overlap in track(difference.overlap, total=len(difference.overlap), label="push: labelers"):
        _set_overlap(client, task.number, overlap, labeled=task.answers >= overlap)
    _create(client, project, difference.create, batch_size)
    versions = {item.prediction["model_version"] for item in _changed(difference) if item.prediction}
    for version in versions:  # one at most: `wanted_tasks` gives all the same
        client.patch(
            f"/api/projects/{project.project_id}/",
            {"model_version": version},
            action="showing the suggestions",
        )


def _changed(difference: Difference) -> list[Wanted]:
    return [*difference.create, *(item for _, item in difference.replace)]


def _create(client: Client, project: ProjectRef, items: Sequence[Wanted], batch_size: int) -> None:
    """Create tasks with the number of labelers that each wants.

    A new task gets the project's number, and another number costs a request for every task. So the tasks
    with the project's number come first. Then, while that number is 1, it can be raised for all that follow:
    the server leaves tasks of 1 alone as soon as one task has more. A later index finds what went wrong.
    """
    path = f"/api/projects/{project.project_id}/"
    usual = int(client.get(path, action="reading the project")["maximum_annotations"]) if items else 1
    for overlap in sorted({item.overlap for item in items}, key=lambda number: (number != usual, number)):
        group = [item for item in items if item.overlap == overlap]
        if usual == 1 != overlap and len(group) > 1:
            _import(client, project, group[:1], patch_overlap=True)
            client.patch(path, {"maximum_annotations": overlap}, action="setting the number of labelers")
            usual, group = overlap, group[1:]
        for batch in _batches(group, batch_size, "push: create"):
            _import(client, project, batch, patch_overlap=overlap != usual)


def _import(client: Client, project: ProjectRef, batch: Sequence[Wanted], *, patch_overlap: bool) -> None:
    body = [
        {"data": item.data, "predictions": [item.prediction] if item.prediction else []} for item in batch
    ]
    path = f"/api/projects/{project.project_id}/import"
    reply = client.post(path, body, action=f"creating {len(batch)} tasks", return_task_ids="true")
    if patch_overlap:
        for number, item in zip(reply["task_ids"], batch, strict=True):
            _set_overlap(client, int(number), item.overlap, labeled=False)


def _replace(client: Client, project: ProjectRef, batch: Sequence[tuple[int, Wanted]]) -> None:
    _act(client, project, "delete_tasks_predictions", [number for number, _ in batch])
    body = [{"task": number, **item.prediction} for number, item in batch if item.prediction]
    if body:
        path = f"/api/projects/{project.project_id}/import/predictions"
        client.post(path, body, action=f"replacing {len(body)} suggestions")
    for number, item in batch:
        client.patch(f"/api/tasks/{number}/", {"data": item.data}, action="marking a task as current")


def _set_overlap(client: Client, number: int, overlap: int, *, labeled: bool) -> None:
    """Say how many people must answer; a task that was done may be open again, and the other way round."""
    body = {"overlap": overlap, "is_labeled": labeled}
    client.patch(f"/api/tasks/{number}/", body, action="setting the number of labelers")


def _act(client: Client, project: ProjectRef, name: str, numbers: Iterable[int]) -> None:
    body = {"selectedItems": {"all": False, "included": list(numbers)}}
    client.post("/api/dm/actions/", body, action=f"running {name}", id=name, project=project.project_id)


def _batches(items: Sequence[Item], size: int, label: str) -> Iterator[Sequence[Item]]:
    starts = range(0, len(items), size)
    for start in track(starts, total=len(starts), label=label):
        yield items[start : start + size]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
