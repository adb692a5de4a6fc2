"""A Ray cluster as an Engine. Ray places a keeper per worker; the keeper runs our own worker process."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from curate import fingerprint, system, tables
from curate.engines import worker_loop
from curate.engines.process import Died, Outcome, WorkerProcess
from curate.engines.schedule import Failure, Schedule
from curate.errors import CurateError
from curate.extras import require
from curate.ports import Casualty
from curate.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

_OBJECT_STORE = 256 << 20  # bytes; of an own cluster: batches and results are small
_LOOK_S = 5.0  # how often the cluster's size is asked for
_KNOCK_S = 10.0
_PATIENCE_S = 600.0  # for a first worker: a cluster may be busy, or must start a machine


class RayEngine:
    """Maps a function over batches with the workers of a Ray cluster.

    All machines must have this version of curate and see the working folder under the same path: both are
    checked as each worker starts.
    """

    def __init__(
        self, workers: int = 0, *, address: str | None = None, retries: int = 2, gpus: bool | None = False
    ) -> None:
        """Choose the cluster; it is reached when `map_batches` begins.

        Args:
            workers: Most workers at a time; 0 = one per CPU of the cluster (one per GPU with `gpus`).
            address: Of a running cluster ("auto", "host:6379") that this machine belongs to, left running;
                None = one of this machine alone, started and stopped for each `map_batches`.
            retries: Times that an item may kill its worker again before it is given up, at least 0.
            gpus: Each worker has a GPU of its own; None = if the cluster has any.

        Raises:
            MissingExtraError: ray is not installed.
            CurateError: The address is that of a Ray Client server, which sees no shared folder.
        """
        if address is not None and address.startswith("ray://"):
            raise CurateError(
                f"engine.address {address}: run on a machine of the cluster, with auto or host:6379 (the Ray "
                "Client is not supported)"
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if address is None:  # whatever its name says: Ray then takes the loopback address
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        self._ray = require("ray", extra="ray")
        self.workers = workers
        self.address = address
        self.retries = retries
        self.gpus = gpus

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]],
        batches: Iterable[Sequence[Item]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Result | Casualty]]:
        """One list per batch, in the order of the batches; see `curate.ports.Engine`."""
        schedule = Schedule(iter(batches), self.retries, label)
        call = require("ray.cloudpickle", extra="ray").dumps(setup)
        with self._connected(), _shared_folder(self.address is not None) as witness:
            keepers = _Keepers(self._ray, (call, str(Path.cwd()), witness), self)
            with contextlib.closing(worker_loop.run(keepers, schedule)) as results:
                yield from track(results, total=total, label=label, size=len)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        if self._ray.is_initialized():  # by the program around us: also its own to end
            yield
            return
        own: dict[str, Any] = {
            "num_cpus": self.workers or system.cores(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
        }
        try:
            _knock(self.address)
            self._ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(own if self.address is None else {}),
            )
        except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
            where = "an own Ray cluster" if self.address is None else f"the Ray cluster {self.address}"
            raise CurateError(
                f"engine.address: cannot reach {where}: {str(error).strip().splitlines()[0]}"
            ) from error
        try:
            yield
        finally:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Ray itself waits for ten minutes where nobody listens."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


@contextlib.contextmanager
def _shared_folder(wanted: bool) -> Iterator[str | None]:
    """A file in the working folder, for as long as workers may look whether they see it too."""
    if not wanted:
        yield None
        return
    try:
        file = tempfile.NamedTemporaryFile(prefix=".curate-shared-", dir=Path.cwd())  # noqa: SIM115
    except OSError as error:
        raise tables.storage_error(error, Path.cwd() / ".curate-shared") from error
    with file:
        yield file.name


def _code() -> str:
    """Digest of all code of the package: on another version results could differ."""
    return fingerprint.digest(*fingerprint.modules("curate"))


class _Keeper:
    """The Ray actor: keeps one worker process on its machine and passes pickled batches and outcomes.

    The process dies of what kills it, not its keeper: how it died is known here, as on one machine, and a
    fresh one is started in no time.
    """

    def __init__(self, call: bytes, folder: str, witness: str | None) -> None:
        self._call, self._folder, self._witness = call, folder, witness
        self._process: WorkerProcess | None = None

    def start(self) -> tuple[str | None, bytes]:
        """A fresh process; the digest of its code, and the outcome of its `setup`."""
        if not Path(self._folder).is_dir():
            return None, _refusal(f"has no folder {self._folder}: all machines of the cluster must share it")
        if self._witness is not None and not Path(self._witness).exists():
            return None, _refusal(f"has another {self._folder} than here: all machines must share it")
        os.chdir(self._folder)
        if self._folder not in sys.path:
            sys.path.insert(0, self._folder)
        # Ray's own program stands there, which a fresh process would run again.
        sys.modules["__main__"].__file__ = None
        self._process = WorkerProcess(self._call, alone=True)
        return _code(), self._process.receive()

    def work(self, items: bytes) -> tuple[str | None, bytes]:
        """The outcome of a batch."""
        assert self._process is not None  # noqa: S101 - the loop starts a worker before it sends
        self._process.send(items)
        return None, self._process.receive()


def _refusal(reason: str) -> bytes:
    return pickle.dumps(Failure(CurateError(f"machine {socket.gethostname()} {reason}"), ""))


class _Keepers:
    """Ray actors as `worker_loop.Workers`."""

    def __init__(self, ray: Any, arguments: tuple[bytes, str, str | None], engine: RayEngine) -> None:
        self._ray, self._arguments = ray, arguments
        gpus = ray.cluster_resources().get("GPU", 0) >= 1 if engine.gpus is None else engine.gpus
        self._limit, self._resource = engine.workers, "GPU" if gpus else "CPU"
        self._actor = ray.remote(num_cpus=1, num_gpus=int(gpus), max_restarts=0, max_task_retries=0)(_Keeper)
        self._keepers: dict[int, Any] = {}
        self._pending: dict[Any, int] = {}  # place by the reference of an outcome
        self._places, self._looked = 0, float("-inf")
        self._begun, self._any_ready = time.monotonic(), False
        self._code = _code()

    def places(self) -> int:
        if time.monotonic() - self._looked > _LOOK_S:
            there = int(self._ray.cluster_resources().get(self._resource, 0))
            # A cluster that grows on demand may have nothing yet.
            self._places = max(min(self._limit, there) if self._limit and there else there or self._limit, 1)
            self._looked = time.monotonic()
        return self._places

    def start(self, place: int) -> None:
        if place not in self._keepers:
            self._keepers[place] = self._actor.options(scheduling_strategy="SPREAD").remote(*self._arguments)
        self._pending[self._keepers[place].start.remote()] = place

    def send(self, place: int, items: Sequence[Any]) -> None:
        message = pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL)
        self._pending[self._keepers[place].work.remote(message)] = place

    def wait(self, *, block: bool) -> list[tuple[int, Outcome]]:
        references = list(self._pending)
        if block:
            done, _ = self._ray.wait(references, num_returns=1, timeout=_LOOK_S)
            if not done:
                self._check_patience()
                return []
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [(self._pending[reference], self._outcome(reference)) for reference in done]

    def stop(self) -> None:
        for keeper in self._keepers.values():
            with contextlib.suppress(Exception):  # the cluster may be gone
                self._ray.kill(keeper)

    def _outcome(self, reference: Any) -> Outcome:
        place = self._pending.pop(reference)
        errors = require("ray.exceptions", extra="ray")
        try:
            code, message = self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.ActorUnschedulableError as error:
            raise CurateError(f"no machine of the Ray cluster can take a worker: {error}") from error
        except errors.RayError:  # with its machine, or by Ray when memory was short
            self._drop(place)
            return Died("its machine or Ray ended it")
        self._any_ready = True
        if code not in (None, self._code):
            self._code = _code()  # shared files may just have been edited
            if code != self._code:
                raise CurateError(
                    "a machine of the Ray cluster has another version of curate: install the same one on all"
                )
        outcome: Outcome = pickle.loads(message)  # noqa: S301 - from our own process
        return outcome

    def _drop(self, place: int) -> None:
        keeper = self._keepers.pop(place)
        with contextlib.suppress(Exception):  # it is most likely dead
            self._ray.kill(keeper)

    def _check_patience(self) -> None:
        if not self._any_ready and time.monotonic() - self._begun > _PATIENCE_S:
            free = self._ray.available_resources().get(self._resource, 0)
            raise CurateError(
                f"no worker could start on the Ray cluster for {_PATIENCE_S:.0f} s ({free:g} free "
                f"{self._resource}s): wait until it is free, or add machines"
            )
