"""How to search: which bits to sort by, what it will cost, and when it costs too much.

Cut F fields of bits out of the hash and give each a radius, so that the sum of (radius + 1) is
max_hamming + 1. Two hashes that differed in more than its radius in every field would differ in more than
max_hamming bits altogether; so any pair within max_hamming lies within the radius of at least one field. For
each field the hashes are sorted into buckets by its bits, and bucket x is compared with each bucket x ^ mask
for the masks of at most `radius` bits. Wide fields make small buckets and many masks, so the best cut depends
on N.

Source: the pigeonhole principle in the general form of J. Qin et al. 2018, "GPH: Similarity search in Hamming
space"; blocks of bits from M. Norouzi, A. Punjani, D. Fleet 2012, "Fast search in Hamming space with
multi-index hashing".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from curate.errors import CurateError

WORD_BITS = 64
MAX_WIDTH = 24  # bits of a field; the starts of 16.8 million buckets take 67 MB
TILE_BITS = 11
Cut = tuple[tuple[int, int], ...]  # (width, radius) of each field
MOST_HASHES = 2**32 - 1  # indices are of 32 bits

# Seconds on one core: least squares over the plans that `python -m benchmarks.neighbours model` runs.
FOLD_S = 53e-9  # a hash: read, permuted, scattered, identical ones folded
SORT_S = 22e-9  # a hash and field: scattered and sorted into buckets
BUCKET_S = 14e-9  # a pair of buckets that is looked at
VECTOR_S = 1.15e-9  # a hash compared with eight others
FIELD_S = 0.5e-3  # a field, whatever the hashes: which bits go there is looked at, threads take turns
SCAN_S = 4e-9  # a hash looked at by a shard that it may belong to
# Where few hashes are laid out for many to look them up; fitted by eye to fields of 10 to 24 bits.
ENTRY_S = 10e-9  # a hash put into a bucket that it is near
START_S = 6e-9  # a bucket
LOOK_S = 6e-9  # one of the many that looks into a bucket
LAID_VECTOR_S = 1.5e-9  # and is compared with eight hashes there
MISS_S = 14e-9  # to fetch what is not in the second cache
CACHE_BYTES = 1e6  # of that


class QuadraticSearchError(CurateError):
    """So many hashes lie within the radius by chance that no search can be fast."""


class TooManyPairsError(CurateError):
    """More pairs than are wanted in memory."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """Some bits of the hash and how far two hashes may differ there.

    Attributes:
        word: Which 64 bits of the hash.
        shift: Of the lowest bit in the word.
        width: Bits.
        radius: Bits.
    """

    word: int
    shift: int
    width: int
    radius: int

    @property
    def masks(self) -> int:
        """Buckets that each bucket is compared with, itself included."""
        return ball(self.width, self.radius)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a search will do and cost.

    Attributes:
        count: Hashes searched.
        queries: Hashes that they are searched for; None for pairs within one set.
        max_hamming: Bits.
        bits: Of a hash.
        fields: Disjoint; what each pair within `max_hamming` is found by.
        core_seconds: Predicted, of one core; threads divide it nearly evenly.
        peak_bytes: Predicted, beyond the hashes as given and the pairs found.
        compared: Expected pairs of hashes compared, for evenly spread hashes.
        chance_pairs: Expected pairs within `max_hamming` among evenly spread hashes that have nothing to do
            with each other. Perceptual hashes have more: their bits are not even.
    """

    count: int
    queries: int | None
    max_hamming: int
    bits: int
    fields: tuple[FieldPlan, ...]
    core_seconds: float
    peak_bytes: int
    compared: float
    chance_pairs: float

    @property
    def quadratic(self) -> bool:
        """Whether hashes have more neighbours by chance than there are hashes, from a million of them on."""
        return self.chance_pairs > max(self.count, 1_000_000)

    def require_selective(self) -> None:
        """Refuse a radius within which chance decides.

        Raises:
            QuadraticSearchError: See `quadratic`; names the largest radius that is not.
        """
        if self.quadratic:
            widest = selective_radius(self.count, self.bits)
            longer = "" if self.bits >= 256 else " or set dedupe.bits to 256"
            raise QuadraticSearchError(
                f"max_hamming {self.max_hamming} over {self.count:,} hashes of {self.bits} bits: "
                f"{self.chance_pairs:,.0f} pairs would be near by chance alone; "
                f"set dedupe.max_hamming to {widest} or less{longer}"
            )

    def require_at_most(self, most_pairs: int) -> None:
        """Refuse a search whose pairs by chance alone are far more than wanted.

        Raises:
            TooManyPairsError: Before anything is searched.
        """
        if self.chance_pairs > 2 * most_pairs:  # folded hashes make fewer: that is seen when they are counted
            raise TooManyPairsError(self.too_many(most_pairs))

    def too_many(self, most_pairs: int) -> str:
        """The message of TooManyPairsError."""
        return (
            f"more than {most_pairs:,} pairs of hashes lie within {self.max_hamming} bits: "
            "set dedupe.max_hamming lower, or dedupe.bits to 256"
        )

    def explain(self) -> str:
        """One line, such as "4 fields of 16 bits (radius 2, 1, 1, 1), 376 buckets ..."."""
        fields = ", ".join(f"{field.width} bits within {field.radius}" for field in self.fields)
        return (
            f"{len(self.fields)} fields ({fields}); {self.compared:.3g} comparisons, "
            f"{self.core_seconds:.3g} core seconds, {self.peak_bytes / 2**30:.2f} GiB, "
            f"{self.chance_pairs:.3g} pairs by chance"
        )


@functools.cache
def ball(width: int, radius: int) -> int:
    """Values of `width` bits within `radius` of a value."""
    return sum(math.comb(width, bits) for bits in range(min(radius, width) + 1))


def chance_pairs(count: int, max_hamming: int, bits: int = WORD_BITS, queries: int | None = None) -> float:
    """Expected pairs within a radius among independent, evenly spread hashes."""
    pairs = count * (count - 1) / 2 if queries is None else float(count) * queries
    share: float = ball(bits, max_hamming) / 2**bits
    return pairs * share


def selective_radius(count: int, bits: int = WORD_BITS) -> int:
    """The largest radius at which `count` hashes have no more chance pairs than hashes."""
    most = max(count, 1_000_000)
    return max((r for r in range(bits + 1) if chance_pairs(count, r, bits) <= most), default=0)


def plan(
    count: int, max_hamming: int, bits: int = WORD_BITS, *, queries: int | None = None, rounds: int = 1
) -> SearchPlan:
    """The cheapest exact search by the cost model.

    Args:
        count: Hashes.
        max_hamming: Bits, 0..bits.
        bits: Of a hash, a multiple of 64.
        queries: Hashes that are searched for among `count`; None for pairs within.
        rounds: In how many parts the queries come.

    Raises:
        ValueError: max_hamming or bits out of range.
    """
    if bits < WORD_BITS or bits % WORD_BITS:
        raise ValueError(f"expected bits to be a multiple of {WORD_BITS}, got {bits}")
    if not 0 <= max_hamming <= bits:
        raise ValueError(f"expected max_hamming in 0..{bits}, got {max_hamming}")
    cut = _cheapest_sorted(count, queries, max_hamming, bits, rounds)
    return _described(count, queries, max_hamming, bits, cut, rounds=rounds)


def plan_few(count: int, max_hamming: int, *, queries: int, sets: int = 1) -> SearchPlan:
    """The cheapest exact search of `few`: 64-bit hashes laid out once for each of `sets` of `count` others.

    Args:
        count: Hashes of each set.
        max_hamming: Bits, 0..64.
        queries: The few.
        sets: How many.
    """
    cut = _cheapest_laid_out(count, queries, max_hamming, sets)
    entries = sum(queries * ball(*field) for field in cut)
    return SearchPlan(
        count,
        queries,
        max_hamming,
        WORD_BITS,
        _fields(cut, WORD_BITS),
        queries * FOLD_S + sum(_laid_out_seconds(count, queries, *field, sets) for field in cut),
        12 * entries + sum(4 << width for width, _ in cut),
        sets * float(count) * sum(queries * ball(*field) / 2 ** field[0] for field in cut),
        chance_pairs(count, max_hamming, WORD_BITS, queries),
    )


@functools.lru_cache(maxsize=1024)
def _cheapest_sorted(count: int, queries: int | None, max_hamming: int, bits: int, rounds: int) -> Cut:
    def seconds(width: int, radius: int) -> float:
        return _field_seconds(count, queries, width, radius, bits, rounds=rounds)

    return _cheapest(seconds, max_hamming, bits, min(MAX_WIDTH, count.bit_length() + 4))


@functools.lru_cache(maxsize=1024)
def _cheapest_laid_out(count: int, queries: int, max_hamming: int, sets: int) -> Cut:
    def seconds(width: int, radius: int) -> float:
        return _laid_out_seconds(count, queries, width, radius, sets)

    return _cheapest(seconds, max_hamming, WORD_BITS, min(MAX_WIDTH, queries.bit_length() + 8))


def _cheapest(seconds: Callable[[int, int], float], max_hamming: int, bits: int, widest: int) -> Cut:
    """The fields that cost least by width and radius, of those whose radii are as even as can be."""
    seconds = functools.cache(seconds)
    best: Cut = ((0, max_hamming),)  # one bucket: every hash with every other
    least = seconds(0, max_hamming)
    for fields in range(1, min(max_hamming + 1, bits // 4) + 1):
        radius, more = divmod(max_hamming + 1 - fields, fields)
        for wide in range(radius + 2, widest + 1) if more else (0,):
            for narrow in range(radius + 1, widest + 1):
                cost = more * seconds(wide, radius + 1) + (fields - more) * seconds(narrow, radius)
                if cost < least:
                    cut = ((wide, radius + 1),) * more + ((narrow, radius),) * (fields - more)
                    if len(_places(cut, bits)) == fields:
                        best, least = cut, cost
    return best


def _described(
    count: int, queries: int | None, max_hamming: int, bits: int, cut: Cut, *, rounds: int
) -> SearchPlan:
    hashes = count + (queries or 0)
    pairs = count * (count - 1) / 2 if queries is None else float(count) * queries
    row = bits // 8 + 4
    starts = max(4 << width for width, _ in cut) * (1 if queries is None else 2)
    return SearchPlan(
        count,
        queries,
        max_hamming,
        bits,
        _fields(cut, bits),
        hashes * FOLD_S + sum(_field_seconds(count, queries, *field, bits, rounds=rounds) for field in cut),
        2 * row * hashes + starts,
        pairs * sum(ball(*field) / 2 ** field[0] for field in cut),
        chance_pairs(count, max_hamming, bits, queries),
    )


def _laid_out_seconds(count: int, queries: int, width: int, radius: int, sets: int) -> float:
    """Core seconds of one field whose buckets hold all that is near them."""
    entries, buckets = queries * ball(width, radius), 2.0**width
    mean = entries / buckets
    filled = -math.expm1(-mean)
    fetching = MISS_S * filled * _outside(8 * entries)
    looking = LOOK_S + MISS_S * _outside(4 * buckets) + fetching
    reading = sets * count * (looking + (mean / 8 + 7 / 16 * filled) * LAID_VECTOR_S)
    return entries * (ENTRY_S + fetching) + buckets * START_S + reading


def _outside(size: float) -> float:
    """The share of a table of so many bytes that is not in the cache."""
    return max(0.0, 1 - CACHE_BYTES / size) if size else 0.0


def _field_seconds(
    count: int, queries: int | None, width: int, radius: int, bits: int, *, rounds: int
) -> float:
    """Core seconds of one field."""
    sorted_hashes, bucket_pairs, vectors = field_work(count, queries, width, radius, bits)
    own = rounds * FIELD_S if width else 0.0  # one bucket is compared as it is
    return own + sorted_hashes * SORT_S + bucket_pairs * BUCKET_S + vectors * VECTOR_S


def field_work(
    count: int, queries: int | None, width: int, radius: int, bits: int = WORD_BITS
) -> tuple[float, float, float]:
    """What one field takes, for evenly spread hashes: hashes sorted, buckets met, hashes compared with eight.

    Counted in 64-bit words: to sort 256 bits takes 2.5 times as long, to compare them 2.2 times, since most
    are out after the second word.
    """
    rows = count if queries is None else queries
    buckets = 2.0**width
    mean = count / buckets
    met = ball(width, radius) * (0.5 if queries is None else 1.0)
    used = buckets * -math.expm1(-rows / buckets)  # of the buckets, not empty
    filled = -math.expm1(-mean)  # of those that they meet
    vectors = mean / 8 + 7 / 16 * filled  # of eight lanes, the last one partly used
    words = 1.0 if bits == WORD_BITS else 2.2
    sorting = (count + (queries or 0)) * (bits / WORD_BITS + 1) / 2
    return sorting, met * used, met * rows * vectors * words


def _fields(cut: Cut, bits: int) -> tuple[FieldPlan, ...]:
    return tuple(FieldPlan(*place, *field) for place, field in zip(_places(cut, bits), cut, strict=True))


def _places(cut: Cut, bits: int) -> list[tuple[int, int]]:
    """(word, shift) of each field; fewer than fields where they do not fit. No field crosses words."""
    free = [0] * (bits // WORD_BITS)
    places: list[tuple[int, int]] = []
    for width, _ in cut:
        word = min(range(len(free)), key=lambda word: free[word])
        if free[word] + width > WORD_BITS:
            break
        places.append((word, free[word]))
        free[word] += width
    return places
