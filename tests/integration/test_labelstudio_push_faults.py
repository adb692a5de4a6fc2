"""Push through a proxy that fails on purpose: whatever happens, one task a key and one prediction a task."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import accounts, client, connection, push, retry, server
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectRef, ProjectSpec, TaskDraft
from tests.integration import fault_proxy, labelstudio_servers
from tests.integration.fault_proxy import FaultProxy, get_to, post_to, request_to
from tests.integration.labelstudio_servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.postgresql, pytest.mark.timeout(300)]
IMAGES = Path("data/ingest/images")
TIMEOUT_S = 3.0
LOCKED_S = 8.0


@pytest.fixture
def proxy(labelstudio: Connection) -> Iterator[FaultProxy]:
    with FaultProxy(labelstudio.url) as running:
        yield running


@pytest.fixture
def tool(proxy: FaultProxy, labelstudio: Connection, monkeypatch: pytest.MonkeyPatch) -> LabelStudioTool:
    """The adapter behind the proxy, with short pauses and two tasks per request."""
    monkeypatch.setattr(retry, "_FIRST_PAUSE_S", 0.05)
    behind = Connection(proxy.url, labelstudio.api_key, "the test")
    return LabelStudioTool(behind, batch_size=2, timeout_s=TIMEOUT_S)


@pytest.fixture
def reader(labelstudio: Connection) -> client.Client:
    """A connection without the proxy."""
    return client.Client(labelstudio, timeout_s=60)


def spec(title: str) -> ProjectSpec:
    return ProjectSpec(title, taxonomy.load(Path("taxonomy.yaml")), "# Guide", 2, IMAGES)


def versions(reader: client.Client, number: int) -> list[str]:
    found = reader.get("/api/predictions/", action="reading", task=number)
    return [str(one["model_version"]) for one in found]


def assert_exactly(
    reader: client.Client, reference: ProjectRef, drafts: list[TaskDraft], version: str | None = None
) -> None:
    """One task a key with its number of labelers, and one prediction of the version or none."""
    there = push.index(reader, reference)
    assert sorted((task.task_id, task.overlap) for task in there) == sorted(
        (draft.task_id, draft.overlap) for draft in drafts
    )
    suggested = {d.task_id: [r for r in d.pre_annotations if r.outcome == "object"] for d in drafts}
    for task in there:
        rows = suggested[task.task_id]
        wanted = [version or str(rows[0].model_version)] if rows else []
        assert versions(reader, task.number) == wanted
    shown = reader.get(f"/api/projects/{reference.project_id}/", action="reading")["model_version"]
    assert shown == (version or next(str(rows[0].model_version) for rows in suggested.values() if rows))


@dataclass(frozen=True)
class Planned:
    """A fault that happens to `count` requests, after `skip` of them."""

    fault: fault_proxy.Fault
    when: fault_proxy.Predicate
    count: int = 1
    skip: int = 0


FAULTS = {
    "applied, then dropped": Planned(fault_proxy.drop_after, post_to("/import"), 2, 1),
    "dropped before": Planned(fault_proxy.refuse, post_to("/import"), 2, 1),
    "applied, then 502": Planned(fault_proxy.failed_after(502), post_to("/import"), 1, 1),
    "500": Planned(fault_proxy.status(500), post_to("/import"), 2),
    "500 to the index": Planned(fault_proxy.status(500), get_to("/api/tasks/"), 3, 1),
    "429": Planned(fault_proxy.status(429, retry_after="1"), post_to("/import"), 1, 1),
    "applied, and too late": Planned(fault_proxy.slow(TIMEOUT_S + 1), post_to("/import"), 1, 1),
    "overlap dropped": Planned(fault_proxy.drop_after, request_to("/api/tasks/", "PATCH"), 2),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_while_it_creates(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client, *, name: str
) -> None:
    reference = tool.ensure_project(spec(f"fault {name}"))
    planned = FAULTS[name]
    proxy.plan(planned.fault, when=planned.when, count=planned.count, skip=planned.skip)
    tool.push_tasks(reference, drafts)
    assert proxy.struck == planned.count
    assert_exactly(reader, reference, drafts)
    proxy.clear()
    assert tool.push_tasks(reference, drafts).unchanged == 6
    assert {request.method for request in proxy.seen} == {"GET"}  # nothing to do is nothing done


@pytest.mark.parametrize("fault", [fault_proxy.drop_after, fault_proxy.status(503)], ids=["dropped", "503"])
def test_a_fault_while_the_project_is_made_leaves_one_project(
    drafts: list[TaskDraft],
    tool: LabelStudioTool,
    proxy: FaultProxy,
    request: pytest.FixtureRequest,
    *,
    fault: fault_proxy.Fault,
) -> None:
    assert drafts
    title = f"made {request.node.callspec.id}"
    proxy.plan(fault, when=post_to("/api/projects/"))
    proxy.plan(fault, when=post_to("/api/storages/localfiles"))
    reference = tool.ensure_project(spec(title))
    assert proxy.struck == 2
    assert tool.find_project(title) == reference == tool.ensure_project(spec(title))


def test_retry_after_is_waited_for(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client
) -> None:
    reference = tool.ensure_project(spec("patient"))
    proxy.plan(fault_proxy.status(429, retry_after="2"), when=post_to("/import"))
    began = time.monotonic()
    tool.push_tasks(reference, drafts)
    assert time.monotonic() - began >= 2
    assert_exactly(reader, reference, drafts)
    proxy.plan(fault_proxy.status(429, retry_after="86400"), when=get_to("/api/tasks/"))
    with pytest.raises(AnnotationToolError, match="HTTP 429"):
        tool.push_tasks(reference, drafts)


def test_a_locked_database_is_waited_for(
    drafts: list[TaskDraft],
    servers: Servers,
    *,
    tool: LabelStudioTool,
    proxy: FaultProxy,
    reader: client.Client,
    labelstudio_root: Path,
) -> None:
    reference = tool.ensure_project(spec("locked"))
    holding = threading.Event()

    def hold() -> None:
        found = list((labelstudio_root / ".labelstudio/data").glob("*.sqlite3"))
        if not found:
            servers.postgres.hold("task", LOCKED_S, holding, database=labelstudio_servers.POSTGRESQL)
            return
        with sqlite3.connect(found[0], isolation_level=None, timeout=30) as other:
            other.execute("BEGIN EXCLUSIVE")
            holding.set()
            time.sleep(LOCKED_S)
            other.execute("ROLLBACK")

    thread = threading.Thread(target=hold)

    def lock() -> None:
        thread.start()
        assert holding.wait(30)

    proxy.plan(fault_proxy.then(lock), when=post_to("/import"), skip=1)
    tool.push_tasks(reference, drafts)
    thread.join()
    assert proxy.struck == 1
    tool.push_tasks(reference, drafts)  # what waited so long that it was sent twice was closed, and goes now
    assert_exactly(reader, reference, drafts)


@pytest.mark.postgresql(soak=True)
def test_the_server_restarts_in_the_middle(
    drafts: list[TaskDraft],
    *,
    labelstudio_root: Path,
    labelstudio: Connection,
    tool: LabelStudioTool,
    proxy: FaultProxy,
    reader: client.Client,
) -> None:
    reference = tool.ensure_project(spec("restarted"))
    restarted: list[threading.Thread] = []

    def restart() -> None:
        server.down(labelstudio_root)
        thread = threading.Thread(target=server.up, args=(labelstudio_root,))
        thread.start()
        restarted.append(thread)

    proxy.plan(fault_proxy.then(restart), when=post_to("/import"), skip=1)
    tool.push_tasks(reference, drafts)
    restarted[0].join()
    assert connection.resolve(labelstudio_root) == labelstudio  # the same address for all tests that follow
    assert_exactly(reader, reference, drafts)


@pytest.mark.postgresql(soak=True)
def test_what_left_the_plan_is_offered_to_nobody_and_comes_back(
    drafts: list[TaskDraft],
    tool: LabelStudioTool,
    proxy: FaultProxy,
    reader: client.Client,
    labelstudio: Connection,
) -> None:
    reference = tool.ensure_project(spec("leaving"))
    tool.push_tasks(reference, drafts)
    session = accounts.ensure_user(labelstudio, "left@demo.invalid", "a-long-password")
    path = f"/api/projects/{reference.project_id}/next"
    first = session.get(path, action="asking for work")
    session.post(
        f"/api/tasks/{first['id']}/annotations/", {"result": [], "lead_time": 1.0}, action="answering"
    )
    stay = [draft for draft in drafts if draft.task_id != first["data"]["task_id"]][:2]
    proxy.plan(fault_proxy.drop_after, when=post_to("/api/dm/actions/"))
    proxy.plan(fault_proxy.drop_after, when=request_to("/api/tasks/", "PATCH"), count=2)
    assert tool.push_tasks(reference, stay).closed == 4
    assert tool.push_tasks(reference, stay).surplus == 4

    offered = work_through(session, path)
    assert offered == [draft.task_id for draft in stay]
    assert len(push.index(reader, reference)) == 6  # tombstones, with the work on them
    assert tool.push_tasks(reference, drafts).reopened == 4
    back = work_through(session, path)
    assert sorted([*offered, *back, first["data"]["task_id"]]) == sorted(d.task_id for d in drafts)
    assert tool.push_tasks(reference, stay, removed="delete").closed == 4  # people worked on all of them


def work_through(session: accounts.Session, path: str) -> list[str]:
    """Answer whatever one labeler is offered until nothing is left; the keys in that order."""
    offered: list[str] = []
    while True:
        try:
            task: Any = session.get(path, action="asking for work")
        except AnnotationToolError:
            return offered
        offered.append(task["data"]["task_id"])
        session.post(
            f"/api/tasks/{task['id']}/annotations/", {"result": [], "lead_time": 1.0}, action="answering"
        )


def test_the_queue_is_the_plans_and_control_tasks_show_nothing(
    drafts: list[TaskDraft], tool: LabelStudioTool, labelstudio: Connection
) -> None:
    reference = tool.ensure_project(spec("queue"))
    shuffled = [drafts[n] for n in (3, 0, 5, 1, 4, 2)]
    ranked = [replace(draft, priority=place) for place, draft in enumerate(shuffled)]
    control = next(d for d in ranked if any(row.outcome == "object" for row in d.pre_annotations))
    ranked = [replace(d, pre_annotations=()) if d is control else d for d in ranked]
    tool.push_tasks(reference, ranked[::-1])
    session = accounts.ensure_user(labelstudio, "queue@demo.invalid", "a-long-password")
    path = f"/api/projects/{reference.project_id}/next"
    order, shown = [], {}
    for _ in ranked:
        task = session.get(path, action="asking for work")
        order.append(task["data"]["task_id"])
        shown[order[-1]] = len(task["predictions"])
        session.post(
            f"/api/tasks/{task['id']}/annotations/", {"result": [], "lead_time": 1.0}, action="answering"
        )
    assert order == [draft.task_id for draft in ranked]
    assert shown == {
        d.task_id: int(any(row.outcome == "object" for row in d.pre_annotations)) for d in ranked
    }
    assert shown[control.task_id] == 0
