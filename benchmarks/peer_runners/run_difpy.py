"""difPy on all cores: every pair of 50 x 50 pixels, by mean squared error."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import answer
import difPy


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:
    """The pairs whose mean squared error is at most `distance`."""
    cores = len(os.sched_getaffinity(0))
    built = difPy.build(str(folder), processes=cores, show_progress=False)
    search = difPy.search(built, similarity=distance, same_dim=False, processes=cores, show_progress=False)
    for first, others in search.result.items():
        for other, error in others:
            yield Path(first).name, Path(other).name, float(error)


if __name__ == "__main__":
    answer.main("difPy", find)
