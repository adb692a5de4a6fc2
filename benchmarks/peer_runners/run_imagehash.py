"""The loop people write: imagehash.phash of one file after the other, compared in NumPy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import answer
import imagehash
import numpy as np
from PIL import Image


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:
    """All pairs of hashes within a Hamming distance."""
    names = sorted(path.name for path in folder.iterdir())
    hashes = np.stack([np.packbits(imagehash.phash(Image.open(folder / name)).hash) for name in names])
    hashes = hashes.view(np.uint64).ravel()
    for row, name in enumerate(names):
        apart = np.bitwise_count(hashes[row + 1 :] ^ hashes[row])
        for other in np.flatnonzero(apart <= distance):
            yield name, names[row + 1 + int(other)], float(apart[other])


if __name__ == "__main__":
    answer.main("imagehash", find)
