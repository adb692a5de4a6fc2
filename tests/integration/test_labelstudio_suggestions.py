"""Suggestions are replaced on the real server, looked at after every request: no task is ever empty.

The look is the server's own queue rule: of a task's predictions those of the project's model version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import client, push
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectRef, ProjectSpec, TaskDraft
from tests.integration import fault_proxy
from tests.integration.fault_proxy import FaultProxy, Forward, Reply, Request, post_to, request_to
from tests.integration.killed_push import push_and_die

pytestmark = [pytest.mark.integration, pytest.mark.postgresql(soak=True), pytest.mark.timeout(300)]


@pytest.fixture
def reader(labelstudio: Connection) -> client.Client:
    return client.Client(labelstudio, timeout_s=60)


@pytest.fixture
def proxy(labelstudio: Connection) -> Iterator[FaultProxy]:
    with FaultProxy(labelstudio.url) as running:
        yield running


@pytest.fixture
def tool(proxy: FaultProxy, labelstudio: Connection) -> LabelStudioTool:
    """The adapter behind the proxy, with two tasks per request and no pauses."""
    made = LabelStudioTool(Connection(proxy.url, labelstudio.api_key, "the test"), batch_size=2)
    made._client._sleep = lambda _: None
    return made


@pytest.fixture
def reference(drafts: list[TaskDraft], tool: LabelStudioTool, request: pytest.FixtureRequest) -> ProjectRef:
    """A project with all six tasks; four of them have suggestions."""
    title = f"sugg {abs(hash(request.node.nodeid))}"
    spec = ProjectSpec(title, taxonomy.load(Path("taxonomy.yaml")), "", 2, Path("data/ingest/images"))
    made = tool.ensure_project(spec)
    tool.push_tasks(made, drafts)
    return made


def shown(reader: client.Client, reference: ProjectRef) -> dict[str, list[tuple[str, int]]]:
    """What the page shows of each task, by key: model version and number of regions."""
    version = reader.get(f"/api/projects/{reference.project_id}/", action="looking")["model_version"]
    found = reader.get(
        "/api/tasks/",
        action="looking",
        project=reference.project_id,
        fields="all",
        include="data,predictions",
    )
    return {
        task["data"].get("task_id", ""): [
            (one["model_version"], len(one["result"]))
            for one in task["predictions"]
            if one["model_version"] == version
        ]
        for task in found["tasks"]
    }


def regions(draft: TaskDraft) -> int:
    rows = [row for row in draft.pre_annotations if row.outcome == "object"]
    return len(rows) + sum(row.rle is not None for row in rows)


def expected(drafts: list[TaskDraft]) -> dict[str, list[tuple[str, int]]]:
    """What the page must show of tasks as drafted."""
    return {
        draft.task_id: [(str(draft.pre_annotations[0].model_version), regions(draft))]
        if regions(draft)
        else []
        for draft in drafts
    }


def other_model(draft: TaskDraft) -> TaskDraft:
    rows = tuple(replace(row, model_version="unit-2") for row in draft.pre_annotations)
    return replace(draft, pre_annotations=rows)


def without_masks(draft: TaskDraft) -> TaskDraft:
    """Other suggestions of the same model."""
    return replace(draft, pre_annotations=tuple(replace(row, rle=None) for row in draft.pre_annotations))


CHANGES = {"another model": other_model, "the same model": without_masks}


@dataclass
class Watch:
    """A look after every request that changes something."""

    reader: client.Client
    reference: ProjectRef
    looks: list[dict[str, list[tuple[str, int]]]] = field(default_factory=list)

    def __call__(self, _: Request, forward: Forward) -> Reply | None:
        reply = forward()
        self.looks.append(shown(self.reader, self.reference))
        return reply


def changing(request: Request) -> bool:
    return request.method != "GET"


@pytest.mark.parametrize("change", CHANGES)
def test_at_every_moment_a_task_shows_the_old_or_the_new_suggestions(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client,
    reference: ProjectRef, *, change: str,
) -> None:  # fmt: skip
    newer = [CHANGES[change](draft) for draft in drafts]
    before, after = expected(drafts), expected(newer)
    assert shown(reader, reference) == before != after
    watch = Watch(reader, reference)
    proxy.plan(watch, when=changing, count=1000)
    tool.push_tasks(reference, newer)
    assert len(watch.looks) >= 4
    for look in watch.looks:
        for key, there in look.items():
            assert there in (before[key], after[key])
    if change == "another model":  # and all at once
        assert all(look in (before, after) for look in watch.looks)
    assert shown(reader, reference) == after
    assert [one.predictions for one in push.index(reader, reference)] == [
        int(bool(after[one.task_id])) for one in push.index(reader, reference)
    ]


def test_new_tasks_come_with_their_suggestions_shown(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client,
    reference: ProjectRef,
) -> None:  # fmt: skip
    """Also where no task that was there shows the new model's, so that it cannot be shown yet."""
    newer = [other_model(draft) for draft in drafts]
    fresh = [replace(draft, task_id=f"{draft.task_id}-again") for draft in newer]
    watch = Watch(reader, reference)
    proxy.plan(watch, when=post_to("/import"), count=1000)
    tool.push_tasks(reference, fresh)
    wanted = expected(fresh)
    for look in watch.looks:
        assert {key: look[key] for key in look.keys() & wanted} == {
            key: wanted[key] for key in look.keys() & wanted
        }
    assert shown(reader, reference).items() >= wanted.items()


@pytest.mark.parametrize(
    ("change", "deadly", "after"),
    [
        ("another model", "POST /import/predictions", 1),
        ("another model", "POST /import/predictions", 2),
        ("another model", "POST /api/dm/actions/", 2),
        ("another model", "PATCH /api/projects/", 1),
        ("another model", "DELETE /model-versions/", 1),
        ("the same model", "PATCH /api/predictions/", 2),
        ("the same model", "POST /api/dm/actions/", 1),
    ],
)
def test_killed_while_it_replaces_and_run_again(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    *, labelstudio_root: Path, change: str, deadly: str, after: int,
) -> None:  # fmt: skip
    newer = [CHANGES[change](draft) for draft in drafts]
    push_and_die(labelstudio_root, reference, newer, deadly, after)
    there = shown(reader, reference)
    assert all(there[key] in (expected(drafts)[key], expected(newer)[key]) for key in there)
    tool.push_tasks(reference, newer)
    assert shown(reader, reference) == expected(newer)
    assert sum(one.predictions for one in push.index(reader, reference)) == sum(
        map(bool, map(regions, newer))
    )
    assert tool.push_tasks(reference, newer).unchanged == 6


def test_going_back_after_a_kill_leaves_the_first_suggestions(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef,
    *, labelstudio_root: Path,
) -> None:  # fmt: skip
    newer = [other_model(draft) for draft in drafts]
    push_and_die(labelstudio_root, reference, newer, "POST /api/dm/actions/", 2)
    tool.push_tasks(reference, drafts)
    assert shown(reader, reference) == expected(drafts)
    assert tool.push_tasks(reference, drafts).unchanged == 6


FAULTS = {
    "added, then dropped": (fault_proxy.drop_after, post_to("/import/predictions"), "another model"),
    "not added": (fault_proxy.status(500), post_to("/import/predictions"), "another model"),
    "version set, then dropped": (fault_proxy.drop_after, request_to("/projects/", "PATCH"), "another model"),
    "removed, then dropped": (fault_proxy.drop_after, request_to("/model-ver", "DELETE"), "another model"),
    "not removed": (fault_proxy.status(503), request_to("/model-ver", "DELETE"), "another model"),
    "marked, then dropped": (fault_proxy.drop_after, post_to("/api/dm/actions/"), "another model"),
    "changed, then dropped": (fault_proxy.drop_after, request_to("/predictions/", "PATCH"), "the same model"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_while_it_replaces(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client,
    reference: ProjectRef, *, name: str,
) -> None:  # fmt: skip
    fault, when, change = FAULTS[name]
    newer = [CHANGES[change](draft) for draft in drafts]
    proxy.plan(fault, when=when, count=2)
    tool.push_tasks(reference, newer)
    assert proxy.struck >= 1
    assert shown(reader, reference) == expected(newer)
    assert sum(one.predictions for one in push.index(reader, reference)) == sum(
        map(bool, map(regions, newer))
    )


def test_a_fault_for_ever_ends_the_push_although_other_requests_succeed(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reader: client.Client,
    reference: ProjectRef,
) -> None:  # fmt: skip
    newer = [other_model(draft) for draft in drafts]
    proxy.plan(fault_proxy.status(503), when=post_to("/api/dm/actions/"), count=10_000)
    with pytest.raises(AnnotationToolError, match="HTTP 503"):
        tool.push_tasks(reference, newer)
    assert proxy.struck < 40
    assert shown(reader, reference) == expected(drafts)
    assert max(one.predictions for one in push.index(reader, reference)) == 2  # added once, not each time
    proxy.clear()
    tool.push_tasks(reference, newer)
    assert shown(reader, reference) == expected(newer)


def test_a_server_that_does_not_take_the_version_ends_the_push(
    drafts: list[TaskDraft], tool: LabelStudioTool, proxy: FaultProxy, reference: ProjectRef
) -> None:
    newer = [other_model(draft) for draft in drafts]
    taken = fault_proxy.status(200, body=b"{}")
    proxy.plan(taken, when=request_to("/api/projects/", "PATCH"), count=10_000)
    with pytest.raises(AnnotationToolError, match="still not as planned after 5 rounds"):
        tool.push_tasks(reference, newer)


def test_a_count_of_the_servers_that_is_wrong_for_ever_is_not_believed(
    drafts: list[TaskDraft], tool: LabelStudioTool, reference: ProjectRef, labelstudio_root: Path
) -> None:
    """After two projects were deleted at once, its counters are not kept any more."""
    found = list((labelstudio_root / ".labelstudio/data").glob("*.sqlite3"))
    if not found:
        pytest.skip("the server's own table is changed where it is a file")
    with closing(sqlite3.connect(found[0], isolation_level=None, timeout=30)) as base:
        miscount = "UPDATE task SET total_predictions = 2 WHERE project_id = ? AND total_predictions = 1"
        assert base.execute(miscount, (reference.project_id,)).rowcount == sum(
            map(bool, map(regions, drafts))
        )
    assert tool.push_tasks(reference, drafts).unchanged == 6


def test_suggestions_of_tasks_that_push_did_not_make_stay(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef
) -> None:
    (model,) = {version for rows in expected(drafts).values() for version, _ in rows}
    body: list[dict[str, Any]] = [
        {"data": {"image": "x.jpg"}, "predictions": [{"model_version": model, "result": []}]}
    ]
    reader.post(f"/api/projects/{reference.project_id}/import", body, action="importing")
    newer = [other_model(draft) for draft in drafts]
    tool.push_tasks(reference, newer)
    there = {one.task_id: one.predictions for one in push.index(reader, reference)}
    assert there == {"": 1, **{draft.task_id: int(bool(regions(draft))) for draft in newer}}


def test_what_somebody_began_is_known_and_keeps_its_suggestions_beside_those_of_another_model(
    drafts: list[TaskDraft], tool: LabelStudioTool, reader: client.Client, reference: ProjectRef
) -> None:
    (title,) = {
        one["title"] for one in reader.get("/api/projects/", action="looking", page_size=1000)["results"]
        if one["id"] == reference.project_id
    }  # fmt: skip
    assert tool.worked_on(title) == frozenset()
    numbers = {one.task_id: one.number for one in push.index(reader, reference)}
    answered, skipped, begun = (draft.task_id for draft in drafts[:3])
    for key, cancelled in ((answered, False), (skipped, True)):
        body: dict[str, Any] = {"result": [], "lead_time": 1.0, "was_cancelled": cancelled}
        reader.post(f"/api/tasks/{numbers[key]}/annotations/", body, action="answering")
    reader.post(f"/api/tasks/{numbers[begun]}/drafts", {"result": [], "lead_time": 1.0}, action="beginning")
    assert tool.worked_on(title) == {answered, skipped, begun}
    mixed = [draft if draft.task_id in {answered, skipped, begun} else other_model(draft) for draft in drafts]
    tool.push_tasks(reference, mixed)
    versions = {row.model_version for draft in mixed for row in draft.pre_annotations}
    assert len(versions) == 2
    name = "+".join(sorted(map(str, versions)))  # of all that the page shows: it shows those of one name
    assert shown(reader, reference) == {
        draft.task_id: [(name, regions(draft))] if regions(draft) else [] for draft in mixed
    }
    given = [one.answers for one in push.index(reader, reference) if one.task_id in (answered, skipped)]
    assert given == [1, 1]
    assert tool.push_tasks(reference, mixed).unchanged == 6
