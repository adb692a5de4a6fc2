"""Groups of near-duplicates without chaining: a keeper, and images within the radius of the keeper itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hashes import UInt64Array
from curate.dedupe.neighbours import Pairs, pairs_within


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the keeper rule looks at."""

    image_id: str
    width: int  # upright pixels
    height: int
    sharpness: float
    bytes: int

    def rank(self) -> tuple[int, float, int, str]:
        """Sorts better images first: more pixels, sharper, more bytes, smaller image_id, in that order."""
        return (-self.width * self.height, -self.sharpness, -self.bytes, self.image_id)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which image each image belongs to.

    Attributes:
        keeper: (N,) int64; index of the keeper, its own for keepers and for images on their own.
        hamming: (N,) uint8; bits between an image and its keeper.
        pairs_by_hamming: (65,) int64; pairs of images at each distance, as far as they were counted.
        counted_to: Bits; distances above were not counted.
    """

    keeper: NDArray[np.int64]
    hamming: NDArray[np.uint8]
    pairs_by_hamming: NDArray[np.int64]
    counted_to: int


def group(
    hashes: UInt64Array, candidates: Sequence[Candidate], *, max_hamming: int, count_to: int = 0
) -> Grouping:
    """Choose keepers and give every other image to one.

    Images are taken best first (`Candidate.rank`). One that no keeper is within `max_hamming` of becomes a
    keeper. The others belong to the nearest of those keepers that come before them, the better one on a tie.
    Images of one hash go together, with the best of them. So every image lies within `max_hamming` of its
    keeper, which is no worse a picture, and keepers lie further than that from each other.

    Args:
        hashes: (N,) uint64.
        candidates: N, in the order of the hashes.
        max_hamming: Bits, 0..64.
        count_to: Bits; count pairs up to this distance, at least up to `max_hamming`.
    """
    order = np.array(sorted(range(len(candidates)), key=lambda i: candidates[i].rank()), dtype=np.int64)
    # Images with the same hash share every decision, so the work is done on distinct hashes, best first.
    distinct, first_at, members = np.unique(hashes[order], return_index=True, return_inverse=True)
    best_first = np.argsort(first_at)
    place = np.empty(len(distinct), dtype=np.int64)
    place[best_first] = np.arange(len(distinct))
    distinct, members = distinct[best_first], place[members]
    sizes = np.bincount(members, minlength=len(distinct)).astype(np.int64)

    counted_to = max(max_hamming, count_to)
    pairs = pairs_within(distinct, counted_to)
    owner, hamming = _stars(len(distinct), pairs, max_hamming)
    leaders = order[first_at[best_first]]
    keeper, distance = np.empty_like(order), np.empty(len(order), dtype=np.uint8)
    keeper[order] = leaders[owner[members]]
    distance[order] = hamming[members]
    return Grouping(keeper, distance, _histogram(pairs, sizes), counted_to)


def _stars(count: int, pairs: Pairs, max_hamming: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Owner and distance of `count` points ranked by index."""
    near = pairs.hamming <= max_hamming
    better, worse, bits = pairs.first[near], pairs.second[near], pairs.hamming[near]
    by_worse = np.lexsort((better, bits, worse))  # nearest first, then the better one
    better, worse, bits = better[by_worse], worse[by_worse], bits[by_worse]
    bounds = np.searchsorted(worse, np.arange(count + 1))
    owner = np.arange(count, dtype=np.int64)
    hamming = np.zeros(count, dtype=np.uint8)
    is_keeper = np.ones(count, dtype=np.bool_)
    for point in np.unique(worse):
        ahead = slice(bounds[point], bounds[point + 1])
        keepers = np.flatnonzero(is_keeper[better[ahead]])
        if len(keepers):
            is_keeper[point] = False
            owner[point] = better[ahead][keepers[0]]
            hamming[point] = bits[ahead][keepers[0]]
    return owner, hamming


def _histogram(pairs: Pairs, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of images at each distance from pairs of distinct hashes and how often each hash occurs."""
    counts = np.zeros(65, dtype=np.int64)
    np.add.at(counts, pairs.hamming, sizes[pairs.first] * sizes[pairs.second])
    counts[0] += int((sizes * (sizes - 1) // 2).sum())
    return counts


def explain(member: Candidate, keeper: Candidate, hamming: int) -> str:
    """Why `member` was dropped for `keeper`, such as "4 bits from keeper; keeper has more pixels (...)"."""
    bits = f"{hamming} bit{'' if hamming == 1 else 's'} from keeper"
    if keeper.width * keeper.height > member.width * member.height:
        sizes = f"{keeper.width}x{keeper.height} over {member.width}x{member.height}"
        return f"{bits}; keeper has more pixels ({sizes})"
    if keeper.sharpness > member.sharpness:
        figures = f"{keeper.sharpness:.6g} over {member.sharpness:.6g}"
        return f"{bits}; same number of pixels, keeper is sharper ({figures})"
    if keeper.bytes > member.bytes:
        return (
            f"{bits}; same pixels and sharpness, keeper has more bytes ({keeper.bytes} over {member.bytes})"
        )
    return f"{bits}; nothing tells them apart, keeper has the smaller image_id"
