"""The clock of a benchmark's engine leaves out how long workers take to start, however unequal that is."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

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
    assert engine.seconds >= 0.5  # four naps of two workers
    assert time.perf_counter() - began - engine.seconds >= 1.5  # neither began before the other


def test_fewer_batches_than_workers_wait_for_nobody(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    engine = TimedEngine(LocalEngine(3), 3, gate)
    assert list(engine.map_batches(functools.partial(setup, tmp_path), [[0.25]], label="naps")) == [[0.25]]
    assert engine.seconds >= 0.25


def die_once(folder: Path) -> Callable[[Sequence[float]], list[float]]:
    return functools.partial(_die_once, folder)


def _die_once(folder: Path, items: Sequence[float]) -> list[float]:
    """The first batch ends its worker; the others wait until a third one is set up."""
    try:
        (folder / "died").touch(exist_ok=False)
    except FileExistsError:
        while len(list((folder / "gate").iterdir())) < 3:
            time.sleep(0.01)
        return work(items)
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_worker_that_dies_voids_the_clock(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    engine = TimedEngine(LocalEngine(2), 2, gate)
    with pytest.raises(RuntimeError, match="naps: 3 workers were set up instead of 2: one died"):
        list(engine.map_batches(functools.partial(die_once, tmp_path), [[0.01]] * 6, label="naps"))
