# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""The compiled loop that compares the hashes of neighbouring buckets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search.bucketing import Bits, Bucketed, Counts, Span, Table, compiled, inlined, value_of
from curate.dedupe.search.simd import LANES, near8, near8_wide, popcount

_ROWS = 64  # compared with one vector of the other side before the next is fetched


class Field(NamedTuple):
    """What the join goes by.

    Attributes:
        bits: Of the hash, which the tables are sorted by.
        radius: Bits of them in which two hashes may differ to be compared.
        low_bits: Of `bits`, how many number the buckets of a tile.
        high_masks: Differences between tiles, at most `radius` bits each.
        low_masks: Differences within a tile, those of few bits first.
        low_upto: (radius + 1,) how many of `low_masks` have at most so many bits.
        earlier: (E, 4) word, shift, width and radius of fields whose pairs are left out.
    """

    bits: Bits
    radius: int
    low_bits: int
    high_masks: Counts
    low_masks: Counts
    low_upto: Counts
    earlier: Counts


class Found(NamedTuple):
    """Where pairs go.

    Attributes:
        pairs: Index in `a` << 32 | index in `b`.
        hamming: Their distances.
        total: (1,) pairs so far; it goes on where there is no room for them.
        enough: Stop when there are more than this.
    """

    pairs: NDArray[np.uint64]
    hamming: NDArray[np.uint16]
    total: Counts
    enough: int


@compiled
def _differing(a: Table, i: int, b: Table, j: int, word: int) -> Any:
    return a.hashes[word * a.stride + i] ^ b.hashes[word * b.stride + j]


@compiled
def _found_earlier(a: Table, i: int, b: Table, j: int, earlier: Counts) -> bool:
    for row in range(len(earlier)):
        differing = _differing(a, i, b, j, earlier[row, 0]) >> np.uint64(earlier[row, 1])
        differing &= (np.uint64(1) << np.uint64(earlier[row, 2])) - np.uint64(1)
        if popcount(differing) <= earlier[row, 3]:
            return True
    return False


@compiled
def _note(a: Table, i: int, b: Table, j: int, found: Found) -> None:
    """Write the pair, or only count it when there is no room."""
    at = found.total[0]
    found.total[0] = at + 1
    if at < len(found.pairs):
        hamming = np.int64(0)
        for word in range(a.words):
            hamming += popcount(_differing(a, i, b, j, word))
        found.pairs[at] = (np.uint64(a.rows[i]) << np.uint64(32)) | np.uint64(b.rows[j])
        found.hamming[at] = hamming


@compiled
def _hits(a: Table, i: int, b: Table, column: int, lanes: int, earlier: Counts, found: Found) -> None:
    for lane in range(LANES):
        if (lanes >> lane) & 1 and not _found_earlier(a, i, b, column + lane, earlier):
            _note(a, i, b, column + lane, found)


@inlined
def _compare(
    a: Table, rows: Span, b: Table, columns: Span, limit: int, earlier: Counts, found: Found
) -> None:
    """Every row of `a` with every column of `b`."""
    for column in range(columns[0], columns[1], LANES):
        live = (1 << min(columns[1] - column, LANES)) - 1
        for i in range(rows[0], rows[1]):
            if a.words == 1:
                near = near8(a.hashes[i], b.hashes, column, limit) & live
            else:
                near = near8_wide(a.hashes, i, a.stride, b.hashes, column, b.stride, a.words, limit) & live
            if near != 0:
                _hits(a, i, b, column, near, earlier, found)


@compiled
def _compare_bucket(
    a: Table, rows: Span, b: Table, columns: Span, limit: int, earlier: Counts, found: Found
) -> None:
    """As `_compare`, for more rows than the first cache holds."""
    for low in range(rows[0], rows[1], _ROWS):
        if found.total[0] > found.enough:
            return
        high = min(low + _ROWS, rows[1])
        _compare(a, (low, high), b, columns, limit, earlier, found)


@compiled
def _compare_itself(a: Table, rows: Span, stop: int, limit: int, earlier: Counts, found: Found) -> None:
    """Every row with those after it, up to `stop`."""
    for low in range(rows[0], rows[1], _ROWS):
        if found.total[0] > found.enough:
            return
        high = min(low + _ROWS, rows[1])
        for row in range(low, high - 1):
            _compare(a, (row, row + 1), a, (row + 1, high), limit, earlier, found)
        _compare(a, (low, high), a, (high, stop), limit, earlier, found)


@compiled
def join(a: Bucketed, rows: Span, b: Bucketed, within: bool, field: Field, limit: int, found: Found) -> None:
    """Pairs of some hashes of `a` with those of `b` that differ in at most `limit` bits.

    Bucket x of `a` meets bucket x ^ mask of `b` for each mask of few enough bits. The high bits of the mask
    choose two tiles, which stay in the cache for all of the low bits.

    Args:
        a: Sorted by the field.
        rows: Of `a`.
        b: Sorted by the field.
        within: `b` is `a`, and each pair is wanted once.
        field: What to go by.
        limit: Bits.
        found: Written.
    """
    begin = rows[0]
    while begin < rows[1]:
        tile = value_of(a.table, begin, field.bits) >> field.low_bits
        end = min(int(a.starts[(tile + 1) << field.low_bits]), rows[1])
        for high in field.high_masks:
            if within and (tile ^ high) < tile:
                continue
            for which in range(field.low_upto[field.radius - popcount(np.uint64(high))]):
                mask = (high << field.low_bits) | field.low_masks[which]
                _join_tile(a, (begin, end), b, within, field, mask, limit, found)
                if found.total[0] > found.enough:
                    return
        begin = end


@compiled
def _join_tile(
    a: Bucketed, rows: Span, b: Bucketed, within: bool, field: Field, mask: int, limit: int, found: Found
) -> None:
    """Some rows of one tile of `a` with the buckets of `b` that differ by `mask`."""
    row = rows[0]
    while row < rows[1]:
        bucket = value_of(a.table, row, field.bits)
        stop = min(int(a.starts[bucket + 1]), rows[1])
        other = bucket ^ mask
        columns = (int(b.starts[other]), int(b.starts[other + 1]))
        if within and mask == 0:
            _compare_itself(a.table, (row, stop), columns[1], limit, field.earlier, found)
        elif columns[0] < columns[1] and not (within and other < bucket):
            if stop - row <= _ROWS:
                _compare(a.table, (row, stop), b.table, columns, limit, field.earlier, found)
            else:
                _compare_bucket(a.table, (row, stop), b.table, columns, limit, field.earlier, found)
        row = stop
