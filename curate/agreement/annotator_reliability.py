"""How far each person can be relied on: what they miss, make up and misname, and how well their edges lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from curate.agreement import dawid_skene, presence_model
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters

Values = NDArray[np.float64]
_CHI2_MEDIAN = 0.454936  # of one degree of freedom: the median of squares of a normal spread of 1
_PRIOR_EDGES = 20.0  # edges that each person is given of the average person's spread
_LEAST_SPREAD = 1e-4  # of a box's side
# A variance is at least this share of the average one. People who share a bias look exact to each other:
# without it one person would be the consensus alone (benchmarks/consensus.py).
_LEAST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Reliability:
    """What is estimated of people and of what they drew, from each other; C clusters, A people, K categories.

    Attributes:
        annotators: A names, sorted.
        categories: K names, sorted.
        sensitivity: (A,) share of the objects that the person draws; NaN where nothing is known.
        precision: (A,) expected share of what the person draws that is there and rightly named; NaN likewise.
        score: (A,) F1 of the two: what ranks people.
        spread: (A,) standard deviation of an edge, as a share of the box's side.
        present: (C,) probability that the object is there; NaN where no image was seen by several.
        names: (C, K) probability of each category, given that it is there.
        unseen: Expected objects that nobody drew, by image; empty where no image was seen by several.
    """

    annotators: tuple[str, ...]
    categories: tuple[str, ...]
    sensitivity: Values
    precision: Values
    score: Values
    spread: Values
    present: Values
    names: Values
    unseen: dict[str, float]


def estimate(answers: Answers, pairs: Pairs, clusters: Clusters) -> Reliability:
    """Estimate everything from images that several people looked at, and apply it to all.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects.
    """
    people = answers.people
    votes = dawid_skene.Votes(
        items=clusters.number,
        annotators=answers.owner[clusters.members],
        labels=answers.category[clusters.members],
        n_items=len(clusters),
        n_annotators=len(people),
        n_labels=max(1, len(answers.names)),
    )
    drew = np.zeros((len(clusters), len(people)), dtype=np.bool_)
    drew[votes.items, votes.annotators] = True
    weighed = dawid_skene.weigh(votes)
    several = answers.looks > 1
    right = weighed.probability[votes.items, votes.labels]
    present: Values = np.full(len(clusters), np.nan)
    sensitivity: Values = np.full(len(people), np.nan)
    unseen: Values = np.zeros(0)
    if several.any():
        looked = answers.looked[clusters.image]
        of_several = several[clusters.image]
        model = presence_model.estimate(drew[of_several], looked[of_several], answers.looked[several])
        present = model.probability(drew, looked)
        known = answers.looked[several].any(axis=0)
        sensitivity = np.where(known, model.sensitivity, np.nan)
        unseen = model.unseen(answers.looked)
    drawn = np.bincount(votes.annotators, minlength=len(people))
    good = np.bincount(votes.annotators, weights=present[votes.items] * right, minlength=len(people))
    precision = np.where(drawn > 0, good / np.maximum(drawn, 1), np.nan)
    named = np.bincount(votes.annotators, weights=right, minlength=len(people)) / np.maximum(drawn, 1)
    recall = sensitivity * np.where(drawn > 0, named, 1.0)
    return Reliability(
        tuple(people),
        tuple(answers.names),
        sensitivity,
        precision,
        2 * precision * recall / (precision + recall),
        edge_spread(answers, pairs),
        present,
        weighed.probability,
        dict(zip(answers.images, unseen.tolist(), strict=True)) if len(unseen) else {},
    )


def edge_spread(answers: Answers, pairs: Pairs) -> Values:
    """How far each person's edges lie from the true ones: a standard deviation, as a share of the box's side.

    The difference between two people has the sum of both variances; each pair of people gives one such sum,
    from the median of squares, so that a few misplaced boxes do not count. The variances that fit the sums
    best are taken, each drawn a little towards the average. With two people both get half.

    Args:
        answers: What people drew.
        pairs: Their comparison.

    Returns:
        (A,) positive.
    """
    n_people = len(answers.people)
    matched = np.flatnonzero(pairs.matched)
    if not len(matched):
        return np.full(n_people, 1.0)
    a, b = answers.boxes[pairs.a[matched]], answers.boxes[pairs.b[matched]]
    sides = (a[:, 2:] - a[:, :2] + b[:, 2:] - b[:, :2]) / 2
    squares = ((a - b) / np.maximum(np.tile(sides, 2), 1e-9)) ** 2
    of = pairs.comparison[matched]
    couple = pairs.first[of] * n_people + pairs.second[of]
    usual = float(np.median(squares)) / _CHI2_MEDIAN / 2
    order = np.argsort(couple, kind="stable")
    couples, starts = np.unique(couple[order], return_index=True)
    rows, targets = [], []
    for pair, these in zip(couples.tolist(), np.split(squares[order], starts[1:]), strict=True):
        row = np.zeros(n_people)
        row[list(divmod(pair, n_people))] = np.sqrt(these.size)
        rows.append(row)
        targets.append(np.sqrt(these.size) * float(np.median(these)) / _CHI2_MEDIAN)
    prior = np.sqrt(_PRIOR_EDGES)
    system = np.concatenate([np.array(rows), prior * np.eye(n_people)])
    variances, _ = nnls(system, np.concatenate([targets, np.full(n_people, prior * usual)]))
    return np.asarray(np.sqrt(np.maximum(variances, max(_LEAST_SPREAD**2, _LEAST_SHARE * usual))))
