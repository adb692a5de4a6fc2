"""Setups that worker processes import by name; each returns the function of a batch."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.extras import require

Batch = Callable[[Sequence[Any]], list[Any]]


def each(function: Callable[[Any], Any]) -> Batch:
    """A worker that applies `function` to each item."""
    return functools.partial(_each, function)


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]


def square(item: int) -> int:
    return item * item


def slow_early(item: int) -> int:
    time.sleep(0.03 if item % 7 == 0 else 0.0)
    return item * item


def is_loaded(module: str) -> tuple[bool, str]:
    """Whether the process has a module already, and its numeric threads."""
    return module in sys.modules, os.environ["OMP_NUM_THREADS"]


def refuse(item: int) -> int:
    """Two items are bad; the later one fails sooner."""
    if item == 5:
        time.sleep(0.3)
    if item in (5, 9):
        raise InputError(f"image {item} is bad")
    return item


def divide(item: int) -> float:
    return 1 / (item - 3)


class UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_unpicklable(item: int) -> int:
    raise UnpicklableError("this", str(item))


def give_unpicklable(item: int) -> object:
    return lambda: item


def poison(item: int, folder: Path | None = None) -> int:
    """Three items kill their process, each in its way; `folder` sees every attempt."""
    if folder is not None:
        with (folder / str(item)).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if item == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 17:
        os.abort()
    if item == 38:
        os._exit(3)
    return item * item


def die_once(item: int, folder: Path) -> int:
    """Item 7 kills the first process that meets it."""
    if item == 7 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def die(item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def where(item: int) -> tuple[int, int, str | None, str]:
    time.sleep(0.02)
    return item, os.getpid(), os.environ.get("OMP_NUM_THREADS"), str(Path.cwd())


def where_together(item: int, *, folder: Path, workers: int) -> tuple[int, int, str | None, str]:
    """The same, once so many processes are here: else one could do all before another has started."""
    (folder / str(os.getpid())).touch()
    until = time.monotonic() + 60
    while len(list(folder.iterdir())) < workers and time.monotonic() < until:
        time.sleep(0.01)
    return where(item)


def opencv_threads(_: int) -> int:
    return int(require("cv2", extra="restoration").getNumThreads())


def leave_trace(item: int, folder: Path) -> int:
    """Item 0 is slow; each item leaves a file."""
    if item == 0:
        time.sleep(0.5)
    (folder / str(item)).touch()
    return item


def note_pid(item: int, folder: Path, seconds: float) -> int:
    """Slow, and its process can be found."""
    (folder / str(os.getpid())).touch()
    time.sleep(seconds)
    return item * item


def leave_early(item: float, folder: Path) -> float:
    (folder / str(os.getpid())).touch()
    time.sleep(item)
    return item


def too_few(items: Sequence[int]) -> list[int]:
    return list(items)[:-1]


def setup_too_few() -> Batch:
    return too_few


def setup_counts(folder: Path) -> Batch:
    """Each call leaves a file named by its process and a number."""
    (folder / f"{os.getpid()}-{len(list(folder.iterdir()))}").touch()
    return functools.partial(_each, square)


def setup_refuses() -> Batch:
    raise InputError("no weights here")


def setup_breaks() -> Batch:
    raise ZeroDivisionError("a defect")


def setup_dies() -> Batch:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def setup_dies_once(folder: Path) -> Batch:
    if not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(9)
    return functools.partial(_each, square)
