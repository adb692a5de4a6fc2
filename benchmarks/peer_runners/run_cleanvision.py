"""cleanvision's near and exact duplicates, on all cores: equal hashes only, no distance to choose."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import answer
from cleanvision import Imagelab


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:  # noqa: ARG001 (all runners are called alike)
    """The pairs inside the sets it finds."""
    lab = Imagelab(data_path=str(folder), verbose=False)
    wanted = {"exact_duplicates": {}, "near_duplicates": {}}
    lab.find_issues(wanted, n_jobs=len(os.sched_getaffinity(0)), verbose=False)
    for kind in wanted:
        for same in lab.info[kind]["sets"]:
            for first, second in itertools.combinations(same, 2):
                yield Path(first).name, Path(second).name, 0.0


if __name__ == "__main__":
    answer.main("cleanvision", find)
