"""ObjectLab's image score, held against cleanlab's own code."""

from __future__ import annotations

import doctest
import warnings

import numpy as np
import pytest

from curate.agreement import objectlab
from curate.agreement.objectlab import Boxes

NAMES = np.array(["car", "bus", "bike"], dtype=object)


def drawn(rng: np.random.Generator, count: int, *, near: Boxes | None = None) -> Boxes:
    """Boxes anywhere, or some of them near others, with scores that cross every bound."""
    corner = rng.uniform(0, 100, (count, 2))  # farther apart, cleanlab rounds similarities away
    corners = np.concatenate([corner, corner + rng.uniform(5, 40, (count, 2))], axis=1)
    names = rng.choice(NAMES, count)
    if near is not None and len(near.names):
        for at in range(count):
            if rng.random() < 0.7:
                other = rng.integers(len(near.names))
                corners[at] = near.corners[other] + rng.normal(0, 4, 4)
                names[at] = near.names[other] if rng.random() < 0.7 else names[at]
    return Boxes(corners, names, rng.choice([0.3, 0.6, 0.9, 0.96, 0.99], count))


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_cleanlab(seed: int) -> None:
    cleanlab = pytest.importorskip("cleanlab.object_detection.rank")
    rng = np.random.default_rng(seed)
    labels = [drawn(rng, int(count)) for count in rng.integers(1, 6, 40)]
    twice = labels[0]
    labels[0] = Boxes(  # one object labelled under two names
        np.concatenate([twice.corners, twice.corners[:1]]),
        np.append(twice.names, "bus" if twice.names[0] == "car" else "car"),
        np.append(twice.scores, 0.0),
    )
    found = [drawn(rng, int(rng.integers(1, 7)), near=one) for one in labels]
    code = {name: at for at, name in enumerate(NAMES)}
    theirs_labels = [
        {"bboxes": one.corners, "labels": np.array([code[name] for name in one.names])} for one in labels
    ]
    theirs_found = []
    for one in found:
        by_class = np.empty(len(NAMES), dtype=object)
        for name, at in code.items():
            mine = one.names == name
            by_class[at] = np.concatenate([one.corners[mine], one.scores[mine, None]], axis=1)
        theirs_found.append(by_class)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cleanlab.get_label_quality_scores(theirs_labels, theirs_found, verbose=False)
    np.testing.assert_allclose(objectlab.image_scores(labels, found), theirs, rtol=0, atol=1e-7)
    assert len(np.unique(theirs.round(6))) > 20, "the scores differ from image to image"


def test_the_example_runs() -> None:
    assert doctest.testmod(objectlab).failed == 0
