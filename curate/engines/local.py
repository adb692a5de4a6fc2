"""The processes of this machine as an Engine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from curate.errors import CurateError
from curate.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

_RESULTS_AHEAD = 16  # a worker: results that wait for a slow earlier item before the others pause
_STOP_S = 5.0
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


class LocalEngine:
    """Maps a function over items with worker processes.

    Workers are started by forkserver (spawn where there is none), never by a plain fork, and use one
    numeric thread each. Scripts that use more than one worker need the `if __name__ == "__main__":` guard.
    """

    def __init__(self, workers: int = 0) -> None:
        """Choose the number of processes.

        Args:
            workers: Processes; 0 = one a core this process may use; 1 = no process, in the caller's own.
        """
        self.workers = workers or len(
            os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        )

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, label: str
    ) -> Iterator[Result]:
        """Results in the order of the items, with a progress bar.

        Args:
            function: Importable by name; what it raises is raised here.
            items: Picklable; the text of one names it in messages.
            label: Of the progress bar and of messages.

        Raises:
            CurateError: A worker process died (killed, out of memory, native crash); names the item.
        """
        workers = min(self.workers, len(items))
        results = map(function, items) if workers <= 1 else _Pool(function, items, workers, label).results()
        return track(results, total=len(items), label=label)


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    item: int | None = None  # index of the item it works on


@dataclass(slots=True)
class _Failure:
    """An exception on its way home."""

    error: BaseException
    trace: str


@dataclass(slots=True)
class _Pool:
    """One map over worker processes: each has one item at a time, so a dead worker's item is known."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    size: int
    label: str
    workers: list[_Worker] = field(default_factory=list)
    done: dict[int, Any] = field(default_factory=dict)

    def results(self) -> Iterator[Any]:
        todo = deque(range(len(self.items)))
        following = 0
        try:
            self._start()
            while following < len(self.items):
                if following in self.done:
                    yield self.done.pop(following)
                    following += 1
                    continue
                self._hand_out(todo, following + _RESULTS_AHEAD * self.size)
                self._collect()
        finally:
            self._stop()

    def _start(self) -> None:
        context = _context()
        call = pickle.dumps(self.function)
        with _environment(_ONE_THREAD):
            for _ in range(self.size):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, call), daemon=True)
                process.start()
                theirs.close()
                self.workers.append(_Worker(process, ours))

    def _hand_out(self, todo: deque[int], limit: int) -> None:
        for worker in self.workers:
            if worker.item is None and todo and todo[0] < limit:
                worker.item = todo.popleft()
                try:
                    worker.pipe.send(self.items[worker.item])
                except (BrokenPipeError, ConnectionResetError):
                    raise self._died(worker) from None

    def _collect(self) -> None:
        busy = {worker.pipe: worker for worker in self.workers if worker.item is not None}
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                result = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                raise self._died(worker) from None
            if isinstance(result, _Failure):
                if not isinstance(result.error, CurateError):
                    result.error.add_note(f"in a worker process, on {self._name(worker)}:\n{result.trace}")
                raise result.error
            self.done[worker.item] = result  # type: ignore[index]
            worker.item = None

    def _died(self, worker: _Worker) -> CurateError:
        worker.process.join(_STOP_S)
        code = worker.process.exitcode
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        return CurateError(
            f"{self.label}: a worker process died ({how}) on {self._name(worker)}: "
            "look at that item, or use fewer workers if memory is short"
        )

    def _name(self, worker: _Worker) -> str:
        return " ".join(str(self.items[worker.item]).split()) if worker.item is not None else "no item"

    def _stop(self) -> None:
        for worker in self.workers:
            worker.pipe.close()  # an idle worker reads the end and leaves
            if worker.item is not None:
                worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_STOP_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Numeric libraries read these when they are loaded, which may be before `_work` runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection, call: bytes) -> None:
    """The life of a worker: one item after the other until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    os.environ.update(_ONE_THREAD)
    function = pickle.loads(call)  # noqa: S301 - from our own parent
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            result = function(item)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the parent
            result = _failure(error)
        try:
            pipe.send(result)
        except (BrokenPipeError, ConnectionResetError):
            return
        except (pickle.PicklingError, TypeError, AttributeError) as error:  # a result that cannot travel
            pipe.send(_failure(error))


def _failure(error: BaseException) -> _Failure:
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except (pickle.PicklingError, TypeError, AttributeError):
        return _Failure(RuntimeError(f"{type(error).__name__}: {error}"), trace)
    return _Failure(error, trace)
