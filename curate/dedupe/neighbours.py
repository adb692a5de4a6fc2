"""All pairs of 64-bit hashes within a Hamming distance: exact, for every radius.

Pigeonhole: cut the 64 bits into m blocks. Two hashes that differ in at most r bits differ in at most r
blocks, so they agree on at least k = m - r whole blocks. For each of the C(m, k) sets of k blocks the hashes
are sorted by those bits, and only those that agree there are compared. k = 0 is plain comparison of all
pairs; the best k follows from N and r by counting sorts and expected comparisons.

Source: M. Norouzi, A. Punjani, D. Fleet 2012, "Fast search in Hamming space with multi-index hashing"
(blocks); G. Manku, A. Jain, A. Das Sarma 2007, "Detecting near-duplicates for web crawling" (sorted tables
of block sets).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hashes import UInt64Array

BITS = 64
_MOST_TABLES = 2000
# Measured on one core in units of one comparison: to sort one hash into a table costs about as much as 12.
_SORT_COST = 12.0


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


def pairs_within(hashes: UInt64Array, max_hamming: int, *, threads: int = 0) -> Pairs:
    """Every pair of hashes that differ in at most `max_hamming` bits, each once, first < second.

    Identical hashes make quadratically many pairs: collapse them first where they may be many.

    Args:
        hashes: (N,) uint64, or (N, W) for hashes of W x 64 bits.
        max_hamming: Bits, 0..64 W.
        threads: 0 takes all cores.
    """
    if hashes.ndim == 2 and hashes.shape[1] > 1:
        _check(max_hamming, BITS * hashes.shape[1])
        pairs = pairs_between(hashes, hashes, max_hamming, threads=threads)
        ahead = pairs.first < pairs.second
        return Pairs(pairs.first[ahead], pairs.second[ahead], pairs.hamming[ahead])
    hashes = hashes.reshape(-1)
    _check(max_hamming, BITS)
    masks = _masks(max_hamming, blocks_to_agree(len(hashes), max_hamming))
    found = [_pairs_of_table(hashes, masks, table, max_hamming) for table in range(len(masks))]
    return _ordered(found)


def pairs_between(queries: UInt64Array, base: UInt64Array, max_hamming: int, *, threads: int = 0) -> Pairs:
    """Every pair of a query and a base hash that differ in at most `max_hamming` bits.

    Args:
        queries: (Q,) or (Q, W) uint64; `first` indexes them.
        base: (B,) or (B, W) uint64; `second` indexes them.
        max_hamming: Bits, 0..64 W.
        threads: 0 takes all cores.
    """
    del threads
    wide, flat = base.reshape(len(base), -1), queries.reshape(len(queries), -1)
    _check(max_hamming, BITS * wide.shape[1])
    found = []
    for row in range(len(flat)):
        hamming = np.bitwise_count(wide ^ flat[row]).sum(axis=1, dtype=np.uint16)
        near = np.flatnonzero(hamming <= max_hamming)
        found.append((np.full(len(near), row, dtype=np.int64), near, hamming[near]))
    return _ordered([Pairs(*columns) for columns in found])


def _check(max_hamming: int, bits: int) -> None:
    if not 0 <= max_hamming <= bits:
        raise ValueError(f"expected max_hamming in 0..{bits}, got {max_hamming}")


def _ordered(found: list[Pairs]) -> Pairs:
    nothing = np.zeros(0, dtype=np.int64)
    first = np.concatenate([nothing, *(pairs.first for pairs in found)])
    second = np.concatenate([nothing, *(pairs.second for pairs in found)])
    hamming = np.concatenate([nothing.astype(np.uint16), *(pairs.hamming for pairs in found)])
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], hamming[order])


def blocks_to_agree(count: int, max_hamming: int) -> int:
    """The k that costs least for `count` evenly spread hashes; 0 compares all pairs.

    Cost in comparisons: C(r + k, k) tables, each sorted once, with N^2 / 2 pairs of which a share of
    2^-(64 k / (r + k)) agree on k of r + k blocks.
    """

    def cost(k: int) -> float:
        tables = math.comb(max_hamming + k, k)
        if k == 0:
            return count * count / 2
        agreeing = math.exp2(-BITS * k / (max_hamming + k))
        return tables * (_SORT_COST * count * math.log2(count + 2) + count * count / 2 * agreeing)

    usable = [k for k in range(BITS - max_hamming + 1) if math.comb(max_hamming + k, k) <= _MOST_TABLES]
    return min(usable, key=cost)


def _masks(max_hamming: int, k: int) -> list[np.uint64]:
    """The bits of every set of k out of max_hamming + k blocks."""
    if k == 0:
        return [np.uint64(0)]
    cuts = np.linspace(0, BITS, max_hamming + k + 1).round().astype(int)
    blocks = [((1 << int(high - low)) - 1) << int(low) for low, high in itertools.pairwise(cuts)]
    return [np.uint64(sum(chosen)) for chosen in itertools.combinations(blocks, k)]


def _pairs_of_table(hashes: UInt64Array, masks: list[np.uint64], table: int, max_hamming: int) -> Pairs:
    """Pairs that agree under this table's mask and under none of an earlier table."""
    order = np.argsort(hashes & masks[table], kind="stable")
    ordered = hashes[order]
    keys = ordered & masks[table]
    starts: NDArray[np.int64] = np.arange(
        len(hashes), dtype=np.int64
    )  # of pairs still inside their run, at the current offset
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]] = []
    for offset in range(1, len(hashes)):
        starts = starts[starts + offset < len(hashes)]
        starts = starts[keys[starts] == keys[starts + offset]]
        if not len(starts):
            break
        differing = ordered[starts] ^ ordered[starts + offset]
        hamming = np.bitwise_count(differing).astype(np.uint16)
        near = np.flatnonzero(hamming <= max_hamming)
        for earlier in masks[:table]:
            near = near[(differing[near] & earlier) != 0]
        a, b = order[starts[near]], order[starts[near] + offset]
        found.append((np.minimum(a, b), np.maximum(a, b), hamming[near]))
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return Pairs(nothing, nothing, np.zeros(0, dtype=np.uint16))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))
