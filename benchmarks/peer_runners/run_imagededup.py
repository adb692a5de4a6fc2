"""imagededup's PHash on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import answer
from imagededup.methods import PHash


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:
    """All pairs of hashes within a Hamming distance."""
    cores = len(os.sched_getaffinity(0))
    found = PHash(verbose=False).find_duplicates(
        image_dir=str(folder),
        max_distance_threshold=int(distance),
        scores=True,
        num_enc_workers=cores,
        num_dist_workers=cores,
    )
    for name, others in found.items():
        for other, apart in others:
            yield name, other, float(apart)


if __name__ == "__main__":
    answer.main("imagededup", find)
