"""Bradley-Terry: known answers, the planted order of simulated raters, intervals that hold the truth."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from curate.restoration import pairwise_ranking
from curate.restoration.pairwise_ranking import Strength, Vote

TRUTH = {"a": 0.8, "b": 0.2, "c": -0.3, "d": -0.7}


def simulated(seed: int, *, images: int = 40, raters: int = 3) -> list[Vote]:
    rng = np.random.default_rng(seed)
    votes = []
    for image in range(images):
        for one, other in combinations(TRUTH, 2):
            for rater in range(raters):
                first = rng.random() < expit(TRUTH[one] - TRUTH[other])
                winner, loser = (one, other) if first else (other, one)
                votes.append(Vote(f"i{image}", f"r{rater}", winner, loser))
    return votes


def test_two_models_have_the_logarithm_of_their_odds() -> None:
    wins = np.array([[0, 300], [100, 0]], dtype=np.float64)
    found = pairwise_ranking.fit(wins)
    assert found[0] - found[1] == pytest.approx(math.log(300.1 / 100.1), abs=1e-4)
    assert found.sum() == pytest.approx(0)


def test_the_gradient_vanishes_at_bradley_and_terrys_own_condition() -> None:
    """Each model wins as often as the fitted odds say (Bradley and Terry 1952, equation for the maximum)."""
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 40, (5, 5)).astype(float) * (1 - np.eye(5))
    strengths = pairwise_ranking.fit(wins)
    games = wins + wins.T + 0.2 * (1 - np.eye(5))
    expected = (games * expit(strengths[:, None] - strengths[None])).sum(axis=1)
    np.testing.assert_allclose((wins + 0.1 * (1 - np.eye(5))).sum(axis=1), expected, atol=0.02)


def test_a_model_that_always_wins_stays_finite() -> None:
    votes = [Vote(f"i{n}", "r", "good", "bad") for n in range(20)]
    found = pairwise_ranking.strengths(votes, resamples=50)
    assert [one.model for one in found] == ["good", "bad"]
    assert 1 < found[0].strength < 10
    assert found[0].votes == 20


def test_simulated_raters_recover_the_planted_order_and_intervals_cover_the_truth() -> None:
    """100 experiments of four models: 93 to 97 of 100 intervals hold the strength that was planted."""
    covered, ordered = [], 0
    for seed in range(100):
        found = pairwise_ranking.strengths(simulated(seed), resamples=120, seed=seed)
        ordered += [one.model for one in found] == list("abcd")
        covered += [abs(one.strength - TRUTH[one.model]) <= width(one) / 2 for one in found]
    assert ordered >= 95
    assert 0.93 <= np.mean(covered) <= 0.97, np.mean(covered)


def width(one: Strength) -> float:
    assert one.low is not None
    assert one.high is not None
    return one.high - one.low


def test_one_image_or_no_resamples_have_no_interval_and_settle_nothing() -> None:
    votes = [Vote("i", f"r{n}", "good", "bad") for n in range(9)]
    several = [Vote(f"i{n}", "r", "good", "bad") for n in range(9)]
    for found in (
        pairwise_ranking.strengths(votes, resamples=50),
        pairwise_ranking.strengths(several, resamples=0),
    ):
        assert [(one.low, one.high) for one in found] == [(None, None)] * 2
        assert not pairwise_ranking.is_settled(found, ["good", "bad"])


def test_raters_who_copy_each_other_make_no_interval_narrower() -> None:
    votes = simulated(1, images=20, raters=1)
    copies = [Vote(v.image_id, f"r{k}", v.winner, v.loser) for v in votes for k in range(5)]
    alone = pairwise_ranking.strengths(votes, resamples=200)[0]
    together = pairwise_ranking.strengths(copies, resamples=200)[0]
    assert width(together) > 0.8 * width(alone)


def test_agreement_and_consistency_by_hand() -> None:
    votes = [
        Vote("i", "r1", "a", "b"), Vote("i", "r2", "a", "b"), Vote("i", "r3", "b", "a"),
        Vote("j", "r1", "a", "b"), Vote("j", "r2", "a", "b"),
    ]  # fmt: skip
    assert pairwise_ranking.agreement(votes) == (2 / 4, 4)
    assert pairwise_ranking.agreement(votes[:1]) == (None, 0)
    repeated = [*votes, Vote("i", "r1", "b", "a"), Vote("j", "r1", "a", "b"), Vote("j", "r2", "a", "b")]
    assert pairwise_ranking.consistency(repeated) == {"r1": (1, 2), "r2": (1, 1)}


def test_it_stops_where_no_interval_reaches_the_next_model() -> None:
    def made(*values: tuple[float, float]) -> list[Strength]:
        return [
            Strength(str(k), middle, middle - half, middle + half, 9)
            for k, (middle, half) in enumerate(values)
        ]

    assert pairwise_ranking.is_settled(made((1, 0.4), (0, 0.4), (-1, 0.4)), "012")
    assert not pairwise_ranking.is_settled(made((1, 1.1), (0, 0.4)), "01")
    assert not pairwise_ranking.is_settled(made((1, 0.4), (0, 1.2)), "01")
    assert not pairwise_ranking.is_settled(made((1, 0.4), (0, 0.4)), "012")  # one was never compared
