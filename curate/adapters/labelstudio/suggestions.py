"""Other suggestions on tasks that exist: at any moment a task shows the old ones or the new ones.

The page shows the suggestions of one model version, that of the project. Those of another version are put
beside the old ones, where nobody sees them yet; when all are there the project's version is changed, which
shows them everywhere at once; and then the old ones go. Suggestions of the version that is shown already are
changed in place, with a request for each task.

A task's mark is written when its new suggestions are there. So what a fault or a kill leaves behind is a task
without its mark, or one with more suggestions than it should have; both are found by the next index.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from curate.adapters.labelstudio import batches, task_pages
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.push_plan import MARK, Replacement, batch_mark
from curate.adapters.labelstudio.wanted_tasks import Wanted
from curate.ports import ProjectRef


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One of a task's suggestions on the server: its number, and the model version that it is shown with."""

    number: int
    version: str


def shown_version(client: Client, project: ProjectRef) -> str:
    """The model version whose suggestions the page shows; empty = none."""
    found = client.get(f"/api/projects/{project.project_id}/", action="reading the project")
    return str(found["model_version"] or "")


def wanted_version(wanted: Sequence[Wanted]) -> str | None:
    """The version that the page must show; None where there is nothing to show."""
    return next((item.model_version for item in wanted if item.suggested), None)


def show(client: Client, project: ProjectRef, version: str, *, shown: str) -> None:
    """Show the suggestions of another version; empty = none, until the first of a new task come."""
    if version != shown:
        path = f"/api/projects/{project.project_id}/"
        client.patch(path, {"model_version": version}, action="showing the suggestions")


def replace(
    client: Client,
    project: ProjectRef,
    due: Sequence[Replacement],
    *,
    shown: str,
    batch_size: int,
    marked_later: Set[int],
) -> list[Suggestion]:
    """Put the new suggestions of some tasks there, and mark the tasks.

    Args:
        client: The server.
        project: Whose tasks.
        due: What is to be replaced.
        shown: The version that the page shows.
        batch_size: Tasks per request.
        marked_later: Numbers of tasks whose data is written anyway.

    Returns:
        What is too much now, as far as it was read; see `remove`.
    """
    too_many: list[Suggestion] = []
    for part in batches.by_count(due, batch_size):
        empty = [one.task.number for one in part if not one.item.suggested and one.task.predictions]
        if empty:
            client.act(project.project_id, "delete_tasks_predictions", empty)
        too_many += _put(client, project, [one for one in part if one.item.suggested], shown)
        _mark_sent(client, project, [one for one in part if not one.sent], marked_later)
    return too_many


def _put(client: Client, project: ProjectRef, part: Sequence[Replacement], shown: str) -> list[Suggestion]:
    """Let each of some tasks have its new suggestion, and give what else they have, as far as it was read.

    A single one of another version than is shown is not read: it goes with its version.
    """
    unclear = [
        one.task.number
        for one in part
        if one.task.predictions > 1 or (one.task.predictions and shown == one.item.model_version)
    ]
    there = _read(client, project, unclear)
    same = {
        one.task.number: [
            other for other in there.get(one.task.number, ()) if other.version == one.item.model_version
        ]
        for one in part
    }
    _add(client, project, [one for one in part if not same[one.task.number]])
    first = [(same[one.task.number][0], one) for one in part if same[one.task.number]]
    doubtful = [(kept, one) for kept, one in first if not one.sent or len(same[one.task.number]) > 1]
    batches.one_by_one("", doubtful, lambda pair: _change(client, *pair))
    stay = {kept for kept, _ in first}
    return [one for found in there.values() for one in found if one not in stay]


def remove(
    client: Client, project: ProjectRef, too_many: Sequence[Suggestion], versions: Set[str], *, bulk: bool
) -> None:
    """Delete what is not shown any more.

    Args:
        client: The server.
        project: Whose tasks.
        too_many: One by one.
        versions: All of these versions, wherever they are.
        bulk: No task of somebody else's has suggestions: those of a version go with one request.
    """
    if bulk:
        path = f"/api/projects/{project.project_id}/model-versions/"
        for version in sorted(versions):
            client.delete(path, {"model_version": version}, action="removing the old suggestions")
        too_many = [one for one in too_many if one.version not in versions]
    batches.one_by_one(
        "push: old suggestions",
        too_many,
        lambda one: client.delete(f"/api/predictions/{one.number}/", action="removing an old suggestion"),
    )


def _read(client: Client, project: ProjectRef, numbers: Sequence[int]) -> dict[int, list[Suggestion]]:
    """The suggestions of some tasks by the tasks' numbers, oldest first."""
    pages = task_pages.chosen(client, project, numbers, include="id,predictions")
    return {
        int(task["id"]): sorted(
            (Suggestion(int(one["id"]), str(one["model_version"] or "")) for one in task["predictions"]),
            key=lambda one: one.number,
        )
        for page in pages
        for task in page
    }


def _add(client: Client, project: ProjectRef, due: Sequence[Replacement]) -> None:
    where = f"/api/projects/{project.project_id}/import/predictions"
    for some, body in batches.encoded(due, _prediction, len(due) or 1, label="push: suggestions"):
        client.post(where, body, action=f"adding {len(some)} suggestions")


def _change(client: Client, there: Suggestion, one: Replacement) -> None:
    client.patch(f"/api/predictions/{there.number}/", _prediction(one), action="changing a suggestion")


def _prediction(one: Replacement) -> dict[str, Any]:
    return {"task": one.task.number, **(one.item.prediction or {})}


def _mark_sent(
    client: Client, project: ProjectRef, part: Sequence[Replacement], marked_later: Set[int]
) -> None:
    marked = [one for one in part if one.task.number not in marked_later]
    if marked:
        alone = len(marked) == 1
        value = marked[0].item.data[MARK] if alone else batch_mark(one.item for one in marked)
        settings = {"value_name": MARK, "value_type": "String", "value": value}
        client.act(project.project_id, "add_data_field", [one.task.number for one in marked], **settings)
