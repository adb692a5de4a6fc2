"""From pairs of distinct hashes to pairs of the hashes as given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Bits = NDArray[np.uint16]
_NOTHING: Rows = np.zeros(0, dtype=np.int64)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class Kinds:
    """Sets of rows with identical hashes, of which only the first row was searched."""

    def __init__(self, repeated: Rows = _NOTHING, first: Rows = _NOTHING) -> None:
        """Gather the sets; none by default.

        Args:
            repeated: (R,) rows that were not searched.
            first: (R,) the row that stands for each, smaller.
        """
        order = np.lexsort((repeated, first))
        self._firsts, begins = np.unique(first[order], return_index=True)
        self._members = repeated[order]
        self._begins = np.append(begins, len(repeated)).astype(np.int64)

    def sizes(self, rows: Rows) -> Rows:
        """How many rows each searched row stands for, itself included."""
        if not len(self._firsts):
            return np.ones(len(rows), dtype=np.int64)
        kind, known = self._kind(rows)
        return np.where(known, self._begins[kind + 1] - self._begins[kind] + 1, 1)

    def member(self, rows: Rows, number: Rows) -> Rows:
        """The `number`-th row of the set of each searched row, 0 the row itself."""
        if not len(self._firsts):
            return rows
        kind, _ = self._kind(rows)
        at = np.minimum(self._begins[kind] + number - 1, len(self._members) - 1)
        return np.where(number > 0, self._members[at], rows)

    def largest(self) -> int:
        """Rows of the largest set, 1 if no row repeats another."""
        return 1 + int(np.diff(self._begins).max(initial=0))

    def sets(self) -> tuple[Rows, Rows, Rows]:
        """Sets of several rows: first rows (S,), begins (S + 1,) into all rows (M,), the first included."""
        sizes = np.diff(self._begins) + 1
        begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.empty(begins[-1], dtype=np.int64)
        is_first = np.zeros(len(rows), dtype=np.bool_)
        is_first[begins[:-1]] = True
        rows[is_first], rows[~is_first] = self._firsts, self._members
        return self._firsts, begins, rows

    def _kind(self, rows: Rows) -> tuple[Rows, NDArray[np.bool_]]:
        kind = np.minimum(np.searchsorted(self._firsts, rows), len(self._firsts) - 1)
        return kind, self._firsts[kind] == rows

    def inner_count(self) -> int:
        """Pairs within sets."""
        sizes = np.diff(self._begins) + 1
        return int((sizes * (sizes - 1) // 2).sum())

    def inner(self) -> tuple[Rows, Rows]:
        """All pairs within sets."""
        # Member number n of a set, counting from 1, has n partners before it: the first and n - 1 members.
        sizes = np.diff(self._begins)
        number = np.arange(len(self._members)) - np.repeat(self._begins[:-1], sizes) + 1
        which, partner = _counted(number)
        firsts = np.repeat(self._firsts, sizes)
        return self.member(firsts[which], partner), self._members[which]

    def stars(self) -> tuple[Rows, Rows]:
        """A pair of each row that was not searched with the one that stands for it."""
        return np.repeat(self._firsts, np.diff(self._begins)), self._members


def expanded_count(keys: NDArray[np.uint64], a: Kinds, b: Kinds) -> int:
    """How many pairs `expanded` would return."""
    return int((a.sizes(_high(keys)) * b.sizes(_low(keys))).sum())


def expanded(keys: NDArray[np.uint64], hamming: Bits, a: Kinds, b: Kinds) -> tuple[Rows, Rows, Bits]:
    """Each pair of sets as pairs of all their rows."""
    first, second = _high(keys), _low(keys)
    a_sizes, b_sizes = a.sizes(first), b.sizes(second)
    single = (a_sizes == 1) & (b_sizes == 1)
    many = np.flatnonzero(~single)
    which, number = _counted(a_sizes[many] * b_sizes[many])
    pair = many[which]
    return (
        np.concatenate([first[single], a.member(first[pair], number // b_sizes[pair])]),
        np.concatenate([second[single], b.member(second[pair], number % b_sizes[pair])]),
        np.concatenate([hamming[single], hamming[pair]]),
    )


def _counted(counts: Rows) -> tuple[Rows, Rows]:
    """For counts (2, 3): which (0, 0, 1, 1, 1) and number (0, 1, 0, 1, 2)."""
    which = np.repeat(np.arange(len(counts)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)


def _high(keys: NDArray[np.uint64]) -> Rows:
    return (keys >> _HALF).astype(np.int64)


def _low(keys: NDArray[np.uint64]) -> Rows:
    return (keys & _LOW).astype(np.int64)
