"""Who works on what: batches in, ordered results out, a dead worker's batch tried again. No process here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.errors import CurateError
from curate.ports import Casualty

_HOPELESS = 32  # casualties in a row, without one item done between them: it is not the items


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception on its way home, with the text of its traceback."""

    error: Exception
    trace: str


@dataclass(slots=True)
class Task:
    """What one worker does at a time: a whole batch, or one item of a batch that killed its worker twice."""

    batch: int  # since the first, in the order of the caller
    first: int  # place of the first item in its batch
    items: Sequence[Any]
    deaths: int = 0  # workers that died of exactly these items

    def __str__(self) -> str:
        first = " ".join(str(self.items[0]).split())
        return first if len(self.items) == 1 else f"{first} or one of the {len(self.items) - 1} after it"


@dataclass(slots=True)
class _Batch:
    results: list[Any]
    open: int  # items without a result
    failure: Failure | None = None
    task: Task | None = None  # that failed


@dataclass(slots=True)
class Schedule:
    """The batches that are taken and not yet given back, in order.

    Attributes:
        batches: The caller's; one is taken only when `fill` has room for it.
        retries: Times that an item may kill its worker again.
        label: Of messages.
    """

    batches: Iterator[Sequence[Any]]
    retries: int
    label: str
    waiting: deque[Task] = field(default_factory=deque)
    _taken: deque[_Batch] = field(default_factory=deque)
    _given: int = 0  # batches that the caller has back
    _ended: bool = False
    _casualties: int = 0  # in a row

    def fill(self, max_taken: int) -> None:
        """Take batches until `max_taken` are taken and not given back."""
        while not self._ended and len(self._taken) < max_taken:
            try:
                items = list(next(self.batches))
            except StopIteration:
                self._ended = True
                return
            if items:
                self.waiting.append(Task(self._given + len(self._taken), 0, items))
            self._taken.append(_Batch([None] * len(items), len(items)))

    @property
    def unfinished(self) -> bool:
        """Batches are taken and not given back. Ask after `fill`."""
        return bool(self._taken)

    @property
    def first_is_done(self) -> bool:
        """`give` has something."""
        return bool(self._taken) and self._taken[0].open == 0

    def give(self) -> list[Any]:
        """The results of the first batch that the caller has not yet.

        Raises:
            Exception: What the function raised on it, in the order of the batches: the same on every run.
        """
        batch = self._taken.popleft()
        self._given += 1
        if batch.failure is not None:
            error = batch.failure.error
            if not isinstance(error, CurateError):
                error.add_note(f"{self.label}, in a worker, on {batch.task}:\n{batch.failure.trace}")
            raise error
        return batch.results

    def done(self, task: Task, results: Sequence[Any]) -> None:
        """The results of a task, one per item."""
        batch = self._taken[task.batch - self._given]
        if batch.failure is not None:
            return
        batch.results[task.first : task.first + len(task.items)] = results
        batch.open -= len(task.items)
        self._casualties = 0

    def failed(self, task: Task, failure: Failure) -> None:
        """A task raised: its batch is over and no other is begun."""
        batch = self._taken[task.batch - self._given]
        batch.open, batch.failure, batch.task = 0, failure, task
        self._ended = True
        self.waiting = deque(other for other in self.waiting if other.batch < task.batch)

    def died(self, task: Task, how: str) -> None:
        """The worker of a task died: the task is tried again, in the end item by item.

        Raises:
            CurateError: Too many items in a row killed their workers.
        """
        if self._taken[task.batch - self._given].failure is not None:
            return
        task.deaths += 1
        if len(task.items) == 1:
            if task.deaths > self.retries:
                self._bury(task, how)
            else:
                self.waiting.appendleft(task)
        elif task.deaths == 1:  # perhaps an accident
            self.waiting.appendleft(task)
        else:
            alone = [Task(task.batch, task.first + place, [item]) for place, item in enumerate(task.items)]
            self.waiting.extendleft(reversed(alone))

    def _bury(self, task: Task, how: str) -> None:
        self.done_casualty(task, Casualty(how, task.deaths))
        if self._casualties >= _HOPELESS:
            raise CurateError(
                f"{self.label}: {self._casualties} items in a row killed their worker processes, the last "
                f"({how}) {task}: use fewer workers if memory is short, else look at these items"
            )

    def done_casualty(self, task: Task, casualty: Casualty) -> None:
        """An item is given up."""
        in_a_row = self._casualties + 1
        self.done(task, [casualty])
        self._casualties = in_a_row
