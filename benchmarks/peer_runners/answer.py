"""What every runner shares: its arguments and the form of its answer. Runs in a peer's own environment."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

Pair = tuple[str, str, float]  # names of two files and their distance


def main(package: str, find: Callable[[Path, float], Iterable[Pair]]) -> None:
    """`python run_PEER.py FOLDER DISTANCE ANSWER_FILE`: pairs of files at most that far apart, as JSON."""
    folder, distance, target = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    began = time.perf_counter()
    found = {}
    for first, second, apart in find(folder, distance):
        pair = (min(first, second), max(first, second))
        found[pair] = min(apart, found.get(pair, apart))
    answer = {
        "package": package,
        "version": version(package),
        "seconds": time.perf_counter() - began,
        "pairs": [[*pair, apart] for pair, apart in sorted(found.items())],
    }
    target.write_text(json.dumps(answer), encoding="utf-8")
