"""A task is done when enough people answered it, on the real server: whoever answers twice is one person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import accounts, client, pull, push
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectRef, ProjectSpec, TaskDraft
from tests.integration import fault_proxy, pulled
from tests.integration.fault_proxy import FaultProxy, request_to

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
PASSWORD = "a-long-password"
ANN, BEN = "ann@people.invalid", "ben@people.invalid"


@pytest.fixture
def reader(labelstudio: Connection) -> client.Client:
    return client.Client(labelstudio, timeout_s=60)


def project_of(tool: LabelStudioTool, title: str, labeler: str | None = None) -> ProjectRef:
    categories = taxonomy.load(Path("taxonomy.yaml"))
    return tool.ensure_project(
        ProjectSpec(title, categories, "", 2, Path("data/ingest/images"), labeler=labeler)
    )


def one_task(reader: client.Client, reference: ProjectRef) -> Any:
    (task,) = push.index(reader, reference)
    return task


def answer(labelstudio: Connection, email: str, number: int) -> int:
    session = accounts.ensure_user(labelstudio, email, PASSWORD)
    path = f"/api/tasks/{number}/annotations/"
    return int(session.post(path, {"result": [], "lead_time": 1.0}, action="answering")["id"])


def is_offered(labelstudio: Connection, email: str, reference: ProjectRef) -> bool:
    """Whether the page's queue has the project's one task for that person."""
    session = accounts.ensure_user(labelstudio, email, PASSWORD)
    try:
        session.get(f"/api/projects/{reference.project_id}/next", action="asking for work")
    except AnnotationToolError:
        return False
    return True


def test_who_answered_twice_leaves_the_task_to_somebody_else(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "answered twice")
    draft = replace(drafts[0], overlap=2)
    tool.push_tasks(reference, [draft])
    number = one_task(reader, reference).number
    answer(labelstudio, ANN, number)
    answer(labelstudio, ANN, number)
    assert not is_offered(labelstudio, BEN, reference)  # the server counts answers here
    counts = tool.push_tasks(reference, [draft])
    assert counts.overlap_changed + counts.recounted == 1
    assert is_offered(labelstudio, BEN, reference)
    _, progress = pulled.rows(labelstudio, reference, [draft])
    assert (progress.slots_done, progress.tasks_done) == (1, 0)
    answer(labelstudio, BEN, number)
    _, progress = pulled.rows(labelstudio, reference, [draft])
    assert progress.tasks_done == 1
    tool.push_tasks(reference, [draft])
    assert one_task(reader, reference).labeled
    assert tool.push_tasks(reference, [draft]).unchanged == 1
    assert not is_offered(labelstudio, "carl@people.invalid", reference)


def test_who_answered_about_an_edited_image_is_asked_again_about_ours(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "edited image")
    draft = replace(drafts[0], overlap=1)
    tool.push_tasks(reference, [draft])
    old = one_task(reader, reference)
    other = {**old.data, "image": "/data/local-files/?d=images/another.jpg"}
    reader.patch(f"/api/tasks/{old.number}/", {"data": other}, action="editing")
    answer(labelstudio, ANN, old.number)
    assert not is_offered(labelstudio, BEN, reference)
    counts = tool.push_tasks(reference, [draft])
    assert (counts.edited, counts.created, counts.closed) == (1, 1, 1)
    assert tool.push_tasks(reference, [draft]).unchanged == 1
    assert is_offered(labelstudio, ANN, reference)
    (row,), progress = pulled.rows(labelstudio, reference, [draft])
    assert (row.outcome, progress.slots_done) == ("unreadable", 0)
    (new,) = [task for task in push.index(reader, reference) if task.number != old.number]
    assert new.data == old.data
    answer(labelstudio, BEN, new.number)
    answer(labelstudio, ANN, old.number)  # on a page that was still open
    rows, progress = pulled.rows(labelstudio, reference, [draft])
    assert {row.annotator_id for row in rows} == {BEN}
    assert (progress.tasks_done, progress.superseded) == (1, 2)
    tool.push_tasks(reference, [draft])
    assert tool.push_tasks(reference, [draft]).unchanged == 1


def test_a_task_that_an_older_push_closed_wrongly_is_opened(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "closed wrongly")
    draft = replace(drafts[0], overlap=2)
    tool.push_tasks(reference, [draft])
    number = one_task(reader, reference).number
    answer(labelstudio, ANN, number)
    answer(labelstudio, ANN, number)
    reader.patch(f"/api/tasks/{number}/", {"overlap": 2, "is_labeled": True}, action="as push did")
    assert tool.push_tasks(reference, [draft]).recounted == 1
    assert is_offered(labelstudio, BEN, reference)


def test_an_answer_that_is_taken_back_while_push_decides_closes_nothing(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    with FaultProxy(labelstudio.url) as proxy:
        tool = LabelStudioTool(Connection(proxy.url, labelstudio.api_key, "the test"), timeout_s=30)
        reference = project_of(tool, "taken back")
        draft = replace(drafts[0], overlap=2)
        tool.push_tasks(reference, [draft])
        number = one_task(reader, reference).number
        given = answer(labelstudio, ANN, number)

        def take_back() -> None:
            reader._request("DELETE", f"/api/annotations/{given}/", action="taking back")

        proxy.plan(fault_proxy.then(take_back), when=request_to(f"/api/tasks/{number}/", "PATCH"))
        tool.push_tasks(reference, [replace(draft, overlap=1)])
        assert proxy.struck == 1, [(r.method, r.target[:90]) for r in proxy.seen]
    assert is_offered(labelstudio, BEN, reference)
    _, progress = pulled.rows(labelstudio, reference, [draft])
    assert progress.tasks_done == 0


def test_in_a_labelers_own_project_a_strangers_answer_closes_nothing(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "own", BEN)
    draft = replace(drafts[0], overlap=1)
    tool.push_tasks(reference, [draft])
    answer(labelstudio, ANN, one_task(reader, reference).number)
    assert not is_offered(labelstudio, BEN, reference)
    assert tool.push_tasks(reference, [draft]).unchanged == 0
    assert is_offered(labelstudio, BEN, reference)


def test_annotations_made_from_predictions_in_bulk_leave_the_task_to_people(
    labelstudio: Connection, reader: client.Client, drafts: list[TaskDraft]
) -> None:
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "in bulk")
    draft = next(one for one in drafts if any(row.outcome == "object" for row in one.pre_annotations))
    for overlap in (1, 2):
        draft = replace(draft, overlap=overlap)
        tool.push_tasks(reference, [draft])
        number = one_task(reader, reference).number
        chosen = {"selectedItems": {"all": False, "included": [number]}}
        if overlap == 1:
            path = "/api/dm/actions/"
            reader.post(
                path, chosen, action="bulk", id="predictions_to_annotations", project=reference.project_id
            )
            assert not is_offered(labelstudio, BEN, reference)  # the server takes it to be done
            tool.push_tasks(reference, [draft])
            assert is_offered(labelstudio, BEN, reference)
            answer(labelstudio, BEN, number)
            tool.push_tasks(reference, [draft])
            assert one_task(reader, reference).labeled
    assert is_offered(labelstudio, ANN, reference)  # two are wanted, one looked
    _, progress = pulled.rows(labelstudio, reference, [draft])
    assert (progress.slots_done, progress.tasks_done) == (1, 0)


def test_answers_that_the_server_does_not_count_are_work_and_are_pulled(
    labelstudio: Connection, labelstudio_root: Path, reader: client.Client, drafts: list[TaskDraft],
    tmp_path: Path,
) -> None:  # fmt: skip
    """While projects are deleted the server counts nothing, and after two at once never again."""
    tool = LabelStudioTool(labelstudio)
    reference = project_of(tool, "uncounted")
    draft = replace(drafts[0], overlap=1)
    tool.push_tasks(reference, [draft])
    number = one_task(reader, reference).number
    cache = tmp_path / "cache.sqlite"
    with pull.pull(reader, [reference], pulled.wanted([draft]), path=cache) as before:
        assert not [row for piece in before.answers() for row in piece]
    (base,) = (labelstudio_root / ".labelstudio/data").glob("*.sqlite3")
    with closing(sqlite3.connect(base, isolation_level=None, timeout=30)) as other:
        (at,) = other.execute("SELECT updated_at FROM task WHERE id = ?", (number,)).fetchone()
        answer(labelstudio, ANN, number)
        other.execute(
            "UPDATE task SET total_annotations = 0, is_labeled = 0, updated_at = ? WHERE id = ?", (at, number)
        )
    with pull.pull(reader, [reference], pulled.wanted([draft]), path=cache) as after:
        (row,) = [row for piece in after.answers() for row in piece]
    assert (row["annotator_id"], row["outcome"]) == (ANN, "submitted")
    assert after.progress.slots_done == 1
    assert one_task(reader, reference).answers == 1
    for _ in range(3):
        assert tool.push_tasks(reference, [], removed="delete").deleted == 0
    assert one_task(reader, reference).number == number
