"""Objects that look alike and are labelled differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.records import FloatArray
from curate.vectors.nearest import nearest


@dataclass(frozen=True, slots=True)
class LookAlike:
    """An object whose nearest object has another category.

    Attributes:
        row: Of the object.
        neighbor: Row of the nearest one.
        cosine: Of both, in [-1, 1].
        other_share: Share of its nearest objects that have another category than it, in (0, 1].
    """

    row: int
    neighbor: int
    cosine: float
    other_share: float


def look_alikes(vectors: FloatArray, categories: Sequence[str], *, neighbors: int) -> list[LookAlike]:
    """Objects whose nearest one has another category: first those that are most alone with their label.

    Args:
        vectors: (N, D) float32 of unit length, an object each.
        categories: N.
        neighbors: How many nearest ones are counted.

    Returns:
        By falling `other_share`, then by falling cosine.
    """
    found = nearest(vectors, neighbors)
    if not found.rows.shape[1]:
        return []
    _, category = np.unique(np.asarray(categories, dtype=object).astype(str), return_inverse=True)
    there = found.rows >= 0
    other = (category[found.rows] != category[:, None]) & there
    share = other.sum(axis=1) / np.maximum(1, there.sum(axis=1))
    rows = np.flatnonzero(other[:, 0])
    order = rows[np.lexsort((rows, -found.cosine[rows, 0], -share[rows]))]
    return [
        LookAlike(int(row), int(found.rows[row, 0]), float(found.cosine[row, 0]), float(share[row]))
        for row in order
    ]
