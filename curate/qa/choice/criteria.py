"""The criteria that have a weight, made for the images of a pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.params.choose import ChooseParams
from curate.qa import uncertainty
from curate.qa.choice import category_scores, example_similarity
from curate.qa.choice.evidence import Evidence
from curate.qa.choice.greedy import Criterion, Fixed, Flags, Pick, choose
from curate.qa.choice.k_center import KCenter
from curate.qa.choice.typicality import Typicality
from curate.qa.suggestions import Floats, Suggestions
from curate.qa.uncertainty import Doubt

Ints = NDArray[np.int64]


OF_VECTORS: Final = ("diversity", "typicality", "similarity")  # need the stage embed


def weights(params: ChooseParams) -> dict[str, float]:
    """Weights above 0 by criterion; none without a budget."""
    given = {
        "uncertainty": params.uncertainty,
        "diversity": params.diversity,
        "typicality": params.typicality,
        "rarity": params.rarity,
        "disagreement": params.disagreement,
        "similarity": params.similarity,
    }
    return {name: weight for name, weight in given.items() if weight > 0 and params.budget}


@dataclass(frozen=True)
class Told:
    """What models say of the N images, and what the criteria need of it.

    Attributes:
        found: Suggestions.
        doubt: About every image.
        names: C categories.
        thresholds: (C,) of them.
        evidence: All that is no suggestion.
    """

    found: Suggestions
    doubt: Doubt
    names: Sequence[str]
    thresholds: Floats
    evidence: Evidence


def pick(
    told: Told,
    weighing: Mapping[str, float],
    *,
    candidates: Flags,
    looked: Flags,
    number: int,
    ties: Floats,
    seed: int,
) -> list[Pick]:
    """Choose images by the weighted criteria.

    Args:
        told: What is known of the N images.
        weighing: Weights above 0, by criterion.
        candidates: (N,) what may be chosen; those without a vector are not where a criterion needs one.
        looked: (N,) what people look at already.
        number: How many at most.
        ties: (N,) in [0, 1), for equals.
        seed: Of k-means.
    """
    there = told.evidence.with_vector
    rows = np.flatnonzero(there) if there is not None else np.arange(len(candidates))
    if number <= 0 or not candidates[rows].any():
        return []
    criteria: dict[str, tuple[float, Criterion]] = {
        name: (weight, _criterion(name, told, rows, looked=looked[rows], number=number, seed=seed))
        for name, weight in weighing.items()
    }
    picks = choose(criteria, candidates[rows], number, ties[rows])
    return [Pick(int(rows[one.image]), one.shares, one.words) for one in picks]


def _criterion(name: str, told: Told, rows: Ints, *, looked: Flags, number: int, seed: int) -> Criterion:
    """One of `weights`, of the images in some rows."""
    vectors, total = told.evidence.vectors, len(told.doubt.value)
    if name == "diversity":
        return KCenter(vectors, looked)
    if name == "typicality":
        return Typicality(vectors, looked, number, seed)
    if name == "similarity":
        return _similarity(told.evidence)
    shown = told.found.shown
    images, categories = told.found.images[shown], told.found.categories[shown]
    if name == "rarity":
        counts = category_scores.suggested_on(images, categories, len(told.names))
        rare = category_scores.rarity(images, categories, total, len(told.names))
        return _by_category(
            rare, rows, lambda one: f"{told.names[one]} is suggested on {counts[one]:,} of {total:,} images"
        )
    if name == "disagreement":
        # A category that no pair names yet has what the rule of succession gives for none.
        unseen = 0.5 if told.evidence.disagreement else 0.0
        scores = np.array([told.evidence.disagreement.get(one, unseen) for one in told.names])
        disputed = category_scores.top_categories(images, categories, scores, total)
        return _by_category(disputed, rows, lambda one: _disputed(told, one))

    def doubt(image: int) -> str:
        return uncertainty.words(told.doubt, rows[[image]], told.found, told.names, told.thresholds)[0]

    return Fixed(told.doubt.value[rows], doubt)


def _disputed(told: Told, category: int) -> str:
    name = told.names[category]
    known = told.evidence.disagreement.get(name)
    if known is None:
        return f"no two people have labelled {name} yet"
    return f"people disagree on {known:.0%} of {name}"


def _by_category(told: category_scores.Told, rows: Ints, words: Callable[[int], str]) -> Fixed:
    return Fixed(told.value[rows], lambda image: words(int(told.category[rows[image]])))


def _similarity(evidence: Evidence) -> Fixed:
    """Nothing for examples and for what shows their scenes: more of a kind is sought, not what is at hand."""
    vectors = evidence.vectors
    told = example_similarity.similarity(vectors, evidence.positive, evidence.negative)
    if evidence.example_scenes is not None:
        told[evidence.example_scenes] = 0.0

    def words(image: int) -> str:
        sides = (("positive", evidence.positive), ("negative", evidence.negative))
        return ", ".join(
            f"cosine {example_similarity.nearest(vectors[[image]], examples)[0]:.2f} to a {side} example"
            for side, examples in sides
            if len(examples)
        )

    return Fixed(told, words)
