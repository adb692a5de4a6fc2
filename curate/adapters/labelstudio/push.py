"""Pushing: index what the server has, compare, apply, and index again until nothing is left to do.

The server is the only memory. A task carries its key and a digest of its suggestions in `data`; the digest is
written when they are there. So a run that dies anywhere, or a request that was applied although its answer
was lost, is found by the next index, and no step needs to know whether the one before it succeeded.

`suggestions` says how those of tasks that exist are replaced.

Tasks are created in the order of the queue, because the server offers them by their numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from curate.adapters.labelstudio import batches, people, suggestions, task_pages
from curate.adapters.labelstudio.answers import task_key
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.push_plan import (
    CLOSED,
    NOBODY,
    Difference,
    Existing,
    compare,
    refuse,
)
from curate.adapters.labelstudio.retry import TransientError
from curate.adapters.labelstudio.wanted_tasks import Wanted, check
from curate.ports import ProjectRef, PushCounts, RemovedTasks

_ROUNDS = 5  # of changes without a fault
_INDEX_FIELDS = "id,data,overlap,is_labeled,total_annotations,cancelled_annotations,total_predictions"
_CLOSED_MARK = "yes"
_NO_NAMES: Mapping[int, str] = MappingProxyType({})


def push(
    client: Client,
    project: ProjectRef,
    wanted: Sequence[Wanted],
    *,
    batch_size: int,
    removed: RemovedTasks = "close",
    known: Mapping[int, str] = _NO_NAMES,
) -> PushCounts:
    """Make the server hold exactly one task per key with its current suggestions.

    Raises:
        AnnotationToolError: Refused, or still not as wanted after some rounds.
    """
    first: Difference | None = None
    closed: set[int] | None = None
    version = suggestions.wanted_version(wanted)
    patience, min_left, rounds = client.patience(), 0, 0
    while True:
        try:
            there = _looked_at(client, project, known)
            closed = closed if closed is not None else {task.number for task in there if task.closed}
            difference = _compared(client, project, there, wanted, removed, closed)
            shown = suggestions.shown_version(client, project)
            if first is None:
                check(difference.sent, len(difference.sent))
                first, min_left = difference, difference.left
            elif difference.left < min_left:  # a request that succeeds and leads nowhere earns no patience
                min_left = difference.left
                patience.succeeded()
            if difference.empty and version in {None, shown}:
                return first.counts()
            if rounds >= _ROUNDS:
                raise refuse(difference, project.url, rounds)
            foreign = any(task.predictions for task in there if not task.task_id)
            _Round(client, project, wanted, shown, batch_size, foreign).apply(difference)
            rounds += 1
        except TransientError as error:
            patience.wait(error)


def look(
    client: Client,
    project: ProjectRef,
    wanted: Sequence[Wanted],
    *,
    removed: RemovedTasks,
    known: Mapping[int, str] = _NO_NAMES,
) -> Difference:
    """What is to be done; changes nothing."""
    return _compared(client, project, _looked_at(client, project, known), wanted, removed, None)


def _looked_at(client: Client, project: ProjectRef, known: Mapping[int, str]) -> list[Existing]:
    return _with_people(client, project, index(client, project), known)


def _compared(  # noqa: PLR0917 - one call
    client: Client,
    project: ProjectRef,
    there: Sequence[Existing],
    wanted: Sequence[Wanted],
    removed: RemovedTasks,
    closed: Set[int] | None,
) -> Difference:
    settings: dict[str, Any] = {"removed": removed, "labeler": project.labeler, "closed_before": closed}
    difference = compare(there, wanted, **settings)
    if difference.copies or difference.delete:
        going = {task.task_id for task in (*difference.copies, *difference.delete)}
        return compare(_with_work(client, project, there, going), wanted, **settings)
    return difference


def index(client: Client, project: ProjectRef) -> list[Existing]:
    """All tasks of the project in the order of their numbers, without their content."""
    pages = task_pages.matching(client, project, include=_INDEX_FIELDS)
    found = [_existing(task) for page in pages for task in page]
    pages = task_pages.matching(client, project, *task_pages.ANSWERED_IN_TIME, include="id,annotators")
    who = {int(task["id"]): frozenset(map(str, task["annotators"])) for page in pages for task in page}
    # The server's own count may be too low: while one of its projects is deleted it counts nothing, and after
    # two deletions at once never again. The answers themselves are there.
    doubtful = [one.number for one in found if len(who.get(one.number, ())) > one.answers]
    answers = _counted(client, project, doubtful, "annotations")
    # That of suggestions may be too high by the same fault.
    several = [one.number for one in found if one.predictions > 1]
    predictions = _counted(client, project, several, "predictions")
    return [
        replace(
            one,
            answers=answers.get(one.number, one.answers),
            predictions=predictions.get(one.number, one.predictions),
            people=who.get(one.number, one.people),
            timed=one.number in who,
        )
        for one in found
    ]


def worked_on(client: Client, project: ProjectRef) -> frozenset[str]:
    """Keys of the tasks that somebody answered, skipped or began."""
    pages = task_pages.matching(client, project, task_pages.HAS_DRAFT, include="id,data")
    begun = {task_key(task) for page in pages for task in page}
    answered = {task.task_id for task in index(client, project) if task.worked_on or task.people}
    return frozenset((begun | answered) - {""})


def _counted(client: Client, project: ProjectRef, numbers: Sequence[int], what: str) -> dict[int, int]:
    """How many "annotations" or "predictions" some tasks have, by their numbers; counted here."""
    pages = task_pages.chosen(client, project, numbers, include=f"{what},id")
    return {int(task["id"]): len(task[what]) for page in pages for task in page}


def _with_people(
    client: Client, project: ProjectRef, tasks: Sequence[Existing], known: Mapping[int, str]
) -> list[Existing]:
    """Add the names of the people to the tasks where their number is not enough.

    That is where somebody may have answered twice or an account was deleted, where an answer may have been
    made without a page, where a key has several tasks, and where only one person counts.
    """
    keys = Counter(task.task_id for task in tasks)
    unclear = [
        task
        for task in tasks
        if task.answers
        and (
            (task.answers, len(task.people)) != (1, 1)
            or not task.timed
            or keys[task.task_id] > 1
            or project.labeler is not None
        )
    ]
    if not unclear:
        return list(tasks)
    members = people.members(client)
    found: dict[int, frozenset[str]] = {}
    numbers = [task.number for task in unclear]
    for page in task_pages.chosen(client, project, numbers, include=f"data,annotations,{people.FIELDS}"):
        for task in page:
            given = task["annotations"]
            who = people.names(task_key(task), given, members, known)
            looked = (name for name, answer in zip(who, given, strict=True) if people.looked(answer))
            found[int(task["id"])] = frozenset(looked)
    return [replace(task, people=found.get(task.number, task.people)) for task in tasks]


def _with_work(
    client: Client, project: ProjectRef, tasks: Sequence[Existing], keys: Set[str]
) -> list[Existing]:
    """Add to the tasks what people have begun and answered; asked for only before a deletion.

    Answers that came without a time are not in the index where the server's own count is too low.
    """
    pages = task_pages.matching(client, project, task_pages.HAS_DRAFT, include="id")
    drafted = {int(task["id"]) for page in pages for task in page}
    numbers = [task.number for task in tasks if task.task_id in keys]
    answers = _counted(client, project, numbers, "annotations")
    return [
        replace(
            task,
            drafted=task.number in drafted,
            answers=max(task.answers, answers.get(task.number, 0)),
        )
        for task in tasks
    ]


def _existing(task: dict[str, Any]) -> Existing:
    return Existing(
        number=int(task["id"]),
        task_id=task_key(task),
        data=task["data"],
        overlap=int(task["overlap"]),
        predictions=int(task["total_predictions"]),
        answers=int(task["total_annotations"]) + int(task["cancelled_annotations"]),
        labeled=bool(task["is_labeled"]),
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """Applies a difference.

    Attributes:
        client: The server.
        project: Whose tasks.
        wanted: All that it must hold.
        shown: The model version whose suggestions the page shows.
        batch_size: Tasks per request.
        foreign: Tasks that are not ours have suggestions, too.
    """

    client: Client
    project: ProjectRef
    wanted: Sequence[Wanted]
    shown: str
    batch_size: int
    foreign: bool

    def apply(self, difference: Difference) -> None:
        """One step after the other; what fails is found by the next look."""
        client, project, size = self.client, self.project, self.batch_size
        for part in batches.by_count((*difference.copies, *difference.delete), size):
            client.act(project.project_id, "delete_tasks", [task.number for task in part])
        _close(client, project, difference.close, size)
        self._suggest(difference)
        batches.one_by_one("push: data", difference.update, lambda pair: _set_data(client, *pair))
        for part in batches.by_count(difference.reopen, size):
            _mark(client, project, part, CLOSED, "")
        batches.one_by_one(
            "push: labelers",
            difference.offers,
            lambda due: _set_overlap(client, due.task.number, due.overlap, labeled=due.labeled),
        )
        _create(client, project, difference.create, size)

    def _suggest(self, difference: Difference) -> None:
        """Other suggestions for tasks that exist, before new tasks come: those have only the new ones."""
        due, version = difference.replace, suggestions.wanted_version(self.wanted)
        too_many = suggestions.replace(
            self.client,
            self.project,
            due,
            shown=self.shown,
            batch_size=self.batch_size,
            marked_later={task.number for task, _ in difference.update},
        )
        if version is not None:
            created = {item.task_id for item in difference.create}
            there = any(item.suggested for item in self.wanted if item.task_id not in created)
            suggestions.show(self.client, self.project, version if there else "", shown=self.shown)
        old = {one.version for one in too_many}
        if any(one.task.predictions for one in due if one.item.suggested):
            old.add(self.shown)
        suggestions.remove(self.client, self.project, too_many, old - {version, ""}, bulk=not self.foreign)


def _create(client: Client, project: ProjectRef, items: Sequence[Wanted], batch_size: int) -> None:
    """Create tasks in the order of the queue, each with the number of labelers that it wants.

    A new task gets the project's number, and another number costs a request for every task. So an empty
    project gets the number that most tasks want. (Changing it later would change tasks that exist.)
    """
    if not items:
        return
    path = f"/api/projects/{project.project_id}/"
    there = client.get(path, action="reading the project")
    usual = int(there["maximum_annotations"])
    common = Counter(item.overlap for item in items).most_common(1)[0][0]
    if usual != common and int(there["task_number"]) == 0:
        client.patch(path, {"maximum_annotations": common}, action="setting the number of labelers")
        usual = common
    where = f"/api/projects/{project.project_id}/import"
    for part, body in batches.encoded(items, _new_task, batch_size, label="push: create"):
        reply = client.post(where, body, action=f"creating {len(part)} tasks", return_task_ids="true")
        others = [
            (int(number), item.overlap)
            for number, item in zip(reply["task_ids"], part, strict=True)
            if item.overlap != usual
        ]
        batches.one_by_one("", others, lambda pair: _set_overlap(client, *pair, labeled=False))


def _new_task(item: Wanted) -> dict[str, Any]:
    prediction = item.prediction
    return {"data": item.data, "predictions": [prediction] if prediction else []}


def _close(client: Client, project: ProjectRef, tasks: Sequence[Existing], batch_size: int) -> None:
    """Offer tasks to nobody any more: a mark for us, and for the server a task that wants no labeler.

    Wanting nobody outlives every recount of the server's; "labelled" alone does not.
    """
    for part in batches.by_count([task for task in tasks if not task.data.get(CLOSED)], batch_size):
        _mark(client, project, part, CLOSED, _CLOSED_MARK)
    batches.one_by_one(
        "push: close", tasks, lambda task: _set_overlap(client, task.number, NOBODY, labeled=True)
    )


def _mark(client: Client, project: ProjectRef, tasks: Sequence[Existing], name: str, value: str) -> None:
    """Write one value into the data of many tasks."""
    settings = {"value_name": name, "value_type": "String", "value": value}
    client.act(project.project_id, "add_data_field", [task.number for task in tasks], **settings)


def _set_data(client: Client, task: Existing, data: dict[str, Any]) -> None:
    client.patch(f"/api/tasks/{task.number}/", {"data": data}, action="changing a task's data")


def _set_overlap(client: Client, number: int, overlap: int, *, labeled: bool) -> None:
    """Say how many people must answer; a task that was done may be open again, and the other way round."""
    body = {"overlap": overlap, "is_labeled": labeled}
    client.patch(f"/api/tasks/{number}/", body, action="setting the number of labelers")
