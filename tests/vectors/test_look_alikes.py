"""Objects whose nearest one has another label are found, worst first."""

from __future__ import annotations

import numpy as np

from curate.vectors.look_alikes import look_alikes
from tests.vectors.test_nearest import clusters


def test_planted_wrong_labels_come_first() -> None:
    rng = np.random.default_rng(0)
    vectors = clusters(300, centers=4, spread=0.2, seed=3)
    cosine = vectors @ vectors[[0]].T
    images = [str(row) for row in range(300)]
    names = np.where(cosine.ravel() > 0.5, "stop", "yield").astype(object)
    assert look_alikes(vectors, names.tolist(), images, neighbors=10) == ([], 0)
    wrong = rng.choice(300, 6, replace=False)
    names[wrong] = np.where(names[wrong] == "stop", "yield", "stop")
    found, alone = look_alikes(vectors, names.tolist(), images, neighbors=10)
    assert alone == 0
    assert {one.row for one in found[:6]} == set(wrong.tolist())
    assert all(one.other_share >= 0.9 for one in found[:6])
    assert all(names[one.row] != names[one.neighbor] for one in found)
    shares = [one.other_share for one in found]
    assert shares == sorted(shares, reverse=True)


def test_boxes_of_one_image_that_overlap_are_no_look_alikes() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found, _ = look_alikes(vectors[:3], ["rider", "bike", "bike"], ["a", "a", "b"], neighbors=2)
    assert [(one.row, one.neighbor) for one in found] == [(0, 2), (2, 0)]
    assert look_alikes(vectors[:2], ["rider", "bike"], ["a", "a"], neighbors=2) == ([], 2)


def test_objects_whose_nearest_are_all_in_their_own_image_are_counted() -> None:
    """Forty pedestrians of one image, and one of another that is far from all: 33 nearest are looked at."""
    crowd = np.tile(np.array([[1, 0]], np.float32), (40, 1))
    vectors = np.concatenate([crowd, np.array([[0, 1]], np.float32)])
    found, alone = look_alikes(vectors, ["walker"] * 40 + ["rider"], ["a"] * 40 + ["b"], neighbors=1)
    assert [(one.row, one.other_share) for one in found] == [(40, 1.0)]
    assert alone == 40


def test_nothing_to_compare() -> None:
    assert look_alikes(np.zeros((0, 0), np.float32), [], [], neighbors=3) == ([], 0)
    assert look_alikes(clusters(1), ["a"], ["1"], neighbors=3) == ([], 1)
