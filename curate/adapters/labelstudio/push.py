"""Pushing: index what the server has, compare, apply, and index again until nothing is left to do.

The server is the only memory. A task carries its key and a digest of its suggestions in `data`; the digest of
a changed task is written last. So a run that dies anywhere, or a request that was applied although its answer
was lost, is found by the next index, and no step needs to know whether the one before it succeeded.

Suggestions of all tasks carry one model version, which is set on the project: Label Studio offers a labeler
only those of the project's version.

Tasks are created in the order of the queue, because the server offers them by their numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from curate.adapters.labelstudio import batches, people, task_pages
from curate.adapters.labelstudio.answers import task_key
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.push_plan import (
    CLOSED,
    MARK,
    NOBODY,
    Difference,
    Existing,
    batch_mark,
    compare,
    refuse,
)
from curate.adapters.labelstudio.retry import TransientError
from curate.adapters.labelstudio.wanted_tasks import Wanted, check
from curate.ports import ProjectRef, PushCounts, RemovedTasks
from curate.progress import track

Item = TypeVar("Item")
_ROUNDS = 5  # of changes without a fault
_AT_ONCE = 2  # single changes under way: the server works on the next while we read its last answer
_INDEX_FIELDS = "id,data,overlap,is_labeled,total_annotations,cancelled_annotations,total_predictions"
_CLOSED_MARK = "yes"
_NOBODY_LEFT: Mapping[int, str] = MappingProxyType({})


def push(
    client: Client,
    project: ProjectRef,
    wanted: Sequence[Wanted],
    *,
    batch_size: int,
    removed: RemovedTasks = "close",
    departed: Mapping[int, str] = _NOBODY_LEFT,
) -> PushCounts:
    """Make the server hold exactly one task a key with its current suggestions.

    Raises:
        AnnotationToolError: Refused, or still not as wanted after some rounds.
    """
    first: Difference | None = None
    closed: set[int] | None = None
    rounds = 0
    while True:
        try:
            there = _looked_at(client, project, departed)
            closed = closed if closed is not None else {task.number for task in there if task.closed}
            difference = _compared(client, project, there, wanted, removed, closed)
            if first is None:
                check(difference.sent, len(difference.sent))
                first = difference
            elif rounds >= _ROUNDS and not difference.empty:
                raise refuse(difference, project.url, rounds)
            if difference.empty and _shows(client, project, wanted):
                return first.counts()
            _apply(client, project, difference, batch_size)
            rounds += 1
        except TransientError as error:
            client.changes.wait(error)


def look(
    client: Client,
    project: ProjectRef,
    wanted: Sequence[Wanted],
    *,
    removed: RemovedTasks,
    departed: Mapping[int, str] = _NOBODY_LEFT,
) -> Difference:
    """What is to be done; changes nothing."""
    return _compared(client, project, _looked_at(client, project, departed), wanted, removed, None)


def _looked_at(client: Client, project: ProjectRef, departed: Mapping[int, str]) -> list[Existing]:
    return _with_people(client, project, index(client, project), departed)


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
    answers = _answers(client, project, doubtful)
    return [
        replace(
            one,
            answers=answers.get(one.number, one.answers),
            people=who.get(one.number, one.people),
            timed=one.number in who,
        )
        for one in found
    ]


def _answers(client: Client, project: ProjectRef, numbers: Sequence[int]) -> dict[int, int]:
    """How many answers some tasks have, by their numbers; counted here."""
    pages = task_pages.chosen(client, project, numbers, include="annotations,id")
    return {int(task["id"]): len(task["annotations"]) for page in pages for task in page}


def _with_people(
    client: Client, project: ProjectRef, tasks: Sequence[Existing], departed: Mapping[int, str]
) -> list[Existing]:
    """The same, with the names of the people where their number is not enough.

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
    known: dict[int, frozenset[str]] = {}
    numbers = [task.number for task in unclear]
    for page in task_pages.chosen(client, project, numbers, include=f"data,annotations,{people.FIELDS}"):
        for task in page:
            given = task["annotations"]
            who = people.names(task_key(task), given, members, departed)
            looked = (name for name, answer in zip(who, given, strict=True) if people.looked(answer))
            known[int(task["id"])] = frozenset(looked)
    return [replace(task, people=known.get(task.number, task.people)) for task in tasks]


def _with_work(
    client: Client, project: ProjectRef, tasks: Sequence[Existing], keys: Set[str]
) -> list[Existing]:
    """The same, with what people have begun and answered: asked for only before something is deleted.

    Answers that came without a time are not in the index where the server's own count is too low.
    """
    pages = task_pages.matching(client, project, task_pages.HAS_DRAFT, include="id")
    drafted = {int(task["id"]) for page in pages for task in page}
    numbers = [task.number for task in tasks if task.task_id in keys]
    answers = _answers(client, project, numbers)
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


def _apply(client: Client, project: ProjectRef, difference: Difference, batch_size: int) -> None:
    for part in batches.by_count((*difference.copies, *difference.delete), batch_size):
        _act(client, project, "delete_tasks", [task.number for task in part])
    _close(client, project, difference.close, batch_size)
    others = {task.number for task, _ in difference.update}
    for pairs in batches.by_count(difference.replace, batch_size):
        _replace(client, project, pairs, others)
    _each("push: data", difference.update, lambda pair: _set_data(client, *pair))
    for part in batches.by_count(difference.reopen, batch_size):
        _mark(client, project, part, CLOSED, "")
    _each(
        "push: labelers",
        difference.offers,
        lambda due: _set_overlap(client, due.task.number, due.overlap, labeled=due.labeled),
    )
    _create(client, project, difference.create, batch_size)


def _shows(client: Client, project: ProjectRef, wanted: Sequence[Wanted]) -> bool:
    """Whether labelers are offered the current suggestions; sets it if not (the server checks it exists)."""
    version = next((item.model_version for item in wanted if item.suggested), None)
    path = f"/api/projects/{project.project_id}/"
    if version is None:
        return True
    there = client.get(path, action="reading the project")
    if there["model_version"] == version:
        return True
    client.patch(path, {"model_version": version}, action="showing the suggestions")
    return False


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
        _each("", others, lambda pair: _set_overlap(client, *pair, labeled=False))


def _new_task(item: Wanted) -> dict[str, Any]:
    prediction = item.prediction
    return {"data": item.data, "predictions": [prediction] if prediction else []}


def _replace(
    client: Client, project: ProjectRef, part: Sequence[tuple[Existing, Wanted]], others: Set[int]
) -> None:
    """Replace predictions, and mark the tasks as current but for `others`, whose data is written anyway."""
    with_old = [task.number for task, _ in part if task.predictions]
    if with_old:
        _act(client, project, "delete_tasks_predictions", with_old)
    shown = [(task.number, item) for task, item in part if item.suggested]
    where = f"/api/projects/{project.project_id}/import/predictions"
    for some, body in batches.encoded(shown, _new_prediction, len(shown) or 1, label="push: suggestions"):
        client.post(where, body, action=f"replacing {len(some)} suggestions")
    marked = [(task, item) for task, item in part if task.number not in others]
    if marked:
        one = marked[0][1].data[MARK] if len(marked) == 1 else batch_mark(item for _, item in marked)
        _mark(client, project, [task for task, _ in marked], MARK, one)


def _new_prediction(pair: tuple[int, Wanted]) -> dict[str, Any]:
    number, item = pair
    return {"task": number, **(item.prediction or {})}


def _close(client: Client, project: ProjectRef, tasks: Sequence[Existing], batch_size: int) -> None:
    """Offer tasks to nobody any more: a mark for us, and for the server a task that wants no labeler.

    Wanting nobody outlives every recount of the server's; "labelled" alone does not.
    """
    for part in batches.by_count([task for task in tasks if not task.data.get(CLOSED)], batch_size):
        _mark(client, project, part, CLOSED, _CLOSED_MARK)
    _each("push: close", tasks, lambda task: _set_overlap(client, task.number, NOBODY, labeled=True))


def _mark(client: Client, project: ProjectRef, tasks: Sequence[Existing], name: str, value: str) -> None:
    """Write one value into the data of many tasks."""
    settings = {"value_name": name, "value_type": "String", "value": value}
    _act(client, project, "add_data_field", [task.number for task in tasks], **settings)


def _set_data(client: Client, task: Existing, data: dict[str, Any]) -> None:
    client.patch(f"/api/tasks/{task.number}/", {"data": data}, action="changing a task's data")


def _set_overlap(client: Client, number: int, overlap: int, *, labeled: bool) -> None:
    """Say how many people must answer; a task that was done may be open again, and the other way round."""
    body = {"overlap": overlap, "is_labeled": labeled}
    client.patch(f"/api/tasks/{number}/", body, action="setting the number of labelers")


def _act(client: Client, project: ProjectRef, name: str, numbers: Iterable[int], **settings: str) -> None:
    body = {"selectedItems": {"all": False, "included": list(numbers)}, **settings}
    client.post("/api/dm/actions/", body, action=f"running {name}", id=name, project=project.project_id)


def _each(label: str, items: Sequence[Item], change: Callable[[Item], None]) -> None:
    """One request an item, a few at once. The first error stops the rest."""
    if not items:
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        done = pool.map(change, items)
        try:
            for _ in track(done, total=len(items), label=label) if label else done:
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
