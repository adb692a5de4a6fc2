"""What is on the server against what is wanted: the whole of a push's plan, without a request.

A task's data holds a digest of its suggestions. Where suggestions are replaced by the hundred, a digest of
the whole batch stands there instead: one request marks them all, and one per task would take fifty times as
long. A batch whose digest is not that of its tasks any more is stale as a whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from curate.adapters.labelstudio.wanted_tasks import Wanted, shows_other
from curate.errors import AnnotationToolError
from curate.ports import PushCounts, RemovedTasks

CLOSED = "closed"  # in a task's data: the plan does not name it any more; a tombstone that can be reopened
NOBODY = 0  # labelers a closed task wants: the server then counts it as done whatever happens to it
MARK = "suggestions"  # in a task's data: digest of its suggestions, or of its batch's
_BATCH = "batch:"
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Existing:
    """A task on the server, without its content.

    Attributes:
        number: The server's.
        task_id: Our key; empty for a task that is not ours.
        data: The task's data.
        overlap: Labelers that it wants.
        predictions: Suggestions that it has.
        answers: Submitted and skipped work of people.
        people: Who gave those answers: who answered twice is one.
        labeled: The server takes it to be done, and offers it to nobody.
        timed: A page measured the time of some answer.
        drafted: Somebody began and has not submitted; only known where it matters.
    """

    number: int
    task_id: str
    data: dict[str, Any]
    overlap: int
    predictions: int
    answers: int
    people: frozenset[str] = frozenset()
    labeled: bool = False
    timed: bool = True
    drafted: bool = False

    @property
    def worked_on(self) -> bool:
        """Whether it holds work of people."""
        return self.answers > 0 or self.drafted

    @property
    def closed(self) -> bool:
        """Whether a push has closed it, wholly."""
        return bool(self.data.get(CLOSED)) and self.overlap == NOBODY


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server must be told so that a task is offered to as many more people as it needs.

    The server stops offering a task that holds as many answers as it wants labelers, whoever gave them, but
    takes it to be done by the number of accounts. So its number of labelers is that of the plan and one more
    for each answer that brought no new person.

    Attributes:
        task: The task.
        overlap: Number of labelers to set.
        labeled: Whether enough people have answered.
    """

    task: Existing
    overlap: int
    labeled: bool

    @property
    def differs(self) -> bool:
        """Whether the server says something else."""
        return (self.task.overlap, self.task.labeled) != (self.overlap, self.labeled)

    @property
    def recounted(self) -> bool:
        """Whether the server's own number of labelers says something else about the task than it does."""
        return self.task.labeled != (len(self.task.people) >= self.task.overlap)


def offer(kept: Existing, wanted: int, copies: Sequence[Existing] = (), labeler: str | None = None) -> Offer:
    """How a task must be offered.

    Args:
        kept: The task that stays open for its key.
        wanted: People who must answer.
        copies: Other tasks of the key, whose answers are read as well.
        labeler: The only person who counts; None = everybody.
    """
    own = frozenset({labeler}) if labeler is not None else None
    here = kept.people if own is None else kept.people & own
    everybody = frozenset[str]().union(
        here, *(copy.people if own is None else copy.people & own for copy in copies)
    )
    overlap = wanted + (kept.answers - len(here)) - (len(everybody) - len(here))
    return Offer(kept, max(overlap, 1), labeled=len(everybody) >= wanted)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A task whose suggestions are to be replaced.

    Attributes:
        task: The task.
        item: What it must hold.
        sent: Its mark says that the new suggestions were sent; but there is not exactly one.
    """

    task: Existing
    item: Wanted
    sent: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done.

    Attributes:
        create: Missing.
        replace: Other suggestions, or not exactly one prediction.
        update: Other data, with the data to write.
        reopen: In the plan again.
        offers: Another number of labelers, or done by another count than that of people; also every
            reopened task.
        close: Not in the plan any more, or a copy that holds work: nobody is offered it.
        delete: Not in the plan any more, closed by an earlier push, nobody's work, and to be deleted.
        copies: Copies without work that an earlier push has closed.
        surplus: Tasks of ours that are not in the plan and stay as they are.
        edited: Of those to create: somebody changed the picture of the task that is there.
        unchanged: As wanted.
    """

    create: tuple[Wanted, ...]
    replace: tuple[Replacement, ...]
    update: tuple[tuple[Existing, dict[str, Any]], ...]
    reopen: tuple[Existing, ...]
    offers: tuple[Offer, ...]
    close: tuple[Existing, ...]
    delete: tuple[Existing, ...]
    copies: tuple[Existing, ...]
    surplus: int
    edited: int
    unchanged: int

    @property
    def empty(self) -> bool:
        """True if the server is as wanted."""
        changed = (self.create, self.replace, self.update, self.reopen, self.offers)
        return not any((*changed, self.close, self.delete, self.copies))

    @property
    def sent(self) -> list[Wanted]:
        """Tasks whose suggestions will be sent."""
        return [*self.create, *(one.item for one in self.replace)]

    @property
    def left(self) -> int:
        """How much there is to do: less after everything that got further.

        What takes two steps, each of which the next look can tell, counts twice.
        """
        changed = (self.create, self.replace, self.update, self.reopen, self.offers)
        steps = sum(map(len, (*changed, self.close, self.delete, self.copies)))
        return steps + len(self.create) + sum(not one.sent for one in self.replace)

    def counts(self) -> PushCounts:
        """How many of each."""
        return PushCounts(
            created=len(self.create),
            unchanged=self.unchanged,
            predictions_replaced=len(self.replace),
            surplus=self.surplus,
            closed=len(self.close),
            deleted=len(self.delete),
            reopened=len(self.reopen),
            overlap_changed=sum(one.task.overlap != NOBODY and not one.recounted for one in self.offers),
            recounted=sum(one.recounted for one in self.offers),
            data_changed=len(self.update),
            duplicates_removed=len(self.copies),
            edited=self.edited,
        )

    def examples(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """A few tasks for each kind of change."""
        kinds: tuple[tuple[str, Iterable[str]], ...] = (
            ("create", (f"{item.task_id} {item.draft.path}" for item in self.create)),
            ("new suggestions", (_name(one.task) for one in self.replace)),
            ("new data", (_name(task) for task, _ in self.update)),
            ("reopen", map(_name, self.reopen)),
            ("labelers", map(_offered, self.offers)),
            ("close", map(_name, self.close)),
            ("delete", map(_name, self.delete)),
            ("remove a copy", map(_name, self.copies)),
        )
        shown = ((kind, tuple(itertools.islice(names, _EXAMPLES))) for kind, names in kinds)
        return tuple((kind, names) for kind, names in shown if names)

    def explain(self) -> str:
        """The differences in one line, for a message."""
        return "; ".join(f"{kind}: {names[0]}" for kind, names in self.examples())


def compare(
    existing: Sequence[Existing],
    wanted: Sequence[Wanted],
    *,
    removed: RemovedTasks = "close",
    labeler: str | None = None,
    closed_before: Set[int] | None = None,
) -> Difference:
    """Find what is missing, stale, closed, left over or twice on the server.

    A key that is there twice (a batch whose answer was lost can be applied late) keeps the task with the most
    work of people. The others are closed; those with work are read as well. What is to go is closed first,
    and deleted by a later push that finds it closed and still without work: somebody may have had it open.
    A task whose picture somebody changed on the server is closed as it is, and the key gets a new one: put
    right, it would turn answers about another picture into answers about ours.
    Tasks without a key were not made here and are left alone.

    Args:
        existing: On the server.
        wanted: By the plan.
        removed: What becomes of tasks that the plan does not name.
        labeler: Whose project it is, if it is one person's.
        closed_before: Numbers of the tasks that were closed when this push began; None = those that are.
    """
    before = {task.number for task in existing if task.closed} if closed_before is None else closed_before
    by_key: dict[str, list[Existing]] = {}
    for task in existing:
        if task.task_id:
            by_key.setdefault(task.task_id, []).append(task)
    create, pairs, copies, close, others_shown = [], [], [], [], []
    edited = 0
    for item in wanted:
        found = by_key.pop(item.task_id, [])
        there = _ordered(task for task in found if not shows_other(task.data, item))
        strange = [task for task in found if shows_other(task.data, item)]
        others = [*there[1:], *strange]
        others_shown += [(task, item) for task in strange]
        if there:
            pairs.append((offer(there[0], item.overlap, there[1:], labeler), item))
        else:
            create.append(item)
            edited += bool(others)
        gone = [task for task in others if not task.worked_on and task.closed and task.number in before]
        copies += gone
        close += [task for task in others if not task.closed]
    left = [task for tasks in by_key.values() for task in tasks]
    idle = [task for task in left if task.closed and not task.worked_on and task.number in before]
    delete = idle if removed == "delete" else []
    closing = [] if removed == "keep" else [t for t in left if not t.closed]
    return Difference(
        create=tuple(create),
        close=(*close, *closing),
        delete=tuple(delete),
        copies=tuple(copies),
        surplus=len(left) - len(delete) - len(closing),
        edited=edited,
        **_stale(pairs, others_shown),
    )


def batch_mark(items: Iterable[Wanted]) -> str:
    """What marks all tasks of a batch as current."""
    members = sorted([item.task_id, item.data[MARK]] for item in items)
    return _BATCH + hashlib.sha256(json.dumps(members).encode()).hexdigest()[:16]


def _stale(
    pairs: Sequence[tuple[Offer, Wanted]], edited: Sequence[tuple[Existing, Wanted]]
) -> dict[str, Any]:
    """What differs of tasks that are there; one whose picture was edited is still of its batch."""
    batches: dict[str, dict[str, Wanted]] = {}
    for task, item in (*((due.task, item) for due, item in pairs), *edited):
        batches.setdefault(str(task.data.get(MARK)), {})[item.task_id] = item
    marked = {mark: members.values() for mark, members in batches.items() if mark.startswith(_BATCH)}
    whole = {mark for mark, items in marked.items() if mark == batch_mark(items)}
    found: dict[str, list[Any]] = {name: [] for name in ("replace", "update", "reopen", "offers")}
    unchanged = 0
    for due, item in pairs:
        kept = due.task
        mark = kept.data.get(MARK)
        sent = mark in whole or mark == item.data[MARK]
        current = sent and kept.predictions == item.suggested
        data = {**kept.data, **item.data, MARK: mark if sent else item.data[MARK]}
        if not current:
            found["replace"].append(Replacement(kept, item, sent))
        if any(kept.data.get(name) != value for name, value in data.items() if name != MARK):
            found["update"].append((kept, {name: value for name, value in data.items() if name != CLOSED}))
        elif current and not kept.data.get(CLOSED) and not due.differs:
            unchanged += 1
        if kept.data.get(CLOSED):
            found["reopen"].append(kept)
        if due.differs:
            found["offers"].append(due)
    return {**{name: tuple(differing) for name, differing in found.items()}, "unchanged": unchanged}


def refuse(difference: Difference, url: str, rounds: int) -> AnnotationToolError:
    """The error for a server that is still not as planned."""
    return AnnotationToolError(
        f"{url} is still not as planned after {rounds} rounds "
        f"({difference.explain() or 'it shows the suggestions of another model'}): "
        "is someone else changing its tasks, or does a setting of the server undo it?"
    )


def _ordered(copies: Iterable[Existing]) -> list[Existing]:
    return sorted(copies, key=lambda task: (-task.answers, not task.drafted, task.closed, task.number))


def _offered(due: Offer) -> str:
    done = ("open", "done")
    changed = [f"{due.task.overlap} -> {due.overlap}"] if due.task.overlap != due.overlap else []
    if due.recounted:
        changed.append(
            f"{done[due.task.labeled]} -> {done[due.labeled]}, {len(due.task.people)} people answered"
        )
    return f"{_name(due.task)}: {', '.join(changed)}"


def _name(task: Existing) -> str:
    return f"{task.task_id} (task {task.number})"
