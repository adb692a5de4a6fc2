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
_MOST_S = 600.0  # a worker of a loaded machine may import for a minute


class TimedEngine:
    """An engine whose clock runs from the moment when all workers are set up until the last result.

    Attributes:
        seconds: Of the last run.
    """

    def __init__(self, engine: Engine, workers: int, gate: Path) -> None:
        """Begin.

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
        """See `curate.ports.Engine`."""
        together = functools.partial(_with_the_others, setup, self._workers, self._gate)
        ended = 0.0
        for result in self._engine.map_batches(together, batches, label=label, total=total):
            ended = time.perf_counter()
            yield result
        began = max(float(ready.read_text(encoding="ascii")) for ready in self._gate.iterdir())
        self.seconds = ended - began


def _with_the_others(
    setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]], workers: int, gate: Path
) -> Callable[[Sequence[Item]], Sequence[Result]]:
    """Set a worker up, and wait until all are."""
    function = setup()
    now = time.perf_counter()  # one clock for all processes of the machine
    (gate / str(os.getpid())).write_text(str(now), encoding="ascii")
    while len(list(gate.iterdir())) < workers:
        if time.perf_counter() - now > _MOST_S:
            raise RuntimeError(f"not all of {workers} workers started within {_MOST_S:.0f} s")
        time.sleep(0.001)
    return function
