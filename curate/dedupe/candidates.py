"""Pairs of images that may be the same: all that lie within a radius by any of their hashes.

Identical hashes are searched once. Where sets of them are so large that all pairs between them would be
quadratic (ten thousand scans of blank pages), only pairs with a hub are listed: the largest pictures of a
set, from which keepers are chosen.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.columns import Column, Columns, Name, View
from curate.dedupe.features import Features, Recipe
from curate.dedupe.hashes import UInt64Array
from curate.dedupe.listing import Sets, join_keys, listed, split_keys, union
from curate.dedupe.search.expanding import Kinds
from curate.dedupe.search.neighbours import (
    Near,
    Pairs,
    SearchPlan,
    TooManyPairsError,
    lay_out,
    near_between,
    near_few,
    near_within,
    plan,
    plan_few,
)

if TYPE_CHECKING:
    from curate.dedupe.search.few import LaidOut  # which loads numba

# Largest number of images that each radius of a 64-bit hash is used for; why: docs/dedupe.md.
_UP_TO: Final = ((60_000, 12), (500_000, 10), (3_000_000, 8), (20_000_000, 6))
_LEAST: Final = 4  # bits, for more
_LONGER: Final = 5  # times as many bits of 256 as of 64: as rare between different pictures
_COLOUR_BITS: Final = 2
_FEWER: Final = 2  # for equal parts of two pictures: collages share them
_UNFOLDED: Final = 4  # pairs a hash, of hashes that may be identical
_TONE_BITS: Final = 3  # one step in each channel
_SHORT: Final = Recipe("phash", 64, "fast", "none", False)
_VARIANTS: Final[tuple[Name, ...]] = ("turned", "windows")


def radius(count: int, recipe: Recipe) -> int:
    """Bits between candidates among `count` images: less for more, as false pairs grow with their square."""
    if recipe.hash == "colorhash":
        return _COLOUR_BITS
    bits = next((bits for most, bits in _UP_TO if count <= most), _LEAST)
    return bits if recipe.bits == _SHORT.bits else bits * _LONGER


@dataclass(frozen=True, slots=True)
class Request:
    """One search: pairs within `bits` of values of two columns, or within one (`two` None)."""

    one: Column
    two: Column | None
    bits: int


# Does searches, one result each, in order.
Searcher = Callable[[Sequence[Request], Columns], Iterator[Near]]


def here(requests: Sequence[Request], columns: Columns) -> Iterator[Near]:
    """Search one after the other on this machine.

    A base that follows itself is sorted once; of one with few queries nothing is sorted, if that is cheaper.
    """
    few = _Few(requests, columns)
    for (two, bits), group in itertools.groupby(requests, key=lambda request: (request.two, request.bits)):
        asked = [request.one for request in group]
        if two is None:
            for column in asked:
                chosen = plan(columns.count(column), bits, columns.bits(column))
                yield near_within(columns.values(column), chosen)
            continue
        queries = sum(columns.count(column) for column in asked)
        chosen = plan(columns.count(two), bits, columns.bits(two), queries=queries, rounds=len(asked))
        near = few.near(Request(asked[0], two, bits), chosen) if len(asked) == 1 else None
        if near is not None:
            yield near
        else:
            yield from near_between(map(columns.values, asked), columns.values(two), chosen)


class _Few:
    """Searches of one column in others, where it has so few hashes that to sort those would cost more."""

    def __init__(self, requests: Sequence[Request], columns: Columns) -> None:
        self._columns = columns
        self._sets = Counter((request.one, request.bits) for request in requests if request.two is not None)
        self._laid_out: tuple[tuple[Column, int, int], LaidOut] | None = None

    def near(self, request: Request, sorting: SearchPlan) -> Near | None:
        """What is found; None where that is not the way."""
        two, columns = request.two, self._columns
        # Of one collection, all sets of identical hashes are wanted, whatever is near them.
        if two is None or two.side == request.one.side or columns.bits(two) != _SHORT.bits:
            return None
        count, queries = columns.count(two), columns.count(request.one)
        sets = self._sets[request.one, request.bits]
        chosen = plan_few(count, request.bits, queries=queries, sets=sets)
        if not count or not queries or chosen.core_seconds > sets * sorting.core_seconds:
            return None
        key = request.one, request.bits, count
        if self._laid_out is None or self._laid_out[0] != key:
            self._laid_out = key, lay_out(columns.values(request.one), chosen)
        with suppress(TooManyPairsError):  # of rows of one hash, perhaps: to sort folds them first
            return near_few(self._laid_out[1], columns.values(two), most_pairs=_UNFOLDED * (count + queries))
        return None


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search of all columns found.

    Attributes:
        keys: (P,) uint64, ascending; each pair once with its least distance, see `listing.join_keys`.
        second_count: That the keys were made with.
        largest: Without a base, the most images that share a value of one column; else 0.
    """

    keys: NDArray[np.uint64]
    second_count: int
    largest: int

    def pairs(self) -> Pairs:
        """Them all in columns: 18 bytes each."""
        return split_keys(self.keys, self.second_count)


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
    other = None if base is None else View(base)
    return search(View(features), recipe, max_hamming, base=other).pairs()


def search(
    images: View,
    recipe: Recipe,
    max_hamming: int | None,
    *,
    base: View | None = None,
    searcher: Searcher = here,
) -> Searched:
    """As `candidates`, of rows of features that may lie on disk, by any searcher."""
    count = len(images) + (0 if base is None else len(base))
    bits = radius(count, recipe) if max_hamming is None else max_hamming
    views = (images, images if base is None else base)
    wanted = list(requests(views, bits, min(bits, radius(count, _SHORT)), same=base is None))
    found: UInt64Array = np.zeros(0, dtype=np.uint64)
    more: list[UInt64Array] = []
    largest = 0
    results = searcher(wanted, Columns(views))
    for request, near in zip(wanted, results, strict=True):
        if base is None:
            largest = max(largest, near.queries.largest(), near.base.largest())
        more.append(join_keys(listed(near, *_sets(request, near, views), same=base is None), len(views[1])))
        if sum(map(len, more)) > len(found):  # seldom enough, and little memory
            found, more = union([found, *more]), []
    for view in views:
        view.forget()
    return Searched(union([found, *more]), len(views[1]), largest)


def largest_set(images: View) -> int:
    """The most images that share a value of one of the columns that are searched; sorts each of them."""
    columns = {request.one for request in requests((images, images), 0, 0, same=True)} | {Column(0, "phash")}
    largest = 0
    for column in sorted(columns, key=lambda one: (one.name, one.number)):
        table = images.values(column)
        words = table if table.ndim == 1 else table[:, 0]  # at least as many share their first word
        ordered = np.sort(words)
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
        largest = max(largest, int(np.diff(begins).max(initial=0)) if len(ordered) else 0)
    images.forget()
    return largest


def requests(views: tuple[View, View], bits: int, part_bits: int, *, same: bool) -> Iterator[Request]:
    """All searches; those of one base follow each other."""

    def request(name: Name, number: int, within: int) -> Request:
        return Request(Column(0, name, number), None if same else Column(1, name, number), within)

    yield request("hashes", 0, bits)
    yield request("tone", 0, _TONE_BITS)
    for number in range(views[0].width("parts")):
        yield request("parts", number, max(part_bits - _FEWER, 0))
    other = 0 if same else 1
    variants = [(name, number) for name in _VARIANTS for number in range(views[0].width(name))]
    for name, number in variants:
        yield Request(Column(0, name, number), Column(other, "phash"), part_bits)
    if not same:
        for name, number in variants:
            yield Request(Column(0, "phash"), Column(1, name, number), part_bits)


def _sets(request: Request, near: Near, views: tuple[View, View]) -> tuple[Sets, Sets]:
    """Which images each hash of the result stands for."""

    def of(kinds: Kinds, column: Column) -> Sets:
        view = views[column.side]
        return Sets(kinds, view.places(column), view.area)

    if request.two is None:
        both = of(near.base, request.one)
        return both, both
    return of(near.queries, request.one), of(near.base, request.two)
