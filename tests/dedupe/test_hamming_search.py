"""All pairs within a Hamming distance are found, each once, and nothing else: brute force is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe import hamming_search
from curate.dedupe.hamming_search import (
    Pairs,
    QuadraticSearchError,
    TooManyPairsError,
    distinct,
    pairs_between,
    pairs_within,
    require_selective,
)

WIDTHS = [width for width in hamming_search._WIDTHS if width <= 16]  # wider ones take long to lay out
Listed = list[tuple[int, int, int]]


def made(count: int, seed: int, flips: int = 12) -> np.ndarray:
    """Hashes of which many are near each other and some identical."""
    rng = np.random.default_rng(seed)
    origins = rng.integers(0, 2**64, max(count // 4, 1), dtype=np.uint64)
    hashes = origins[rng.integers(0, len(origins), count)]
    for row, number in enumerate(rng.integers(0, flips, count)):
        for bit in rng.integers(0, 64, number):
            hashes[row] ^= np.uint64(1) << np.uint64(bit)
    return hashes


def brute(a: np.ndarray, b: np.ndarray, radius: int) -> Listed:
    bits = np.bitwise_count(a[:, None] ^ b[None])
    first, second = np.nonzero(bits <= radius)
    return list(zip(first.tolist(), second.tolist(), bits[first, second].tolist(), strict=True))


def listed(pairs: Pairs) -> Listed:
    assert (pairs.first.dtype, pairs.second.dtype, pairs.hamming.dtype) == (np.int64, np.int64, np.uint16)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.hamming.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 120),
    seed=st.integers(0, 999),
    radius=st.integers(0, 64),
    width=st.sampled_from(WIDTHS),
)
def test_pairs_within_are_those_of_brute_force(count: int, seed: int, radius: int, width: int) -> None:
    hashes = made(count, seed)
    radius = (
        min(radius, 14) if width > 12 else radius
    )  # more would take minutes that way, and is never chosen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming_search, "_WIDTHS", (width,))
        found = listed(pairs_within(hashes, radius))
    assert found == [one for one in brute(hashes, hashes, radius) if one[0] < one[1]]


@settings(max_examples=40, deadline=None)
@given(
    counts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    seed=st.integers(0, 999),
    radius=st.integers(0, 12),
    width=st.sampled_from(WIDTHS),
)
def test_pairs_between_are_those_of_brute_force(
    counts: tuple[int, int], seed: int, radius: int, width: int
) -> None:
    every = made(sum(counts), seed)
    queries, base = every[: counts[0]], every[counts[0] :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming_search, "_WIDTHS", (width,))
        found = listed(pairs_between(queries, base, radius))
    assert found == brute(queries, base, radius)


@pytest.mark.parametrize("width", [21, 24])
def test_wide_bands(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    hashes = made(300, width)
    monkeypatch.setattr(hamming_search, "_WIDTHS", (width,))
    assert listed(pairs_within(hashes, 6)) == [one for one in brute(hashes, hashes, 6) if one[0] < one[1]]


@pytest.mark.parametrize("bit", range(64))
def test_every_bit_counts(bit: int) -> None:
    hashes = np.array([0, 1 << bit], np.uint64)
    assert listed(pairs_within(hashes, 0)) == []
    assert listed(pairs_within(hashes, 1)) == [(0, 1, 1)]


@pytest.mark.parametrize("radius", [4, 8])
def test_planted_pairs_among_many_on_several_threads(radius: int) -> None:
    rng = np.random.default_rng(radius)
    hashes = rng.integers(0, 2**64, 60_000, dtype=np.uint64)
    chosen = rng.permutation(60_000)[:2000].reshape(2, -1)
    hashes[chosen[1]] = hashes[chosen[0]]
    for flip in range(radius):
        bits = rng.integers(0, 64, chosen.shape[1] - 100 * flip).astype(np.uint64)
        hashes[chosen[1][100 * flip :]] ^= np.uint64(1) << bits
    found = pairs_within(hashes, radius)
    keys = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(keys) == len(found)
    assert {tuple(sorted(pair)) for pair in chosen.T.tolist()} <= keys
    assert (np.bitwise_count(hashes[found.first] ^ hashes[found.second]) == found.hamming).all()
    again = pairs_within(hashes, radius)
    assert listed(found) == listed(again)


def test_hashes_of_few_bits() -> None:
    """As colorhash's 42, which stand in the low end of the word."""
    hashes = np.random.default_rng(0).integers(0, 2**20, 3000, dtype=np.uint64)
    assert listed(pairs_within(hashes, 2)) == [o for o in brute(hashes, hashes, 2) if o[0] < o[1]]


def test_whose_a_hash_is() -> None:
    folded = distinct(np.array([7, 5, 7, 7, 5, 1], np.uint64))
    owners = [folded.rows[a:b].tolist() for a, b in zip(folded.begins[:-1], folded.begins[1:], strict=True)]
    assert sorted(owners) == [[0, 2, 3], [1, 4], [5]]
    assert sorted(folded.sizes().tolist()) == [1, 2, 3]


def test_too_many_pairs_are_refused_with_what_to_do() -> None:
    with pytest.raises(TooManyPairsError, match=r"more than 1,000 pairs .* set dedupe\.max_hamming lower"):
        pairs_within(np.zeros(100, np.uint64), 0, max_pairs=1000)
    near = np.arange(64, dtype=np.uint64)
    with pytest.raises(TooManyPairsError, match=r"set dedupe\.max_hamming lower"):
        pairs_within(near, 6, max_pairs=1000)
    assert len(pairs_within(near, 6, max_pairs=2016)) == 2016


def test_a_radius_at_which_chance_decides_is_refused_with_the_widest_that_does() -> None:
    with pytest.raises(QuadraticSearchError, match=r"set dedupe\.max_hamming to 13 or less"):
        require_selective(1_000_000, 20)
    require_selective(1_000_000, 13)
    with pytest.raises(QuadraticSearchError):
        require_selective(1_000_000, 14)
    require_selective(1000, 64)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"max_hamming in 0\.\.64, got 65"):
        pairs_within(np.zeros(3, np.uint64), 65)
    with pytest.raises(ValueError, match=r"\(N,\) uint64"):
        pairs_within(np.zeros((3, 2), np.uint64), 3)
    with pytest.raises(ValueError, match=r"\(N,\) uint64"):
        pairs_within(np.zeros(3, np.int64), 3)
