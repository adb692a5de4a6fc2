"""The compiled loops of the search for near hashes: hashes sorted into buckets, buckets compared."""

# ruff: noqa: PLR0917 - compiled functions take positional arguments only
from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled

UInt64Array = NDArray[np.uint64]
Int32Array = NDArray[np.int32]
_STEP: Final = 29  # bit p goes to bit 29 p + 11 (mod 64): neighbors and unused ends of a hash spread evenly
_START: Final = 11


class Bands(NamedTuple):
    """Disjoint runs of bits that hashes are sorted by; band k is `masks[k]` bits from `shifts[k]` on.

    Two hashes within the searched distance differ in at most `radii[k]` bits of at least one band k.
    """

    shifts: UInt64Array
    masks: UInt64Array
    radii: NDArray[np.int64]


class Buckets(NamedTuple):
    """Hashes sorted by one band: bucket x is rows starts[x] .. starts[x + 1]; `order`: what they were."""

    hashes: UInt64Array
    order: Int32Array
    starts: Int32Array


@compiled
def popcount(word: np.uint64) -> np.int64:
    """Set bits of a uint64; the compiler makes one instruction of it. Source: Hacker's Delight 5-1."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def mixed(hashes: UInt64Array) -> UInt64Array:
    """(N,) the same hashes with their bits in another order: all distances stay."""
    found = np.zeros(len(hashes), np.uint64)
    for row in range(len(hashes)):
        word = np.uint64(0)
        for bit in range(64):
            to = np.uint64((_STEP * bit + _START) % 64)
            word |= ((hashes[row] >> np.uint64(bit)) & np.uint64(1)) << to
        found[row] = word
    return found


@compiled
def bucketed(hashes: UInt64Array, shift: np.uint64, mask: np.uint64) -> Buckets:
    """Sort hashes by one band; those of one bucket stay in order."""
    counts = np.zeros(np.int64(mask) + 2, np.int32)
    for row in range(len(hashes)):
        counts[np.int64((hashes[row] >> shift) & mask) + 1] += 1
    starts = np.cumsum(counts).astype(np.int32)
    at = starts[:-1].copy()
    ordered, order = np.empty(len(hashes), np.uint64), np.empty(len(hashes), np.int32)
    for row in range(len(hashes)):
        key = np.int64((hashes[row] >> shift) & mask)
        ordered[at[key]], order[at[key]] = hashes[row], row
        at[key] += 1
    return Buckets(ordered, order, starts)


@compiled
def join(
    a: Buckets,
    rows: tuple[int, int],
    b: Buckets,
    within: bool,
    bands: Bands,
    band: int,
    flips: UInt64Array,
    limit: int,
    first: Int32Array,
    second: Int32Array,
    bits: NDArray[np.uint8],
    enough: int,
) -> int:
    """Pairs of some hashes of `a` with those of `b` that this band is the first to bring together.

    Args:
        a: Sorted by the band.
        rows: Which of `a`, from, to.
        b: Sorted by the band.
        within: `b` is `a`; each pair once.
        bands: All of them.
        band: Which one.
        flips: Differences of a key to those that it is compared with.
        limit: Largest distance, bits.
        first: Rows of `a` before the sort, filled as far as there is room.
        second: Rows of `b`.
        bits: Their distances.
        enough: Stop when there are more pairs than this.

    Returns:
        How many pairs there are, whether there was room or not.
    """
    count = 0
    for i in range(rows[0], rows[1]):
        key = (a.hashes[i] >> bands.shifts[band]) & bands.masks[band]
        for flip in flips:
            other = np.int64(key ^ flip)
            begin = b.starts[other]
            if within:
                if other < np.int64(key):
                    continue
                if flip == 0:
                    begin = i + 1
            for j in range(begin, b.starts[other + 1]):
                differing = a.hashes[i] ^ b.hashes[j]
                distance = popcount(differing)
                if distance <= limit and not _earlier(differing, bands, band):
                    if count < len(first):
                        first[count], second[count], bits[count] = a.order[i], b.order[j], distance
                    count += 1
        if count > enough:
            break
    return count


@compiled
def _earlier(differing: np.uint64, bands: Bands, band: int) -> bool:
    """Whether a band before this one brings the pair together too."""
    for k in range(band):  # noqa: SIM110 - numba knows no `any`
        if popcount((differing >> bands.shifts[k]) & bands.masks[k]) <= bands.radii[k]:
            return True
    return False
