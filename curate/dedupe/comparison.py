"""From features on disk to pairs of images that are the same picture: candidates, then verification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.candidates import candidates
from curate.dedupe.features import Features, Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.neighbours import Pairs
from curate.dedupe.verify import Verified, verify

# Columns that verification alone reads, a few rows at a time: they stay on disk.
_LARGE: Final = ("luma", "colour")
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Side:
    """Images to compare: rows of features on disk, in an order that does not depend on when they came there.

    Attributes:
        stored: All features of an index.
        rows: (N,) int64, rows of `stored`.
        small: (N) of them in memory, without thumbnails: what candidates are found by.
    """

    stored: Features
    rows: Rows
    small: Features

    def take(self, places: Rows) -> Side:
        """Some of the images."""
        small = {name: values[places] for name, values in self.small.columns().items() if name not in _LARGE}
        for name in _LARGE:
            if name in self.small.columns():
                small[name] = self.small.columns()[name][: len(places)]
        return Side(self.stored, self.rows[places], Features.from_columns(small))


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates, and those of them that are the same picture."""

    pairs: Pairs
    matches: Matches


def side(stored: Features, rows: Rows) -> Side:
    """Take rows of an index; brings all columns but the thumbnails into memory."""

    def column(name: str, values: NDArray[Any]) -> NDArray[Any]:
        if name in _LARGE:  # nothing reads these; they take no memory
            return np.broadcast_to(np.zeros(values.shape[1:], values.dtype), (len(rows), *values.shape[1:]))
        return np.ascontiguousarray(values[rows])

    small = {name: column(name, values) for name, values in stored.columns().items()}
    return Side(stored, rows, Features.from_columns(small))


def compare(
    images: Side, recipe: Recipe, *, max_hamming: int, min_correlation: float, base: Side | None = None
) -> Found:
    """Find all pairs within `images`, or between them and `base`.

    Returns:
        Pairs by place in the sides; first < second without a base. The relation says how second shows first.
    """
    other = images if base is None else base
    pairs = find(images, recipe, max_hamming, base=base)
    on_disk = Pairs(images.rows[pairs.first], other.rows[pairs.second], pairs.hamming)
    verified = check(
        images.stored, on_disk, recipe, min_correlation, base=None if base is None else base.stored
    )
    every = Matches(pairs.first, pairs.second, pairs.hamming, verified.correlation, verified.relation)
    return Found(pairs, every.take(verified.same))


def find(images: Side, recipe: Recipe, max_hamming: int, *, base: Side | None = None) -> Pairs:
    """Candidates by place in the sides."""
    return candidates(images.small, recipe, max_hamming, base=None if base is None else base.small)


def check(
    stored: Features,
    pairs: Pairs,
    recipe: Recipe,
    min_correlation: float,
    *,
    base: Features | None = None,
) -> Verified:
    """What becomes of candidates, by row of the stored features."""
    return verify(stored, pairs, recipe, min_correlation=min_correlation, base=base)
