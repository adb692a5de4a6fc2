"""Pairs of images that may be the same: all that lie within a radius by any of their hashes.

Mean colors are compared of plain pictures only, and hashes of what a thumbnail shows of all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from curate.dedupe import hamming_search
from curate.dedupe.candidate_pairs import Images, image_pairs, join_keys, split_keys, union
from curate.dedupe.features import PLAIN, Features, Recipe
from curate.dedupe.hamming_search import Base, Distinct, Pairs, Rows
from curate.dedupe.hashes import UInt64Array

# Largest number of images that each radius is used for; why: docs/dedupe.md.
_UP_TO: Final = ((60_000, 12), (500_000, 10), (3_000_000, 8), (20_000_000, 6))
_MIN_BITS: Final = 4  # bits, for more
_COLOR_BITS: Final = 2
_FEWER: Final = 2  # for equal parts of two pictures: collages share them
_TONE_BITS: Final = 3  # one step in each channel
_VARIANTS: Final = ("turned", "windows")


def radius(count: int, recipe: Recipe) -> int:
    """Bits between candidates among `count` images: less for more, as false pairs grow with their square."""
    return _COLOR_BITS if recipe.hash == "colorhash" else _radius(count)


def _radius(count: int) -> int:
    return next((bits for max_count, bits in _UP_TO if count <= max_count), _MIN_BITS)


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search of all columns found.

    Attributes:
        keys: (P,) uint64, ascending; each pair once with its least distance, see `candidate_pairs.join_keys`.
        second_count: That the keys were made with.
        largest: The most images that may share a value of one column: of both sides together, at most.
    """

    keys: UInt64Array
    second_count: int
    largest: int

    def pairs(self) -> Pairs:
        """All pairs in columns: 18 bytes each."""
        return split_keys(self.keys, self.second_count)


class View:
    """Some rows of features, which may lie on disk; places count in them."""

    def __init__(self, features: Features, rows: Rows | None = None) -> None:
        """Look at `rows` of the features, in that order; None = all."""
        self._features = features
        self._rows = np.arange(len(features), dtype=np.int64) if rows is None else rows
        plain = np.asarray(features.structure)[self._rows] < PLAIN
        self._plain, self._others = np.flatnonzero(plain), np.flatnonzero(~plain)
        size = np.asarray(features.size)[self._rows].astype(np.int64)
        self._area = size[:, 0] * size[:, 1]

    def __len__(self) -> int:
        return len(self._rows)

    def columns(self, name: str) -> int:
        """How many columns a feature has."""
        values = getattr(self._features, name)
        return int(values.shape[1]) if values.ndim == 2 else 1

    def distinct(self, name: str, number: int = 0) -> tuple[Distinct, Images]:
        """The hashes of a column, each once, and whose they are."""
        every = np.arange(len(self), dtype=np.int64)
        places = {"hashes": every, "tone": self._plain}.get(name, self._others)
        values = getattr(self._features, name)
        column = np.asarray(values[:, number] if values.ndim == 2 else values)
        hashes = hamming_search.distinct(column[self._rows[places]])
        return hashes, Images(hashes, places, self._area)


def candidates(
    features: Features, recipe: Recipe, max_hamming: int | None, *, base: Features | None = None
) -> Pairs:
    """Every pair of images that one of their hashes brings within the radius, each once.

    Needs neither `luma` nor `color`.

    Args:
        features: Of the images.
        recipe: That the features were made with.
        max_hamming: Bits; None = `radius`. Turned pictures and parts are searched by pHashes, whose radius is
            at most that of `radius`.
        base: Of other images to compare with; None = among themselves.

    Returns:
        Pairs ordered by (first, second), first < second; with a base, first counts in `features` and second
        in `base`. `hamming` is the least among the hashes that found the pair.
    """
    return search(View(features), recipe, max_hamming, base=None if base is None else View(base)).pairs()


def search(images: View, recipe: Recipe, max_hamming: int | None, *, base: View | None = None) -> Searched:
    """Search candidates as `candidates` does, in rows of features that may lie on disk."""
    count = len(images) + (0 if base is None else len(base))
    bits = radius(count, recipe) if max_hamming is None else max_hamming
    part_bits = min(bits, _radius(count))
    other = images if base is None else base
    found: UInt64Array = np.zeros(0, dtype=np.uint64)
    waiting: list[UInt64Array] = []
    largest = 0
    for pairs, shared in _searches(images, base, bits, part_bits):
        largest = max(largest, shared)
        waiting.append(join_keys(pairs, len(other)))
        if sum(map(len, waiting)) > len(found):  # seldom enough, and little memory
            found, waiting = union([found, *waiting]), []
    return Searched(union([found, *waiting]), len(other), largest)


def _searches(images: View, base: View | None, bits: int, part_bits: int) -> Iterator[tuple[Pairs, int]]:
    """What each search finds, and the most images that share a hash in it."""
    alike = [("hashes", 0, bits), ("tone", 0, _TONE_BITS)]
    alike += [("parts", number, max(part_bits - _FEWER, 0)) for number in range(images.columns("parts"))]
    for name, number, within in alike:
        hashes, owners = images.distinct(name, number)
        if base is None:
            near = hamming_search.near_within(hashes, within)
            yield image_pairs(near, owners, owners, same=True), _largest(hashes)
        else:
            theirs, their_owners = base.distinct(name, number)
            near = Base(theirs, within, len(hashes)).near(hashes)
            yield image_pairs(near, owners, their_owners, same=False), _largest(hashes, theirs)
    variants = [(name, number) for name in _VARIANTS for number in range(images.columns(name))]
    other = images if base is None else base
    uprights, upright_owners = other.distinct("phash")
    sorted_once = Base(uprights, part_bits, len(images))
    for name, number in variants:
        hashes, owners = images.distinct(name, number)
        pairs = image_pairs(sorted_once.near(hashes), owners, upright_owners, same=base is None)
        one, two = _largest(hashes), _largest(uprights)
        yield pairs, max(one, two) if base is None else one + two
    if base is not None:
        asked, asking_owners = images.distinct("phash")
        for name, number in variants:
            theirs, their_owners = base.distinct(name, number)
            near = Base(theirs, part_bits, len(asked)).near(asked)
            yield image_pairs(near, asking_owners, their_owners, same=False), _largest(asked, theirs)


def _largest(*sides: Distinct) -> int:
    return sum(int(side.sizes().max(initial=0)) for side in sides)
