"""From pairs of distinct hashes to pairs of images, each once, in one word a pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.columns import Rows
from curate.dedupe.search.expanding import Kinds
from curate.dedupe.search.neighbours import Near, Pairs

_ALL_PAIRS: Final = 4096  # between two sets of identical hashes
_HUBS: Final = 8  # of a larger set
_DISTANCE_BITS: Final = np.uint64(9)  # 0..256
_DISTANCES: Final = np.uint64(0x1FF)
_LOW: Final = np.uint64(0xFFFFFFFF)
_HIGH: Final = np.uint64(32)


class Sets:
    """Images by distinct hash, larger pictures first."""

    def __init__(self, kinds: Kinds, places: Rows | None, area: Callable[[Rows], NDArray[np.int64]]) -> None:
        """Gather them.

        Args:
            kinds: Rows of the searched column that share a hash.
            places: Of the images of these rows; None = the same.
            area: Pixels of images.
        """
        self._places = places
        first, begins, members = kinds.sets()
        self._first, self._begins = first, begins
        if len(first):
            owner = np.repeat(np.arange(len(first)), np.diff(begins))
            at = self._at(members)
            self._members = at[np.lexsort((at, -area(at), owner))]

    def _at(self, rows: Rows) -> Rows:
        return rows if self._places is None else self._places[rows]

    def sizes(self, rows: Rows) -> Rows:
        """How many images have the hash of each row."""
        sizes = np.ones(len(rows), dtype=np.int64)
        if len(self._first):
            number = np.minimum(np.searchsorted(self._first, rows), len(self._first) - 1)
            known = self._first[number] == rows
            sizes[known] = np.diff(self._begins)[number[known]]
        return sizes

    def image(self, rows: Rows, number: Rows) -> Rows:
        """The image of a number among those of the hash of each row."""
        images = self._at(rows)
        if len(self._first):
            which = np.minimum(np.searchsorted(self._first, rows), len(self._first) - 1)
            known = self._first[which] == rows
            images = images.copy()
            images[known] = self._members[self._begins[which[known]] + number[known]]
        return images

    def shared(self) -> Rows:
        """Rows whose hash several images have."""
        return self._first


def listed(near: Near, one: Sets, two: Sets, *, same: bool) -> Pairs:
    """Pairs of images for pairs of distinct hashes, in no order and perhaps more than once.

    Args:
        near: Pairs of rows.
        one: Images of the first rows.
        two: Of the second; `one` itself for pairs within one column, where images of one hash are pairs too.
        same: Both count in one collection: first < second is wanted, and no image with itself.
    """
    first = (near.keys >> _HIGH).astype(np.int64)
    second = (near.keys & _LOW).astype(np.int64)
    hamming = near.hamming
    if one is two:
        itself = one.shared()
        first, second = np.concatenate([first, itself]), np.concatenate([second, itself])
        hamming = np.concatenate([hamming, np.zeros(len(itself), dtype=hamming.dtype)])
    first, second, hamming = _images(first, second, hamming, one, two)
    if not same:
        return Pairs(first, second, hamming)
    real = first != second
    if not real.all():
        first, second, hamming = first[real], second[real], hamming[real]
    return Pairs(np.minimum(first, second), np.maximum(first, second), hamming)


def _images(
    first: Rows, second: Rows, hamming: NDArray[np.uint16], one: Sets, two: Sets
) -> tuple[Rows, Rows, NDArray[np.uint16]]:
    sizes, others = one.sizes(first), two.sizes(second)
    many = (sizes > 1) | (others > 1)
    zeros = np.zeros(len(first), dtype=np.int64)
    if not many.any():
        return one.image(first, zeros), two.image(second, zeros), hamming
    large: NDArray[np.bool_] = sizes * others > _ALL_PAIRS
    hubs, other_hubs = np.minimum(sizes, _HUBS), np.minimum(others, _HUBS)
    every: NDArray[np.bool_] = np.ones(len(first), dtype=np.bool_)
    rectangles: list[tuple[NDArray[np.bool_], Rows, Rows]] = [(every, np.where(large, hubs, sizes), others)]
    if large.any():
        rectangles.append((large, sizes, other_hubs))
    parts = []
    for some, every_tall, every_wide in rectangles:
        tall, wide = every_tall[some], every_wide[some]
        counts = tall * wide
        which = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts.append(
            (
                one.image(first[some][which], place // wide[which]),
                two.image(second[some][which], place % wide[which]),
                hamming[some][which],
            )
        )
    a, b, bits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return a, b, bits


def join_keys(pairs: Pairs, second_count: int) -> NDArray[np.uint64]:
    """One word a pair, ordered as (first, second, hamming): 8 bytes instead of 18, and quick to sort.

    Raises:
        ValueError: More than 2^55 pairs are possible: 190 million images on both sides.
    """
    if len(pairs) and (int(pairs.first.max()) + 1) * second_count > 1 << (64 - int(_DISTANCE_BITS)):
        raise ValueError(f"expected at most 2^55 possible pairs, got {second_count:,} images on a side")
    keys = pairs.first.astype(np.uint64)
    keys *= np.uint64(second_count)
    keys += pairs.second.astype(np.uint64)
    keys <<= _DISTANCE_BITS
    keys |= pairs.hamming
    return keys


def split_keys(keys: NDArray[np.uint64], second_count: int) -> Pairs:
    """The inverse of `join_keys`."""
    pairs = (keys >> _DISTANCE_BITS).astype(np.int64)
    first, second = np.divmod(pairs, np.int64(max(second_count, 1)))
    return Pairs(first, second, (keys & _DISTANCES).astype(np.uint16))


def union(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Each pair of all parts once, in order, with its least distance."""
    keys = np.concatenate(parts)
    keys.sort()
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = (keys[1:] >> _DISTANCE_BITS) != (keys[:-1] >> _DISTANCE_BITS)
    return keys[new]
