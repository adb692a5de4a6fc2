"""One measured comparison: what was run, against what, and the medians."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Result:
    """Medians in seconds of the same work done by us and by a peer, in one run.

    Attributes:
        name: File name of the result.
        work: What was done, with its size.
        peer: The peer with its version.
        ours_s: Our median.
        peer_s: The peer's median.
        repeats: Runs of each, taken in turn.
        command: How to repeat it.
        machine: Cores, processor architecture and Python.
    """

    name: str
    work: str
    peer: str
    ours_s: float
    peer_s: float
    repeats: int
    command: str
    machine: str

    @property
    def ratio(self) -> float:
        """How many times faster we are."""
        return self.peer_s / self.ours_s

    def line(self) -> str:
        """A row of docs/benchmarks.md."""
        return (
            f"| {self.work} | {self.peer} | {self.peer_s:.2f} s | {self.ours_s:.2f} s | {self.ratio:.1f}x "
            f"| {self.machine} | `{self.command}` |"
        )

    def save(self) -> None:
        """Write benchmarks/results/<name>.json."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self.name}.json").write_text(
            json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8"
        )


def compare(
    name: str,
    work: str,
    peer: str,
    *,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int,
    command: str,
) -> Result:
    """Time both in turn, `repeats` times, and take the medians."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, seconds in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - began)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return Result(
        name, work, peer, statistics.median(times[0]), statistics.median(times[1]), repeats, command, machine
    )
