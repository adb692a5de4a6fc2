"""The local engine: ordered results, back-pressure, one clear line when a worker dies."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.engines.local import LocalEngine
from curate.errors import CurateError, InputError


def slow_early(item: int) -> int:
    time.sleep(0.05 if item % 7 == 0 else 0.0)
    return item * item


def refuse(item: int) -> int:
    if item == 5:
        raise InputError(f"image {item} is bad")
    return item


def divide(item: int) -> float:
    return 1 / (item - 3)


class _UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_unpicklable(item: int) -> int:
    raise _UnpicklableError("this", str(item))


def give_unpicklable(item: int) -> object:
    return lambda: item


def die(item: str) -> str:
    if item == "bad item\nwith a newline":
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def leave(item: int) -> int:
    if item == 2:
        os._exit(7)
    return item


def threads(_: int) -> tuple[str | None, int]:
    return os.environ.get("OMP_NUM_THREADS"), os.getpid()


def log(item: int, folder: Path) -> int:
    (folder / str(item)).touch()
    if item == 0:
        time.sleep(0.5)
    return item


def sleep(item: float) -> float:
    time.sleep(item)
    return item


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_keep_the_order_of_the_items(workers: int) -> None:
    items = list(range(60))
    assert list(LocalEngine(workers).map(slow_early, items, label="x")) == [i * i for i in items]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_items_no_results(workers: int) -> None:
    assert list(LocalEngine(workers).map(slow_early, [], label="x")) == []


def test_zero_means_one_a_core() -> None:
    assert LocalEngine(0).workers == len(os.sched_getaffinity(0))


def test_one_worker_is_no_process() -> None:
    assert {pid for _, pid in LocalEngine(1).map(threads, [1, 2], label="x")} == {os.getpid()}


def test_workers_are_other_processes_with_one_thread_each() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    found = list(LocalEngine(2).map(threads, list(range(8)), label="x"))
    assert {count for count, _ in found} == {"1"}
    assert os.getpid() not in {pid for _, pid in found}
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_ours_comes_home_as_it_is(workers: int) -> None:
    with pytest.raises(InputError, match=r"^image 5 is bad$"):
        list(LocalEngine(workers).map(refuse, list(range(10)), label="x"))


def test_a_defect_keeps_its_type_and_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        list(LocalEngine(2).map(divide, list(range(10)), label="x"))
    (note,) = caught.value.__notes__
    assert "on 3:" in note
    assert "return 1 / (item - 3)" in note


def test_what_cannot_travel_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"_UnpicklableError: this and \d"):
        list(LocalEngine(2).map(raise_unpicklable, [1, 2], label="x"))
    with pytest.raises((RuntimeError, AttributeError), match=r"pickle|local"):
        list(LocalEngine(2).map(give_unpicklable, [1, 2], label="x"))


def test_a_killed_worker_is_one_line_that_names_the_item() -> None:
    items = ["a", "b", "bad item\nwith a newline", "c", "d"]
    with pytest.raises(CurateError) as caught:
        list(LocalEngine(2).map(die, items, label="ingest"))
    assert str(caught.value).startswith(
        "ingest: a worker process died (SIGKILL) on bad item with a newline: "
    )


def test_a_worker_that_leaves_is_told_with_its_exit_code() -> None:
    with pytest.raises(CurateError, match=r"died \(exit code 7\) on 2:"):
        list(LocalEngine(2).map(leave, list(range(4)), label="x"))


def test_workers_pause_for_a_slow_first_item(tmp_path: Path) -> None:
    results = LocalEngine(2).map(functools.partial(log, folder=tmp_path), list(range(500)), label="x")
    assert next(results) == 0
    assert len(list(tmp_path.iterdir())) <= 2 * 16 + 2
    assert sum(results) == sum(range(500))


def test_leaving_early_stops_the_workers() -> None:
    results = LocalEngine(2).map(sleep, [0.0, 0.0, 60.0, 60.0], label="x")
    assert next(results) == 0.0
    started = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 10


SCRIPT = """
import sys, time
from curate.engines.local import LocalEngine
if __name__ == "__main__":
    print("started", flush=True)
    for number in LocalEngine(2).map(time.sleep, [0.01] * 10_000, label="x"):
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_or_a_kill_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(2)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to the whole group
        else:
            process.kill()
        _, errors = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert errors.count("KeyboardInterrupt") == 1  # the parent's alone
    deadline = time.monotonic() + 15
    while _members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _members(process.pid) == []


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
