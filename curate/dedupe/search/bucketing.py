# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""Compiled loops that bring hashes into buckets: by value, to fold identical ones, and by some of their bits.

Tables come about in two steps: a scatter into tiles that fit the processor's second cache, then a sort within
each tile. All loops release the GIL and write only to the part that they are given, so that threads share a
table. What they compute does not depend on how the parts are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from curate import compiled as door

Words = NDArray[np.uint64]
Counts = NDArray[np.int64]
Span = tuple[int, int]  # first, and one past the last

Function = TypeVar("Function", bound=Callable[..., Any])

_EMPTY = np.uint32(0xFFFFFFFF)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Table(NamedTuple):
    """Hashes in some order.

    Attributes:
        hashes: Flat; word w of hash i stands at [w * stride + i], and 8 words follow the last hash.
        stride: At least N.
        words: W.
        rows: (N,) place of each hash among the caller's.
    """

    hashes: Words
    stride: int
    words: int
    rows: NDArray[np.uint32]


class Tiled(NamedTuple):
    """A table in tiles: tile t is rows starts[t] .. starts[t] + kept[t], what follows is of no interest."""

    table: Table
    starts: Counts
    kept: Counts


class Bucketed(NamedTuple):
    """A table sorted by some bits: bucket x is rows starts[x] .. starts[x + 1]."""

    table: Table
    starts: NDArray[np.uint32]


class Bits(NamedTuple):
    """Bits of a hash: `width` of them from `shift` on, in one word."""

    word: int
    shift: int
    width: int


# The loops allocate nothing, so no references to arrays need be counted: numba would do it with atomic
# operations in the innermost loop, which is four times slower, and worse still on two threads.
_OPTIONS: dict[str, Any] = {"boundscheck": False, "error_model": "numpy", "_nrt": False}


def compiled(function: Function) -> Function:
    """Compile when first called, keep the machine code on disk, run without the GIL."""
    result: Function = door.compiled(**_OPTIONS)(function)
    return result


def inlined(function: Function) -> Function:
    """As `compiled`, put into the body of each caller."""
    result: Function = door.compiled(**_OPTIONS, inline="always")(function)
    return result


@compiled
def _mixed(state: Any, word: Any) -> Any:
    """Spreads whatever differs over all bits. Source: D. Knuth, TAOCP 3, 6.4 (multiplicative hashing)."""
    state = (state ^ word) * _GOLDEN
    return state ^ (state >> np.uint64(32))


@compiled
def tile_of(hashes: Words, row: int, tile_bits: int) -> Any:
    """A tile in 0 .. 2^tile_bits - 1 that depends on the whole of hash `row`, (N, W)."""
    state = np.uint64(0)
    for word in range(hashes.shape[1]):
        state = _mixed(state, hashes[row, word])
    state *= _GOLDEN
    return (state >> np.uint64(1)) >> np.uint64(63 - tile_bits)


@compiled
def count_by_value(hashes: Words, rows: Span, tile_bits: int, counts: Counts) -> None:
    """Add the number of hashes in `rows` in each of 2^tile_bits tiles to `counts`."""
    for row in range(rows[0], rows[1]):
        counts[tile_of(hashes, row, tile_bits)] += 1


@compiled
def permuted(word: Any, permutation: Words) -> Any:
    """`word` with its bits moved; `permutation` (8, 256) says where each value of each byte goes."""
    result = np.uint64(0)
    for byte in range(8):
        result |= permutation[byte, (word >> np.uint64(8 * byte)) & np.uint64(255)]
    return result


@compiled
def scatter_by_value(hashes: Words, rows: Span, permutation: Words, cursors: Counts, table: Table) -> None:
    """Write the hashes of `rows` to the table, with permuted bits, each at the cursor of its tile.

    Args:
        hashes: (N, W) uint64.
        rows: Which.
        permutation: (W, 8, 256) uint64, see `permuted`.
        cursors: (2^n,) where to write next, for n bits of tiles; moved on.
        table: Written.
    """
    tile_bits = 0
    while 1 << tile_bits < len(cursors):
        tile_bits += 1
    for row in range(rows[0], rows[1]):
        tile = tile_of(hashes, row, tile_bits)
        at = cursors[tile]
        cursors[tile] = at + 1
        table.rows[at] = row
        for word in range(table.words):
            table.hashes[word * table.stride + at] = permuted(hashes[row, word], permutation[word])


@compiled
def rows_with(
    hashes: Words, rows: Span, permutation: Words, bits: Bits, value: int, into: NDArray[np.uint32]
) -> int:
    """Write which of `rows` have `value` in `bits` once permuted to `into`; returns how many."""
    mask = (np.uint64(1) << np.uint64(bits.width)) - np.uint64(1)
    count = 0
    for row in range(rows[0], rows[1]):
        word = permuted(hashes[row, bits.word], permutation[bits.word])
        if np.int64((word >> np.uint64(bits.shift)) & mask) == value:
            into[count] = row
            count += 1
    return count


@compiled
def _equal(table: Table, a: int, b: int) -> bool:
    same = True
    for word in range(table.words):
        same &= table.hashes[word * table.stride + a] == table.hashes[word * table.stride + b]
    return same


@compiled
def _slot(table: Table, row: int, size: int) -> Any:
    state = np.uint64(0)
    for word in range(table.words):
        state = _mixed(state, table.hashes[word * table.stride + row])
    return np.int64(state & np.uint64(size - 1))


@compiled
def fold_identical(tiled: Tiled, which: Span, slots: NDArray[np.uint32], folded: NDArray[np.uint32]) -> None:
    """Move the first of identical hashes to the front of each tile, and the others behind them.

    In the part behind, `rows` holds the folded row and `hashes` the row of the first of its kind.

    Args:
        tiled: By value, rows of a tile ascending; rewritten in place, `kept` too.
        which: Tiles.
        slots: Scratch, twice the largest tile rounded up to a power of two.
        folded: (2, largest tile) scratch.
    """
    table = tiled.table
    for tile in range(which[0], which[1]):
        low, high = tiled.starts[tile], tiled.starts[tile] + tiled.kept[tile]
        size = 1
        while size < 2 * (high - low):
            size *= 2
        slots[:size] = _EMPTY
        distinct, repeats = low, 0
        for row in range(low, high):
            slot = _slot(table, row, size)
            while slots[slot] != _EMPTY and not _equal(table, slots[slot], row):
                slot = (slot + 1) & (size - 1)
            if slots[slot] == _EMPTY:
                slots[slot] = distinct
                table.rows[distinct] = table.rows[row]
                for word in range(table.words):
                    table.hashes[word * table.stride + distinct] = table.hashes[word * table.stride + row]
                distinct += 1
            else:
                folded[0, repeats] = table.rows[row]
                folded[1, repeats] = table.rows[slots[slot]]
                repeats += 1
        tiled.kept[tile] = distinct - low
        for repeat in range(repeats):
            table.rows[distinct + repeat] = folded[0, repeat]
            table.hashes[distinct + repeat] = folded[1, repeat]


@compiled
def value_in(word: Any, bits: Bits) -> int:
    """The value of some bits of a word."""
    mask = (np.uint64(1) << np.uint64(bits.width)) - np.uint64(1)
    return np.int64((word >> np.uint64(bits.shift)) & mask)  # type: ignore[return-value]


@compiled
def value_of(table: Table, row: int, bits: Bits) -> int:
    """The value of some bits of a hash."""
    return value_in(table.hashes[bits.word * table.stride + row], bits)


@compiled
def count_by_bits(tiled: Tiled, which: Span, bits: Bits, counts: Counts) -> None:
    """Add the number of hashes in some tiles with each value of `bits` to `counts`."""
    for tile in range(which[0], which[1]):
        for row in range(tiled.starts[tile], tiled.starts[tile] + tiled.kept[tile]):
            counts[value_of(tiled.table, row, bits)] += 1


@compiled
def scatter_by_bits(tiled: Tiled, which: Span, bits: Bits, cursors: Counts, into: Table) -> None:
    """Write the hashes of some tiles to another table, each at the cursor of its value of `bits`."""
    table = tiled.table
    for tile in range(which[0], which[1]):
        for row in range(tiled.starts[tile], tiled.starts[tile] + tiled.kept[tile]):
            value = value_of(table, row, bits)
            to = cursors[value]
            cursors[value] = to + 1
            into.rows[to] = table.rows[row]
            for word in range(table.words):
                into.hashes[word * into.stride + to] = table.hashes[word * table.stride + row]


@compiled
def sort_tiles(
    tiled: Tiled, which: Span, bits: Bits, starts: NDArray[np.uint32], spare: Table, cursors: Counts
) -> None:
    """Sort each of some tiles by `bits`, and note where the buckets start.

    Args:
        tiled: By the bits above `bits`; rewritten in place.
        which: Tiles.
        bits: None of them (width 0) leaves the order.
        starts: (tiles * 2^width + 1,) written, but for the last.
        spare: Scratch, the largest tile.
        cursors: Scratch, 2^width.
    """
    table = tiled.table
    for tile in range(which[0], which[1]):
        low = tiled.starts[tile]
        if bits.width == 0:
            starts[tile] = low
            continue
        cursors[:] = 0
        for row in range(tiled.kept[tile]):
            spare.rows[row] = table.rows[low + row]
            for word in range(table.words):
                spare.hashes[word * spare.stride + row] = table.hashes[word * table.stride + low + row]
            cursors[value_of(table, low + row, bits)] += 1
        to = low
        for bucket in range(len(cursors)):
            size = cursors[bucket]
            starts[(tile << bits.width) + bucket] = cursors[bucket] = to
            to += size
        for row in range(tiled.kept[tile]):
            value = value_of(spare, row, bits)
            to = cursors[value]
            cursors[value] = to + 1
            table.rows[to] = spare.rows[row]
            for word in range(table.words):
                table.hashes[word * table.stride + to] = spare.hashes[word * spare.stride + row]
