"""All pairs of 64-bit hashes within a Hamming distance: exact, for every distance and number of hashes.

The hash is cut into bands of bits, each with a radius of its own, so that the sum of (radius + 1) is
max_hamming + 1: two hashes that differed in more than its radius in every band would differ in more than
max_hamming bits. For each band the hashes are sorted into buckets by its bits, and each hash is compared with
the buckets within the band's radius. A pair is reported by the first band that brings it together.

Identical hashes are searched once: `Distinct` knows whose they are.

Source: M. Norouzi, A. Punjani, D. Fleet 2012, "Fast search in Hamming space with multi-index hashing"; radii
by the pigeonhole principle as in J. Qin et al. 2018, "GPH: Similarity search in Hamming space".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from curate import system
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.dedupe.hamming_kernel import Bands, Buckets  # which loads numba

BITS: Final = 64
MAX_PAIRS: Final = 200_000_000  # 18 bytes each
_WIDTHS: Final = (0, 8, 10, 12, 16, 21, 24)  # bits of a band that are tried; 0 = all with all
_PROBE: Final = 6.0  # what to look into a bucket costs, in comparisons
_PARTS: Final = 64  # of a search, that threads take in turn
_SHORT: Final = 20_000  # hashes, that one thread does as soon as several
_ROOM: Final = 1024  # pairs a part has room for at first

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]


class QuadraticSearchError(CurateError):
    """So many hashes lie within the distance by chance that no search can be fast."""


class TooManyPairsError(CurateError):
    """The search found more pairs than are wanted in memory."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of indices with their distance.

    Attributes:
        first: (P,) int64.
        second: (P,) int64.
        hamming: (P,) uint16, bits.
    """

    first: Rows
    second: Rows
    hamming: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Distinct:
    """Hashes without repetition, and whose they are.

    Attributes:
        values: (D,) uint64, their bits in another order.
        begins: (D + 1,) int64; hash d belongs to `rows[begins[d] : begins[d + 1]]`.
        rows: (N,) int32, of the hashes as given; ascending for each hash.
    """

    values: Hashes
    begins: Rows
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.values)

    def sizes(self) -> Rows:
        """(D,) how many rows have each hash."""
        return np.diff(self.begins)


def distinct(hashes: Hashes) -> Distinct:
    """Fold identical ones of (N,) uint64 hashes."""
    from curate.dedupe.hamming_kernel import mixed  # noqa: PLC0415 - loads numba

    if hashes.dtype != np.uint64 or hashes.ndim != 1:
        raise ValueError(f"expected (N,) uint64 hashes, got {hashes.shape} {hashes.dtype}")
    values = mixed(np.ascontiguousarray(hashes.view(np.ndarray)))
    order = np.argsort(values, kind="stable")
    values = values[order]
    new = np.ones(len(values), np.bool_)
    new[1:] = values[1:] != values[:-1]
    begins = np.append(np.flatnonzero(new), len(values)).astype(np.int64)
    return Distinct(values[new], begins, order.astype(np.int32))


def pairs_within(hashes: Hashes, max_hamming: int, *, max_pairs: int = MAX_PAIRS) -> Pairs:
    """Every pair of (N,) uint64 hashes within a distance, each once, first < second, in order.

    Args:
        hashes: (N,) uint64.
        max_hamming: Bits, 0..64.
        max_pairs: Refuse more.

    Raises:
        TooManyPairsError: More than `max_pairs`.

    Example:
        >>> found = pairs_within(np.array([0b0000, 0b0001, 0b1111], np.uint64), 1)
        >>> list(zip(found.first.tolist(), found.second.tolist(), found.hamming.tolist()))
        [(0, 1, 1)]
    """
    folded = distinct(hashes)
    near = near_within(folded, max_hamming, max_pairs=max_pairs)
    repeated = np.flatnonzero(folded.sizes() > 1)
    a, b = np.concatenate([near.first, repeated]), np.concatenate([near.second, repeated])
    bits = np.concatenate([near.hamming, np.zeros(len(repeated), np.uint16)])
    pairs = _of_rows(Pairs(a, b, bits), folded, folded, max_pairs)
    once = (pairs.first < pairs.second) | (np.repeat(a != b, _counts(a, b, folded, folded)))
    first, second = pairs.first[once], pairs.second[once]
    return _ordered(Pairs(np.minimum(first, second), np.maximum(first, second), pairs.hamming[once]))


def pairs_between(queries: Hashes, base: Hashes, max_hamming: int, *, max_pairs: int = MAX_PAIRS) -> Pairs:
    """Every pair of a query (`first`) and a base hash (`second`) within a distance, in order.

    Raises:
        TooManyPairsError: More than `max_pairs`.
    """
    asked, folded = distinct(queries), distinct(base)
    near = Base(folded, max_hamming).near(asked, max_pairs=max_pairs)
    return _ordered(_of_rows(near, asked, folded, max_pairs))


def require_selective(count: int, max_hamming: int) -> None:
    """Refuse a distance within which chance decides.

    Raises:
        QuadraticSearchError: More pairs by chance than hashes, from a million on; names what would do.
    """
    if chance_pairs(count, max_hamming) > max(count, 1_000_000):
        widest = max(r for r in range(BITS) if chance_pairs(count, r) <= max(count, 1_000_000))
        raise QuadraticSearchError(
            f"max_hamming {max_hamming} over {count:,} hashes of {BITS} bits: "
            f"{chance_pairs(count, max_hamming):,.0f} pairs would be near by chance alone; "
            f"set dedupe.max_hamming to {widest} or less"
        )


def chance_pairs(count: int, max_hamming: int) -> float:
    """Expected pairs within a distance among evenly spread hashes that have nothing to do with each other."""
    share: float = _ball(BITS, max_hamming) / 2**BITS
    return count * (count - 1) / 2 * share


def near_within(folded: Distinct, max_hamming: int, *, max_pairs: int = MAX_PAIRS) -> Pairs:
    """Every pair of distinct hashes, each once in either order, by their places in `folded`."""
    from curate.dedupe.hamming_kernel import bucketed  # noqa: PLC0415 - loads numba

    bands = cheapest_bands(len(folded), len(folded), max_hamming)
    found: list[Pairs] = []
    for band in range(len(bands.radii)):
        buckets = bucketed(folded.values, bands.shifts[band], bands.masks[band])
        found += _joined(buckets, buckets, bands, band, limit=max_hamming, max_pairs=max_pairs)
    return _together(found, max_hamming, max_pairs)


class Base:
    """Distinct hashes that several sets of queries are compared with; sorted once for all of them."""

    def __init__(self, folded: Distinct, max_hamming: int, queries: int | None = None) -> None:
        """Choose the bands for so many queries (as many as hashes, by default) and sort by each."""
        from curate.dedupe.hamming_kernel import bucketed  # noqa: PLC0415 - loads numba

        self._limit = max_hamming
        self._bands = cheapest_bands(len(folded), len(folded) if queries is None else queries, max_hamming)
        self._buckets = [
            bucketed(folded.values, shift, mask)
            for shift, mask in zip(self._bands.shifts, self._bands.masks, strict=True)
        ]

    def near(self, queries: Distinct, *, max_pairs: int = MAX_PAIRS) -> Pairs:
        """Every pair of a query and a hash of the base, by their places, in no order."""
        from curate.dedupe.hamming_kernel import Buckets  # noqa: PLC0415 - loads numba

        asked = Buckets(queries.values, np.arange(len(queries), dtype=np.int32), np.zeros(1, np.int32))
        found: list[Pairs] = []
        for band, buckets in enumerate(self._buckets):
            found += _joined(asked, buckets, self._bands, band, limit=self._limit, max_pairs=max_pairs)
        return _together(found, self._limit, max_pairs)


def _joined(
    a: Buckets, b: Buckets, bands: Bands, band: int, *, limit: int, max_pairs: int
) -> Iterator[Pairs]:
    """What one band finds, a part at a time; each pair once if `a` is `b`."""
    from curate.dedupe.hamming_kernel import join  # noqa: PLC0415 - loads numba

    flips = _flips(int(bands.masks[band]).bit_length(), int(bands.radii[band]))
    parts = _PARTS if len(a.hashes) > _SHORT else 1
    cuts = [len(a.hashes) * part // parts for part in range(parts + 1)]

    def part(rows: tuple[int, int]) -> Pairs:
        room = _ROOM
        while True:
            first, second = np.empty((2, room), np.int32)
            bits = np.empty(room, np.uint8)
            count = join(a, rows, b, a is b, bands, band, flips, limit, first, second, bits, max_pairs)
            if count <= room or count > max_pairs:
                count = min(count, room)
                found = slice(0, count)
                rows_ = first[found].astype(np.int64), second[found].astype(np.int64)
                return Pairs(*rows_, bits[found].astype(np.uint16))
            room = count

    with ThreadPoolExecutor(system.cores() if parts > 1 else 1) as pool:
        yield from pool.map(part, itertools.pairwise(cuts))


def _together(found: list[Pairs], limit: int, max_pairs: int) -> Pairs:
    if sum(map(len, found)) > max_pairs:
        raise TooManyPairsError(_too_many(limit, max_pairs))
    columns = zip(*((one.first, one.second, one.hamming) for one in found), strict=True)
    first, second, hamming = (np.concatenate(column) for column in columns)
    return Pairs(first, second, hamming)


def _too_many(limit: int, max_pairs: int) -> str:
    return f"more than {max_pairs:,} pairs of hashes within {limit} bits: set dedupe.max_hamming lower"


def cheapest_bands(count: int, queries: int, max_hamming: int) -> Bands:
    """The cut that compares least, by what evenly spread hashes would take."""
    from curate.dedupe.hamming_kernel import Bands  # noqa: PLC0415 - loads numba

    def cut(width: int) -> list[tuple[int, int, int]]:
        """(shift, width, radius) of each band; later ones are looked at more, and narrower ones less."""
        if not width:
            return [(0, 0, 0)]
        number = min(BITS // width, max_hamming + 1)
        radii = [(max_hamming + 1 + k) // number - 1 for k in range(number)]
        return [(k * width, width, radius) for k, radius in enumerate(radii)]

    def cost(bands: list[tuple[int, int, int]]) -> float:
        looks = sum(_ball(width, radius) * (_PROBE + count / 2**width) for _, width, radius in bands)
        total: float = queries * looks + sum(2.0**width + 10 * count for _, width, _ in bands)
        return total

    if not 0 <= max_hamming <= BITS:
        raise ValueError(f"expected max_hamming in 0..{BITS}, got {max_hamming}")
    best = min((cut(width) for width in _WIDTHS), key=cost)
    shifts, widths, radii = zip(*best, strict=True)
    masks = np.array([(1 << width) - 1 for width in widths], np.uint64)
    return Bands(np.array(shifts, np.uint64), masks, np.array(radii, np.int64))


def _ball(width: int, radius: int) -> int:
    """Values of `width` bits within `radius` of a value."""
    return sum(math.comb(width, bits) for bits in range(min(radius, width) + 1))


def _flips(width: int, radius: int) -> Hashes:
    """All values of `width` bits with at most `radius` bits set, few bits first."""
    chosen = (c for bits in range(min(radius, width) + 1) for c in itertools.combinations(range(width), bits))
    return np.array([sum(1 << bit for bit in one) for one in chosen], np.uint64)


def _counts(a: Rows, b: Rows, one: Distinct, two: Distinct) -> Rows:
    counts: Rows = one.sizes()[a] * two.sizes()[b]
    return counts


def _of_rows(near: Pairs, one: Distinct, two: Distinct, max_pairs: int) -> Pairs:
    """Each pair of hashes as pairs of all their rows."""
    counts = _counts(near.first, near.second, one, two)
    if int(counts.sum()) > max_pairs:
        raise TooManyPairsError(_too_many(int(near.hamming.max()), max_pairs))
    which = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide = two.sizes()[near.second][which]
    first = one.rows[one.begins[near.first][which] + number // wide]
    second = two.rows[two.begins[near.second][which] + number % wide]
    return Pairs(first.astype(np.int64), second.astype(np.int64), near.hamming[which])


def _ordered(pairs: Pairs) -> Pairs:
    order = np.argsort((pairs.first << np.int64(32)) | pairs.second)
    return Pairs(pairs.first[order], pairs.second[order], pairs.hamming[order])
