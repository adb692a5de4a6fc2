"""The compiled loops over many hashes and rows, in NumPy: for `benchmarks.kernels`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hamming_kernel import Bands, Buckets

UInt64s = NDArray[np.uint64]
Rows = NDArray[np.int64]
_PIECE = 2000  # hashes whose comparisons are held at a time
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def mixed(hashes: UInt64s) -> UInt64s:
    """Redo `curate.dedupe.hamming_kernel.mixed`."""
    found = np.zeros_like(hashes)
    for bit in range(64):
        found |= ((hashes >> np.uint64(bit)) & np.uint64(1)) << np.uint64((29 * bit + 11) % 64)
    return found


def bucketed(hashes: UInt64s, shift: np.uint64, mask: np.uint64) -> Buckets:
    """Redo `curate.dedupe.hamming_kernel.bucketed`."""
    keys = ((hashes >> shift) & mask).astype(np.int64)
    order = np.argsort(keys, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=int(mask) + 1))])
    return Buckets(hashes[order], order, starts.astype(np.int32))


def join(  # noqa: PLR0917 - as the kernel
    a: Buckets, rows: tuple[int, int], b: Buckets, within: bool, bands: Bands, band: int, flips: UInt64s,
    limit: int, first: NDArray[np.int32], second: NDArray[np.int32], bits: NDArray[np.uint8], enough: int,
) -> int:  # fmt: skip
    """Redo `curate.dedupe.hamming_kernel.join`, some rows at a time, in another order."""
    count = 0
    for start in range(rows[0], rows[1], _PIECE):
        here = np.arange(start, min(start + _PIECE, rows[1]))
        keys = (a.hashes[here] >> bands.shifts[band]) & bands.masks[band]
        for flip in flips:
            other = (keys ^ flip).astype(np.int64)
            begin, end = b.starts[other].astype(np.int64), b.starts[other + 1].astype(np.int64)
            if within:
                begin = here + 1 if flip == 0 else begin
                end = np.where(other < keys.astype(np.int64), begin, end)
            many = np.maximum(end - begin, 0)
            i = np.repeat(here, many)
            j = np.arange(len(i)) + np.repeat(begin - (np.cumsum(many) - many), many)
            differing = a.hashes[i] ^ b.hashes[j]
            distance = np.bitwise_count(differing)
            near = np.flatnonzero(distance <= limit)
            for k in range(band):
                part = (differing[near] >> bands.shifts[k]) & bands.masks[k]
                near = near[np.bitwise_count(part) > bands.radii[k]]
            room = slice(count, min(count + len(near), len(first)))
            near_kept = near[: max(room.stop - count, 0)]
            if len(near_kept):
                first[room], second[room] = a.order[i[near_kept]], b.order[j[near_kept]]
                bits[room] = distance[near_kept]
            count += len(near)
        if count > enough:
            break
    return count


def of_bytes(offsets: Rows, data: NDArray[np.uint8]) -> UInt64s:
    """Redo `curate.row_hashes._of_bytes`: one byte of all rows at a time, the longest rows first."""
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    value, starts = np.full(len(lengths), _BASIS), offsets[:-1][order]
    for place, active in enumerate(_longer(lengths)):
        part = value[:active]
        part ^= data[starts[:active] + place]
        part *= _PRIME
    found = np.empty_like(value)
    found[order] = value
    return found


def of_runs(offsets: Rows, inner: UInt64s) -> UInt64s:
    """Redo `curate.row_hashes._of_runs`."""
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    value, starts = _BASIS + lengths[order].astype(np.uint64), offsets[:-1][order]
    for place, active in enumerate(_longer(lengths)):
        part = value[:active]
        part *= _PRIME
        part ^= inner[starts[:active] + place]
        part ^= part >> np.uint64(29)
    found = np.empty_like(value)
    found[order] = value
    return found


def _longer(lengths: Rows) -> list[int]:
    """How many runs are longer than 0, 1, 2 ..."""
    if not len(lengths):
        return []
    found: list[int] = (len(lengths) - np.cumsum(np.bincount(lengths))[:-1]).tolist()
    return found
