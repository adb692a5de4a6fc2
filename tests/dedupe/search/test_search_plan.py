"""The cost model: plans are exact by construction, follow the count, and say when chance decides."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe.search.search_plan import (
    QuadraticSearchError,
    ball,
    chance_pairs,
    plan,
    selective_radius,
)


@given(
    count=st.integers(0, 2 * 10**9),
    words=st.sampled_from([1, 4]),
    radius=st.integers(0, 64),
    queries=st.one_of(st.none(), st.integers(0, 10**6)),
)
@settings(max_examples=40, deadline=None)
def test_no_pair_can_escape_the_fields(count: int, words: int, radius: int, queries: int | None) -> None:
    chosen = plan(count, radius, 64 * words, queries=queries)
    assert sum(field.radius + 1 for field in chosen.fields) == radius + 1
    bits = [
        {64 * field.word + bit for bit in range(field.shift, field.shift + field.width)}
        for field in chosen.fields
    ]
    assert all(field.shift + field.width <= 64 and field.word < words for field in chosen.fields)
    assert all(not a & b for a, b in itertools.combinations(bits, 2))


def test_known_counts() -> None:
    assert [ball(4, radius) for radius in range(5)] == [1, 5, 11, 15, 16]
    assert chance_pairs(10**6, 16) == pytest.approx(19.3e6, rel=0.02)
    assert chance_pairs(100, 64) == pytest.approx(4950)
    assert chance_pairs(100, 64, queries=7) == pytest.approx(700)
    assert plan(100, 64).compared == pytest.approx(4950)


def test_the_plan_follows_the_count() -> None:
    assert plan(100, 40).fields[0].width == 0  # one bucket: every hash with every other
    costs = [plan(10**power, 8).core_seconds for power in range(2, 10)]
    assert costs == sorted(costs)
    for power in (5, 6, 7, 8):
        count = 10**power
        chosen = plan(count, 8)
        assert chosen.compared < 0.01 * count**2 / 2
        assert max(field.width for field in chosen.fields) > max(
            f.width for f in plan(count // 100, 8).fields
        )
    assert plan(10**6, 8).peak_bytes < 0.5 * 2**30
    assert plan(10**7, 8).peak_bytes < 1.5 * 2**30
    assert plan(10**8, 2).peak_bytes < 10 * 2**30
    assert plan(10**6, 8, queries=10_000).core_seconds < 0.5 * plan(10**6, 8).core_seconds


def test_a_radius_that_chance_fills_is_refused_with_the_way_out() -> None:
    chosen = plan(10**6, 16)
    assert chosen.quadratic
    widest = selective_radius(10**6)
    with pytest.raises(
        QuadraticSearchError, match=rf"set dedupe.max_hamming to {widest} or less or set dedupe.bits"
    ):
        chosen.require_selective()
    assert not plan(10**6, widest).quadratic
    assert plan(10**6, widest + 1).quadratic
    plan(10**6, widest).require_selective()
    plan(1000, 64).require_selective()  # half a million pairs are quickly told
    assert selective_radius(10**6, 256) > 60
    assert selective_radius(10**8) < selective_radius(10**6)
    with pytest.raises(QuadraticSearchError, match=r"or less$"):
        plan(10**6, 120, 256).require_selective()


def test_what_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="multiple of 64, got 100"):
        plan(10, 3, 100)
    with pytest.raises(ValueError, match=r"expected max_hamming in 0\.\.64, got 65"):
        plan(10, 65)
