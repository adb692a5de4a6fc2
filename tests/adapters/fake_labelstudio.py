"""Label Studio as pull sees it: tasks with answers and drafts in memory, and the few requests that read them.

As measured on the real server 1.23.2: which of a task's times a change sets, and which requests count what.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from curate.adapters.labelstudio import client
from curate.adapters.labelstudio.connection import Connection

PROJECT = 7
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
    '<Label value="stop_sign"/><Label value="parking_sign"/></RectangleLabels></View>'
)
WIDTH, HEIGHT = 160, 120


@dataclass
class FakeLabelStudio:
    """One project on a server whose clock moves only when told.

    Attributes:
        tasks: By number; the real server's fields.
        users: E-mail by number.
        description: Of the project.
        config: Its labels.
        created_at: When the project was made.
        url: Where the server answers.
        number: The project's; it is asked for as `PROJECT`.
        asked: What was asked for, in order: path and query.
        pauses: Seconds that its clients waited.
    """

    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=lambda: {1: "anna@x.invalid", 2: "ben@x.invalid"})
    left: dict[int, str] = field(default_factory=dict)
    description: str = ""
    config: str = CONFIG
    now: datetime = datetime(2026, 11, 1, 12, tzinfo=UTC)
    created_at: datetime = datetime(2026, 10, 1, 12, tzinfo=UTC)
    url: str = "http://127.0.0.1:1"
    number: int = PROJECT
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    _numbers: int = 0

    def client(self) -> client.Client:
        """A client whose requests end here."""
        connection = Connection(self.url, "0" * 40, "a test")
        made = client.Client(connection, timeout_s=1.0, sleep=self.pauses.append)
        made._http = httpx.Client(transport=httpx.MockTransport(self.respond))
        return made

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def add_task(self, key: str) -> int:
        self._numbers += 1
        image = f"image of {key}"
        data = {"task_id": key, "image": image, "image_id": image, "width": WIDTH, "height": HEIGHT}
        self.tasks[self._numbers] = {"data": data, "updated_at": self.now, "annotations": {}, "drafts": []}
        return self._numbers

    def answer(
        self,
        task: int,
        user: int,
        result: Iterable[Mapping[str, Any]] = (),
        *,
        late_s: float = 0,
        **changes: Any,
    ) -> int:
        """Somebody submits; `late_s`: the server's times are older than when it can be read."""
        self._numbers += 1
        at = self.now - timedelta(seconds=late_s)
        self.tasks[task]["annotations"][self._numbers] = {
            "result": list(result), "completed_by": user, "was_cancelled": False, "lead_time": 2.5,
            "created_at": at, "updated_at": at, **changes,
        }  # fmt: skip
        self.tasks[task]["updated_at"] = at
        return self._numbers

    def change(self, task: int, number: int, *, late_s: float = 0, **changes: Any) -> None:
        at = self.now - timedelta(seconds=late_s)
        self.tasks[task]["annotations"][number] |= {**changes, "updated_at": at}
        self.tasks[task]["updated_at"] = at

    def delete_answer(self, task: int, number: int, *, zone_h: float = 0) -> None:
        """Deleted; in bulk, the server writes its local time as if it were UTC."""
        del self.tasks[task]["annotations"][number]
        self.tasks[task]["updated_at"] = self.now + timedelta(hours=zone_h)

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path, dict(request.url.params)))
        reply = self._reply(request.url.path, dict(request.url.params))
        headers = {"Date": format_datetime(self.now.replace(microsecond=0), usegmt=True)}
        if reply is None:
            return httpx.Response(404, json={"detail": "not found"}, headers=headers)
        return httpx.Response(200, json=reply, headers=headers)

    def _reply(self, path: str, asked: dict[str, str]) -> Any:
        if path == f"/api/projects/{PROJECT}/":
            return {
                "id": self.number,
                "title": "unit",
                "label_config": self.config,
                "description": self.description,
                "created_at": iso(self.created_at),
            }
        if path == "/api/dm/project/":
            answers = sum(len(task["annotations"]) for task in self.tasks.values())
            return {"task_count": len(self.tasks), "annotation_count": answers}
        if path == "/api/users/":
            return [{"id": number, "email": email} for number, email in self.users.items()]
        if path == "/api/tasks/":
            return self._list(json.loads(asked["query"]), int(asked["page_size"]), asked)
        if path.endswith("/drafts"):
            return self.tasks[int(path.split("/")[3])]["drafts"]
        return None

    def _list(self, query: Mapping[str, Any], size: int, asked: Mapping[str, str]) -> Any:
        assert query["ordering"] == ["tasks:id"]
        kept = [number for number in sorted(self.tasks) if self._matches(number, query)]
        fields = asked["include"].split(",")
        tasks = [self._shown(number, fields, full=asked.get("fields") == "all") for number in kept[:size]]
        return {"total": len(kept), "tasks": tasks}

    def _matches(self, number: int, query: Mapping[str, Any]) -> bool:
        if "selectedItems" in query:
            return number in query["selectedItems"]["included"]
        for one in query.get("filters", {}).get("items", []):
            column = one["filter"].removeprefix("filter:tasks:")
            task, test = self.tasks[number], _TESTS[column]
            if not test(number, task, one["value"]):
                return False
        return True

    def _shown(self, number: int, fields: list[str], *, full: bool) -> dict[str, Any]:
        task = self.tasks[number]
        answers = task["annotations"]
        skipped = sum(answer["was_cancelled"] for answer in answers.values())
        shown = {
            "id": number,
            "data": task["data"],
            "updated_at": iso(task["updated_at"]),
            "total_annotations": len(answers) - skipped,
            "cancelled_annotations": skipped,
        }
        if full:
            shown["annotations"] = [
                {
                    **answer,
                    "id": key,
                    "created_at": iso(answer["created_at"]),
                    "updated_at": iso(answer["updated_at"]),
                    "created_username": self._creator(answer["completed_by"]),
                }
                for key, answer in answers.items()
            ]
        return {name: value for name, value in shown.items() if name in fields}

    def _creator(self, user: int | None) -> str:
        """Known also of those who are no members any more."""
        email = self.users.get(user or 0) or self.left.get(user or 0)
        return f" {email}, {user}" if email else ""

    def leave(self, user: int) -> None:
        """Somebody is no member any more; the account stays."""
        if user in self.users:
            self.left[user] = self.users.pop(user)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_TESTS: dict[str, Callable[[int, dict[str, Any], Any], bool]] = {
    "id": lambda number, _, value: number > value,
    "updated_at": lambda _, task, value: iso(task["updated_at"]) > value,
    "draft_exists": lambda _, task, value: bool(task["drafts"]) == value,
}
