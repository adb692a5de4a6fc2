"""What else finds all pairs within a Hamming distance.

Each peer takes (N,) uint64 and bits, and returns (P, 2) int64 rows, the first smaller, in any order.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]
BITS = 64


def numpy_bands(hashes: Hashes, max_hamming: int) -> Rows:
    """Sorted tables of sets of blocks in NumPy: what curate 0.1 did.

    Source: G. Manku, A. Jain, A. Das Sarma 2007, "Detecting near-duplicates for web crawling".
    """

    def cost(k: int) -> float:  # in comparisons; to sort a hash costs about as much as 12
        count = len(hashes)
        agreeing = math.exp2(-BITS * k / (max_hamming + k))
        tables = math.comb(max_hamming + k, k)
        return tables * (12 * count * math.log2(count + 2) + count * count / 2 * agreeing)

    k = min((k for k in range(1, 9) if math.comb(max_hamming + k, k) <= 2000), key=cost)
    cuts = np.linspace(0, BITS, max_hamming + k + 1).round().astype(int)
    blocks = [((1 << int(high - low)) - 1) << int(low) for low, high in itertools.pairwise(cuts)]
    masks = [np.uint64(sum(chosen)) for chosen in itertools.combinations(blocks, k)]
    found = [_band(hashes, masks, table, max_hamming) for table in range(len(masks))]
    return np.sort(np.concatenate(found), axis=1)


def _band(hashes: Hashes, masks: list[np.uint64], table: int, max_hamming: int) -> Rows:
    """Pairs that agree under this table's mask and under none of an earlier table."""
    order = np.argsort(hashes & masks[table], kind="stable")
    ordered = hashes[order]
    keys = ordered & masks[table]
    starts: NDArray[np.int64] = np.arange(len(hashes), dtype=np.int64)
    found: list[NDArray[np.int64]] = [np.zeros((0, 2), dtype=np.int64)]
    for offset in range(1, len(hashes)):
        starts = starts[starts + offset < len(hashes)]
        starts = starts[keys[starts] == keys[starts + offset]]
        if not len(starts):
            break
        differing = ordered[starts] ^ ordered[starts + offset]
        near = np.flatnonzero(np.bitwise_count(differing) <= max_hamming)
        for earlier in masks[:table]:
            near = near[(differing[near] & earlier) != 0]
        found.append(np.column_stack([order[starts[near]], order[starts[near] + offset]]))
    return np.concatenate(found)


def numba_brute_force(hashes: Hashes, max_hamming: int) -> Rows:
    """Every hash with all later ones, compiled, on all cores."""
    kernel = _brute_force_kernel()
    room = np.empty((20 * len(hashes), 2), dtype=np.int64)
    total = kernel(hashes, max_hamming, room)
    return room[:total]


@functools.cache
def _brute_force_kernel() -> Callable[[Hashes, int, Rows], int]:
    import numba  # noqa: PLC0415 - its place for compiled code is set before it is loaded
    from llvmlite import ir  # type: ignore[import-untyped]  # noqa: PLC0415
    from numba.core import cgutils  # noqa: PLC0415
    from numba.extending import intrinsic  # noqa: PLC0415

    @intrinsic  # type: ignore[untyped-decorator]
    def popcount(_: Any, word: Any) -> Any:
        del word

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            del context, signature
            kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.ctpop.i64")
            return builder.call(function, values)

        return numba.types.int64(numba.types.uint64), generate

    @numba.njit(parallel=True, boundscheck=False)  # type: ignore[untyped-decorator]
    def kernel(hashes: Hashes, limit: int, room: Rows) -> int:
        count = len(hashes)
        near = np.zeros(count, dtype=np.int64)
        for i in numba.prange(count):
            total = 0
            for j in range(i + 1, count):
                total += popcount(hashes[i] ^ hashes[j]) <= limit
            near[i] = total
        at = 0
        for i in range(count):
            if near[i]:
                for j in range(i + 1, count):
                    if popcount(hashes[i] ^ hashes[j]) <= limit:
                        room[at, 0], room[at, 1] = i, j
                        at += 1
        return at

    kernel(
        np.zeros(2, dtype=np.uint64), 0, np.empty((9, 2), dtype=np.int64)
    )  # compiled before the clock runs
    return kernel  # type: ignore[no-any-return]


def faiss_flat(hashes: Hashes, max_hamming: int) -> Rows:
    """IndexBinaryFlat.range_search of all against all."""
    import faiss  # noqa: PLC0415 - optional

    return _faiss(faiss.IndexBinaryFlat(BITS), hashes, max_hamming)


def faiss_multi_hash(hashes: Hashes, max_hamming: int) -> Rows:
    """IndexBinaryMultiHash of three tables of 21 bits, with as many flipped as exact recall needs."""
    import faiss  # noqa: PLC0415 - optional

    index = faiss.IndexBinaryMultiHash(BITS, 3, 21)
    index.nflip = max_hamming // 3
    return _faiss(index, hashes, max_hamming)


def _faiss(index: Any, hashes: Hashes, max_hamming: int) -> Rows:
    codes = hashes.view(np.uint8).reshape(len(hashes), 8)
    index.add(codes)
    found: list[NDArray[np.int64]] = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(codes), 10_000):
        bounds, _, others = index.range_search(
            codes[start : start + 10_000], max_hamming + 1
        )  # below, not at
        rows = start + np.repeat(np.arange(len(bounds) - 1), np.diff(bounds).astype(np.int64))
        later = others > rows
        found.append(np.column_stack([rows[later], others[later]]))
    return np.concatenate(found)


PEERS: dict[str, Callable[[Hashes, int], Rows]] = {
    "numpy bands": numpy_bands,
    "numba brute force": numba_brute_force,
    "faiss IndexBinaryFlat": faiss_flat,
    "faiss IndexBinaryMultiHash": faiss_multi_hash,
}
