# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""Few hashes against many: the few stand in every bucket that is near them, the many only look into one.

To sort the many, as the join of two sorted tables wants it, would take longer than all else where they are a
hundred times as many. Here they are read once, in their own order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search.bucketing import Bits, Counts, Span, Words, compiled, permuted, value_in
from curate.dedupe.search.joining import Found
from curate.dedupe.search.simd import LANES, near8, popcount


class Around(NamedTuple):
    """The few by a field: bucket x has those whose bits differ from x in at most the field's radius.

    Attributes:
        bits: Of the permuted hash.
        starts: (2^width + 1,) uint32; bucket x is entries starts[x] .. starts[x + 1].
        hashes: (E + 8,) uint64, permuted; what stands behind the last is of no interest.
        rows: (E,) uint32, whose hash each entry is.
        earlier: (F, 3) shift, width and radius of fields whose pairs are left out.
    """

    bits: Bits
    starts: NDArray[np.uint32]
    hashes: Words
    rows: NDArray[np.uint32]
    earlier: Counts


@compiled
def count_around(hashes: Words, bits: Bits, masks: Counts, counts: NDArray[np.uint32]) -> None:
    """Add to `counts`, (2^width,), how many entries each bucket will have."""
    for row in range(len(hashes)):
        value = value_in(hashes[row], bits)
        for mask in masks:
            counts[value ^ mask] += 1


@compiled
def put_around(hashes: Words, own: NDArray[np.uint32], masks: Counts, cursors: Counts, into: Around) -> None:
    """Write an entry for each hash and mask.

    Args:
        hashes: (N,) permuted.
        own: (N,) their rows.
        masks: Of the field, at most its radius of bits each.
        cursors: (2^width,) where the next entry of each bucket goes; moved on.
        into: Written; `starts` stay.
    """
    for row in range(len(hashes)):
        value = value_in(hashes[row], into.bits)
        for mask in masks:
            at = cursors[value ^ mask]
            cursors[value ^ mask] = at + 1
            into.hashes[at] = hashes[row]
            into.rows[at] = own[row]


@compiled
def permute(hashes: Words, rows: Span, permutation: Words, into: Words) -> None:
    """Write the hashes of `rows` with their bits moved, see `bit_order`; `permutation` is (8, 256)."""
    for row in range(rows[0], rows[1]):
        into[row - rows[0]] = permuted(hashes[row], permutation)


@compiled
def _met_earlier(differing: np.uint64, earlier: Counts) -> bool:
    for field in range(len(earlier)):
        bits = Bits(0, earlier[field, 0], earlier[field, 1])
        if popcount(np.uint64(value_in(differing, bits))) <= earlier[field, 2]:
            return True
    return False


@compiled
def meet(many: Words, first: int, few: Around, limit: int, found: Found) -> None:
    """Pairs of the few with the many that the field finds and no earlier one.

    Args:
        many: (M,) permuted.
        first: Row of the first of them.
        few: By one field.
        limit: Bits in which a pair may differ.
        found: Written: rows of the few << 32 | rows of the many.
    """
    for row in range(len(many)):
        value = value_in(many[row], few.bits)
        low, high = np.int64(few.starts[value]), np.int64(few.starts[value + 1])
        for start in range(low, high, LANES):
            near = near8(many[row], few.hashes, start, limit)
            if near != 0:
                _note(many[row], first + row, few, (start, high), near, found)
                if found.total[0] > found.enough:
                    return


@compiled
def _note(word: np.uint64, row: int, few: Around, entries: tuple[Any, Any], near: Any, found: Found) -> None:
    """Write the pairs of a row with the `near` ones of eight entries, or only count them without room."""
    for lane in range(LANES):
        entry = entries[0] + lane
        if (near >> lane) & 1 and entry < entries[1]:
            differing = word ^ few.hashes[entry]
            if not _met_earlier(differing, few.earlier):
                at = found.total[0]
                found.total[0] = at + 1
                if at < len(found.pairs):
                    found.pairs[at] = (np.uint64(few.rows[entry]) << np.uint64(32)) | np.uint64(row)
                    found.hamming[at] = popcount(differing)
