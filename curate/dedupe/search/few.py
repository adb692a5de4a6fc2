"""Few hashes, laid out once, against one set of many after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search import bit_order, probing, searching
from curate.dedupe.search.bucketing import Bits, Span
from curate.dedupe.search.expanding import Kinds
from curate.dedupe.search.joining import Found
from curate.dedupe.search.probing import Around
from curate.dedupe.search.search_plan import SearchPlan
from curate.dedupe.search.searching import Crew, PairsFound
from curate.dedupe.search.simd import LANES

_SPAN = 1 << 16  # of the many, read at a time
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class LaidOut:
    """Distinct hashes in the buckets of every field of a plan.

    Attributes:
        chosen: The plan, of `search_plan.plan_few`.
        permutation: (8, 256), see `bit_order`.
        fields: One a field.
        kinds: Rows that share a hash.
    """

    chosen: SearchPlan
    permutation: Hashes
    fields: tuple[Around, ...]
    kinds: Kinds


def lay_out(hashes: Hashes, chosen: SearchPlan) -> LaidOut:
    """Put (N,) hashes into buckets; those that repeat an earlier one stand for nothing."""
    permutation = bit_order.permutation(hashes[:, None], chosen.fields)
    with searching.crew(1) as workers:
        folded = searching.distinct(hashes[:, None], permutation, workers)
    tiled = folded.tiled
    kept = np.concatenate(
        [
            np.arange(start, start + count)
            for start, count in zip(tiled.starts[:-1].tolist(), tiled.kept.tolist(), strict=True)
        ]
    ).astype(np.int64)
    fields = tuple(
        _around(tiled.table.hashes[kept], tiled.table.rows[kept], chosen, number)
        for number in range(len(chosen.fields))
    )
    return LaidOut(chosen, permutation[0], fields, Kinds(folded.repeated, folded.first))


def _around(hashes: Hashes, rows: NDArray[np.uint32], chosen: SearchPlan, number: int) -> Around:
    field = chosen.fields[number]
    bits = Bits(0, field.shift, field.width)
    masks = searching.masks(field.width, field.radius)
    counts = np.zeros(1 << field.width, dtype=np.uint32)
    probing.count_around(hashes, bits, masks, counts)
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    earlier = [(one.shift, one.width, one.radius) for one in chosen.fields[:number]]
    around = Around(
        bits,
        starts.astype(np.uint32),
        np.zeros(starts[-1] + LANES, dtype=np.uint64),
        np.empty(starts[-1], dtype=np.uint32),
        np.array(earlier, dtype=np.int64).reshape(-1, 3),
    )
    probing.put_around(hashes, rows, masks, starts[:-1].copy(), around)
    return around


def found(few: LaidOut, many: Hashes, workers: Crew, *, most_pairs: int) -> tuple[PairsFound, Kinds]:
    """Pairs of distinct hashes of both sides.

    Args:
        few: Laid out.
        many: (M,) uint64; those that are near any of the few are folded once they are found.
        workers: Threads.
        most_pairs: Refuse more, counted before they are folded.

    Returns:
        (P,) uint64 row of the few << 32 | row of the many, (P,) uint16 distances; and the rows of `many`, of
        those that were found, that share a hash.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """

    def task(some: Span, pairs: Found) -> None:
        words = np.empty(some[1] - some[0], dtype=np.uint64)
        probing.permute(many, some, few.permutation, words)
        for field in few.fields:
            probing.meet(words, some[0], field, few.chosen.max_hamming, pairs)

    parts = searching.spans(len(many), -(-len(many) // _SPAN))
    keys, hamming = searching.collected(task, parts, workers, few.chosen, most_pairs=most_pairs)
    return _folded(keys, hamming, many)


def _folded(keys: Hashes, hamming: NDArray[np.uint16], many: Hashes) -> tuple[PairsFound, Kinds]:
    """Of rows with one hash, the first only: whoever is near one of them is near them all."""
    second = keys & np.uint64(0xFFFFFFFF)
    rows = np.unique(second).astype(np.int64)
    order = np.argsort(many[rows], kind="stable")  # rows of one hash stay in order
    values = many[rows[order]]
    new = np.ones(len(values), dtype=np.bool_)
    new[1:] = values[1:] != values[:-1]
    first = rows[order][np.flatnonzero(new)[np.cumsum(new) - 1]]
    repeated = np.sort(rows[order][~new])
    kinds = Kinds(rows[order][~new], first[~new])
    if len(repeated):
        at = np.minimum(np.searchsorted(repeated, second.astype(np.int64)), len(repeated) - 1)
        single = repeated[at] != second.astype(np.int64)
        keys, hamming = keys[single], hamming[single]
    return (keys, hamming), kinds
