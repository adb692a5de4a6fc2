"""The clock of a benchmark's engine leaves out how long workers take to start, however unequal that is."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.timed_engine import TimedEngine
from curate.engines.local import LocalEngine


def setup(folder: Path) -> Callable[[Sequence[float]], list[float]]:
    """The first worker is quick to start, the second is not."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        time.sleep(1.5)
    return work


def work(items: Sequence[float]) -> list[float]:
    for seconds in items:
        time.sleep(seconds)
    return list(items)


def test_the_start_of_the_slowest_worker_is_left_out(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    engine = TimedEngine(LocalEngine(2), 2, gate)
    began = time.perf_counter()
    made = list(engine.map_batches(functools.partial(setup, tmp_path), [[0.25]] * 4, label="naps"))
    assert made == [[0.25]] * 4
    assert time.perf_counter() - began > 1.9
    assert 0.5 <= engine.seconds < 1.5  # four naps of two workers: neither began before the other
