"""How far each person can be relied on: what they miss, make up and misname, and how well their edges lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from curate.agreement import dawid_skene, presence_model
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.edge_differences import EdgeDifferences
from curate.agreement.presence_model import Presence
from curate.agreement.vote_patterns import LOOKED, NAMED, VotePatterns

Values = NDArray[np.float64]
_CHI2_MEDIAN = 0.454936  # of one degree of freedom: the median of squares of a normal spread of 1
_PRIOR_EDGES = 20.0  # edges that each person is given of the average person's spread
_MIN_SPREAD = 1e-4  # of a box's side
# A variance is at least this share of the average one. People who share a bias look exact to each other:
# without it one person would be the consensus alone (benchmarks/consensus.py).
_MIN_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Reliability:
    """What is estimated of A people and of what they drew, from each other.

    Attributes:
        annotators: A names, sorted.
        categories: K names, sorted.
        sensitivity: (A,) share of the objects that the person draws; NaN where nothing is known.
        precision: (A,) expected share of what the person draws that is there and rightly named; NaN likewise.
        score: (A,) F1 of the two: what ranks people.
        spread: (A,) standard deviation of an edge, as a share of the box's side.
        patterns: The W ways in which people answered.
        present: (W,) probability that such an object is there; NaN where no image was seen by several.
        names: (W, K) probability of each category, given that it is there.
        presence: What people miss and make up; None where no image was seen by several.
    """

    annotators: tuple[str, ...]
    categories: tuple[str, ...]
    sensitivity: Values
    precision: Values
    score: Values
    spread: Values
    patterns: VotePatterns
    present: Values
    names: Values
    presence: Presence | None

    def of_objects(self, answers: Answers, clusters: Clusters) -> tuple[Values, Values]:
        """`present` (C,) and `names` (C, K) of joint objects that the estimate was made from."""
        place = self.patterns.places(answers, clusters)
        return self.present[place], self.names[place]

    def unseen(self, answers: Answers) -> dict[str, float]:
        """Expected objects that nobody drew, by image; empty where no image was seen by several."""
        if self.presence is None:
            return {}
        return dict(zip(answers.images, self.presence.unseen(answers.looked).tolist(), strict=True))


def estimate(patterns: VotePatterns, edges: EdgeDifferences) -> Reliability:
    """Estimate everything from images that several people looked at, and apply it to all.

    Args:
        patterns: Who said what.
        edges: How far apart they drew.
    """
    drew, looked = patterns.votes >= NAMED, patterns.votes >= LOOKED
    items, person = np.nonzero(drew)
    label = (patterns.votes[items, person] - NAMED).astype(np.intp)
    people = len(patterns.people)
    votes = dawid_skene.Votes(items, person, label, len(drew), people, max(1, len(patterns.names)))
    names = dawid_skene.weigh_counted(votes, patterns.objects).probability
    right = names[items, label]
    present: Values = np.full(len(drew), np.nan)
    sensitivity: Values = np.full(people, np.nan)
    model = _presence(patterns, drew, looked)
    if model is not None:
        present = model.probability(drew, looked)
        known = patterns.looked[patterns.looked.sum(axis=1) > 1].any(axis=0)
        sensitivity = np.where(known, model.sensitivity, np.nan)
    times = patterns.objects[items].astype(np.float64)
    drawn = patterns.drawn()
    good = np.bincount(person, weights=times * present[items] * right, minlength=people)
    precision = np.where(drawn > 0, good / np.maximum(drawn, 1), np.nan)
    named = np.bincount(person, weights=times * right, minlength=people) / np.maximum(drawn, 1)
    recall = sensitivity * np.where(drawn > 0, named, 1.0)
    return Reliability(
        patterns.people,
        patterns.names,
        sensitivity,
        precision,
        2 * precision * recall / (precision + recall),
        edge_spread(edges),
        patterns,
        present,
        names,
        model,
    )


def _presence(patterns: VotePatterns, drew: NDArray[np.bool_], looked: NDArray[np.bool_]) -> Presence | None:
    several = patterns.looked.sum(axis=1) > 1
    if not several.any():
        return None
    of_several = looked.sum(axis=1) > 1
    return presence_model.estimate_counted(
        drew[of_several],
        looked[of_several],
        patterns.objects[of_several].astype(np.float64),
        patterns.looked[several],
        patterns.images[several].astype(np.float64),
    )


def edge_spread(edges: EdgeDifferences) -> Values:
    """How far each person's edges lie from the true ones: a standard deviation, as a share of the box's side.

    The difference between two people has the sum of both variances; each pair of people gives one such sum,
    from the median of squares, so that a few misplaced boxes do not count. The variances that fit the sums
    best are taken, each drawn a little towards the average. With two people both get half.

    Args:
        edges: How far apart people drew.

    Returns:
        (A,) positive.
    """
    n_people = len(edges.people)
    if not len(edges.edges):
        return np.full(n_people, 1.0)
    usual = edges.median() / _CHI2_MEDIAN / 2
    rows, targets = [], []
    for pair, (median, count) in edges.medians().items():
        row = np.zeros(n_people)
        row[list(pair)] = np.sqrt(count)
        rows.append(row)
        targets.append(np.sqrt(count) * median / _CHI2_MEDIAN)
    prior = np.sqrt(_PRIOR_EDGES)
    system = np.concatenate([np.array(rows), prior * np.eye(n_people)])
    variances, _ = nnls(system, np.concatenate([targets, np.full(n_people, prior * usual)]))
    return np.asarray(np.sqrt(np.maximum(variances, max(_MIN_SPREAD**2, _MIN_SHARE * usual))))
