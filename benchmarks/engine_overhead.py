"""What the engines themselves cost: items per second of a function that does next to nothing.

`python -m benchmarks.engine_overhead`
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import result
from curate.engines.local import LocalEngine
from curate.engines.ray import RayEngine
from curate.ports import Engine

NAME = "engine_overhead"
COMMAND = "python -m benchmarks.engine_overhead"
WORKERS = 2
RUNS = 1 if result.quick() else 3
SIZES = (1, 64)  # items per batch
BATCHES = 500 if result.quick() else 4_000
INTRO = """## Engines

What an engine adds to the work: a function that returns its item (a path of 60 bytes), {workers} workers,
{batches:,} batches. *Start* is the time to the first result: that of processes, for Ray also that of a
cluster on this machine. Ray {ray}; medians of {runs} runs in turn.

"""


def measure() -> None:
    """Time both engines in turn."""
    engines: dict[str, Engine] = {"local": LocalEngine(WORKERS), "ray": RayEngine(WORKERS)}
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(RUNS):
        for name, engine in engines.items():
            for size in SIZES:
                found.setdefault((name, size), []).append(_timed(engine, size))
    rows = [
        {
            "engine": name,
            "batch_size": size,
            "start_s": result.median(start for start, _ in runs),
            "items_s": result.median(rate for _, rate in runs),
        }
        for (name, size), runs in found.items()
    ]
    content: dict[str, Any] = {"rows": rows, "workers": WORKERS, "batches": BATCHES, "runs": RUNS}
    result.save(NAME, {**content, "versions": result.versions("ray")}, command=COMMAND)


def _timed(engine: Engine, size: int) -> tuple[float, float]:
    """Seconds to the first result, and items per second after it."""
    began = time.perf_counter()
    results = engine.map_batches(_setup, _batches(size), label=NAME)
    next(results)
    first = time.perf_counter()
    items = sum(len(batch) for batch in results)
    return first - began, items / (time.perf_counter() - first)


def _batches(size: int) -> Iterator[list[str]]:
    for number in range(BATCHES):
        yield [f"data/ingest/images/00/{number:031d}.jpg" for _ in range(size)]


def _setup() -> Any:
    return _same


def _same(items: Sequence[str]) -> list[str]:
    return list(items)


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [
            row["engine"],
            str(row["batch_size"]),
            f"{row['start_s']:.1f} s",
            result.figure(row["items_s"]),
            f"{1e6 / row['items_s']:.0f} us",
        ]
        for row in content["rows"]
    ]
    header = ["engine", "items per batch", "start", "items/s", "per item"]
    return (
        INTRO.format(**content, ray=content["versions"]["ray"])
        + result.table(header, rows, numbers=4)
        + "\n"
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
