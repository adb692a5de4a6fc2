"""How far each person can be relied on: what they miss, make up and misname, and how well their edges lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from curate.agreement import dawid_skene, presence_model
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster

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

    def weights(self, people: Sequence[str]) -> Values:
        """How much the edges of each of some people count: the inverse of their variance."""
        rows = np.searchsorted(self.annotators, people)
        return np.asarray(1.0 / self.spread[rows] ** 2)


def estimate(
    answers: Answers, pairs: Pairs, clusters: Sequence[Cluster], owner: Sequence[str]
) -> Reliability:
    """Estimate everything from images that several people looked at, and apply it to all.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects.
        owner: Who drew each object, by its index in `answers`.
    """
    people = sorted({person for looked in answers.by_image.values() for person in looked})
    categories = sorted(set(answers.categories))
    code = {name: index for index, name in enumerate(people)}
    images = list(answers.by_image)
    row_of = {image_id: row for row, image_id in enumerate(images)}
    looked = np.zeros((len(images), len(people)), dtype=bool)
    for row, image_id in enumerate(images):
        looked[row, [code[person] for person in answers.by_image[image_id]]] = True
    at = np.array([row_of[group.image_id] for group in clusters], dtype=np.intp)
    drew = np.zeros((len(clusters), len(people)), dtype=bool)
    votes = _votes(answers, clusters, [code[person] for person in owner], categories)
    drew[votes.items, votes.annotators] = True
    weighed = dawid_skene.weigh(votes)
    several = looked.sum(axis=1) > 1
    right = weighed.probability[votes.items, votes.labels]
    present: Values = np.full(len(clusters), np.nan)
    sensitivity: Values = np.full(len(people), np.nan)
    unseen: dict[str, float] = {}
    if several.any():
        model = presence_model.estimate(drew[several[at]], looked[at][several[at]], looked[several])
        present = model.probability(drew, looked[at])
        known = looked[several].any(axis=0)
        sensitivity = np.where(known, model.sensitivity, np.nan)
        unseen = dict(zip(images, model.unseen(looked).tolist(), strict=True))
    drawn = np.bincount(votes.annotators, minlength=len(people))
    good = np.bincount(votes.annotators, weights=present[votes.items] * right, minlength=len(people))
    precision = np.where(drawn > 0, good / np.maximum(drawn, 1), np.nan)
    named = np.bincount(votes.annotators, weights=right, minlength=len(people)) / np.maximum(drawn, 1)
    recall = sensitivity * np.where(drawn > 0, named, 1.0)
    return Reliability(
        tuple(people),
        tuple(categories),
        sensitivity,
        precision,
        2 * precision * recall / (precision + recall),
        edge_spread(answers, pairs, people),
        present,
        weighed.probability,
        unseen,
    )


def _votes(
    answers: Answers, clusters: Sequence[Cluster], owner: Sequence[int], categories: Sequence[str]
) -> dawid_skene.Votes:
    column = {name: index for index, name in enumerate(categories)}
    members = [(item, i) for item, group in enumerate(clusters) for i in group.members]
    return dawid_skene.Votes(
        items=np.array([item for item, _ in members], dtype=np.intp),
        annotators=np.array([owner[i] for _, i in members], dtype=np.intp),
        labels=np.array([column[answers.categories[i]] for _, i in members], dtype=np.intp),
        n_items=len(clusters),
        n_annotators=max(owner, default=-1) + 1,
        n_labels=max(1, len(categories)),
    )


def edge_spread(answers: Answers, pairs: Pairs, people: Sequence[str]) -> Values:
    """How far each person's edges lie from the true ones: a standard deviation, as a share of the box's side.

    The difference between two people has the sum of both variances; each pair of people gives one such sum,
    from the median of squares, so that a few misplaced boxes do not count. The variances that fit the sums
    best are taken, each drawn a little towards the average. With two people both get half.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        people: A names, sorted.

    Returns:
        (A,) positive.
    """
    code = {name: index for index, name in enumerate(people)}
    matched = np.array([row for row, iou in enumerate(pairs.box_iou) if iou is not None], dtype=np.intp)
    if not len(matched):
        return np.full(len(people), 1.0)
    a, b = (answers.boxes[np.array(indices, dtype=np.intp)[matched]] for indices in (pairs.a, pairs.b))
    sides = (a[:, 2:] - a[:, :2] + b[:, 2:] - b[:, :2]) / 2
    squares = ((a - b) / np.maximum(np.tile(sides, 2), 1e-9)) ** 2
    first, second = (
        np.array([code[names[row]] for row in matched]) for names in (pairs.annotators_a, pairs.annotators_b)
    )
    usual = float(np.median(squares)) / _CHI2_MEDIAN / 2
    rows, targets = [], []
    for pair in np.unique(first * len(people) + second):
        i, j = divmod(int(pair), len(people))
        these = squares[(first == i) & (second == j)]
        row = np.zeros(len(people))
        row[[i, j]] = np.sqrt(these.size)
        rows.append(row)
        targets.append(np.sqrt(these.size) * float(np.median(these)) / _CHI2_MEDIAN)
    prior = np.sqrt(_PRIOR_EDGES)
    system = np.concatenate([np.array(rows), prior * np.eye(len(people))])
    variances, _ = nnls(system, np.concatenate([targets, np.full(len(people), prior * usual)]))
    return np.asarray(np.sqrt(np.maximum(variances, max(_LEAST_SPREAD**2, _LEAST_SHARE * usual))))
