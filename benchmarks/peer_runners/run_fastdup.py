"""fastdup on all cores, its report to its makers switched off.

Its license forbids commercial use: it is measured here and is no dependency of anything.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

# Read at import. It writes a file into the home folder.
_HOME = tempfile.TemporaryDirectory()
os.environ |= {"SENTRY_OPT_OUT": "1", "HOME": _HOME.name}

import answer  # noqa: E402
import fastdup  # noqa: E402


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:
    """The pairs of images whose embeddings have a cosine of at least 1 - distance."""
    work = fastdup.create(work_dir=f"{_HOME.name}/work", input_dir=str(folder))
    # Neighbors: its default is two per image, which loses pairs of larger families.
    work.run(
        threshold=1 - distance,
        nearest_neighbors_k=20,
        num_threads=len(os.sched_getaffinity(0)),
        verbose=False,
    )
    found = work.similarity()
    for row in found.itertuples(index=False):
        yield Path(row.filename_from).name, Path(row.filename_to).name, 1 - float(row.distance)


if __name__ == "__main__":
    answer.main("fastdup", find)
