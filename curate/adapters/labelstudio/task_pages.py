"""Tasks of a project as the server lists them, page by page; nothing here changes anything there.

Tasks come in the order of their numbers, each page from the last number on: pages by offset would skip a
task for every one that somebody deletes meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from curate.adapters.labelstudio.client import Client
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef

INDEX_PAGE = 1000  # tasks per request without their content
CONTENT_PAGE = 200  # tasks per request with all answers in them; as many numbers fit into an address
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # the only form that the server's filters read

Task = dict[str, Any]
Filter = Mapping[str, object]


def where(column: str, operator: str, kind: str, value: object) -> Filter:
    """Build one condition on the tasks that are listed."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def changed_since(moment: datetime) -> Filter:
    """Whatever happened to the task happened later."""
    return where("updated_at", "greater", "Datetime", moment.strftime(TIME))


HAS_DRAFT = where("draft_exists", "equal", "Boolean", value=True)


# Answered on a page that measured the time, by whom: the server tells it only of tasks filtered by it.
ANSWERED_IN_TIME = (
    where("annotators", "not_contains", "List", 0),  # nobody has that number
    where("avg_lead_time", "greater", "Number", -1),
)


def matching(
    client: Client,
    project: ProjectRef,
    *filters: Filter,
    include: str,
    content: bool = False,
    after: int = 0,
) -> Iterator[list[Task]]:
    """Pages of all tasks that match, with numbers over `after`.

    Args:
        client: The server.
        project: Whose tasks.
        filters: All must hold.
        include: Fields to bring, with commas. The server applies the list at every depth.
        content: Bring answers too.
        after: The last number that is known already.
    """
    size = CONTENT_PAGE if content else INDEX_PAGE

    def pages(last: int) -> Iterator[list[Task]]:
        while True:
            items = [*filters, where("id", "greater", "Number", last)]
            query = {"filters": {"conjunction": "and", "items": items}}
            page = _listed(client, project, query, size, include=include, content=content)
            if page:
                yield page
                last = int(page[-1]["id"])
            if len(page) < size:
                return

    return _ahead(pages(after)) if content else pages(after)


def chosen(
    client: Client, project: ProjectRef, numbers: Sequence[int], *, include: str
) -> Iterator[list[Task]]:
    """Pages of these tasks with their answers; those that are gone are missing."""

    def pages() -> Iterator[list[Task]]:
        for start in range(0, len(numbers), CONTENT_PAGE):
            part = list(numbers[start : start + CONTENT_PAGE])
            query = {"selectedItems": {"all": False, "included": part}}
            yield _listed(client, project, query, len(part), include=include, content=True)

    return _ahead(pages())


def counts(client: Client, project: ProjectRef) -> tuple[int, int]:
    """Tasks, and submitted or skipped answers, counted by the server."""
    found = client.get("/api/dm/project/", action="counting the answers", project=project.project_id)
    return int(found["task_count"]), int(found["annotation_count"])


def server_time(client: Client) -> datetime:
    """The server's time at its last answer.

    Raises:
        AnnotationToolError: It does not tell it.
    """
    if client.server_time is None:
        raise AnnotationToolError(
            f"{client.connection.url} does not tell its time (no Date header): does a proxy remove it?"
        )
    return client.server_time


def _listed(
    client: Client, project: ProjectRef, query: Mapping[str, Any], size: int, *, include: str, content: bool
) -> list[Task]:
    more = {"fields": "all"} if content else {}
    found: list[Task] = client.get(
        "/api/tasks/",
        action="reading the tasks",
        project=project.project_id,
        page_size=size,
        query=json.dumps({"ordering": ["tasks:id"], **query}, separators=(",", ":")),
        include=include,
        resolve_uri="false",
        **more,
    )["tasks"]
    return found


def _ahead(pages: Iterator[list[Task]]) -> Iterator[list[Task]]:
    """Yield the pages, each asked for while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page
