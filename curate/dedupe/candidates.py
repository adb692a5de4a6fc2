"""Pairs of images that may be the same: all that lie within a radius by any of their hashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.features import Features, Recipe
from curate.dedupe.hashes import UInt64Array
from curate.dedupe.neighbours import Pairs, pairs_between, pairs_within

FLAT: Final = 4.0  # levels; a thumbnail of less contrast has no structure that a turn or a crop could keep
# Largest number of images that each radius of a 64-bit hash is used for.
_UP_TO: Final = ((100_000, 12), (1_000_000, 10), (10_000_000, 8), (100_000_000, 6))


def radius(count: int, recipe: Recipe) -> int:
    """Bits between candidates among `count` images: less for more, as false pairs grow with their square."""
    if recipe.hash == "colorhash":
        return 2
    bits = next((bits for most, bits in _UP_TO if count <= most), 4)
    return bits if recipe.bits == 64 else bits * 5


def candidates(
    features: Features, recipe: Recipe, max_hamming: int | None, *, base: Features | None = None
) -> Pairs:
    """Every pair of images that one of their hashes brings within the radius, each once.

    Args:
        features: Of the images.
        recipe: That the features were made with.
        max_hamming: Bits; None = `radius`.
        base: Of other images to compare with; None = among themselves.

    Returns:
        Pairs ordered by (first, second), first < second; with a base, first counts in `features` and second
        in `base`. `hamming` is the least among the hashes that found the pair.
    """
    count = len(features) + (0 if base is None else len(base))
    bits = radius(count, recipe) if max_hamming is None else max_hamming
    found = list(_searches(features, bits, base))
    second_count = len(features) if base is None else len(base)
    return _union(found, second_count)


def _searches(features: Features, bits: int, base: Features | None) -> Iterator[Pairs]:
    if base is None:
        yield pairs_within(features.hashes, bits)
    else:
        yield pairs_between(features.hashes, base.hashes, bits)
    bits = min(bits, radius(len(features) + (0 if base is None else len(base)), _SHORT))
    for name in ("turned", "windows"):
        yield from _variants(features, base, name, bits)


_SHORT: Final = Recipe("phash", 64, "fast", "none", False)


def _variants(features: Features, base: Features | None, name: str, bits: int) -> Iterator[Pairs]:
    """One search for each hash of a turned picture or of a part against the upright, whole pictures."""
    rows = np.flatnonzero(features.contrast >= FLAT)
    others = rows if base is None else np.flatnonzero(base.contrast >= FLAT)
    other = features if base is None else base
    whole, other_whole = features.phash[rows], other.phash[others]
    for column in range(getattr(features, name).shape[1]):
        hashes: UInt64Array = np.ascontiguousarray(getattr(features, name)[rows, column])
        yield _placed(pairs_between(hashes, other_whole, bits), rows, others, ordered=base is None)
        if base is not None:
            hashes = np.ascontiguousarray(getattr(base, name)[others, column])
            pairs = pairs_between(hashes, whole, bits)
            yield _placed(Pairs(pairs.second, pairs.first, pairs.hamming), rows, others, ordered=False)


def _placed(pairs: Pairs, rows: NDArray[np.int64], others: NDArray[np.int64], *, ordered: bool) -> Pairs:
    """Row numbers for positions; `ordered`: within one set, so without pairs of a row and itself."""
    first, second, hamming = rows[pairs.first], others[pairs.second], pairs.hamming
    if not ordered:
        return Pairs(first, second, hamming)
    real = first != second
    first, second = first[real], second[real]
    return Pairs(np.minimum(first, second), np.maximum(first, second), hamming[real])


def _union(found: list[Pairs], second_count: int) -> Pairs:
    """Each pair once, with its least distance."""
    keys = np.concatenate([pairs.first * np.int64(second_count) + pairs.second for pairs in found])
    hamming = np.concatenate([pairs.hamming for pairs in found]).astype(np.uint16)
    order = np.lexsort((hamming, keys))
    keys, hamming = keys[order], hamming[order]
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    keys = keys[new]
    return Pairs(keys // max(second_count, 1), keys % max(second_count, 1), hamming[new])
