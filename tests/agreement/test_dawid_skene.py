from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene

from curate.agreement.dawid_skene import Votes, weigh


def drawn(skill: list[float], *, items: int, labels: int, seed: int) -> tuple[Votes, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, items)
    said = np.stack(
        [np.where(rng.random(items) < right, truth, rng.integers(0, labels, items)) for right in skill],
        axis=1,
    )
    item, person = np.divmod(np.arange(said.size), len(skill))
    return Votes(item, person, said.ravel(), items, len(skill), labels), truth


@pytest.mark.parametrize("seed", range(3))
def test_without_prior_it_is_that_of_crowd_kit(seed: int) -> None:
    votes, _ = drawn([0.9, 0.7, 0.6, 0.4], items=300, labels=3, seed=seed)
    data = pd.DataFrame({"task": votes.items, "worker": votes.annotators, "label": votes.labels})
    model = DawidSkene(n_iter=2000, tol=1e-12).fit(data)
    expected = model.probas_.sort_index()[[0, 1, 2]].to_numpy()
    np.testing.assert_allclose(weigh(votes, prior=0.0).probability, expected, atol=2e-3)


def test_who_is_right_more_often_counts_more() -> None:
    votes, truth = drawn([0.95, 0.5, 0.4, 0.3, 0.3], items=600, labels=4, seed=5)
    found = weigh(votes)
    counts = np.zeros((600, 4))
    np.add.at(counts, (votes.items, votes.labels), 1)
    plain = (counts.argmax(axis=1) == truth).mean()
    assert (found.probability.argmax(axis=1) == truth).mean() > plain + 0.05
    right = [np.diag(confusion).mean() for confusion in found.confusion]
    assert right[0] == max(right)
    assert np.argsort(right)[::-1][:3].tolist() == [0, 1, 2]


def test_one_answer_of_one_person_is_probably_right_and_not_surely() -> None:
    votes, _ = drawn([0.9, 0.9], items=100, labels=3, seed=1)
    more = Votes(
        np.append(votes.items, 100), np.append(votes.annotators, 0), np.append(votes.labels, 2), 101, 2, 3
    )
    last = weigh(more).probability[100]
    assert last.argmax() == 2
    assert 0.7 < last[2] < 0.999


def test_no_answers_are_equal_shares() -> None:
    nothing = np.zeros(0, dtype=np.intp)
    assert weigh(Votes(nothing, nothing, nothing, 2, 0, 4)).probability.tolist() == [[0.25] * 4] * 2
