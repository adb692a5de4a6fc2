"""Strengths from comparisons of pairs (Bradley-Terry), with intervals; how well raters agree; when to stop.

A vote says which of two results of one image a person likes better. Votes on one image depend on each other:
images are what is resampled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, stdtrit

Floats = NDArray[np.float64]
_PRIOR = 0.1  # of a vote, won and lost, that each pair of models has: a model that always wins stays finite


@dataclass(frozen=True, slots=True)
class Vote:
    """Answer of a rater: which of two models looks better on an image.

    Attributes:
        image_id: What was compared.
        rater_id: Who.
        winner: The model that was liked better.
        loser: The other one.
    """

    image_id: str
    rater_id: str
    winner: str
    loser: str


@dataclass(frozen=True, slots=True)
class Strength:
    """Strength of a model in the ranking.

    Attributes:
        model: Which.
        strength: Logarithm of the odds against a model of the mean strength.
        low: Lower end of the 95% interval; None = one image, or no resamples, say nothing of it.
        high: Upper end.
        votes: In which it was compared.
    """

    model: str
    strength: float
    low: float | None
    high: float | None
    votes: int


def strengths(votes: Sequence[Vote], *, resamples: int = 500, seed: int = 0) -> list[Strength]:
    """Every model that was voted on, the strongest first.

    Args:
        votes: At least one.
        resamples: Of the images, for the intervals.
        seed: Of the resamples.

    Source:
        Bradley and Terry, Rank analysis of incomplete block designs (Biometrika 39, 1952); the interval is
        Student's with the spread of strengths in resampled images, as `curate.intervals` makes others.
    """
    models = sorted({name for vote in votes for name in (vote.winner, vote.loser)})
    images = sorted({vote.image_id for vote in votes})
    wins = _wins(votes, models, images)
    fitted = fit(wins.sum(axis=0))
    rng = np.random.default_rng(seed)
    n = len(images)
    counts = wins.sum(axis=(0, 2)) + wins.sum(axis=(0, 1))
    low, high = [None] * len(models), [None] * len(models)
    if n > 1 and resamples > 1:
        drawn = [fit(wins[rng.integers(0, n, n)].sum(axis=0), start=fitted) for _ in range(resamples)]
        spread = np.std(drawn, axis=0, ddof=1) * np.sqrt(n / (n - 1))
        half = float(stdtrit(n - 1, 0.975)) * spread
        low, high = (fitted - half).tolist(), (fitted + half).tolist()
    found = [
        Strength(name, float(fitted[k]), low[k], high[k], int(counts[k])) for k, name in enumerate(models)
    ]
    return sorted(found, key=lambda one: (-one.strength, one.model))


def fit(wins: Floats, *, start: Floats | None = None) -> Floats:
    """Strengths (M,) of mean 0 that make the votes most likely.

    Args:
        wins: (M, M); wins[i, j] = votes for i against j. A tenth of a vote is added to each pair that was
            ever compared, either way, so that who always won stays finite.
        start: Where the search begins.
    """
    compared = (wins + wins.T) > 0
    counted = wins + _PRIOR * compared
    models = len(wins)

    def cost(values: Floats) -> tuple[float, Floats]:
        difference = values[:, None] - values[None, :]
        lost = counted * expit(-difference)
        return float((counted * np.logaddexp(0, -difference)).sum()), lost.sum(axis=0) - lost.sum(axis=1)

    found = minimize(cost, np.zeros(models) if start is None else start, jac=True, method="L-BFGS-B").x
    return np.asarray(found - found.mean(), dtype=np.float64)


def _wins(votes: Sequence[Vote], models: Sequence[str], images: Sequence[str]) -> Floats:
    """(images, models, models)."""
    place, row = {name: k for k, name in enumerate(models)}, {name: k for k, name in enumerate(images)}
    wins = np.zeros((len(images), len(models), len(models)))
    for vote in votes:
        wins[row[vote.image_id], place[vote.winner], place[vote.loser]] += 1
    return wins


def agreement(votes: Sequence[Vote]) -> tuple[float | None, int]:
    """Share of pairs of raters that liked the same result of a comparison, and how many pairs there are.

    Two raters who toss a coin agree in half of the cases.
    """
    asked: dict[tuple[str, str, str], dict[str, str]] = {}
    for vote in votes:
        first, second = sorted((vote.winner, vote.loser))
        asked.setdefault((vote.image_id, first, second), {})[vote.rater_id] = vote.winner
    pairs = [a == b for answers in asked.values() for a, b in combinations(answers.values(), 2)]
    return (sum(pairs) / len(pairs) if pairs else None), len(pairs)


def consistency(votes: Sequence[Vote]) -> Mapping[str, tuple[int, int]]:
    """Count how often each rater who was asked again gave the same answer, and of how many repeats."""
    first: dict[tuple[str, ...], str] = {}
    found: dict[str, tuple[int, int]] = {}
    for vote in votes:
        key = (vote.rater_id, vote.image_id, *sorted((vote.winner, vote.loser)))
        if key in first:
            same, repeats = found.get(vote.rater_id, (0, 0))
            found[vote.rater_id] = (same + (first[key] == vote.winner), repeats + 1)
        else:
            first[key] = vote.winner
    return found


def is_settled(found: Sequence[Strength], models: Collection[str]) -> bool:
    """Whether more votes would hardly change the order: no interval reaches the next model's strength.

    Looked at after each round, it stops early where models differ much, and never where two are equal: a
    budget of votes ends that. Without intervals, or votes, nothing is settled, nor while a model waits.

    Args:
        found: Models that were compared.
        models: Those that shall be; the place of one that was not yet is not known.
    """
    ordered = sorted(found, key=lambda one: -one.strength)
    return (
        bool(ordered)
        and {one.model for one in ordered}.issuperset(models)
        and all(
            better.low is not None
            and worse.high is not None
            and better.low > worse.strength
            and worse.high < better.strength
            for better, worse in pairwise(ordered)
        )
    )
