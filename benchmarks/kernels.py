"""What each compiled module gains: its own speed, and that of a stage's step, against a plain version.

`python -m benchmarks kernels`. A module that gains less than a third at the stage's level is not kept.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import kernel_cases, process_cost, result
from benchmarks.kernel_cases import KERNELS, Case
from benchmarks.result import Target

NAME = "kernels"
COMMAND = "python -m benchmarks kernels"
ROUNDS = 1 if result.quick() else 3
WANTED = 4 / 3  # times as fast, at the stage's level
_MIN_S = 0.0 if result.quick() else 0.05  # of one timing of the module alone
_ONE_CORE = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
INTRO = """## Compiled code

Every module of compiled code against a plain version of the same, which is written in `benchmarks/plain_*.py`
for this comparison. *Alone* is the time of the calls that the step makes, the same arguments for both; what
they make is compared. *Step* is the time of a step of the stage, with the compiled functions and with the
plain ones in their place: what makes that less than {wanted:.2f} times as fast is not kept. Processor time on
one core, of a process for each module, after a first run that compiles; medians of {rounds} runs in turn.
{beside}

"""
Call = tuple[str, tuple[Any, ...]]


def measure() -> None:
    """Measure every module in a process of its own."""
    os.environ |= _ONE_CORE
    rows = {}
    for name in KERNELS:
        rows[name] = process_cost.call(measured, memory=False, name=name)[1]
        print(f"{NAME}: {name} {rows[name]}", flush=True)
    targets = [
        Target(f"compiled {name}, at the stage's level", WANTED, row["step_ratio"], "x")
        for name, row in rows.items()
        if not KERNELS[name].beside
    ]
    content = {"rows": rows, "rounds": ROUNDS, "wanted": WANTED}
    content["versions"] = result.versions("numpy", "numba", "scipy", "pillow", "pycocotools")
    result.save(NAME, content, command=COMMAND, targets=targets)


def measured(name: str) -> dict[str, float]:
    """The figures of one module."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with kernel_cases.scratch() as folder:
        return {**figures(KERNELS[name].make(Path(folder))), "lines": _lines(name)}


def figures(case: Case) -> dict[str, float]:
    """Seconds of an item, with compiled functions and with plain ones, and how many values are alike.

    Raises:
        AssertionError: The plain functions make something else.
    """
    calls = _calls(case)
    compiled = {one: _found(one) for one in case.plain}
    share = _alike(calls, compiled, case)
    max_times = max(1, int(_MIN_S / max(_replayed(calls, compiled)[0], 1e-9)))
    alone: dict[bool, list[float]] = {False: [], True: []}
    step: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for plain in (False, True):
            functions = case.plain if plain else compiled
            times = 1 if plain else max_times
            alone[plain].append(sum(_replayed(calls, functions)[0] for _ in range(times)) / times)
            with _in_place(functions):
                step[plain].append(_timed(case.step))
    own, whole = (
        {plain: result.median(seconds) / case.items for plain, seconds in both.items()}
        for both in (alone, step)
    )
    return {
        "items": case.items,
        "calls": len(calls),
        "alike": share,
        "own_s": own[False],
        "own_plain_s": own[True],
        "own_ratio": own[True] / max(own[False], 1e-12),
        "step_s": whole[False],
        "step_plain_s": whole[True],
        "step_ratio": whole[True] / max(whole[False], 1e-12),
    }


def modules(name: str) -> list[str]:
    """The modules that a row is about."""
    return name.partition(",")[0].split(" + ")


def _lines(name: str) -> int:
    paths = [result.ROOT / "curate" / f"{module}.py" for module in modules(name)]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def _found(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


@contextlib.contextmanager
def _in_place(functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Let names stand for other functions for a while."""
    before = {name: _found(name) for name in functions}
    try:
        for name, function in functions.items():
            _put(name, function)
        yield
    finally:
        for name, function in before.items():
            _put(name, function)


def _put(name: str, function: Callable[..., Any]) -> None:
    module, _, attribute = name.rpartition(".")
    setattr(importlib.import_module(module), attribute, function)


def _calls(case: Case) -> list[Call]:
    """What the step calls in its second run, after compiling, with the arguments before they are filled."""
    case.step()
    calls: list[Call] = []

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append((name, _copied(arguments)))
            return function(*arguments)

        return call

    with _in_place({name: watched(name, _found(name)) for name in case.plain}):
        case.step()
    if not calls:
        raise AssertionError(f"the step calls none of {', '.join(case.plain)}")
    return calls


def _copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arrays of their own, since functions fill them."""
    return tuple(one.copy() if isinstance(one, np.ndarray) else copy.copy(one) for one in arguments)


def _replayed(calls: Sequence[Call], functions: Mapping[str, Callable[..., Any]]) -> tuple[float, list[Any]]:
    """Seconds of all calls, and of each the arguments that it changed and its answer."""
    fresh = [(functions[name], _copied(arguments)) for name, arguments in calls]
    began = time.process_time()
    answers = [function(*arguments) for function, arguments in fresh]
    seconds = time.process_time() - began
    changed = [
        [
            one if isinstance(one, np.ndarray) and not np.array_equal(one, before) else None
            for one, before in zip(arguments, given, strict=True)
        ]
        for (_, arguments), (_, given) in zip(fresh, calls, strict=True)
    ]
    return seconds, list(zip(changed, answers, strict=True))


def _timed(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _alike(calls: Sequence[Call], compiled: Mapping[str, Callable[..., Any]], case: Case) -> float:
    """Share of the numbers that both make which are equal, or as near as they must be.

    Raises:
        AssertionError: Less than the case allows, or of another shape.
    """
    same = every = 0
    ours, plain = (_replayed(calls, functions)[1] for functions in (compiled, case.plain))
    for (name, _), one, other in zip(calls, ours, plain, strict=True):
        for a, b in zip(_numbers(one, name), _numbers(other, name), strict=True):
            if a.shape != b.shape:
                raise AssertionError(f"{name} makes {a.shape}, the plain version {b.shape}")
            near = (a == b) | ((a != a) & (b != b))  # noqa: PLR0124 - NaN
            if case.tolerance:  # as floats, which hashes are not
                near |= np.isclose(a.astype(float), b.astype(float), rtol=0, atol=case.tolerance)
            same, every = same + int(near.sum()), every + a.size
    if same < case.alike * every:
        raise AssertionError(f"{', '.join(case.plain)}: {same} of {every} numbers are the plain version's")
    return same / every


def _numbers(value: Any, name: str) -> list[np.ndarray[Any, Any]]:
    """All arrays and numbers in arguments and answers, in order; pairs of a search sorted."""
    if name.endswith("hamming_kernel.join"):
        (arguments, count) = value
        found = [column for column in arguments[8:11] if column is not None and count <= len(column)]
        # Which pairs stand in columns that are too short for all depends on the order.
        pairs = np.stack([column[:count].astype(np.int64) for column in found] or [np.zeros(0, np.int64)])
        return [np.array(count), pairs[:, np.lexsort(pairs)]]
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, bool | int | float | np.generic):
        return [np.asarray(value)]
    if isinstance(value, tuple | list):
        return [part for one in value for part in _numbers(one, "")]
    if hasattr(value, "__slots__"):
        return [part for field in value.__slots__ for part in _numbers(getattr(value, field), "")]
    return []


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [
            f"`{name}`",
            KERNELS[name].replaces if name in KERNELS else "-",
            KERNELS[name].step if name in KERNELS else "-",
            *(_time(row[key]) for key in ("own_s", "own_plain_s")),
            f"{result.figure(row['own_ratio'])}x",
            *(_time(row[key]) for key in ("step_s", "step_plain_s")),
            f"{result.figure(row['step_ratio'])}x",
            str(row["lines"]),
        ]
        for name, row in content["rows"].items()
    ]
    header = [
        "module",
        "plain version",
        "step",
        "alone",
        "plain",
        "gain",
        "step",
        "with plain",
        "gain",
        "lines",
    ]
    beside = " ".join(f"`{name}` {one.beside}." for name, one in KERNELS.items() if one.beside)
    text = INTRO.format(**content, beside=beside) + result.table(header, rows, numbers=7)
    return text + "\n" + result.target_table(result.targets(content)) + "\n" + result.footer(content)


def _time(seconds: float) -> str:
    """Time of one item, in a unit that fits."""
    return f"{result.figure(1e3 * seconds)} ms" if seconds >= 1e-3 else f"{result.figure(1e6 * seconds)} µs"


if __name__ == "__main__":
    measure()
