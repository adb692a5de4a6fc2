"""From the server's tasks to answers with their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curate.adapters.labelstudio import decode_regions, encode_regions, people, task_pages
from curate.adapters.labelstudio.answer_cache import Answer, CachedTask
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.push_plan import CLOSED
from curate.adapters.labelstudio.task_pages import Task
from curate.adapters.labelstudio.wanted_tasks import shows
from curate.ports import ProjectRef
from curate.ports.pulled import WantedTask
from curate.records import derived_id

FIELDS = f"data,annotations,was_cancelled,updated_at,{people.FIELDS}"
OTHER_IMAGE = "task shows another image"
FAILED = "curate failed on it, please report"


@dataclass(frozen=True, slots=True)
class Context:
    """What the server's tasks are read with.

    Attributes:
        members: E-mail by the server's number of an account.
        known: E-mail by the number of an answer, of those whose name was ever read.
        wanted: What our own tables say of each task.
        categories: Names that the projects know.
        moved_box: See `decode_regions.read`.
    """

    members: Mapping[int, str]
    known: Mapping[int, str]
    wanted: Mapping[str, WantedTask]
    categories: Sequence[str]
    moved_box: decode_regions.MovedBox


def cached_task(task: Task, context: Context) -> CachedTask:
    """A task with its answers, for the cache; without answers if our tables do not know it."""
    key = task_key(task)
    ours = context.wanted.get(key)
    return CachedTask(
        number=int(task["id"]),
        task_key=key,
        updated_at=str(task["updated_at"]),
        there=len(task["annotations"]),
        read_as="" if ours is None else ours.identity,
        edited=ours is not None and not _as_pushed(task["data"], ours),
        closed=bool(task["data"].get(CLOSED)),
        answers=() if ours is None else tuple(_answers(key, ours, task, context)),
    )


def task_key(task: Task) -> str:
    """Our key of a task; empty for one that was not made here."""
    key = task["data"].get("task_id")
    return key if isinstance(key, str) else ""


def _as_pushed(data: Mapping[str, Any], ours: WantedTask) -> bool:
    """Whether the task's data says what our tables say."""
    shown = data.get("image_id"), data.get("width"), data.get("height")
    return shown == (ours.image_id, ours.width, ours.height) and _shows(data, ours)


def _shows(data: Mapping[str, Any], ours: WantedTask) -> bool:
    """Whether people see that image: its file is called by its id."""
    return shows(data.get("image"), ours.image_id)


def _answers(key: str, ours: WantedTask, task: Task, context: Context) -> Iterator[Answer]:
    names = people.names(key, task["annotations"], context.members, context.known)
    moments: list[tuple[str, str | None]] = []
    shows = _shows(task["data"], ours)
    for answer, name in zip(task["annotations"], names, strict=True):
        work = _work(key, ours, answer, name, refused=None if shows else OTHER_IMAGE)
        read = _read(work, context.categories, context.moved_box)
        look = people.looked(answer)
        outcome = "skipped" if work.skipped else "unreadable" if read.unreadable else "submitted"
        same = moments.count((name, work.created_at))  # imported together, perhaps
        moments.append((name, work.created_at))
        identity = derived_id("answer", key, name, work.created_at or "", *((same,) if same else ()))
        yield Answer(
            number=int(answer["id"]),
            user=answer["completed_by"],
            person=name,
            updated_at=str(encode_regions.utc(work.updated_at)),
            look=look,
            shown=shows,
            answer_id=identity,
            content={
                "answer_id": identity,
                **_content(work, outcome if look else "unattended", read),
                "objects": sum(row.outcome == "object" for row in read.rows),
            },
            rows=[(row.annotation_id, row.row()) for row in read.rows],
        )


def _read(
    work: decode_regions.Work, categories: Sequence[str], moved_box: decode_regions.MovedBox = "drop_mask"
) -> decode_regions.Reading:
    """The rows of an answer; one that our rules stumble over is unreadable, and never ends the pull."""
    try:
        return decode_regions.read(work, categories, moved_box=moved_box)
    except MemoryError:  # says nothing of the answer
        raise
    except Exception as error:  # noqa: BLE001 - one answer must not keep everybody's from being read
        refused = f"{FAILED}: {error!r:.80}"
        found = decode_regions.read(replace(work, regions=(), refused=refused), categories)
        return replace(found, raw=tuple(work.regions))


def _work(
    key: str, ours: WantedTask, answer: Mapping[str, Any], person: str, *, refused: str | None = None
) -> decode_regions.Work:
    lead_time = answer["lead_time"]
    return decode_regions.Work(
        task_id=key,
        image_id=ours.image_id,
        width=ours.width,
        height=ours.height,
        annotator_id=person,
        regions=answer["result"] or [],
        skipped=bool(answer.get("was_cancelled")),
        lead_time_s=float(lead_time) if lead_time is not None else None,
        created_at=encode_regions.utc(answer["created_at"]),
        updated_at=encode_regions.utc(answer["updated_at"]),
        refused=refused,
    )


def _content(work: decode_regions.Work, outcome: str, read: decode_regions.Reading) -> dict[str, Any]:
    """What a row of `answers` says, without `superseded` and the digests; and what is counted."""
    return {
        "task_id": work.task_id,
        "image_id": work.image_id,
        "annotator_id": work.annotator_id,
        "outcome": outcome,
        "objects": 0,
        "created_at": work.created_at,
        "updated_at": work.updated_at,
        "lead_time_s": work.lead_time_s,
        "choices": sorted((name, list(values)) for name, values in read.choices.items()),
        "comment": read.comment,
        "raw": json.dumps(read.raw, sort_keys=True) if read.raw else None,
        "counted": {
            "kept_raw": dict(sorted(read.kept_raw.items())),
            "unreadable": dict(sorted(read.unreadable.items())),
            "corrected": dict(sorted(read.corrected.items())),
        },
    }


def drafts(
    client: Client, project: ProjectRef, wanted: Mapping[str, WantedTask]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number of the project and row of `answers` of everything begun and not submitted."""
    for page in task_pages.matching(client, project, task_pages.HAS_DRAFT, include="id,data"):
        for task in page:
            key = task_key(task)
            if key not in wanted:
                continue
            for draft in begun(client, int(task["id"])):
                work = _work(key, wanted[key], draft, str(draft["user"]))
                content = _content(work, "draft", _read(work, ()))
                identity = derived_id("draft", key, work.annotator_id, work.created_at or "")
                yield project.project_id, {"answer_id": identity, **content, "raw": None, "counted": {}}


def begun(client: Client, number: int) -> list[dict[str, Any]]:
    """What people have begun of a task and not submitted."""
    found: list[dict[str, Any]] = client.get(f"/api/tasks/{number}/drafts", action="reading the drafts")
    return found
