"""The processes of this machine as an Engine."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from multiprocessing.connection import wait
from typing import Any, TypeVar

from curate import system
from curate.engines import worker_loop
from curate.engines.process import Died, Outcome, WorkerProcess
from curate.engines.schedule import Schedule
from curate.ports import Casualty
from curate.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")


class LocalEngine:
    """Maps a function over batches with worker processes.

    Workers are started by forkserver (spawn where there is none), never by a plain fork, and use one
    numeric thread each. Scripts need the `if __name__ == "__main__":` guard.
    """

    def __init__(
        self,
        workers: int = 0,
        *,
        in_process: bool = False,
        retries: int = 2,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Choose the number of processes.

        Args:
            workers: Processes; 0 = one per core that this process may use.
            in_process: No process at all: everything in the caller, with the caller's threads. A function
                that kills its process then kills the caller.
            retries: Times that an item may kill its worker again before it is given up, at least 0.
            environments: One per worker, instead of their number: threads, a GPU.
        """
        self.workers = len(environments) or workers or system.cores()
        self.environments = tuple(environments)
        self.in_process = in_process
        self.retries = retries

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]],
        batches: Iterable[Sequence[Item]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Result | Casualty]]:
        """One list per batch, in the order of the batches; see `curate.ports.Engine`."""
        if self.in_process:
            results = _in_caller(setup, batches)
        else:
            schedule = Schedule(iter(batches), self.retries, label)
            results = worker_loop.run(
                _Processes(pickle.dumps(setup), self.workers, self.environments), schedule
            )
        with closing(results):
            yield from track(results, total=total, label=label, size=len)


def _in_caller(
    setup: Callable[[], Callable[[Sequence[Any]], Sequence[Any]]], batches: Iterable[Sequence[Any]]
) -> Generator[list[Any], None, None]:
    function = None
    for batch in batches:
        function = function or setup()
        results = list(function(batch))
        if len(results) != len(batch):
            raise ValueError(f"{len(results)} results for {len(batch)} items")
        yield results


class _Processes:
    """Worker processes as `worker_loop.Workers`."""

    def __init__(self, call: bytes, places: int, environments: Sequence[Mapping[str, str]]) -> None:
        self._call, self._places, self._environments = call, places, environments
        self._workers: dict[int, WorkerProcess] = {}
        self._busy: set[int] = set()  # starting ones too

    def places(self) -> int:
        return self._places

    def start(self, place: int) -> None:
        environment = self._environments[place] if self._environments else None
        self._workers[place] = WorkerProcess(self._call, environment=environment)
        self._busy.add(place)

    def send(self, place: int, items: Sequence[Any]) -> None:
        self._busy.add(place)
        self._workers[place].send(pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL))

    def wait(self, *, block: bool) -> list[tuple[int, Outcome]]:
        waited: list[Any] = []
        for worker in self._workers.values():
            waited += [worker.pipe, worker.process.sentinel]
        ready = set(wait(waited, None if block else 0))
        outcomes = []
        for place, worker in list(self._workers.items()):
            if worker.pipe in ready or worker.process.sentinel in ready:
                outcome = pickle.loads(worker.receive())  # noqa: S301 - from our own process
                outcomes.append((place, outcome))
                self._busy.discard(place)
                if isinstance(outcome, Died):
                    del self._workers[place]
        return outcomes

    def stop(self) -> None:
        for place, worker in self._workers.items():
            worker.stop(busy=place in self._busy)
        for worker in self._workers.values():
            worker.join()
        self._workers.clear()
