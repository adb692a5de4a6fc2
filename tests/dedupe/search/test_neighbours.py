"""The pair search finds what comparing all pairs finds: every radius, width, plan and number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.dedupe.search.neighbours import Pairs, pairs_between, pairs_within
from curate.dedupe.search.search_plan import FieldPlan, SearchPlan, TooManyPairsError, plan

Hashes = NDArray[np.uint64]


def brute_force(a: Hashes, b: Hashes | None, max_hamming: int) -> list[tuple[int, int, int]]:
    """Every pair with its distance; b None = within a."""
    others = a if b is None else b
    others = others if others.ndim == 2 else others[:, None]
    found = []
    for i in range(len(a)):
        bits = np.bitwise_count(others ^ a[i]).sum(axis=1)
        near = np.flatnonzero(bits <= max_hamming)
        found += [(i, int(j), int(bits[j])) for j in near if b is not None or j > i]
    return found


def rows(pairs: Pairs) -> list[tuple[int, int, int]]:
    assert (pairs.first.dtype, pairs.second.dtype, pairs.hamming.dtype) == (np.int64, np.int64, np.uint16)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.hamming.tolist(), strict=True))


def array(values: list[int], words: int) -> Hashes:
    """(N,) for one word, else (N, words)."""
    table = [[value >> (64 * word) & (2**64 - 1) for word in range(words)] for value in values]
    return np.array(table, dtype=np.uint64).reshape(len(values), words)[:, 0 if words == 1 else slice(None)]


@st.composite
def clustered(draw: st.DrawFn, words: int) -> Hashes:
    """Hashes of which many differ from another in a few bits, and some not at all."""
    bits = 64 * words
    found = draw(st.lists(st.integers(0, 2**bits - 1), max_size=10))
    for _ in range(draw(st.integers(0, 30)) if found else 0):
        flips = draw(st.lists(st.integers(0, bits - 1), max_size=20))
        found.append(draw(st.sampled_from(found)) ^ sum({1 << bit for bit in flips}))
    return array(found, words)


def planted(count: int, words: int, seed: int) -> Hashes:
    """Random hashes, a third of them copies of another in which up to 12 bits were flipped."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, (count, words), dtype=np.uint64)
    for row in rng.permutation(count)[: count // 3]:
        hashes[row] = hashes[rng.integers(count)]
        for bit in rng.integers(0, 64 * words, rng.integers(0, 13)):
            hashes[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return hashes[:, 0] if words == 1 else hashes


def forced(hashes: Hashes, max_hamming: int, cut: list[tuple[int, int]]) -> SearchPlan:
    """A plan with fields of these widths and radii."""
    fields, shift = [], 0
    for width, radius in cut:
        fields.append(FieldPlan(0, shift, width, radius))
        shift += width
    assert sum(radius + 1 for _, radius in cut) == max_hamming + 1
    return replace(plan(len(hashes), max_hamming), fields=tuple(fields))


@given(data=st.data(), words=st.sampled_from([1, 4]), threads=st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_same_as_brute_force(data: st.DataObject, words: int, threads: int) -> None:
    hashes = data.draw(clustered(words))
    queries = data.draw(clustered(words))
    bits = data.draw(st.one_of(st.integers(0, 16), st.integers(0, 64 * words)))
    assert rows(pairs_within(hashes, bits, threads=threads)) == brute_force(hashes, None, bits)
    assert rows(pairs_between(queries, hashes, bits, threads=threads)) == brute_force(queries, hashes, bits)


@given(data=st.data(), words=st.sampled_from([1, 4]), bits=st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_the_first_of_identical_hashes_stands_for_them(data: st.DataObject, words: int, bits: int) -> None:
    hashes = data.draw(clustered(words))
    table = [tuple(row) for row in hashes.reshape(len(hashes), words).tolist()]
    first = [table.index(row) for row in table]
    all_pairs = brute_force(hashes, None, bits)
    expected = [pair for pair in all_pairs if first[pair[0]] == pair[0] and first[pair[1]] in pair[:2]]
    assert rows(pairs_within(hashes, bits, identical="first")) == expected
    queries = data.draw(clustered(words))
    between = [pair for pair in brute_force(queries, hashes, bits) if first[pair[1]] == pair[1]]
    assert rows(pairs_between(queries, hashes, bits, identical="first")) == between


@pytest.mark.parametrize("words", [1, 2, 4])
def test_every_radius_among_many(words: int) -> None:
    hashes = planted(1500, words, seed=words)
    queries = hashes[::4].copy()
    for max_hamming in [*range(21), 24, 28]:
        assert rows(pairs_within(hashes, max_hamming)) == brute_force(hashes, None, max_hamming)
        assert rows(pairs_between(queries, hashes, max_hamming)) == brute_force(queries, hashes, max_hamming)


@pytest.mark.parametrize(
    "cut",
    [
        [(0, 8)],
        [(12, 8)],
        [(17, 4), (19, 3)],
        [(13, 2), (14, 2), (12, 2)],
        [(16, 2), (16, 1), (16, 1), (16, 1)],
        [(7, 0)] * 9,
        [(1, 0), (5, 0), (9, 6)],
    ],
)
def test_every_plan_finds_the_same(cut: list[tuple[int, int]]) -> None:
    hashes = planted(6000, 1, seed=8)
    expected = rows(pairs_within(hashes, 8, how=forced(hashes, 8, [(0, 8)]), threads=1))
    assert len(expected) > 1000
    for threads in (1, 3):
        assert rows(pairs_within(hashes, 8, how=forced(hashes, 8, cut), threads=threads)) == expected
        between = pairs_between(hashes[:50], hashes, 8, how=forced(hashes, 8, cut), threads=threads)
        assert rows(between) == brute_force(hashes[:50], hashes, 8)


def test_planted_pairs_are_found_among_enough_hashes_for_tiles() -> None:
    hashes = np.random.default_rng(3).integers(0, 2**64, 120_000, dtype=np.uint64)
    halves = np.random.default_rng(4).permutation(120_000)[:4000].reshape(2, 2000)
    flips = np.random.default_rng(5).integers(0, 64, (3, 2000)).astype(np.uint64)
    changed = np.bitwise_xor.reduce(np.uint64(1) << flips, axis=0)
    hashes[halves[1]] = hashes[halves[0]] ^ changed
    expected = {
        (min(a, b), max(a, b), bits)
        for a, b, bits in zip(*halves.tolist(), np.bitwise_count(changed).tolist(), strict=True)
    }
    for max_hamming in (3, 5):  # chance brings no two random ones so near
        found = rows(pairs_within(hashes, max_hamming))
        assert set(found) == expected
        assert found == sorted(found)


@pytest.mark.parametrize("bits", [0, 1, 6, 20])
def test_hashes_that_differ_in_few_bits_only(bits: int) -> None:
    # Fields made of bits that never change would put all hashes into one bucket.
    values = np.random.default_rng(bits).integers(0, 2**bits, 700, dtype=np.uint64)
    spread = np.zeros_like(values)
    for bit in range(bits):
        spread |= (values >> np.uint64(bit) & np.uint64(1)) << np.uint64(3 * bit)
    assert rows(pairs_within(spread, 4)) == brute_force(spread, None, 4)


def test_identical_hashes_can_be_told_by_their_first() -> None:
    a, b, c = 5, 5 ^ 1, 2**40 - 1
    hashes = np.array([b, a, a, c, b, a], dtype=np.uint64)
    assert rows(pairs_within(hashes, 2, identical="first")) == [(0, 1, 1), (0, 4, 0), (1, 2, 0), (1, 5, 0)]
    assert len(rows(pairs_within(hashes, 2))) == 10
    queries = np.array([a, a], dtype=np.uint64)
    found = rows(pairs_between(queries, hashes, 1, identical="first"))
    assert found == [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)]


def test_very_many_identical_hashes_cost_no_more_than_as_many_others() -> None:
    hashes = np.full(300_000, 77, dtype=np.uint64)
    pairs = pairs_within(hashes, 8, identical="first")
    assert (pairs.first == 0).all()
    assert np.array_equal(pairs.second, np.arange(1, 300_000))
    with pytest.raises(TooManyPairsError, match="more than 200,000,000 pairs of hashes lie within 8 bits"):
        pairs_within(hashes, 8)


def test_too_many_pairs_are_refused_while_they_are_found() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**12, 5000, dtype=np.uint64)
    with pytest.raises(TooManyPairsError, match=r"set dedupe\.max_hamming lower"):
        pairs_within(hashes, 8, most_pairs=100_000)
    with pytest.raises(TooManyPairsError, match="more than 1,000 pairs"):
        pairs_within(np.arange(10**7, dtype=np.uint64), 30, most_pairs=1000)  # before it is searched


def test_the_same_whatever_the_threads_and_the_form() -> None:
    hashes = planted(40_000, 1, seed=1)
    alone = rows(pairs_within(hashes, 6, threads=1))
    assert len(alone) > 5000
    assert rows(pairs_within(hashes, 6, threads=4)) == alone
    assert rows(pairs_within(hashes[:, None], 6)) == alone
    strided = np.repeat(hashes, 2)[::2]
    strided.flags.writeable = False
    assert rows(pairs_within(strided, 6)) == alone
    within = [(a, b, bits) for a, b, bits in rows(pairs_between(hashes, hashes, 6)) if a < b]
    assert within == alone


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("words", [1, 4])
def test_too_few_for_a_pair(count: int, words: int) -> None:
    hashes = array([7] * count, words)
    assert rows(pairs_within(hashes, 64)) == []
    assert rows(pairs_between(hashes, array([6, 7], words), 64)) == [(0, 0, 1), (0, 1, 0)][: 2 * count]
    assert rows(pairs_between(array([], words), hashes, 64)) == []


def test_what_cannot_be_searched() -> None:
    two = np.zeros(2, dtype=np.uint64)
    for radius in (-1, 65):
        with pytest.raises(ValueError, match=r"expected max_hamming in 0\.\.64"):
            pairs_within(two, radius)
    with pytest.raises(ValueError, match="expected hashes of one width, got 1 and 4 words"):
        pairs_between(two, np.zeros((2, 4), dtype=np.uint64), 3)
    with pytest.raises(ValueError, match=r"uint64 hashes, got \(2,\) int64"):
        pairs_within(two.astype(np.int64), 3)  # type: ignore[arg-type]
