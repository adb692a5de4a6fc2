"""The plot of near-duplicates: how many pairs there are at each distance, and how many of them hold."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import tables


def write_distances(pairs: NDArray[np.int64], verified: NDArray[np.integer], path: Path) -> None:
    """Write `hamming,pairs,verified`, a row for every second distance.

    Args:
        pairs: (D,) number of pairs at each Hamming distance in bits.
        verified: (V,) distance of each pair that was verified.
        path: CSV file.

    Raises:
        StorageError: It cannot be written.
    """
    max_bits = int(np.flatnonzero(pairs).max(initial=0))
    every = np.pad(pairs, (0, 2))
    held = np.bincount(verified, minlength=max_bits + 2)
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hamming", "pairs", "verified"])
        # In steps of two: a median sets just half of the bits, so nearly all distances are even.
        for bits in range(0, max_bits + 1, 2):
            writer.writerow([bits, every[bits : bits + 2].sum(), held[bits : bits + 2].sum()])
