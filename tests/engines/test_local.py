"""The local engine: ordered results, back-pressure, dead workers' batches tried again, no process left."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.engines.local import LocalEngine
from curate.errors import CurateError, InputError
from curate.ports import Casualty
from tests.engines import functions as f


def in_batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def results(engine: LocalEngine, function: Any, items: list[Any], *, size: int = 4) -> list[Any]:
    setup = functools.partial(f.each, function)
    found = engine.map_batches(setup, in_batches(items, size), label="x", total=len(items))
    return [result for batch in found for result in batch]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize(
    "engine",
    [LocalEngine(1), LocalEngine(3), LocalEngine(in_process=True)],
    ids=["one", "three", "in process"],
)
def test_results_keep_the_order_and_the_batches(engine: LocalEngine, size: int) -> None:
    items = list(range(40))
    setup = functools.partial(f.each, f.slow_early)
    found = list(engine.map_batches(setup, in_batches(items, size), label="x"))
    assert [len(batch) for batch in found] == [len(batch) for batch in in_batches(items, size)]
    assert [result for batch in found for result in batch] == [item * item for item in items]


@pytest.mark.parametrize("in_process", [True, False])
def test_empty_batches_come_back_empty(in_process: bool) -> None:
    engine = LocalEngine(2, in_process=in_process)
    setup = functools.partial(f.each, f.square)
    assert list(engine.map_batches(setup, [], label="x")) == []
    assert list(engine.map_batches(setup, [[], [3], []], label="x")) == [[], [9], []]


def test_zero_means_one_a_core() -> None:
    assert LocalEngine(0).workers == len(os.sched_getaffinity(0))


def test_workers_are_other_processes_with_one_thread_each(tmp_path: Path) -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    where = functools.partial(f.where_together, folder=tmp_path, workers=2)
    found = results(LocalEngine(2), where, list(range(12)), size=2)
    assert {count for _, _, count, _ in found} == {"1"}
    assert len({pid for _, pid, _, _ in found} - {os.getpid()}) == 2
    assert {folder for *_, folder in found} == {str(Path.cwd())}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_opencv_has_one_thread_in_a_worker() -> None:
    assert results(LocalEngine(2), f.opencv_threads, [0, 1]) == [1, 1]


def test_one_worker_is_still_a_process_of_its_own() -> None:
    ((_, pid, _, _),) = results(LocalEngine(1), f.where, [1])
    assert pid != os.getpid()


def test_in_process_is_the_caller() -> None:
    assert {pid for _, pid, _, _ in results(LocalEngine(in_process=True), f.where, [1, 2])} == {os.getpid()}


def test_setup_is_called_once_a_worker(tmp_path: Path) -> None:
    setup = functools.partial(f.setup_counts, tmp_path)
    for _ in LocalEngine(2).map_batches(setup, in_batches(list(range(50)), 1), label="x"):
        pass
    pids = [file.name.split("-")[0] for file in tmp_path.iterdir()]
    assert 1 <= len(pids) <= 2
    assert len(set(pids)) == len(pids)


def test_few_batches_start_few_workers(tmp_path: Path) -> None:
    setup = functools.partial(f.setup_counts, tmp_path)
    list(LocalEngine(8).map_batches(setup, [[1, 2, 3]], label="x"))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("engine", [LocalEngine(2), LocalEngine(in_process=True)])
def test_the_first_error_in_order_comes_home_as_it_is(engine: LocalEngine) -> None:
    with pytest.raises(InputError, match=r"^image 5 is bad$"):  # though 9 fails sooner
        results(engine, f.refuse, list(range(12)), size=1)


def test_a_defect_keeps_its_type_and_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        results(LocalEngine(2), f.divide, list(range(10)), size=2)
    (note,) = caught.value.__notes__
    assert "x, in a worker, on 2 or one of the 1 after it:" in note
    assert "return 1 / (item - 3)" in note


def test_what_cannot_travel_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"UnpicklableError: this and \d"):
        results(LocalEngine(2), f.raise_unpicklable, [1, 2])
    with pytest.raises((RuntimeError, AttributeError, TypeError), match=r"pickle|local"):
        results(LocalEngine(2), f.give_unpicklable, [1, 2])


@pytest.mark.parametrize("engine", [LocalEngine(2), LocalEngine(in_process=True)])
def test_a_result_too_few_is_a_defect(engine: LocalEngine) -> None:
    with pytest.raises(ValueError, match="2 results for 3 items"):
        list(engine.map_batches(f.setup_too_few, [[1, 2, 3]], label="x"))


@pytest.mark.parametrize("workers", [1, 3])
def test_items_that_kill_their_process_are_found_and_only_they_are_lost(workers: int, tmp_path: Path) -> None:
    """Item 38 of items 0 to 50 exits, 13 is killed, 17 aborts."""
    found = results(
        LocalEngine(workers), functools.partial(f.poison, folder=tmp_path), list(range(50)), size=8
    )
    lost = {
        13: Casualty("SIGKILL", tries=3),
        17: Casualty("SIGABRT", tries=3),
        38: Casualty("exit code 3", tries=3),
    }
    assert found == [lost.get(item, item * item) for item in range(50)]
    tries = {int(file.name): len(file.read_text().splitlines()) for file in tmp_path.iterdir()}
    assert tries[13] == 2 + 3  # in the batch, again, and three times alone
    assert tries[0] == 1
    assert tries[8] == 3  # in 13's batch, which was tried twice, and alone
    assert len(set((tmp_path / "13").read_text().splitlines())) == 5  # on a fresh worker each time


def test_retries_are_a_number() -> None:
    found = results(LocalEngine(1, retries=0), f.poison, [12, 13], size=1)
    assert found == [144, Casualty("SIGKILL", tries=1)]


def test_an_accident_costs_nothing(tmp_path: Path) -> None:
    found = results(LocalEngine(2), functools.partial(f.die_once, folder=tmp_path), list(range(20)))
    assert (tmp_path / "died").exists()
    assert found == [item * item for item in range(20)]


def test_workers_that_are_killed_from_outside_are_replaced(tmp_path: Path) -> None:
    """Two kills while everything runs; which batches they hit is left to chance."""
    function = functools.partial(f.note_pid, folder=tmp_path, seconds=0.02)
    killed = set()

    def kill() -> None:
        while len(killed) < 2:
            time.sleep(0.4)
            alive = {file.name for file in tmp_path.iterdir()} - killed
            if alive:
                killed.add(min(alive))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(min(alive)), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = results(LocalEngine(2), function, list(range(150)), size=5)
    killer.join()
    assert found == [item * item for item in range(150)]
    assert len(list(tmp_path.iterdir())) >= 4  # two were replaced


def test_where_everything_kills_the_run_ends_with_one_line() -> None:
    with pytest.raises(CurateError, match=r"^x: 32 items in a row killed their worker processes, the last"):
        results(LocalEngine(2, retries=0), f.die, list(range(200)), size=1)


def test_an_error_of_setup_comes_home() -> None:
    with pytest.raises(InputError, match=r"^no weights here$"):
        list(LocalEngine(2).map_batches(f.setup_refuses, [[1]], label="x"))
    with pytest.raises(ZeroDivisionError, match="a defect") as caught:
        list(LocalEngine(2).map_batches(f.setup_breaks, [[1]], label="x"))
    assert "x, while a worker started:" in caught.value.__notes__[0]


def test_workers_that_die_while_starting_are_one_line() -> None:
    with pytest.raises(CurateError, match=r"^x: a worker process died \(SIGKILL\) while starting, 3 times"):
        list(LocalEngine(2).map_batches(f.setup_dies, [[1], [2]], label="x"))


def test_a_worker_that_dies_once_while_starting_is_replaced(tmp_path: Path) -> None:
    setup = functools.partial(f.setup_dies_once, tmp_path)
    assert list(LocalEngine(1).map_batches(setup, [[1, 2]], label="x")) == [[1, 4]]


def test_batches_are_taken_only_as_fast_as_results_are_used(tmp_path: Path) -> None:
    taken = []

    def batches() -> Iterator[list[int]]:
        for item in range(500):
            taken.append(item)
            yield [item]

    setup = functools.partial(f.each, functools.partial(f.leave_trace, folder=tmp_path))
    found = LocalEngine(2).map_batches(setup, batches(), label="x")
    assert taken == []  # nothing happens before it is asked for
    assert next(found) == [0]
    assert len(taken) <= 2 * 4 + 1
    time.sleep(0.3)  # nor while nobody asks
    assert len(list(tmp_path.iterdir())) <= len(taken) <= 2 * 4 + 1
    assert sum(result for batch in found for result in batch) == sum(range(500))


def test_an_error_of_the_batches_stops_the_workers(tmp_path: Path) -> None:
    def batches() -> Iterator[list[int]]:
        yield from ([item] for item in range(20))
        raise InputError("the list ends in the middle of a line")

    setup = functools.partial(f.each, functools.partial(f.note_pid, folder=tmp_path, seconds=0.0))
    with pytest.raises(InputError, match="the list ends"):
        for _ in LocalEngine(2).map_batches(setup, batches(), label="x"):
            pass
    _wait_until_gone([int(file.name) for file in tmp_path.iterdir()])


def test_leaving_early_stops_the_workers(tmp_path: Path) -> None:
    """One is in the middle of a long item, the other may be idle or not yet there."""
    setup = functools.partial(f.each, functools.partial(f.leave_early, folder=tmp_path))
    found = LocalEngine(2).map_batches(setup, [[0.0], [600.0], [0.0]], label="x")
    assert next(found) == [0.0]
    found.close()  # type: ignore[attr-defined]
    _wait_until_gone([int(file.name) for file in tmp_path.iterdir()])


SCRIPT = """
import functools, signal, sys, time
from pathlib import Path
from curate.engines.local import LocalEngine
from tests.engines import functions as f
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts without
    function = functools.partial(f.note_pid, folder=Path(sys.argv[1]), seconds=float(sys.argv[2]))
    setup = functools.partial(f.each, function)
    for number in LocalEngine(2).map_batches(setup, ([n] for n in range(10_000)), label="x"):
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seconds", [0.01, 600.0], ids=["short batches", "long batches"])
def test_an_interrupt_or_a_kill_leaves_no_process(
    tmp_path: Path, how: signal.Signals, seconds: float
) -> None:
    script, pids = tmp_path / "script.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    pids.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), str(pids), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        deadline = time.monotonic() + 30
        while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to the whole group
        else:
            process.send_signal(how)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()  # a test that fails must not wait for it
    workers = [int(file.name) for file in pids.iterdir()]
    assert len(workers) >= 2
    if how == signal.SIGINT:
        assert errors.count("KeyboardInterrupt") == 1  # the parent's alone
    _wait_until_gone(workers)
    deadline = time.monotonic() + 15
    while _members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _members(process.pid) == []  # nor what starts workers


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def _members(group: int) -> list[int]:
    """Living processes of a session, zombies left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == group and state != "Z":
                found.append(int(folder.name))
    return found
