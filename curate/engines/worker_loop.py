"""The loop that both engines share: workers get tasks, their outcomes come home, the dead are replaced."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from curate.engines.process import Died, Outcome, Results
from curate.engines.schedule import Failure, Schedule, Task
from curate.errors import CurateError

_AHEAD = 4  # batches per worker that are taken and not yet given back, done or not
_SLOW_START_S = 30.0  # after which nobody waits for a worker that starts: its place may not be there any more
_STARTS = 3  # deaths in a row while starting, after which a worker is given up, and the run with it


class Workers(Protocol):
    """Places for workers, numbered from 0. A place gets one thing to do at a time."""

    def places(self) -> int:
        """How many may work now, at least 1; may change."""

    def start(self, place: int) -> None:
        """Begin a fresh worker; its first outcome is that of `setup`."""

    def send(self, place: int, items: Sequence[Any]) -> None:
        """Hand a batch to an idle worker."""

    def wait(self, *, block: bool) -> list[tuple[int, Outcome]]:
        """Outcomes by place; if `block` at least one, or none after a while."""

    def stop(self) -> None:
        """End all workers, also in the middle of a batch."""


def run(workers: Workers, schedule: Schedule) -> Generator[list[Any], None, None]:
    """The results of each batch, in order."""
    pool = _WorkerPool(workers, schedule)
    try:
        while True:
            schedule.fill(_AHEAD * workers.places())
            if not schedule.unfinished:
                return
            pool.hand_out()
            pool.collect(block=not schedule.first_is_done)
            pool.hand_out()  # nobody waits while the caller looks at a result
            if schedule.first_is_done:
                yield schedule.give()
    finally:
        workers.stop()


class _WorkerPool:
    def __init__(self, workers: Workers, schedule: Schedule) -> None:
        self._workers, self._schedule = workers, schedule
        self._starting: dict[int, float] = {}  # since when, by place
        self._idle: set[int] = set()
        self._busy: dict[int, Task] = {}
        self._failed_starts: dict[int, int] = {}  # in a row, by place

    def hand_out(self) -> None:
        waiting = self._schedule.waiting
        while waiting and self._idle:
            place = min(self._idle)
            self._idle.remove(place)
            self._busy[place] = waiting.popleft()
            self._workers.send(place, self._busy[place].items)
        now = time.monotonic()
        coming = sum(now - since < _SLOW_START_S for since in self._starting.values())
        for place in range(self._workers.places()):
            if coming >= len(waiting):
                return
            if place not in self._starting and place not in self._busy and place not in self._idle:
                coming += 1
                self._starting[place] = now
                self._workers.start(place)

    def collect(self, *, block: bool) -> None:
        for place, outcome in self._workers.wait(block=block):
            if place in self._starting:
                del self._starting[place]
                self._started(place, outcome)
            elif place in self._busy:
                self._ended(place, self._busy.pop(place), outcome)
            else:  # an idle one was killed
                self._idle.discard(place)

    def _started(self, place: int, outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            error = outcome.error
            if not isinstance(error, CurateError):
                error.add_note(f"{self._schedule.label}, while a worker started:\n{outcome.trace}")
            raise error
        if isinstance(outcome, Died):
            self._failed_starts[place] = self._failed_starts.get(place, 0) + 1
            if self._failed_starts[place] >= _STARTS:
                raise CurateError(
                    f"{self._schedule.label}: a worker process died ({outcome.how}) while starting, "
                    f"{_STARTS} times in a row: use fewer workers if memory is short"
                )
            return
        self._failed_starts[place] = 0
        self._idle.add(place)

    def _ended(self, place: int, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Died):
            self._schedule.died(task, outcome.how)
            return
        self._idle.add(place)
        if isinstance(outcome, Failure):
            self._schedule.failed(task, outcome)
        elif isinstance(outcome, Results):
            self._schedule.done(task, outcome.values)
