"""How far apart each two people drew the edges of one object, in counts that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers

Counts = NDArray[np.int64]
_DROPPED_BITS = 42  # of a float64: ten binary digits of a square are left, a bin is 0.1% wide
_BIN_BITS = 64 - _DROPPED_BITS


@dataclass(frozen=True, slots=True)
class EdgeDifferences:
    """Squares of differences, relative to the box's side: a row per pair of people and bin.

    Attributes:
        people: Names, sorted.
        first: (E,) index into `people`.
        second: (E,) the other.
        bins: (E,) the square's leading bits, which rise with it.
        edges: (E,) how many edges lie in that bin.
    """

    people: tuple[str, ...]
    first: Counts
    second: Counts
    bins: Counts
    edges: Counts

    def medians(self) -> Mapping[tuple[int, int], tuple[float, int]]:
        """The median square of each pair of people, within 0.05%, and how many edges it is of."""
        couple = self.first * len(self.people) + self.second
        starts = np.flatnonzero(np.diff(couple, prepend=-1))
        found = {}
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(couple)], strict=True):
            part = slice(start, stop)
            pair = int(self.first[start]), int(self.second[start])
            found[pair] = _median(self.bins[part], self.edges[part]), int(self.edges[part].sum())
        return found

    def median(self) -> float:
        """The median square of all; NaN of none."""
        order = np.argsort(self.bins, kind="stable")
        return _median(self.bins[order], self.edges[order]) if len(order) else float("nan")


def collect(answers: Answers, pairs: Pairs) -> EdgeDifferences:
    """Count those of all matched pairs.

    Args:
        answers: What people drew.
        pairs: Their comparison.
    """
    matched = np.flatnonzero(pairs.matched)
    a, b = answers.boxes[pairs.a[matched]], answers.boxes[pairs.b[matched]]
    sides = (a[:, 2:] - a[:, :2] + b[:, 2:] - b[:, :2]) / 2
    squares = ((a - b) / np.maximum(np.tile(sides, 2), 1e-9)) ** 2
    bins = (squares.ravel().view(np.uint64) >> np.uint64(_DROPPED_BITS)).astype(np.int64)
    of = np.repeat(pairs.comparison[matched], squares.shape[1])
    one = np.ones(len(bins), np.int64)
    return _counted(tuple(answers.people), pairs.first[of], pairs.second[of], bins, one)


def together(parts: Sequence[EdgeDifferences]) -> EdgeDifferences:
    """The differences of all images, from those of parts of them that share no image."""
    people = tuple(sorted({one for part in parts for one in part.people}))
    number = {one: place for place, one in enumerate(people)}
    columns: list[list[Counts]] = [[np.zeros(0, np.int64)] for _ in range(4)]
    for part in parts:
        places = np.array([number[one] for one in part.people], dtype=np.int64)
        for column, more in zip(
            columns, (places[part.first], places[part.second], part.bins, part.edges), strict=True
        ):
            column.append(more)
    return _counted(people, *(np.concatenate(column) for column in columns))


def _counted(
    people: tuple[str, ...], first: Counts, second: Counts, bins: Counts, edges: Counts
) -> EdgeDifferences:
    keys = (first.astype(np.int64) * max(1, len(people)) + second << _BIN_BITS) | bins
    found, inverse = np.unique(keys, return_inverse=True)
    counts = np.zeros(len(found), np.int64)
    np.add.at(counts, inverse, edges)
    one, other = np.divmod(found >> _BIN_BITS, max(1, len(people)))
    return EdgeDifferences(people, one, other, found & ((1 << _BIN_BITS) - 1), counts)


def _median(bins: Counts, counts: Counts) -> float:
    """Median of rising bins: the middle of the bin in which it lies, or the mean of two."""
    until = np.cumsum(counts)
    middle = [
        int(np.searchsorted(until, place, side="right")) for place in ((until[-1] - 1) // 2, until[-1] // 2)
    ]
    bits = (bins[middle].astype(np.uint64) << np.uint64(_DROPPED_BITS)) | np.uint64(1 << (_DROPPED_BITS - 1))
    return float(bits.view(np.float64).mean())
