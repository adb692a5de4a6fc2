"""The search cut into shards that workers do on their own: less memory on one machine, or many machines.

A shard is a field of the plan and two values of the field's highest bits. It needs only the hashes with one
of these values, and finds the pairs of one value with the other. Together the shards find what one search
finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.expanding import Kinds
from curate.dedupe.neighbours import MOST_PAIRS, Identical, Pairs, as_table, rows_of_pairs
from curate.dedupe.search_plan import FOLD_S, SCAN_S, SORT_S, SearchPlan, field_work, plan
from curate.errors import CurateError
from curate.ports import Casualty, Engine


@dataclass(frozen=True, slots=True)
class Shard:
    """Part of a search.

    Attributes:
        field: Number of the field in the plan.
        bits: How many of the field's highest bits choose the hashes.
        a: Their value on one side.
        b: Their value on the other, at least `a`.
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
        repeated: (R,) int64, rows of hashes that are identical to an earlier one.
        first: (R,) int64, that earlier one.
    """

    keys: NDArray[np.uint64]
    hamming: NDArray[np.uint16]
    repeated: NDArray[np.int64]
    first: NDArray[np.int64]


def shards(chosen: SearchPlan, bits: int) -> list[Shard]:
    """All shards of a search.

    Args:
        chosen: Of pairs within one set.
        bits: That cut each field; a shard holds N / 2^bits hashes, or twice that between two values.
    """
    found = []
    for number, field in enumerate(chosen.fields):
        cut = min(bits, field.width)
        values = range(1 << cut)
        found += [
            Shard(number, cut, a, b)
            for a in values
            for b in values[a:]
            if (a ^ b).bit_count() <= field.radius
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
    core_s = chosen.core_seconds - chosen.count * FOLD_S  # buckets are met and hashes compared once in all
    peak = 0
    for part in parts:
        field = chosen.fields[part.field]
        own = (1 + (part.a != part.b)) * chosen.count / 2**part.bits
        sort_s = field_work(chosen.count, None, field.width, field.radius, chosen.bits)[0] * SORT_S
        core_s += chosen.count * SCAN_S + own * FOLD_S + sort_s * own / chosen.count
        # Numbers and copies of the rows, folded and sorted tables, where buckets start.
        starts = (1 + (part.a != part.b)) * (4 << field.width)
        peak = max(peak, int(own * (8 + row + 2 * (row + 4))) + starts)
    core_s -= sum(
        field_work(chosen.count, None, field.width, field.radius, chosen.bits)[0] * SORT_S
        for field in chosen.fields
    )
    return ShardCost(len(parts), core_s, peak, len(parts) * chosen.count * row)


def pairs_of_shard(
    hashes: NDArray[np.uint64],
    chosen: SearchPlan,
    shard: Shard,
    *,
    threads: int = 1,
    most_pairs: int = MOST_PAIRS,
) -> ShardPairs:
    """Search one shard.

    Args:
        hashes: All of them, (N,) or (N, W) uint64; a memory-mapped file is read through once a shard.
        chosen: The plan that the shard is of.
        shard: Which.
        threads: 0 takes all cores.
        most_pairs: Refuse more.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """
    from curate.dedupe import bit_order, searching  # noqa: PLC0415 - numba takes most of a second to load

    table = as_table(hashes)
    permutation = bit_order.permutation(table, chosen.fields)
    top = searching.top_bits(chosen.fields[shard.field], shard.bits)
    with searching.crew(threads) as workers:
        rows = [
            searching.rows_with(table, permutation, top, value, workers)
            for value in sorted({shard.a, shard.b})
        ]
        sides = [searching.distinct(table[some], permutation, workers) for some in rows]
        found = searching.found_by(
            shard.field,
            sides[0] if len(sides) == 2 else None,
            sides[-1],
            chosen,
            workers,
            most_pairs=most_pairs,
            differing_top=(shard.bits, shard.a ^ shard.b),
        )
    a, b = rows[0].astype(np.uint64), rows[-1].astype(np.uint64)
    keys = (a[found[0] >> np.uint64(32)] << np.uint64(32)) | b[found[0] & np.uint64(0xFFFFFFFF)]
    nothing = np.zeros(0, dtype=np.int64)
    if shard.field > 0 or shard.a != shard.b:
        return ShardPairs(keys, found[1], nothing, nothing)  # identical hashes are told by one shard only
    return ShardPairs(keys, found[1], rows[0][sides[0].repeated], rows[0][sides[0].first])


def merged(
    parts: Iterable[ShardPairs],
    chosen: SearchPlan,
    *,
    identical: Identical = "all",
    most_pairs: int = MOST_PAIRS,
) -> Pairs:
    """The pairs of all shards, as `pairs_within` returns them.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """
    columns = zip(*((part.keys, part.hamming, part.repeated, part.first) for part in parts), strict=True)
    keys, hamming, repeated, first = (np.concatenate(column) for column in columns)
    return rows_of_pairs(
        keys, hamming, None, Kinds(repeated, first), chosen, identical=identical, most_pairs=most_pairs
    )


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
    chosen.require_at_most(most_pairs)
    parts = shards(chosen, bits)
    results = engine.map_batches(
        partial(_searcher, str(path), chosen, most_pairs),
        ([part] for part in parts),
        label="neighbours",
        total=len(parts),
    )
    return merged((_whole(part) for batch in results for part in batch), chosen, identical=identical)


def _searcher(
    path: str, chosen: SearchPlan, most_pairs: int
) -> Callable[[Sequence[Shard]], list[ShardPairs]]:
    hashes = np.load(path, mmap_mode="r")
    return lambda some: [pairs_of_shard(hashes, chosen, shard, most_pairs=most_pairs) for shard in some]


def _whole(part: ShardPairs | Casualty) -> ShardPairs:
    if isinstance(part, Casualty):
        raise CurateError(
            f"the neighbour search lost a shard: its worker ended with {part.how}; "
            "give it more memory, or cut the search into more shards"
        )
    return part
