"""From features on disk to pairs of images that are the same picture: candidates, then verification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.candidates import View, search
from curate.dedupe.features import Features, Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.hamming_search import Pairs
from curate.dedupe.verify import verify

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Side:
    """Images to compare: rows of features on disk, in an order that does not depend on when they came there.

    Attributes:
        stored: All features of an index.
        rows: (N,) int64, rows of `stored`.
    """

    stored: Features
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Rows) -> Side:
        """The images at some places of this side."""
        return Side(self.stored, self.rows[places])

    def view(self) -> View:
        """What candidates are found by."""
        return View(self.stored, self.rows)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the candidates.

    Attributes:
        by_hamming: (B,) int64, candidates of each distance.
        matches: Those that are the same picture, ordered by (first, second).
    """

    by_hamming: NDArray[np.int64]
    matches: Matches

    @property
    def candidates(self) -> int:
        """How many there were."""
        return int(self.by_hamming.sum())


def compare(
    images: Side, recipe: Recipe, *, max_hamming: int, min_correlation: float, base: Side | None = None
) -> Found:
    """Find all pairs within `images`, or between them and `base`.

    Returns:
        Matches by place in the sides; first < second without a base. The relation says how second shows
        first.
    """
    other = images if base is None else base
    pairs = search(images.view(), recipe, max_hamming, base=None if base is None else base.view()).pairs()
    on_disk = Pairs(images.rows[pairs.first], other.rows[pairs.second], pairs.hamming)
    verified = verify(images.stored, on_disk, recipe, min_correlation=min_correlation, base=other.stored)
    every = Matches(pairs.first, pairs.second, pairs.hamming, verified.correlation, verified.relation)
    return Found(np.bincount(pairs.hamming), every.take(verified.same))
