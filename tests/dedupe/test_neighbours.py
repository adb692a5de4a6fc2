"""The pair search finds exactly what comparing all pairs finds, at every radius and by every plan."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe import neighbours
from curate.dedupe.neighbours import blocks_to_agree, pairs_within


def brute_force(hashes: list[int], max_hamming: int) -> list[tuple[int, int, int]]:
    found = []
    for i, a in enumerate(hashes):
        for j in range(i + 1, len(hashes)):
            bits = (a ^ hashes[j]).bit_count()
            if bits <= max_hamming:
                found.append((i, j, bits))
    return found


def searched(hashes: list[int], max_hamming: int) -> list[tuple[int, int, int]]:
    pairs = pairs_within(np.array(hashes, dtype=np.uint64), max_hamming)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.hamming.tolist(), strict=True))


@st.composite
def clustered(draw: st.DrawFn) -> list[int]:
    """Hashes of which many differ from another in a few bits, and some not at all."""
    found = draw(st.lists(st.integers(0, 2**64 - 1), max_size=12))
    for _ in range(draw(st.integers(0, 25)) if found else 0):
        flips = draw(st.lists(st.integers(0, 63), max_size=20))
        found.append(draw(st.sampled_from(found)) ^ sum({1 << bit for bit in flips}))
    return found


@given(hashes=clustered(), max_hamming=st.integers(0, 64))
@settings(max_examples=300, deadline=None)
def test_same_as_brute_force(hashes: list[int], max_hamming: int) -> None:
    assert searched(hashes, max_hamming) == brute_force(hashes, max_hamming)


@given(hashes=clustered(), max_hamming=st.integers(0, 12), k=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_every_plan_finds_the_same(hashes: list[int], max_hamming: int, k: int) -> None:
    # Small inputs would all be compared pair by pair: force the plan that large inputs take.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "blocks_to_agree", lambda *_: k)
        assert searched(hashes, max_hamming) == brute_force(hashes, max_hamming)


@pytest.mark.parametrize("max_hamming", [0, 4, 8])
def test_planted_pairs_among_many(max_hamming: int) -> None:
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 2**64, 60_000, dtype=np.uint64)
    planted = rng.permutation(60_000)[:400].reshape(200, 2)
    for row, (a, b) in enumerate(planted):
        flips = rng.permutation(64)[: row % (max_hamming + 1)]
        hashes[b] = hashes[a] ^ np.bitwise_or.reduce(
            np.uint64(1) << flips.astype(np.uint64), initial=np.uint64(0)
        )
    assert blocks_to_agree(len(hashes), max_hamming) > 0
    started = time.perf_counter()
    found = {(i, j) for i, j, _ in searched(hashes.tolist(), max_hamming)}
    assert time.perf_counter() - started < 60
    assert {(min(a, b), max(a, b)) for a, b in planted.tolist()} <= found


def test_the_plan_follows_the_count() -> None:
    assert blocks_to_agree(100, 8) == 0
    plans = [blocks_to_agree(count, 6) for count in (10**2, 10**4, 10**6, 10**8)]
    assert plans == sorted(plans)
    assert plans[-1] > 1
    assert blocks_to_agree(10**6, 64) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_for_a_pair(count: int) -> None:
    assert searched([7] * count, 64) == []


@pytest.mark.parametrize("max_hamming", [-1, 65])
def test_a_radius_that_is_none(max_hamming: int) -> None:
    with pytest.raises(ValueError, match=r"expected max_hamming in 0\.\.64"):
        pairs_within(np.zeros(2, dtype=np.uint64), max_hamming)
