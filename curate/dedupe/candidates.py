"""Pairs of images that may be the same: all that lie within a radius by any of their hashes.

Identical hashes are searched once. Where sets of them are so large that all pairs between them would be
quadratic (ten thousand scans of blank pages), only pairs with a hub are listed: the largest pictures of a
set, from which keepers are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.features import PLAIN, Features, Recipe
from curate.dedupe.hashes import UInt64Array
from curate.dedupe.neighbours import Pairs, pairs_between, pairs_within

# Largest number of images that each radius of a 64-bit hash is used for; why: docs/dedupe.md.
_UP_TO: Final = ((60_000, 12), (500_000, 10), (3_000_000, 8), (20_000_000, 6))
_LEAST: Final = 4  # bits, for more
_LONGER: Final = 5  # times as many bits of 256 as of 64: as rare between different pictures
_COLOUR_BITS: Final = 2
_FEWER: Final = 2  # for equal parts of two pictures: collages share them
_TONE_BITS: Final = 3  # one step in each channel
_SHORT: Final = Recipe("phash", 64, "fast", "none", False)
_ALL_PAIRS: Final = 4096  # between two sets of identical hashes
_HUBS: Final = 8  # of a larger set


def radius(count: int, recipe: Recipe) -> int:
    """Bits between candidates among `count` images: less for more, as false pairs grow with their square."""
    if recipe.hash == "colorhash":
        return _COLOUR_BITS
    bits = next((bits for most, bits in _UP_TO if count <= most), _LEAST)
    return bits if recipe.bits == _SHORT.bits else bits * _LONGER


def candidates(
    features: Features, recipe: Recipe, max_hamming: int | None, *, base: Features | None = None
) -> Pairs:
    """Every pair of images that one of their hashes brings within the radius, each once.

    Needs neither `luma` nor `colour`.

    Args:
        features: Of the images.
        recipe: That the features were made with.
        max_hamming: Bits; None = `radius`. Turned pictures and parts are searched by 64-bit hashes, whose
            radius is at most that of `radius`.
        base: Of other images to compare with; None = among themselves.

    Returns:
        Pairs ordered by (first, second), first < second; with a base, first counts in `features` and second
        in `base`. `hamming` is the least among the hashes that found the pair.
    """
    count = len(features) + (0 if base is None else len(base))
    bits = radius(count, recipe) if max_hamming is None else max_hamming
    second_count = len(features) if base is None else len(base)
    found, more = _none(), [_none()]
    for pairs in _searches(features, bits, min(bits, radius(count, _SHORT)), base):
        more.append(pairs)
        if sum(len(part.first) for part in more) > len(found.first):  # seldom enough, and little memory
            found, more = _union([found, *more], second_count), []
    return _union([found, *more], second_count)


def _searches(features: Features, bits: int, part_bits: int, base: Features | None) -> Iterator[Pairs]:
    other = features if base is None else base
    same = base is None
    yield _search(_Set.of(features.hashes, features), _Set.of(other.hashes, other), bits, same=same)
    plain, other_plain = (np.flatnonzero(side.structure < PLAIN) for side in (features, other))
    plain_tones = _Set.of(features.tone, features, plain), _Set.of(other.tone, other, other_plain)
    yield _search(*plain_tones, _TONE_BITS, same=same)
    rows, other_rows = (np.flatnonzero(side.structure >= PLAIN) for side in (features, other))
    whole, other_whole = _Set.of(features.phash, features, rows), _Set.of(other.phash, other, other_rows)
    for column in range(features.parts.shape[1]):
        parts = _Set.of(features.parts[:, column], features, rows)
        other_parts = parts if same else _Set.of(other.parts[:, column], other, other_rows)
        yield _search(parts, other_parts, max(part_bits - _FEWER, 0), same=same)
    for name in ("turned", "windows"):
        for column in range(getattr(features, name).shape[1]):
            varied = _Set.of(getattr(features, name)[:, column], features, rows)
            yield _between(varied, other_whole, part_bits, same=same)
            if base is not None:
                varied = _Set.of(getattr(base, name)[:, column], base, other_rows)
                turned = _between(varied, whole, part_bits, same=False)
                yield Pairs(turned.second, turned.first, turned.hamming)


def searched(features: Features) -> Iterator[UInt64Array]:
    """What `candidates` searches of images, a set at a time: (M,) words, the first of longer hashes.

    Mean colours count of plain pictures only, and hashes of what a thumbnail shows of all others.
    """
    yield features.hashes[:, 0]
    plain = features.structure < PLAIN
    yield features.tone[plain]
    yield features.phash[~plain]
    for columns in (features.parts, features.turned, features.windows):
        yield from columns[~plain].T


@dataclass(frozen=True, slots=True)
class _Set:
    """Images by distinct hash: `rows[start[i] : start[i + 1]]` have hash i, larger pictures first."""

    hashes: UInt64Array
    rows: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: UInt64Array, features: Features, rows: NDArray[np.int64] | None = None) -> _Set:
        """Of some rows of the features; None = all."""
        rows = np.arange(len(features), dtype=np.int64) if rows is None else rows
        chosen = hashes[rows].reshape(len(rows), hashes[:1].size if len(hashes) else 1)
        one_word = chosen.shape[1] == 1
        order: NDArray[np.int64] = np.argsort(chosen[:, 0]) if one_word else np.lexsort(tuple(chosen.T))
        new = np.ones(len(rows), dtype=np.bool_)
        new[1:] = (chosen[order[1:]] != chosen[order[:-1]]).any(axis=1)
        shared = ~new
        shared[:-1] |= ~new[1:]  # few: only they are sorted by size
        tied = order[shared]
        area = features.size[rows[tied]].astype(np.int64).prod(axis=1)
        order[shared] = tied[np.lexsort((rows[tied], -area, *chosen[tied].T))]
        start = np.append(np.flatnonzero(new), len(rows)).astype(np.int64)
        return cls(np.ascontiguousarray(chosen[order[new]]), rows[order], start)


def _search(one: _Set, two: _Set, bits: int, *, same: bool) -> Pairs:
    """Pairs within one set, or between two."""
    if not same:
        return _between(one, two, bits, same=False)
    near = pairs_within(one.hashes, bits)
    itself = np.flatnonzero(np.diff(one.start) > 1)
    none = np.zeros(len(itself), dtype=near.hamming.dtype)
    first, second = np.concatenate([near.first, itself]), np.concatenate([near.second, itself])
    return _listed(one, one, Pairs(first, second, np.concatenate([near.hamming, none])), same=True)


def _between(one: _Set, two: _Set, bits: int, *, same: bool) -> Pairs:
    if not len(one.hashes) or not len(two.hashes):
        return _none()
    return _listed(one, two, pairs_between(one.hashes, two.hashes, bits), same=same)


def _none() -> Pairs:
    nothing = np.zeros(0, dtype=np.int64)
    return Pairs(nothing, nothing, nothing.astype(np.uint16))


def _listed(one: _Set, two: _Set, near: Pairs, *, same: bool) -> Pairs:
    """Pairs of images for pairs of distinct hashes; `same`: of one collection, so that first < second."""
    sizes, others = np.diff(one.start)[near.first], np.diff(two.start)[near.second]
    large = sizes * others > _ALL_PAIRS
    hubs, other_hubs = np.minimum(sizes, _HUBS), np.minimum(others, _HUBS)
    parts = [_rectangles(one, two, near, np.where(large, hubs, sizes), others)]
    if large.any():
        some = Pairs(near.first[large], near.second[large], near.hamming[large])
        parts.append(_rectangles(one, two, some, sizes[large], other_hubs[large]))
    first, second, hamming = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not same:
        return Pairs(first, second, hamming)
    real = first != second
    first, second = first[real], second[real]
    return Pairs(np.minimum(first, second), np.maximum(first, second), hamming[real])


def _rectangles(
    one: _Set, two: _Set, near: Pairs, tall: NDArray[np.int64], wide: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
    """The first `tall` images of one hash with the first `wide` of the other, for each pair of hashes."""
    counts = tall * wide
    which = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = one.rows[one.start[near.first][which] + place // wide[which]]
    second = two.rows[two.start[near.second][which] + place % wide[which]]
    return first, second, near.hamming[which].astype(np.uint16)


def _union(parts: list[Pairs], second_count: int) -> Pairs:
    """Each pair of all parts once, in order, with its least distance."""
    keys = np.concatenate([pairs.first * np.int64(second_count) + pairs.second for pairs in parts])
    if not len(keys):
        return _none()
    hamming = np.concatenate([pairs.hamming for pairs in parts])
    order = np.lexsort((hamming, keys))
    keys, hamming = keys[order], hamming[order]
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    keys = keys[new]
    return Pairs(keys // second_count, keys % second_count, hamming[new])
