"""Names weighed by who gave them: the model of Dawid and Skene, with a prior for people of few answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Codes = NDArray[np.intp]
_ROUNDS, _TOLERANCE = 200, 1e-7
_RIGHT = 0.8  # of the answers of a person of whom nothing is known


@dataclass(frozen=True, slots=True)
class Votes:
    """Answers of annotators about items, one entry per answer.

    Attributes:
        items: (V,) in [0, n_items).
        annotators: (V,) in [0, n_annotators).
        labels: (V,) in [0, n_labels).
        n_items: How many items there are; one without an answer gets the labels' shares.
        n_annotators: How many people.
        n_labels: How many labels.
    """

    items: Codes
    annotators: Codes
    labels: Codes
    n_items: int
    n_annotators: int
    n_labels: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the answers say together.

    Attributes:
        probability: (n_items, n_labels) of each label to be the right one; rows sum to 1.
        confusion: (n_annotators, n_labels, n_labels) how often a person calls the right label (row) each
            label.
        shares: (n_labels,) of the items.
    """

    probability: Values
    confusion: Values
    shares: Values


def weigh(votes: Votes, *, prior: float = 2.0) -> Weighed:
    """Estimate at once what is right and how often each person says so, by expectation and maximisation.

    A person's confusions are drawn towards those of all people together, as if `prior` more answers per label
    had been given that way; those of all people start from 80% right. Without it, a person of three answers
    would be called perfect or useless.

    Args:
        votes: The answers.
        prior: Answers per label; 0 = the plain maximum likelihood.

    Source:
        Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm (Applied
        Statistics 28, 1979).

    Examples:
        >>> import numpy as np
        >>> items, people = np.divmod(np.arange(9), 3)
        >>> found = weigh(Votes(items, people, np.array([0, 0, 0, 1, 1, 0, 1, 1, 1]), 3, 3, 2))
        >>> found.probability.argmax(axis=1).tolist()
        [0, 1, 1]
    """
    same, number = _alike(votes)
    found = weigh_counted(same, np.bincount(number, minlength=same.n_items), prior=prior)
    return Weighed(found.probability[number], found.confusion, found.shares)


def weigh_counted(votes: Votes, times: NDArray[np.int64], *, prior: float = 2.0) -> Weighed:
    """Weigh answers where each item stands for several that were answered alike; else as `weigh`.

    Args:
        votes: The answers.
        times: (n_items,) how many each stands for.
        prior: Answers per label.
    """
    shape = (votes.n_annotators, votes.n_labels, votes.n_labels)
    probability: Values = np.zeros((votes.n_items, votes.n_labels))
    np.add.at(probability, (votes.items, votes.labels), 1.0)
    answered = np.where(probability.sum(axis=1) > 0, times, 0).astype(np.float64)
    probability = _rows_to_one(probability)
    confusion: Values = np.zeros(shape)
    shares: Values = np.zeros(votes.n_labels)
    for _ in range(_ROUNDS):
        confusion, shares = _people(votes, probability, answered, prior, shape)
        log = np.tile(np.log(np.maximum(shares, 1e-300)), (votes.n_items, 1))
        np.add.at(log, votes.items, np.log(np.maximum(confusion, 1e-300))[votes.annotators, :, votes.labels])
        before, probability = probability, _rows_to_one(np.exp(log - log.max(axis=1, keepdims=True)))
        if np.abs(before - probability).max(initial=0.0) < _TOLERANCE:
            break
    return Weighed(probability, confusion, shares)


def _alike(votes: Votes) -> tuple[Votes, Codes]:
    """One item for all of which the same people said the same; and which of them each item is.

    There are few ways to answer, however many items there are.
    """
    coded = votes.annotators * votes.n_labels + votes.labels
    order = np.lexsort((coded, votes.items))
    items, coded = votes.items[order], coded[order]
    counts = np.bincount(items, minlength=votes.n_items)
    starts = np.cumsum(counts) - counts
    number = np.zeros(votes.n_items, dtype=np.intp)
    parts: list[tuple[Codes, Codes]] = []
    n_items = 0
    for size in np.unique(counts).tolist():
        these = np.flatnonzero(counts == size)
        ways, inverse = np.unique(
            coded[starts[these][:, None] + np.arange(size)], axis=0, return_inverse=True
        )
        number[these] = n_items + inverse.ravel()
        parts.append((np.repeat(n_items + np.arange(len(ways)), size), ways.ravel()))
        n_items += len(ways)
    items, coded = (
        (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else (items, coded)
    )
    people, labels = np.divmod(coded, votes.n_labels)
    return Votes(items, people, labels, n_items, votes.n_annotators, votes.n_labels), number


def _people(
    votes: Votes, probability: Values, counted: Values, prior: float, shape: tuple[int, int, int]
) -> tuple[Values, Values]:
    """Confusions of each person, and shares of the labels, from what is probably right.

    Args:
        votes: One item for all that are alike.
        probability: Of each label, for each.
        counted: How many items each stands for; 0 for those without an answer.
        prior: Answers per label.
        shape: People, labels, labels.
    """
    given: Values = np.zeros((shape[0], shape[2], shape[1]))
    weighed = probability * counted[:, None]
    np.add.at(given, (votes.annotators, votes.labels), weighed[votes.items])
    counts: Values = given.transpose(0, 2, 1)
    if prior > 0:
        wrong = (1 - _RIGHT) / max(1, votes.n_labels - 1)
        start = np.where(np.eye(votes.n_labels, dtype=bool), _RIGHT, wrong)
        everybody = _rows_to_one(counts.sum(axis=0) + prior * start)
        counts = counts + prior * everybody
    shares = weighed.sum(axis=0) + (prior / votes.n_labels if prior > 0 else 0.0)
    return _rows_to_one(counts), shares / max(shares.sum(), 1e-300)


def _rows_to_one(values: Values) -> Values:
    """Each row divided by its sum; a row of zeros becomes equal shares."""
    sums = values.sum(axis=-1, keepdims=True)
    return np.where(sums > 0, values / np.where(sums > 0, sums, 1.0), 1.0 / values.shape[-1])
