"""The search cut into shards that workers do on their own: less memory on one machine, or many machines.

A shard is a field of the plan and two values of the field's highest bits. It needs only the hashes with one
of these values, and finds the pairs of one value with the other. Together the shards find what one search
finds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search.expanding import Kinds
from curate.dedupe.search.neighbours import MOST_PAIRS, Identical, Near, Pairs, as_table, rows_of_pairs
from curate.dedupe.search.search_plan import (
    FOLD_S,
    SCAN_S,
    SORT_S,
    SearchPlan,
    TooManyPairsError,
    field_work,
    plan,
)
from curate.errors import CurateError
from curate.ports import Casualty, Engine

Rows = NDArray[np.int64]
_MOST_BITS = 8
_NONE: Rows = np.zeros(0, dtype=np.int64)
_NO_REPEATS = (_NONE, _NONE)


@dataclass(frozen=True, slots=True)
class Shard:
    """Part of a search.

    Attributes:
        field: Number of the field in the plan.
        bits: How many of the field's highest bits choose the hashes.
        a: Their value on one side; that of the queries.
        b: Their value on the other; at least `a` within one set.
    """

    field: int
    bits: int
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class ShardPairs:
    """What a shard found.

    Attributes:
        keys: (P,) uint64, row << 32 | row, of distinct hashes.
        hamming: (P,) uint16.
        base: Rows of hashes that are identical to an earlier one, and that earlier one, both (R,) int64.
        queries: Likewise; empty for pairs within one set.
    """

    keys: NDArray[np.uint64]
    hamming: NDArray[np.uint16]
    base: tuple[Rows, Rows]
    queries: tuple[Rows, Rows]


def shards(chosen: SearchPlan, bits: int) -> list[Shard]:
    """All shards of a search.

    Args:
        chosen: The plan.
        bits: That cut each field; a shard holds N / 2^bits hashes of each side, or twice that between two
            values within one set.
    """
    found = []
    for number, one in enumerate(chosen.fields):
        cut = min(bits, one.width)
        values = range(1 << cut)
        found += [
            Shard(number, cut, a, b)
            for a in values
            for b in (values[a:] if chosen.queries is None else values)
            if (a ^ b).bit_count() <= one.radius
        ]
    return found


@dataclass(frozen=True, slots=True)
class ShardCost:
    """What the shards of a search take, by the cost model.

    Attributes:
        shards: How many.
        core_seconds: Of all together: divide by the cores that work on them.
        peak_bytes: Of one worker, beyond the pages of the file that it reads.
        read_bytes: Of all together, from the file, if none of it stays in the workers' memory.
    """

    shards: int
    core_seconds: float
    peak_bytes: int
    read_bytes: int


def shard_cost(chosen: SearchPlan, bits: int) -> ShardCost:
    """Cost of a search in shards.

    Every shard looks through all hashes for its own, which are then searched as a whole search would do it;
    hashes of two values are read, folded and sorted once for each shard that they are in.
    """
    parts = shards(chosen, bits)
    row = chosen.bits // 8
    every = chosen.count + (chosen.queries or 0)
    sorting = [
        field_work(chosen.count, chosen.queries, one.width, one.radius, chosen.bits)[0] * SORT_S
        for one in chosen.fields
    ]
    # Buckets are met and hashes compared once in all.
    core_s = chosen.core_seconds - every * FOLD_S - sum(sorting)
    peak = 0
    for part in parts:
        sides = 1 if chosen.queries is None and part.a == part.b else 2
        own = (every if chosen.queries is not None else sides * chosen.count) / 2**part.bits
        core_s += every * SCAN_S + own * FOLD_S + sorting[part.field] * own / every
        # Numbers and copies of the rows, folded and sorted tables, where buckets start.
        starts = sides * (4 << chosen.fields[part.field].width)
        peak = max(peak, int(own * (8 + row + 2 * (row + 4))) + starts)
    return ShardCost(len(parts), core_s, peak, len(parts) * every * row)


def bits_within(chosen: SearchPlan, most_bytes: int) -> int:
    """The fewest bits whose shards take at most so much memory by `shard_cost`, or the most there are."""
    return next(
        (bits for bits in range(_MOST_BITS) if shard_cost(chosen, bits).peak_bytes <= most_bytes), _MOST_BITS
    )


def pairs_of_shard(
    hashes: NDArray[np.uint64],
    chosen: SearchPlan,
    shard: Shard,
    *,
    queries: NDArray[np.uint64] | None = None,
    threads: int = 1,
    most_pairs: int = MOST_PAIRS,
) -> ShardPairs:
    """Search one shard.

    Args:
        hashes: All of them, (N,) or (N, W) uint64; a memory-mapped file is read through once a shard.
        chosen: The plan that the shard is of.
        shard: Which.
        queries: All of them, if the plan is of a search between two sets.
        threads: 0 takes all cores.
        most_pairs: Refuse more.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """
    from curate.dedupe.search import bit_order, searching  # noqa: PLC0415 - numba takes most of a second to load

    table = as_table(hashes)
    permutation = bit_order.permutation(table, chosen.fields)
    cut = chosen.fields[shard.field]
    top = searching.top_bits(cut, shard.bits)
    if queries is not None:
        sides = [(as_table(queries), shard.a), (table, shard.b)]
    else:
        sides = [(table, value) for value in sorted({shard.a, shard.b})]
    with searching.crew(threads) as workers:
        rows = [searching.rows_with(side, permutation, top, value, workers) for side, value in sides]
        folded = [
            searching.distinct(side[some], permutation, workers)
            for (side, _), some in zip(sides, rows, strict=True)
        ]
        tables = [searching.sorted_by(one, cut, workers) for one in folded]
        found = searching.found_by(
            shard.field,
            tables[0] if len(tables) == 2 else None,
            tables[-1],
            chosen,
            workers,
            most_pairs=most_pairs,
            differing_top=(shard.bits, shard.a ^ shard.b),
        )
    a, b = rows[0].astype(np.uint64), rows[-1].astype(np.uint64)
    keys = (a[found[0] >> np.uint64(32)] << np.uint64(32)) | b[found[0] & np.uint64(0xFFFFFFFF)]
    if shard.field > 0 or shard.a != shard.b:
        return ShardPairs(keys, found[1], _NO_REPEATS, _NO_REPEATS)  # told by one shard only
    repeats = [(some[one.repeated], some[one.first]) for one, some in zip(folded, rows, strict=True)]
    return ShardPairs(keys, found[1], repeats[-1], _NO_REPEATS if queries is None else repeats[0])


def merged(parts: Iterable[ShardPairs], *, between: bool = False) -> Near:
    """The pairs of all shards of a search, as `near_within` and `near_between` return them."""
    columns = zip(*((part.keys, part.hamming, *part.base, *part.queries) for part in parts), strict=True)
    keys, hamming, repeated, first, asked, asked_first = (np.concatenate(column) for column in columns)
    base = Kinds(repeated, first)
    return Near(keys, hamming, Kinds(asked, asked_first) if between else base, base)


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the workers of an engine.

    Attributes:
        base: An .npy file of (N,) or (N, W) uint64 that all workers can read.
        queries: Another; None for pairs within `base`.
        chosen: The plan.
        bits: See `shards`.
    """

    base: Path
    queries: Path | None
    chosen: SearchPlan
    bits: int


def near_on(engine: Engine, searches: Sequence[Search], *, most_pairs: int = MOST_PAIRS) -> Iterator[Near]:
    """What each of some searches finds, by the workers of an engine, all of their shards in one go.

    Raises:
        CurateError: A worker died of a shard, mostly for want of memory.
        TooManyPairsError: More than `most_pairs` in a search.
    """
    for search in searches:
        search.chosen.require_at_most(most_pairs)
    parts = [shards(search.chosen, search.bits) for search in searches]
    results = engine.map_batches(
        partial(_searcher, most_pairs),
        ([(search, part)] for search, some in zip(searches, parts, strict=True) for part in some),
        label="neighbours",
        total=sum(map(len, parts)),
    )
    found = (_whole(part) for batch in results for part in batch)
    for search, some in zip(searches, parts, strict=True):
        near = merged(itertools.islice(found, len(some)), between=search.queries is not None)
        if len(near.keys) > most_pairs:
            raise TooManyPairsError(search.chosen.too_many(most_pairs))
        yield near


def pairs_on(
    engine: Engine,
    path: Path,
    max_hamming: int,
    *,
    bits: int,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
) -> Pairs:
    """`pairs_within` by the workers of an engine.

    Args:
        engine: Local cores or a cluster.
        path: An .npy file of (N,) or (N, W) uint64 that all workers can read.
        max_hamming: Bits.
        bits: See `shards`.
        identical: See `pairs_within`.
        most_pairs: Refuse more.

    Raises:
        CurateError: A worker died of a shard, mostly for want of memory.
        TooManyPairsError: More than `most_pairs`.
    """
    hashes = np.load(path, mmap_mode="r")
    chosen = plan(len(hashes), max_hamming, 64 * (hashes.shape[1] if hashes.ndim == 2 else 1))
    (near,) = near_on(engine, [Search(path, None, chosen, bits)], most_pairs=most_pairs)
    return rows_of_pairs(near, chosen, identical=identical, most_pairs=most_pairs)


def _searcher(most_pairs: int) -> Callable[[Sequence[tuple[Search, Shard]]], list[ShardPairs]]:
    return partial(_searched, most_pairs)


def _searched(most_pairs: int, some: Sequence[tuple[Search, Shard]]) -> list[ShardPairs]:
    return [
        pairs_of_shard(
            np.load(search.base, mmap_mode="r"),
            search.chosen,
            shard,
            queries=None if search.queries is None else np.load(search.queries, mmap_mode="r"),
            most_pairs=most_pairs,
        )
        for search, shard in some
    ]


def _whole(part: ShardPairs | Casualty) -> ShardPairs:
    if isinstance(part, Casualty):
        raise CurateError(
            f"the neighbour search lost a shard: its worker ended with {part.how}; "
            "give it more memory, or cut the search into more shards"
        )
    return part
