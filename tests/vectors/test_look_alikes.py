"""Objects whose nearest one has another label are found, worst first."""

from __future__ import annotations

import numpy as np

from curate.vectors.look_alikes import look_alikes
from tests.vectors.test_nearest import clusters


def test_planted_wrong_labels_come_first() -> None:
    rng = np.random.default_rng(0)
    vectors = clusters(300, centers=4, spread=0.2, seed=3)
    cosine = vectors @ vectors[[0]].T
    names = np.where(cosine.ravel() > 0.5, "stop", "yield").astype(object)
    assert look_alikes(vectors, names.tolist(), neighbors=10) == []
    wrong = rng.choice(300, 6, replace=False)
    names[wrong] = np.where(names[wrong] == "stop", "yield", "stop")
    found = look_alikes(vectors, names.tolist(), neighbors=10)
    assert {one.row for one in found[:6]} == set(wrong.tolist())
    assert all(one.other_share >= 0.9 for one in found[:6])
    assert all(names[one.row] != names[one.neighbor] for one in found)
    shares = [one.other_share for one in found]
    assert shares == sorted(shares, reverse=True)


def test_nothing_to_compare() -> None:
    assert look_alikes(np.zeros((0, 0), np.float32), [], neighbors=3) == []
    assert look_alikes(clusters(1), ["a"], neighbors=3) == []
