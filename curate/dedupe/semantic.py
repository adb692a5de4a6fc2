"""Pairs of images that mean the same: all pairs of unit vectors whose cosine reaches a bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hamming_search import TooManyPairsError
from curate.extras import require
from curate.records import FloatArray
from curate.vectors import cells

MAX_PAIRS = 100_000_000
_QUERIES = 512  # vectors searched for at a time; what they find is what memory holds at most
_BLOCK = 65_536  # vectors searched at a time
_SLACK = 1e-4  # a product of float32 vectors is less exact than this, whatever the processor
_UNIT = 1e-3  # how far a length may be from 1


@dataclass(frozen=True, slots=True)
class CosinePairs:
    """Pairs of indices with their cosine, ordered by (first, second).

    Attributes:
        first: (P,) int64.
        second: (P,) int64.
        cosine: (P,) float32, in [-1, 1].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    cosine: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


_NONE = CosinePairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def cosine_pairs(
    vectors: FloatArray,
    min_cosine: float,
    *,
    base: FloatArray | None = None,
    max_pairs: int = MAX_PAIRS,
    exact: bool = False,
    setting: str = "dedupe.semantic.min_cosine",
) -> CosinePairs:
    """Every pair of vectors with a cosine of at least `min_cosine`.

    Up to `cells.ALL_PAIRS` of them (of `base`, if there is one), each is compared with each, by faiss in
    blocks; time grows with N squared, memory with the pairs found. Of more, vectors in near k-means
    cells only are compared: some pairs are missed, fewer the higher the bound (a test measures them). The
    cosines of what faiss brings are computed again in float64, so that neither threads nor blocks nor the
    processor decide about a pair.

    Args:
        vectors: (N, D) unit vectors, which may be a memory-mapped file.
        min_cosine: In [-1, 1].
        base: (M, D) vectors to compare with; None = among themselves, first < second. With a base, first
            counts in `vectors` and second in `base`.
        max_pairs: Refuse more.
        exact: Compare all with all, however many they are.
        setting: The parameter that the bound is, for the message.

    Raises:
        MissingExtraError: faiss is not installed.
        TooManyPairsError: More than `max_pairs`.
        ValueError: Vectors that are not of unit length, or of two widths.
    """
    other = vectors if base is None else base
    if vectors.ndim != 2 or other.ndim != 2 or vectors.shape[1] != other.shape[1]:
        raise ValueError(f"expected (N, D) vectors of one D, got {vectors.shape} and {other.shape}")
    if not -1 <= min_cosine <= 1:
        raise ValueError(f"expected min_cosine in [-1, 1], got {min_cosine}")
    found = [_NONE]
    near_only = len(other) > cells.ALL_PAIRS and not exact
    if near_only:
        searched = _by_cell(vectors, other, min_cosine, ordered=base is None)
    else:
        searched = _by_block(vectors, other, min_cosine, ordered=base is None)
    total = 0
    for pairs in searched:
        total += len(pairs)
        if total > max_pairs:
            raise TooManyPairsError(
                f"more than {max_pairs:,} pairs of images have a cosine of at least {min_cosine}: "
                f"set {setting} higher"
            )
        found.append(pairs)
    first = np.concatenate([pairs.first for pairs in found])
    second = np.concatenate([pairs.second for pairs in found])
    order = np.lexsort((second, first))
    same = np.concatenate([pairs.cosine for pairs in found])[order]
    made = CosinePairs(first[order], second[order], same)
    return _once(made) if near_only and base is None else made


def _once(pairs: CosinePairs) -> CosinePairs:
    """Drop pairs that were found from both sides; the order stays."""
    again = (np.diff(pairs.first, prepend=-1) == 0) & (np.diff(pairs.second, prepend=-1) == 0)
    return CosinePairs(pairs.first[~again], pairs.second[~again], pairs.cosine[~again])


def _by_cell(
    vectors: FloatArray, other: FloatArray, min_cosine: float, *, ordered: bool
) -> Iterator[CosinePairs]:
    """What searching near cells finds: a pair once from each side that sees the other."""
    every = _unit(other)
    index = cells.index(every)
    for begin in range(0, len(vectors), _QUERIES):
        queries = _unit(vectors[begin : begin + _QUERIES])
        bounds, _, places = index.range_search(queries, min_cosine - _SLACK)
        first = np.repeat(np.arange(len(queries)), np.diff(bounds).astype(np.int64))
        found = _exact(queries, every, first, places, min_cosine, offsets=(begin, 0))
        if ordered:
            apart = found.first != found.second
            a, b = found.first[apart], found.second[apart]
            found = CosinePairs(np.minimum(a, b), np.maximum(a, b), found.cosine[apart])
        yield found


def _by_block(
    vectors: FloatArray, other: FloatArray, min_cosine: float, *, ordered: bool
) -> Iterator[CosinePairs]:
    faiss = require("faiss", extra="semantic")
    for start in range(0, len(other), _BLOCK):
        block = _unit(other[start : start + _BLOCK])
        index = faiss.IndexFlatIP(block.shape[1])
        index.add(block)
        stop = min(len(vectors), start + _BLOCK) if ordered else len(vectors)
        for begin in range(0, stop, _QUERIES):
            queries = _unit(vectors[begin : min(begin + _QUERIES, stop)])
            bounds, _, places = index.range_search(queries, min_cosine - _SLACK)
            first = np.repeat(np.arange(len(queries)), np.diff(bounds).astype(np.int64))
            if ordered:
                later = places + start > first + begin
                first, places = first[later], places[later]
            yield _exact(queries, block, first, places, min_cosine, offsets=(begin, start))


def _exact(
    queries: FloatArray,
    block: FloatArray,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    min_cosine: float,
    *,
    offsets: tuple[int, int],
) -> CosinePairs:
    """The pairs that reach the bound in float64, in pieces of a fixed size."""
    cosine = np.empty(len(first), dtype=np.float64)
    for begin in range(0, len(first), _BLOCK):
        some = slice(begin, begin + _BLOCK)
        a, b = queries[first[some]].astype(np.float64), block[second[some]].astype(np.float64)
        cosine[some] = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    near = cosine >= min_cosine
    return CosinePairs(
        first[near] + offsets[0], second[near] + offsets[1], np.clip(cosine[near], -1, 1).astype(np.float32)
    )


def _unit(vectors: FloatArray) -> FloatArray:
    """A float32 copy in memory, checked."""
    copy = np.ascontiguousarray(vectors, dtype=np.float32)
    off = np.abs(np.linalg.norm(copy, axis=1) - 1)
    if not (off <= _UNIT).all():  # a NaN is not either
        raise ValueError(f"expected unit vectors, got one whose length is off by {off.max():.3g}")
    return copy
