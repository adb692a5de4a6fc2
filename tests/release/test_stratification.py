"""Against the paper's own measures and an independent implementation of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.release.stratification import Labels, stratify

SHARES = (0.7, 0.15, 0.15)
# LD and ED of iterative-stratification 0.1.9 (IterativeStratification, with RandomState(seed)) on the same
# matrices. It is no dependency, because it installs a package `tests` that hides ours.
REFERENCE = (0.03480132, 3.27777778)


def matrix(count: int, seed: int) -> NDArray[np.int64]:
    """(N, 12) images by label, from common to rare, some together; every image has one at least."""
    rng = np.random.default_rng(seed)
    found = rng.random((count, 12)) < 0.5 / np.arange(1, 13) ** 1.2
    found[:, 1] |= found[:, 0] & (rng.random(count) < 0.3)
    found[~found.any(axis=1), 0] = True
    return found.astype(np.int64)


def labels(found: NDArray[np.int64], group: NDArray[np.int64] | None = None) -> Labels:
    image, label = np.nonzero(found)
    of = np.arange(len(found)) if group is None else group
    return Labels.of(of, int(of.max()) + 1, image, label)


def ours(found: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    order = np.random.default_rng(seed).permutation(len(found))
    return stratify(labels(found), SHARES, np.full(len(found), -1), order)


def drawn(found: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).choice(3, len(found), p=SHARES)


def label_distribution(found: NDArray[np.int64], split: NDArray[np.int64]) -> float:
    """The paper's measure LD, section 4.2: odds of each label in a split against those in all; 0 = equal."""
    every = found.sum(axis=0) / (len(found) - found.sum(axis=0))
    odds = [
        found[split == s].sum(axis=0) / ((split == s).sum() - found[split == s].sum(axis=0)) for s in range(3)
    ]
    return float(np.mean(np.abs(np.array(odds) - every)))


def examples_distribution(split: NDArray[np.int64]) -> float:
    """The measure ED of the paper, section 4.2: images by which splits miss their size, on average."""
    return float(np.mean(np.abs(np.bincount(split, minlength=3) - np.array(SHARES) * len(split))))


def test_no_worse_than_the_reference_and_far_better_than_a_draw() -> None:
    rounds = [(matrix(count, seed), seed) for count in (200, 800) for seed in range(6)]
    measured = {
        name: np.mean([(label_distribution(found, split), examples_distribution(split))
                       for found, seed in rounds for split in [method(found, seed)]], axis=0)
        for name, method in (("ours", ours), ("drawn", drawn))
    }  # fmt: skip
    assert (measured["ours"] <= REFERENCE).all()
    assert (measured["ours"] < measured["drawn"] / 2).all()


def test_labels_that_never_meet_are_spread_to_the_last_image() -> None:
    found = np.repeat(np.eye(3, dtype=np.int64), [20, 40, 100], axis=0)
    split = ours(found, 0)
    table = [[int((found[split == s, label]).sum()) for s in range(3)] for label in range(3)]
    assert table == [[14, 3, 3], [28, 6, 6], [70, 15, 15]]


def test_what_has_a_split_counts_and_stays() -> None:
    found = matrix(800, 1)
    first = ours(found[:400], 0)
    fixed = np.concatenate([first, np.full(400, -1)])
    grown = stratify(labels(found), SHARES, fixed, np.arange(800))
    assert (grown[:400] == first).all()
    assert label_distribution(found, grown) <= label_distribution(found, drawn(found, 0)) / 2


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_whole_and_no_large_one_overfills_a_small_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    group = np.concatenate([group, np.full(len(group) // 3, 120)])  # one of a quarter of all images
    found = matrix(len(group), seed)
    order = np.argsort(-np.bincount(group), kind="stable")
    split = stratify(labels(found, group), SHARES, np.full(121, -1), order)[group]
    assert examples_distribution(split) < 3
    assert (split[group == 120] == 0).all()


def test_weights_of_a_label_sum_to_one_and_count_images_and_objects_in_equal_parts() -> None:
    made = Labels.of(np.array([0, 0, 1, 2]), 3, np.array([0, 0, 0, 1, 2]), np.array([0, 0, 0, 0, 0]))
    weights = {
        (int(group), int(label)): weight
        for group in range(3)
        for label, weight in zip(
            made.label[made.offsets[group] : made.offsets[group + 1]],
            made.weight[made.offsets[group] : made.offsets[group + 1]],
            strict=True,
        )
    }
    # group 0: 4 of 5 objects on 2 of 3 images; group 1: 1 of 5 on 1 of 3; group 2: all of "without an object"
    expected = {(0, 0): (4 / 5 + 2 / 3) / 2, (1, 0): (1 / 5 + 1 / 3) / 2, (2, 1): 1.0}
    assert weights == pytest.approx(expected)
