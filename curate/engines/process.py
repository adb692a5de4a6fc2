"""One worker process: started fresh, never by a plain fork, with one numeric thread unless told otherwise."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, get_all_start_methods
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from curate.engines.schedule import Failure

_STOP_S = 5.0
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has called `setup` and waits for work."""


@dataclass(frozen=True, slots=True)
class Results:
    """What the function of a batch returned, one per item."""

    values: list[Any]


@dataclass(frozen=True, slots=True)
class Died:
    """The process is gone. `how` is such as "SIGKILL" or "exit code 3"."""

    how: str


Outcome = Ready | Results | Failure | Died


class WorkerProcess:
    """The parent's end: `send` only when the last outcome was received."""

    def __init__(
        self, call: bytes, *, alone: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the process; its first outcome is that of `setup`.

        Args:
            call: Pickled `setup`.
            alone: The only worker of its parent: no server that starts them is worth its memory.
            environment: Of the process, beside one numeric thread, which it may change.
        """
        values = {**_ONE_THREAD, **(environment or {})}
        context = _context(alone=alone)
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, call, values), daemon=True)
        with _environment(values):
            self.process.start()
        theirs.close()

    def send(self, items: bytes) -> None:
        """Hand a pickled batch to the worker; that of a dead one is lost, which `receive` tells."""
        try:
            self.pipe.send_bytes(items)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> bytes:
        """Wait for the pickled outcome of what was sent last, or for the process's death."""
        wait([self.pipe, self.process.sentinel])
        try:
            return self.pipe.recv_bytes() if self.pipe.poll() else self._died()
        except (EOFError, OSError):  # the end, perhaps in the middle of a message
            return self._died()

    def stop(self, *, busy: bool) -> None:
        """Begin the end: an idle worker reads the end of its pipe and leaves by itself."""
        self.pipe.close()
        if busy:
            self.process.terminate()

    def join(self) -> None:
        """Wait for the end, and make it."""
        self.process.join(_STOP_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _died(self) -> bytes:
        self.join()
        self.pipe.close()
        code = self.process.exitcode
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        return pickle.dumps(Died(how))


def _context(*, alone: bool) -> ForkServerContext | SpawnContext:
    if not alone and "forkserver" in get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def begin_early() -> None:
    """Have workers start sooner: what they import is imported once, while the caller does other work.

    To be called before the first worker, once all modules of curate that it needs are loaded. Nothing is
    waited for.
    """
    if "forkserver" not in get_all_start_methods():
        return
    package = __name__.partition(".")[0]
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == package)
    multiprocessing.set_forkserver_preload(["__main__", *ours])
    with _environment(_ONE_THREAD):
        forkserver.ensure_running()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
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


def _work(pipe: Connection, call: bytes, environment: dict[str, str]) -> None:
    """The life of a worker: one batch after the other until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ.update(environment)
    try:
        function = pickle.loads(call)()  # noqa: S301 - from our own parent
        outcome: Outcome = Ready()
    except Exception as error:  # noqa: BLE001 - it is raised again in the parent
        outcome = _failure(error)
    while _sent(pipe, outcome):
        try:
            items = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from our own parent
        except (EOFError, OSError):
            return
        outcome = _outcome(function, items)


def _leave_with_parent() -> None:
    """A killed parent cannot stop its workers, and a batch may take long."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(function: Callable[[Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> Outcome:
    try:
        values = list(function(items))
        if len(values) != len(items):
            raise ValueError(f"{len(values)} results for {len(items)} items")  # noqa: TRY301
    except Exception as error:  # noqa: BLE001 - it is raised again in the parent
        return _failure(error)
    return Results(values)


def _sent(pipe: Connection, outcome: Outcome) -> bool:
    try:
        message = pickle.dumps(outcome, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - a result that cannot travel; its class may raise anything
        message = pickle.dumps(_failure(error))
    try:
        pipe.send_bytes(message)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _failure(error: Exception) -> Failure:
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - classes of others may raise anything here
        return Failure(RuntimeError(f"{type(error).__name__}: {error}"), trace)
    return Failure(error, trace)
