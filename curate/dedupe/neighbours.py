"""All pairs of hashes within a Hamming distance: exact, for every radius and every number of hashes.

`search_plan` chooses how, `searching` does it. What is found never depends on the plan, nor on the threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.expanding import Kinds, expanded, expanded_count
from curate.dedupe.search_plan import SearchPlan, TooManyPairsError, plan

__all__ = ["MOST_PAIRS", "Pairs", "SearchPlan", "TooManyPairsError", "pairs_between", "pairs_within", "plan"]

_SHORT_S = 0.02
MOST_PAIRS = 200_000_000  # 18 bytes each, three times that while they are sorted
Identical = Literal["all", "first"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of indices with their distance, ordered by (first, second).

    Attributes:
        first: (P,) int64.
        second: (P,) int64.
        hamming: (P,) uint16, bits.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    hamming: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.first)


def pairs_within(
    hashes: NDArray[np.uint64],
    max_hamming: int,
    *,
    threads: int = 0,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
    how: SearchPlan | None = None,
) -> Pairs:
    """Every pair of hashes that differ in at most `max_hamming` bits, each once, first < second.

    A set of n identical hashes makes n (n - 1) / 2 pairs, and n with each neighbour. With `identical="first"`
    the first of each set stands for it: the others have one pair each, with that first one at distance 0, and
    pairs between sets are those between their first ones. All other pairs follow from these.

    Args:
        hashes: (N,) uint64, or (N, W) for hashes of W x 64 bits. May be a memory-mapped file.
        max_hamming: Bits, 0..64 W.
        threads: 0 takes all cores that this process may use.
        identical: all = every pair; first = see above.
        most_pairs: Refuse more.
        how: The plan; None = the cheapest.

    Raises:
        TooManyPairsError: There are more than `most_pairs`, or there would be by chance alone.
    """
    table = as_table(hashes)
    chosen = how or plan(len(table), max_hamming, 64 * table.shape[1])
    return _search(table, None, chosen, threads=threads, identical=identical, most_pairs=most_pairs)


def pairs_between(
    queries: NDArray[np.uint64],
    base: NDArray[np.uint64],
    max_hamming: int,
    *,
    threads: int = 0,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
    how: SearchPlan | None = None,
) -> Pairs:
    """Every pair of a query and a base hash that differ in at most `max_hamming` bits.

    Args:
        queries: (Q,) or (Q, W) uint64; `first` indexes them.
        base: (B,) or (B, W) uint64; `second` indexes them.
        max_hamming: Bits, 0..64 W.
        threads: 0 takes all cores that this process may use.
        identical: all = every pair; first = of identical base hashes, pairs with the first one only.
        most_pairs: Refuse more.
        how: The plan; None = the cheapest.

    Raises:
        TooManyPairsError: There are more than `most_pairs`, or there would be by chance alone.
    """
    asked, table = as_table(queries), as_table(base)
    if asked.shape[1] != table.shape[1]:
        raise ValueError(f"expected hashes of one width, got {asked.shape[1]} and {table.shape[1]} words")
    chosen = how or plan(len(table), max_hamming, 64 * table.shape[1], queries=len(asked))
    return _search(table, asked, chosen, threads=threads, identical=identical, most_pairs=most_pairs)


def as_table(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(N, W), without the subclass of a memory map, which the compiled loops do not know."""
    if hashes.dtype != np.uint64 or hashes.ndim not in (1, 2) or (hashes.ndim == 2 and not hashes.shape[1]):
        raise ValueError(f"expected (N,) or (N, W) uint64 hashes, got {hashes.shape} {hashes.dtype}")
    table = np.ascontiguousarray(hashes.view(np.ndarray))
    return table if table.ndim == 2 else table[:, None]


def _search(
    base: NDArray[np.uint64],
    queries: NDArray[np.uint64] | None,
    chosen: SearchPlan,
    *,
    threads: int,
    identical: Identical,
    most_pairs: int,
) -> Pairs:
    # numba takes most of a second to load
    from curate.dedupe import bit_order, searching  # noqa: PLC0415

    if not len(base) or (queries is not None and not len(queries)):
        return _ordered(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint16))
    chosen.require_at_most(most_pairs)
    permutation = bit_order.permutation(base, chosen.fields)
    # Threads that take turns cost more than a short search.
    with searching.crew(1 if not threads and chosen.core_seconds < _SHORT_S else threads) as workers:
        b_side = searching.distinct(base, permutation, workers)
        a_side = None if queries is None else searching.distinct(queries, permutation, workers)
        found = [
            searching.found_by(number, a_side, b_side, chosen, workers, most_pairs=most_pairs)
            for number in range(len(chosen.fields))
        ]
        b_kinds = Kinds(b_side.repeated, b_side.first)
        a_kinds = None if a_side is None else Kinds(a_side.repeated, a_side.first)
        del a_side, b_side
    keys, hamming = (np.concatenate(column) for column in zip(*found, strict=True))
    del found
    return rows_of_pairs(keys, hamming, a_kinds, b_kinds, chosen, identical=identical, most_pairs=most_pairs)


def rows_of_pairs(
    keys: NDArray[np.uint64],
    hamming: NDArray[np.uint16],
    a: Kinds | None,
    b: Kinds,
    chosen: SearchPlan,
    *,
    identical: Identical,
    most_pairs: int,
) -> Pairs:
    """Pairs of rows as given from pairs of distinct hashes."""
    if a is not None:
        b = b if identical == "all" else Kinds()
        if expanded_count(keys, a, b) > most_pairs:
            raise TooManyPairsError(chosen.too_many(most_pairs))
        return _ordered(*expanded(keys, hamming, a, b))
    if identical == "all":
        if expanded_count(keys, b, b) + b.inner_count() > most_pairs:
            raise TooManyPairsError(chosen.too_many(most_pairs))
        first, second, hamming = expanded(keys, hamming, b, b)
        same = b.inner()
    else:
        first, second, hamming = expanded(keys, hamming, Kinds(), Kinds())
        same = b.stars()
    first, second = np.concatenate([first, same[0]]), np.concatenate([second, same[1]])
    hamming = np.concatenate([hamming, np.zeros(len(same[0]), dtype=np.uint16)])
    return _ordered(np.minimum(first, second), np.maximum(first, second), hamming)


def _ordered(first: NDArray[np.int64], second: NDArray[np.int64], hamming: NDArray[np.uint16]) -> Pairs:
    order = np.argsort((first << np.int64(32)) | second)  # pairs are distinct, so any sort gives one order
    return Pairs(first[order], second[order], hamming[order])
