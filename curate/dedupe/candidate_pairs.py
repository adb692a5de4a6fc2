"""From pairs of distinct hashes to pairs of images, each once, in one word per pair.

Where sets of images with one hash are so large that all pairs between them would be quadratic (ten thousand
scans of blank pages), only pairs with a hub are listed: the largest pictures of a set, from which keepers are
chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hamming_search import Distinct, Pairs, Rows

MAX_ALL_PAIRS: Final = 4096  # between the images of two hashes
HUBS: Final = 8  # of a larger set
_DISTANCE_BITS: Final = np.uint64(9)  # 0..256
_DISTANCES: Final = np.uint64(0x1FF)


class Images:
    """Images by distinct hash, larger pictures first."""

    def __init__(self, hashes: Distinct, places: Rows, area: Rows) -> None:
        """Gather the images of each distinct hash.

        Args:
            hashes: Of a column.
            places: (N,) images of the column's rows.
            area: Pixels of every image, by its place.
        """
        self.begins, self.sizes = hashes.begins, hashes.sizes()
        self._members = places[hashes.rows]
        shared = np.repeat(self.sizes > 1, self.sizes)
        if shared.any():
            owner = np.repeat(np.arange(len(hashes)), self.sizes)[shared]
            images = self._members[shared]
            self._members[shared] = images[np.lexsort((images, -area[images], owner))]

    def image(self, hashes: Rows, number: Rows) -> Rows:
        """The image of a number among those of each hash."""
        images: Rows = self._members[self.begins[hashes] + number]
        return images


def image_pairs(near: Pairs, one: Images, two: Images, *, same: bool) -> Pairs:
    """Pairs of images for pairs of distinct hashes, in no order and perhaps more than once.

    Args:
        near: Pairs of hashes.
        one: Images of the first hashes.
        two: Of the second; `one` itself within one column, where images of one hash are pairs too.
        same: Both count in one collection: first < second is wanted, and no image with itself.
    """
    first, second, hamming = near.first, near.second, near.hamming
    if one is two:
        itself = np.flatnonzero(one.sizes > 1)
        first, second = np.concatenate([first, itself]), np.concatenate([second, itself])
        hamming = np.concatenate([hamming, np.zeros(len(itself), hamming.dtype)])
    sizes, others = one.sizes[first], two.sizes[second]
    large = sizes * others > MAX_ALL_PAIRS
    hubs, other_hubs = np.where(large, np.minimum(sizes, HUBS), sizes), np.minimum(others, HUBS)
    some = np.flatnonzero(large)
    parts = [
        _rectangle(first, second, hubs, others),
        _rectangle(first[some], second[some], sizes[some], other_hubs[some]),
    ]
    a = np.concatenate([one.image(hashes, number) for _, hashes, number, _, _ in parts])
    b = np.concatenate([two.image(hashes, number) for _, _, _, hashes, number in parts])
    bits = np.concatenate([hamming[parts[0][0]], hamming[some][parts[1][0]]])
    if not same:
        return Pairs(a, b, bits)
    real = a != b
    return Pairs(np.minimum(a, b)[real], np.maximum(a, b)[real], bits[real])


def _rectangle(first: Rows, second: Rows, tall: Rows, wide: Rows) -> tuple[Rows, Rows, Rows, Rows, Rows]:
    """Which pair of hashes, hash and number on the first side, hash and number on the second."""
    counts = tall * wide
    which = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, first[which], place // wide[which], second[which], place % wide[which]


def join_keys(pairs: Pairs, second_count: int) -> NDArray[np.uint64]:
    """One word per pair, ordered as (first, second, hamming): 8 bytes instead of 18, and quick to sort.

    Raises:
        ValueError: More than 2^55 pairs are possible: 190 million images on both sides.
    """
    if len(pairs) and (int(pairs.first.max()) + 1) * second_count > 1 << (64 - int(_DISTANCE_BITS)):
        raise ValueError(f"expected at most 2^55 possible pairs, got {second_count:,} images on a side")
    keys = pairs.first.astype(np.uint64) * np.uint64(second_count) + pairs.second.astype(np.uint64)
    return (keys << _DISTANCE_BITS) | pairs.hamming


def split_keys(keys: NDArray[np.uint64], second_count: int) -> Pairs:
    """Undo `join_keys`: pairs from their keys."""
    first, second = np.divmod((keys >> _DISTANCE_BITS).astype(np.int64), np.int64(max(second_count, 1)))
    return Pairs(first, second, (keys & _DISTANCES).astype(np.uint16))


def union(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Each pair of all parts once, in order, with its least distance."""
    keys = np.sort(np.concatenate(parts))
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = (keys[1:] >> _DISTANCE_BITS) != (keys[:-1] >> _DISTANCE_BITS)
    return keys[new]
