"""Pulling: what people answered, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curate.adapters.labelstudio import reading, sync
from curate.adapters.labelstudio.client import Client
from curate.errors import AnnotationToolError
from curate.ports import Progress, ProjectRef
from curate.progress import track
from curate.records import Annotation

_PAGE = 200  # tasks a page, with all answers in it
_USERS = 1000
# The server applies the list of fields at every depth; without it each task brings its suggestions along.
_FIELDS = "id,data,annotations,result,completed_by,was_cancelled,created_at,updated_at,lead_time"
_ANSWERED = {
    "filters": {
        "conjunction": "or",
        "items": [
            {"filter": f"filter:tasks:{count}", "operator": "greater", "type": "Number", "value": 0}
            for count in ("total_annotations", "cancelled_annotations")
        ],
    }
}


def pull(
    client: Client, project: ProjectRef, wanted: Mapping[str, int], categories: Sequence[str]
) -> tuple[list[Annotation], Progress]:
    """The last answer of every person to every wanted task.

    Args:
        client: An administrator's connection.
        project: The project to read.
        wanted: Labelers wanted by task key.
        categories: Names that the project knows.

    Raises:
        AnnotationToolError: Unreachable.
    """
    names = _annotators(client)
    work: list[reading.Work] = []
    superseded = 0
    tasks = sync.pages(
        client,
        project,
        action="reading the answers",
        page_size=_PAGE,
        query=_ANSWERED,
        fields="all",
        include=_FIELDS,
    )
    people: dict[str, set[str]] = {}
    for task in tasks:
        key = str(task["data"].get("task_id", ""))
        if key not in wanted:
            continue
        latest = _latest(task, names)
        superseded += len(task["annotations"]) - len(latest)
        people.setdefault(key, set()).update(latest)
        work += latest.values()
    rows = _decode(work, categories)
    done = {key: min(len(people.get(key, ())), needed) for key, needed in wanted.items()}
    progress = Progress(
        slots_done=sum(done.values()),
        slots_needed=sum(wanted.values()),
        tasks_done=sum(done[key] == needed for key, needed in wanted.items()),
        tasks=len(wanted),
        superseded=superseded,
    )
    return rows, progress


def _decode(work: Sequence[reading.Work], categories: Sequence[str]) -> list[Annotation]:
    rows: dict[str, Annotation] = {}
    for answer in track(work, total=len(work), label="pull: masks"):
        for row in reading.read(answer, categories).rows:
            rows[row.annotation_id] = row
    return [rows[key] for key in sorted(rows)]


def _annotators(client: Client) -> dict[int, str]:
    """E-mail by the server's number."""
    users: Iterable[Mapping[str, Any]] = client.get(
        "/api/users/", action="reading the names of the labelers", page_size=_USERS
    )
    return {int(user["id"]): str(user["email"]) for user in users}


def _latest(task: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, reading.Work]:
    """The answer that each person gave last, by name: an older one was replaced by it."""
    data = task["data"]
    latest: dict[str, reading.Work] = {}
    for answer in sorted(task["annotations"], key=lambda one: (one["updated_at"], one["id"])):
        person = names.get(answer["completed_by"])
        if person is None:
            raise AnnotationToolError(
                f"task {data['task_id']} has an answer of somebody who is no member any more: "
                "add the person again, or delete the answer"
            )
        lead_time = answer["lead_time"]
        latest[person] = reading.Work(
            task_id=str(data["task_id"]),
            image_id=str(data["image_id"]),
            width=int(data["width"]),
            height=int(data["height"]),
            annotator_id=person,
            regions=answer["result"] or [],
            skipped=bool(answer["was_cancelled"]),
            lead_time_s=float(lead_time) if lead_time is not None else None,
            created_at=answer["created_at"],
            updated_at=answer["updated_at"],
        )
    return latest
