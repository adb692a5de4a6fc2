"""Samples that growth leaves alone, and their size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import ParamsError
from curate.qa import sampling
from curate.records import derived_id
from tests import builders

MANY = [builders.image_id(f"image {number}") for number in range(4000)]


def test_a_place_is_the_head_of_the_derived_id() -> None:
    """So that a place can be told with any sha256 program."""
    found = sampling.places(MANY[:20], "overlap", 7)
    assert found.tolist() == [int(derived_id("overlap", 7, key)[:16], 16) / 2**64 for key in MANY[:20]]


def test_places_are_spread_evenly_and_apart_from_each_other() -> None:
    first, second = (sampling.places(MANY, "audit", seed) for seed in (0, 1))
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is passed by chance once in a thousand times.
    for found in (first, second):
        steps = np.arange(1, len(MANY) + 1) / len(MANY)
        assert np.abs(np.sort(found) - steps).max() < 1.95 / math.sqrt(len(MANY))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(len(MANY))


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0, 0.99))
def test_a_share_is_decided_for_each_image_alone(few: int, more: int, share: float) -> None:
    small = sampling.drawn(sampling.places(MANY[:few], "x", 0), share)
    large = sampling.drawn(sampling.places(MANY[: few + more], "x", 0), share)
    assert np.array_equal(large[:few], small)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_a_number_is_exact_and_growth_adds_only_new_images(few: int, more: int, number: int) -> None:
    small = sampling.drawn(sampling.places(MANY[:few], "x", 0), number)
    large = sampling.drawn(sampling.places(MANY[: few + more], "x", 0), number)
    assert small.sum() == min(number, few)
    if few >= number:
        assert not (large[:few] & ~small).any()


def test_sizes() -> None:
    assert [sampling.size(stated, 30) for stated in (0, 0.1, 0.11, 1, 7, 99)] == [0, 3, 4, 1, 7, 30]
    with pytest.raises(ParamsError, match=r"qa\.audit = 2\.5 is refused: below 1 a share"):
        sampling.size(2.5, 30, name="qa.audit")


@pytest.mark.parametrize(
    ("population", "margin", "confidence", "known"),
    [
        # Krejcie and Morgan, Determining sample size for research activities (1970), table 1: margin 0.05,
        # chi-squared 3.841; their N = 10 to 1,000,000.
        (100, 0.05, 0.95, 80), (1000, 0.05, 0.95, 278), (10_000, 0.05, 0.95, 370),
        (1_000_000, 0.05, 0.95, 384), (10, 0.05, 0.95, 10), (0, 0.05, 0.95, 0), (10**12, 0.01, 0.99, 16_588),
    ],
)  # fmt: skip
def test_the_size_that_a_margin_needs(population: int, margin: float, confidence: float, known: int) -> None:
    # Krejcie and Morgan round to the nearest where we round up: a sample must not be too small.
    assert sampling.needed(population, margin, confidence) - known in (0, 1)


@given(st.integers(2, 10**7), st.floats(0.005, 0.3), st.floats(0.5, 0.999))
def test_the_needed_size_gives_the_margin_and_one_less_does_not(
    population: int, margin: float, confidence: float
) -> None:
    number = sampling.needed(population, margin, confidence)
    assert sampling.margin(number, population, confidence) <= margin * (1 + 1e-6)
    if number > 1:
        assert sampling.margin(number - 1, population, confidence) > margin * (1 - 1e-6)


def test_margins_of_nothing_and_of_all() -> None:
    assert math.isnan(sampling.margin(0, 10, 0.95))
    assert sampling.margin(10, 10, 0.95) == 0
    assert sampling.margin(1, 1, 0.95) == 0


def test_intervals_of_that_width_hold_the_true_share() -> None:
    """Of 400 samples drawn by the places of 400 seeds, at least 93% keep the margin that is promised."""
    population, share = MANY[:1000], 0.5
    truth = np.arange(1000) < share * 1000
    number = sampling.needed(1000, 0.05, 0.95)
    kept = 0
    for seed in range(400):
        sample = sampling.drawn(sampling.places(population, "audit", seed), number)
        kept += bool(abs(truth[sample].mean() - share) <= 0.05)
    # 0.95 is promised; five standard deviations of 400 draws would be 0.055.
    assert kept / 400 >= 0.95 - 0.055
