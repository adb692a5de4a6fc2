"""All pairs of hashes within a Hamming distance: exact, for every radius and every number of hashes.

`search_plan` chooses how, `searching` does it. What is found never depends on the plan, nor on the threads.
What the functions share: `max_hamming` is in bits, 0..64 W; `threads` 0 takes all cores that this process may
use; `how` None takes the cheapest plan; more than `most_pairs` are refused with `TooManyPairsError`, as soon
as they are counted or chance alone would bring them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search.expanding import Kinds, expanded, expanded_count
from curate.dedupe.search.search_plan import SearchPlan, TooManyPairsError, plan, plan_few

if TYPE_CHECKING:
    from curate.dedupe.search.few import LaidOut  # which loads numba

__all__ = [
    "MOST_PAIRS",
    "NOTHING",
    "Near",
    "Pairs",
    "SearchPlan",
    "TooManyPairsError",
    "lay_out",
    "near_between",
    "near_few",
    "near_within",
    "pairs_between",
    "pairs_within",
    "plan",
    "plan_few",
]

_SHORT_S = 0.02
MOST_PAIRS = 200_000_000  # 18 bytes each, three times that while they are sorted
Identical = Literal["all", "first"]
Hashes = NDArray[np.uint64]


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


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs of distinct hashes; the first row of each hash stands for it.

    Attributes:
        keys: (P,) uint64, row << 32 | row in the base, in no order.
        hamming: (P,) uint16, bits.
        queries: Rows that share a hash; of pairs within one set the same as `base`.
        base: Likewise.
    """

    keys: NDArray[np.uint64]
    hamming: NDArray[np.uint16]
    queries: Kinds
    base: Kinds


NOTHING = Near(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint16), Kinds(), Kinds())


def pairs_within(
    hashes: Hashes,
    max_hamming: int,
    *,
    threads: int = 0,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
    how: SearchPlan | None = None,
) -> Pairs:
    """Every pair of (N,) or (N, W) hashes within the radius, each once, first < second.

    A set of n identical hashes makes n (n - 1) / 2 pairs, and n with each neighbour. With `identical="first"`
    the first of each set stands for it: the others have one pair each, with that first one at distance 0, and
    pairs between sets are those between their first ones. All other pairs follow from these.
    """
    table = as_table(hashes)
    chosen = how or plan(len(table), max_hamming, 64 * table.shape[1])
    near = near_within(table, chosen, threads=threads, most_pairs=most_pairs)
    return rows_of_pairs(near, chosen, identical=identical, most_pairs=most_pairs)


def pairs_between(
    queries: Hashes,
    base: Hashes,
    max_hamming: int,
    *,
    threads: int = 0,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
    how: SearchPlan | None = None,
) -> Pairs:
    """Every pair of a query (`first`) and a base hash (`second`) within the radius.

    With `identical="first"`, of identical base hashes, pairs with the first one only.
    """
    table = as_table(base)
    chosen = how or plan(len(table), max_hamming, 64 * table.shape[1], queries=len(queries))
    near = None
    if how is None and identical == "all" and table.shape[1] == 1 and len(table) and len(queries):
        of_few = plan_few(len(table), max_hamming, queries=len(queries))
        if of_few.core_seconds < chosen.core_seconds:
            near = near_few(lay_out(queries, of_few), table, threads=threads, most_pairs=most_pairs)
    if near is None:
        (near,) = near_between([queries], table, chosen, threads=threads, most_pairs=most_pairs)
    if identical == "first":
        near = Near(near.keys, near.hamming, near.queries, Kinds())
    if expanded_count(near.keys, near.queries, near.base) > most_pairs:
        raise TooManyPairsError(chosen.too_many(most_pairs))
    return _ordered(*expanded(near.keys, near.hamming, near.queries, near.base))


def as_table(hashes: Hashes) -> Hashes:
    """(N, W), without the subclass of a memory map, which the compiled loops do not know."""
    if hashes.dtype != np.uint64 or hashes.ndim not in (1, 2) or (hashes.ndim == 2 and not hashes.shape[1]):
        raise ValueError(f"expected (N,) or (N, W) uint64 hashes, got {hashes.shape} {hashes.dtype}")
    table = np.ascontiguousarray(hashes.view(np.ndarray))
    return table if table.ndim == 2 else table[:, None]


def near_within(
    hashes: Hashes, chosen: SearchPlan, *, threads: int = 0, most_pairs: int = MOST_PAIRS
) -> Near:
    """Every pair of distinct hashes by a plan of their number, each once in either order."""
    # numba takes most of a second to load
    from curate.dedupe.search import bit_order, searching  # noqa: PLC0415

    table = as_table(hashes)
    if not len(table):
        return NOTHING
    chosen.require_at_most(most_pairs)
    with searching.crew(_threads(threads, chosen)) as workers:
        folded = searching.distinct(table, bit_order.permutation(table, chosen.fields), workers)
        found = [
            searching.found_by(
                number,
                None,
                searching.sorted_by(folded, field, workers),
                chosen,
                workers,
                most_pairs=most_pairs,
            )
            for number, field in enumerate(chosen.fields)
        ]
    kinds = Kinds(folded.repeated, folded.first)
    keys, hamming = (np.concatenate(column) for column in zip(*found, strict=True))
    return Near(keys, hamming, kinds, kinds)


def near_between(
    queries: Iterable[Hashes],
    base: Hashes,
    chosen: SearchPlan,
    *,
    threads: int = 0,
    most_pairs: int = MOST_PAIRS,
) -> Iterator[Near]:
    """Pairs of distinct hashes for each set of queries; the base is folded and sorted once for all.

    The sorted base takes 8 W + 4 bytes a hash and field meanwhile.
    """
    from curate.dedupe.search import bit_order, searching  # noqa: PLC0415

    table = as_table(base)
    if not len(table):
        yield from (NOTHING for _ in queries)
        return
    permutation = bit_order.permutation(table, chosen.fields)
    with searching.crew(_threads(threads, chosen)) as workers:
        folded = searching.distinct(table, permutation, workers)
        fields = [searching.sorted_by(folded, field, workers) for field in chosen.fields]
        kinds = Kinds(folded.repeated, folded.first)
        del folded
        for some in queries:
            asked = as_table(some)
            if asked.shape[1] != table.shape[1]:
                raise ValueError(
                    f"expected hashes of one width, got {asked.shape[1]} and {table.shape[1]} words"
                )
            if not len(asked):
                yield NOTHING
                continue
            chosen.require_at_most(most_pairs)
            of_queries = searching.distinct(asked, permutation, workers)
            found = [
                searching.found_by(
                    number,
                    searching.sorted_by(of_queries, chosen.fields[number], workers),
                    field,
                    chosen,
                    workers,
                    most_pairs=most_pairs,
                )
                for number, field in enumerate(fields)
            ]
            keys, hamming = (np.concatenate(column) for column in zip(*found, strict=True))
            yield Near(keys, hamming, Kinds(of_queries.repeated, of_queries.first), kinds)


def lay_out(queries: Hashes, chosen: SearchPlan) -> LaidOut:
    """(N,) hashes for `near_few`, by a plan of `plan_few`."""
    from curate.dedupe.search import few  # noqa: PLC0415

    return few.lay_out(as_table(queries)[:, 0], chosen)


def near_few(laid_out: LaidOut, base: Hashes, *, threads: int = 0, most_pairs: int = MOST_PAIRS) -> Near:
    """As `near_between`, of few queries and one base after the other: (M,) hashes, that are not sorted.

    `most_pairs` counts pairs with every row of the base, before rows of one hash are folded. `base` of the
    result knows of such rows only what is near a query.
    """
    from curate.dedupe.search import few, searching  # noqa: PLC0415

    with searching.crew(_threads(threads, laid_out.chosen)) as workers:
        pairs, kinds = few.found(laid_out, as_table(base)[:, 0], workers, most_pairs=most_pairs)
    return Near(*pairs, laid_out.kinds, kinds)


def _threads(threads: int, chosen: SearchPlan) -> int:
    """Threads that take turns cost more than a short search."""
    return 1 if not threads and chosen.core_seconds < _SHORT_S else threads


def rows_of_pairs(near: Near, chosen: SearchPlan, *, identical: Identical, most_pairs: int) -> Pairs:
    """Pairs of rows within one set from pairs of distinct hashes."""
    kinds = near.base
    if identical == "all":
        if expanded_count(near.keys, kinds, kinds) + kinds.inner_count() > most_pairs:
            raise TooManyPairsError(chosen.too_many(most_pairs))
        first, second, hamming = expanded(near.keys, near.hamming, kinds, kinds)
        same = kinds.inner()
    else:
        first, second, hamming = expanded(near.keys, near.hamming, Kinds(), Kinds())
        same = kinds.stars()
    first, second = np.concatenate([first, same[0]]), np.concatenate([second, same[1]])
    hamming = np.concatenate([hamming, np.zeros(len(same[0]), dtype=np.uint16)])
    return _ordered(np.minimum(first, second), np.maximum(first, second), hamming)


def _ordered(first: NDArray[np.int64], second: NDArray[np.int64], hamming: NDArray[np.uint16]) -> Pairs:
    order = np.argsort((first << np.int64(32)) | second)  # pairs are distinct, so any sort gives one order
    return Pairs(first[order], second[order], hamming[order])
