"""A real Ray cluster of two machines on this one, and the faults that clusters have."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curate.engines.ray import RayEngine

# Set before ray is imported, as the engine does.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # the loopback address, on Linux too

_MEMORY = 100 << 20  # bytes, of a machine's object store


class TwoMachines:
    """A head without workers' CPUs to lose, and a second raylet that comes and goes; one CPU each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        machine = {"num_cpus": 1, "object_store_memory": _MEMORY, "node_ip_address": "127.0.0.1"}
        self._machine = machine
        self._cluster = Cluster(initialize_head=True, head_node_args={**machine, "include_dashboard": False})
        self.second = self._cluster.add_node(**machine)
        self.address = str(self._cluster.address)

    def engine(self, **options: Any) -> RayEngine:
        return RayEngine(address=self.address, **options)

    def lose_second(self) -> None:
        """The second machine is gone, without a word."""
        self._cluster.remove_node(self.second, allow_graceful=False)

    def add_second(self) -> None:
        self.second = self._cluster.add_node(**self._machine)

    def workers(self) -> dict[int, int]:
        """Our worker processes on both machines, with the pid of the keeper of each."""
        raylets = [
            process.process.pid
            for node in self._cluster.list_all_nodes()
            for process in node.all_processes.get("raylet", [])
        ]
        keepers = [child for raylet in raylets for child in _children(raylet)]
        return {
            child: keeper
            for keeper in keepers
            for child in _children(keeper)
            if "multiprocessing.spawn" in _command(child)
        }

    def kill_worker(self) -> None:
        assert wait_until(lambda: bool(self.workers()))
        os.kill(min(self.workers()), signal.SIGKILL)

    def kill_keeper(self) -> None:
        assert wait_until(lambda: bool(self.workers()))
        os.kill(max(self.workers().values()), signal.SIGKILL)

    def connect(self) -> None:
        """For tests that follow each other: an engine connects by itself otherwise, which takes seconds."""
        import ray

        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")

    def stop(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


class Striking:
    """An engine during whose work things happen, each once, after so many batches came home.

    Args:
        engine: Does the work.
        strikes: The faults, by the number of batches.
    """

    def __init__(self, engine: RayEngine, strikes: dict[int, Callable[[], None]]) -> None:
        self._engine, self._strikes = engine, dict(strikes)
        self.labels: list[str] = []  # of what it was asked to do

    def map_batches(self, setup: Any, batches: Any, *, label: str, total: int | None = None) -> Iterator[Any]:
        self.labels.append(label)
        found = self._engine.map_batches(setup, batches, label=label, total=total)
        with contextlib.closing(found):  # type: ignore[type-var]
            for number, results in enumerate(found, 1):
                if number in self._strikes:
                    self._strikes.pop(number)()
                yield results

    @property
    def struck(self) -> bool:
        """All of it happened."""
        return not self._strikes


def wait_until(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
