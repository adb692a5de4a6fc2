"""Which two results a person is asked to compare: sides and order at random, repeats, attention checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from curate.records import derived_id

Kind = Literal["vote", "repeat", "attention"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question: which of two results looks better?

    Attributes:
        comparison_id: Deterministic; no name of a model shows in it.
        image_id: What is shown.
        left: Model of the left side.
        right: Model of the right side.
        kind: vote; repeat = asked before, with the sides exchanged; attention = the clean image against a
            spoilt one, which everybody who looks gets right.
    """

    comparison_id: str
    image_id: str
    left: str
    right: str
    kind: Kind


CLEAN, SPOILT = "(clean)", "(spoilt)"  # the two of an attention check; no names of models


def plan(
    results: Mapping[str, Sequence[str]],
    *,
    images: int,
    repeat_share: float,
    attention_share: float,
    seed: int,
) -> list[Comparison]:
    """Comparisons in the order in which they are asked.

    Args:
        results: Models with a result, by image.
        images: How many are shown at most; drawn at random.
        repeat_share: Of the votes that are asked twice.
        attention_share: Attention checks for each vote.
        seed: Of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    able = sorted(image for image, models in results.items() if len(models) > 1)
    chosen = sorted(able[k] for k in rng.permutation(len(able))[:images])
    votes = [
        _asked(rng, image, pair, "vote")
        for image in chosen
        for pair in combinations(sorted(results[image]), 2)
    ]
    again = [votes[k] for k in sorted(rng.permutation(len(votes))[: round(repeat_share * len(votes))])]
    repeats = [_comparison(one.image_id, one.right, one.left, "repeat") for one in again]
    checks = [chosen[k % len(chosen)] for k in range(round(attention_share * len(votes)))] if chosen else []
    attention = [_asked(rng, image, (CLEAN, SPOILT), "attention") for image in dict.fromkeys(checks)]
    asked = [*votes, *repeats, *attention]
    return [asked[k] for k in rng.permutation(len(asked))]


def _asked(rng: np.random.Generator, image: str, pair: tuple[str, str], kind: Kind) -> Comparison:
    left, right = pair if rng.random() < 0.5 else pair[::-1]
    return _comparison(image, left, right, kind)


def _comparison(image: str, left: str, right: str, kind: Kind) -> Comparison:
    return Comparison(derived_id("vote", image, left, right, kind)[:32], image, left, right, kind)
