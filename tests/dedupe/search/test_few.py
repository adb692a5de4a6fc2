"""Few hashes against many: what comparing all finds, and the same as sorting both."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe.search.expanding import expanded
from curate.dedupe.search.neighbours import Near, lay_out, near_between, near_few, plan, plan_few
from curate.dedupe.search.search_plan import TooManyPairsError
from tests.dedupe.search.test_neighbours import Hashes, brute_force, clustered, forced, planted


def pairs(near: Near) -> list[tuple[int, int, int]]:
    first, second, bits = expanded(near.keys, near.hamming, near.queries, near.base)
    return sorted(zip(first.tolist(), second.tolist(), bits.tolist(), strict=True))


@given(few=clustered(1), many=clustered(1), bits=st.integers(0, 20), threads=st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_same_as_brute_force(few: Hashes, many: Hashes, bits: int, threads: int) -> None:
    many = np.concatenate([many, few[::2]])
    laid_out = lay_out(few, plan_few(len(many), bits, queries=len(few)))
    assert pairs(near_few(laid_out, many, threads=threads)) == brute_force(few, many, bits)


@pytest.mark.parametrize(
    "cut",
    [
        [(0, 8)],
        [(18, 8)],
        [(21, 2), (21, 2), (21, 2)],
        [(16, 2), (16, 1), (16, 1), (16, 1)],
        [(13, 1), (13, 1), (13, 1), (13, 1), (12, 0)],
    ],
)
def test_every_plan_finds_the_same_in_one_set_after_the_other(cut: list[tuple[int, int]]) -> None:
    hashes = planted(9000, 1, seed=8)
    few, sets = hashes[:40], (hashes[40:3000], hashes[3000:], hashes[:60])
    laid_out = lay_out(few, replace(forced(hashes, 8, cut), queries=len(few)))
    for many in sets:
        expected = brute_force(few, many, 8)
        assert len(expected) > 5
        for threads in (1, 3):
            assert pairs(near_few(laid_out, many, threads=threads)) == expected


def test_rows_of_one_hash_are_folded_as_sorting_folds_them() -> None:
    rng = np.random.default_rng(2)
    many = rng.choice(planted(300, 1, seed=1), 5000)
    few = np.concatenate([many[:20], many[:10], rng.integers(0, 2**64, 30, dtype=np.uint64)])
    found = near_few(lay_out(few, plan_few(len(many), 8, queries=len(few))), many)
    (sorted_,) = near_between([few], many, plan(len(many), 8, queries=len(few)))
    assert len(found.keys) > 20
    assert len(found.keys) < len(pairs(found)) / 10
    for column in ("keys", "hamming"):
        of_both = [getattr(near, column)[np.argsort(near.keys)] for near in (found, sorted_)]
        assert np.array_equal(*of_both)
    near = np.unique(found.keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    assert np.array_equal(found.base.sizes(near), sorted_.base.sizes(near))
    assert found.queries.largest() == sorted_.queries.largest()


def test_more_pairs_than_wanted_are_refused() -> None:
    many, few = np.full(100_000, 7, dtype=np.uint64), np.array([7, 6], dtype=np.uint64)
    laid_out = lay_out(few, plan_few(len(many), 3, queries=2))
    with pytest.raises(TooManyPairsError, match="more than 150,000 pairs of hashes lie within 3 bits"):
        near_few(laid_out, many, most_pairs=150_000)
    assert len(near_few(laid_out, many, most_pairs=200_000).keys) == 2


def test_a_plan_covers_every_pair_and_is_cheap_for_few() -> None:
    for queries in (1, 100, 10_000, 1_000_000):
        for bits in (0, 3, 8, 14, 40, 64):
            chosen = plan_few(1_000_000, bits, queries=queries)
            assert sum(field.radius + 1 for field in chosen.fields) == bits + 1
            ends = [(field.shift, field.shift + field.width) for field in chosen.fields]
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
            assert ends[-1][1] <= 64
    few, many = (plan_few(10**6, 8, queries=count).core_seconds for count in (10**4, 10**6))
    assert few < plan(10**6, 8, queries=10**4).core_seconds / 2
    assert many > plan(10**6, 8, queries=10**6).core_seconds
