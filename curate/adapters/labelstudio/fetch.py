"""What pull asks the server, and asks again where a request was lost: nothing here changes anything there.

Tasks are read in the order of their numbers, each page from the last number on: pages by offset would skip a
task for every one that somebody deletes meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from curate.adapters.labelstudio import retry
from curate.adapters.labelstudio.client import Client, TransientError
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef

_PAGE = 200  # tasks a request, with all answers in them; as many numbers fit into an address
_INDEX_PAGE = 1000
_USERS = 1000
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # the only form that the server's filters read
# The server applies the list of fields at every depth; without it each task brings its suggestions along.
_FIELDS = (
    "id,data,annotations,result,completed_by,created_username,was_cancelled,created_at,updated_at,lead_time"
)
_INDEX = "id,updated_at,total_annotations,cancelled_annotations"

Task = dict[str, Any]
Page = TypeVar("Page")


@dataclass(frozen=True, slots=True)
class Indexed:
    """A task on the server, without its content."""

    number: int
    updated_at: str
    answers: int


class Reader:
    """Reads one project. A server that was reached once is waited for when it goes away."""

    def __init__(self, client: Client, project: ProjectRef, *, sleep: retry.Sleep | None = None) -> None:
        self._client, self.project = client, project
        self._pauses = retry.Pauses() if sleep is None else retry.Pauses(sleep=sleep)
        self._reached = False

    def record(self) -> Mapping[str, Any]:
        """The project's settings."""
        found: Mapping[str, Any] = self._get(
            f"/api/projects/{self.project.project_id}/", action="reading the project"
        )
        return found

    def now(self) -> datetime:
        """The server's time at its last answer.

        Raises:
            AnnotationToolError: It does not tell.
        """
        if self._client.server_time is None:
            raise AnnotationToolError(
                f"{self._client.connection.url} does not tell its time (no Date header): "
                "does a proxy remove it?"
            )
        return self._client.server_time

    def counts(self) -> tuple[int, int]:
        """Tasks, and submitted or skipped answers, counted by the server."""
        found = self._get("/api/dm/project/", action="counting the answers", project=self.project.project_id)
        return int(found["task_count"]), int(found["annotation_count"])

    def users(self) -> dict[int, str]:
        """E-mail by the server's number, of all members."""
        users = self._get("/api/users/", action="reading the names of the labelers", page_size=_USERS)
        return {int(user["id"]): str(user["email"]) for user in users}

    def index(self, since: datetime | None = None) -> Iterator[Indexed]:
        """All tasks, or those that changed after `since`."""
        filters = (
            [] if since is None else [_filter("updated_at", "greater", "Datetime", since.strftime(_TIME))]
        )
        for page in self._pages(filters, 0, _INDEX_PAGE, include=_INDEX):
            for task in page:
                answers = int(task["total_annotations"]) + int(task["cancelled_annotations"])
                yield Indexed(int(task["id"]), str(task["updated_at"]), answers)

    def after(self, number: int) -> Iterator[list[Task]]:
        """The content of all tasks with higher numbers, in pages; the next is read ahead."""
        pages = self._pages([], number, _PAGE, fields="all", include=_FIELDS)
        yield from _ahead(pages)

    def content(self, numbers: Sequence[int]) -> Iterator[list[Task]]:
        """The content of these tasks, in pages; those that are gone are missing."""
        parts = (numbers[start : start + _PAGE] for start in range(0, len(numbers), _PAGE))
        yield from _ahead(self._chosen(part, fields="all", include=_FIELDS) for part in parts)

    def drafts(self) -> Iterator[tuple[Task, list[dict[str, Any]]]]:
        """Tasks in which somebody began and did not submit, with everybody's drafts."""
        filters = [_filter("draft_exists", "equal", "Boolean", True)]
        for page in self._pages(filters, 0, _INDEX_PAGE, include="id,data"):
            for task in page:
                path = f"/api/tasks/{task['id']}/drafts"
                yield task, self._get(path, action="reading the drafts")

    def _chosen(self, numbers: Sequence[int], **parameters: str) -> list[Task]:
        chosen = {"selectedItems": {"all": False, "included": list(numbers)}}
        return self._list(chosen, len(numbers), **parameters)

    def _pages(
        self, filters: Sequence[Mapping[str, Any]], last: int, size: int, **parameters: str
    ) -> Iterator[list[Task]]:
        while True:
            items = [*filters, _filter("id", "greater", "Number", last)]
            query = {"filters": {"conjunction": "and", "items": items}}
            page = self._list(query, size, **parameters)
            if page:
                yield page
                last = int(page[-1]["id"])
            if len(page) < size:
                return

    def _list(self, query: Mapping[str, Any], size: int, **parameters: str) -> list[Task]:
        found: list[Task] = self._get(
            "/api/tasks/",
            action="reading the tasks",
            project=self.project.project_id,
            page_size=size,
            query=json.dumps({"ordering": ["tasks:id"], **query}, separators=(",", ":")),
            **parameters,
        )["tasks"]
        return found

    def _get(self, path: str, *, action: str, **parameters: str | int) -> Any:
        while True:
            try:
                reply = self._client.get(path, action=action, **parameters)
            except TransientError as error:
                if error.unreachable and not self._reached:
                    raise
                self._pauses.wait(error)
            else:
                self._reached = True
                self._pauses.succeeded()
                return reply


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same, each page asked for while the one before is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page
