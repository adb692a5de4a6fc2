"""How long workers work, without the time that processes and models take to start."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from curate.ports import Casualty, Engine

Item = TypeVar("Item")
Result = TypeVar("Result")
_MAX_START_S = 600.0  # a worker of a loaded machine may import for a minute


class TimedEngine:
    """An engine whose clock runs from the moment when all workers are set up until the last result.

    Attributes:
        seconds: Of the last run.
    """

    def __init__(self, engine: Engine, workers: int, gate: Path) -> None:
        """Begin without any time measured.

        Args:
            engine: What runs.
            workers: How many it starts.
            gate: An empty folder, where workers wait for each other.
        """
        self._engine, self._workers, self._gate = engine, workers, gate
        self.seconds = 0.0

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]],
        batches: Iterable[Sequence[Item]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Result | Casualty]]:
        """See `curate.ports.Engine`.

        Raises:
            RuntimeError: A worker died, and another took its place.
        """
        given = list(batches)
        workers = min(self._workers, len(given))  # no more are started
        together = functools.partial(_with_the_others, setup, workers, self._gate)
        ended = 0.0
        for result in self._engine.map_batches(together, given, label=label, total=total):
            ended = time.perf_counter()
            yield result
        ready = [float(mark.read_text(encoding="ascii")) for mark in self._gate.iterdir()]
        if len(ready) != workers:  # the clock would begin when a new one was set up
            raise RuntimeError(f"{label}: {len(ready)} workers were set up instead of {workers}: one died")
        self.seconds = ended - max(ready)


def _with_the_others(
    setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]], workers: int, gate: Path
) -> Callable[[Sequence[Item]], Sequence[Result]]:
    """Set a worker up, and wait until all are."""
    function = setup()
    now = time.perf_counter()  # one clock for all processes of the machine
    (gate / str(os.getpid())).write_text(str(now), encoding="ascii")
    while len(list(gate.iterdir())) < workers:
        if time.perf_counter() - now > _MAX_START_S:
            raise RuntimeError(f"not all of {workers} workers started within {_MAX_START_S:.0f} s")
        time.sleep(0.001)
    return function
