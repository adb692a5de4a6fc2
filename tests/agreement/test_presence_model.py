from __future__ import annotations

import numpy as np

from curate.agreement import presence_model


def world(seed: int, sensitivity: list[float], spurious: list[float], *, images: int):  # type: ignore[no-untyped-def]
    """Who drew what on images that everybody looked at, and whether it is there."""
    rng = np.random.default_rng(seed)
    people = len(sensitivity)
    drew, there, at = [], [], []
    for image in range(images):
        for _ in range(rng.poisson(3)):
            row = rng.random(people) < sensitivity
            if row.any():
                drew.append(row), there.append(True), at.append(image)
        for person in range(people):
            for _ in range(rng.poisson(spurious[person])):
                drew.append(np.eye(people, dtype=bool)[person]), there.append(False), at.append(image)
    looked = np.ones((images, people), dtype=bool)
    return np.array(drew), np.array(there), np.array(at), looked


def test_what_people_miss_and_make_up_is_recovered() -> None:
    sensitivity, spurious = [0.95, 0.8, 0.6], [0.05, 0.3, 0.6]
    drew, there, at, looked = world(3, sensitivity, spurious, images=800)
    model = presence_model.estimate(drew, looked[at], looked)
    np.testing.assert_allclose(model.sensitivity, sensitivity, atol=0.04)
    np.testing.assert_allclose(model.spurious, spurious, atol=0.08)
    probability = model.probability(drew, looked[at])
    alone = drew.sum(axis=1) == 1
    assert abs(probability[alone].mean() - there[alone].mean()) < 0.05
    unseen = 800 * 3 - there.sum()
    assert abs(model.unseen(looked).sum() - unseen) < 0.02 * 800 * 3


def test_of_two_people_nothing_tells_who_is_right() -> None:
    drew, _, at, looked = world(1, [0.9, 0.9], [0.2, 0.2], images=300)
    model = presence_model.estimate(drew, looked[at], looked)
    alone = drew.sum(axis=1) == 1
    probability = model.probability(drew, looked[at])
    assert ((probability[alone] > 0.3) & (probability[alone] < 0.7)).all()
    assert (probability[~alone] == 1).all()
