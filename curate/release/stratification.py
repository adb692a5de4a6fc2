"""Iterative stratification: groups into splits, so that every label is as near to the shares as groups allow.

Source: K. Sechidis, G. Tsoumakas, I. Vlahavas 2011, "On the Stratification of Multi-Label Data", figure 1.
The label with the fewest examples left comes first, for later there would be nothing to put it right with.
The paper gives an example to the split that misses most of that one label. Here it goes where the squared
distance from the shares, over all its labels and its images, falls most: an example may be a group of many
images and objects, which a small split must not get only because it misses some. Some groups may have their
split before it begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of G groups, and how much of each; E entries, ordered by group.

    Attributes:
        offsets: (G + 1,) entries of group g are offsets[g] to offsets[g + 1].
        label: (E,) number of the label, from 0.
        weight: (E,) share of the label that the group holds; over all groups a label's shares sum to 1.
        size: (G,) images of the group.
    """

    offsets: NDArray[np.int64]
    label: NDArray[np.int64]
    weight: NDArray[np.float64]
    size: NDArray[np.int64]

    @classmethod
    def of(
        cls, group: NDArray[np.int64], n_groups: int, image: NDArray[np.int64], label: NDArray[np.int64]
    ) -> Labels:
        """Count labels by group.

        Args:
            group: (N,) group of each image, 0 to n_groups - 1.
            n_groups: How many there are.
            image: (M,) the image of each object.
            label: (M,) its label. Images without an object get a label of their own behind the last.
        """
        n_labels = int(label.max(initial=-1)) + 1
        without = np.setdiff1d(np.arange(len(group)), image)
        image, label = np.append(image, without), np.append(label, np.full(len(without), n_labels))
        n_labels += 1
        objects = _counts(group[image] * n_labels + label)
        once = np.unique(image * n_labels + label)
        on_images = _counts(group[once // n_labels] * n_labels + once % n_labels)
        of_label, of_group = objects[0] % n_labels, objects[0] // n_labels
        weight = np.zeros(len(of_label))
        for _, counts in (objects, on_images):
            weight += counts / np.bincount(of_label, counts, n_labels)[of_label] / 2
        offsets = np.searchsorted(of_group, np.arange(n_groups + 1))
        return cls(offsets.astype(np.int64), of_label, weight, np.bincount(group, minlength=n_groups))


def _counts(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    values, counts = np.unique(keys, return_counts=True)
    return values, counts


def stratify(
    labels: Labels, shares: Sequence[float], fixed: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give every group a split.

    Args:
        labels: What the groups hold.
        shares: (S,) share of each split, positive, sum 1.
        fixed: (G,) split of groups that have one; -1 = to be assigned.
        order: (G,) all groups, in the order in which equals are taken: large ones first is best.

    Returns:
        (G,) the split of each group.
    """
    split = fixed.copy()
    state = _State(labels, shares, fixed)
    by_label: list[list[int]] = [[] for _ in state.left]
    bounds = labels.offsets.tolist()
    entries = labels.label.tolist()
    for group in order[fixed[order] < 0].tolist():
        for label in entries[bounds[group] : bounds[group + 1]]:
            by_label[label].append(group)
    while True:
        open_labels = [label for label, left in enumerate(state.left) if left]
        if not open_labels:
            return split
        rarest = min(open_labels, key=state.left.__getitem__)
        for group in by_label[rarest]:
            if split[group] < 0:
                split[group] = state.take(group)


class _State:
    """What every split still misses, of each label and of all images, as shares of them all."""

    def __init__(self, labels: Labels, shares: Sequence[float], fixed: NDArray[np.int64]) -> None:
        n_labels = int(labels.label.max(initial=-1)) + 1
        of_entry = np.repeat(fixed, np.diff(labels.offsets))
        self._size = (labels.size / max(1, labels.size.sum())).tolist()
        size = np.array(self._size)
        self._missing = [  # the images stand behind the labels
            [
                *(
                    share - np.bincount(labels.label[of_entry == s], labels.weight[of_entry == s], n_labels)
                ).tolist(),
                share - float(size[fixed == s].sum()),
            ]
            for s, share in enumerate(shares)
        ]
        self._shares = list(shares)
        self._bounds = labels.offsets.tolist()
        self._label, self._weight = labels.label.tolist(), labels.weight.tolist()
        self.left: list[int] = np.bincount(labels.label[of_entry < 0], minlength=n_labels).tolist()

    def take(self, group: int) -> int:
        """The split of a group; what it holds is subtracted from what the split misses."""
        start, stop = self._bounds[group], self._bounds[group + 1]
        labels, weights, size = self._label[start:stop], self._weight[start:stop], self._size[group]
        square = size * size
        for weight in weights:
            square += weight * weight
        chosen, min_growth = 0, math.inf
        for split, missing in enumerate(self._missing):
            product = size * missing[-1]
            for label, weight in zip(labels, weights, strict=True):
                product += weight * missing[label]
            # by how much the sum of (what is missing)^2 / share grows
            growth = (square - 2 * product) / self._shares[split]
            if growth < min_growth:
                chosen, min_growth = split, growth
        missing = self._missing[chosen]
        missing[-1] -= size
        for label, weight in zip(labels, weights, strict=True):
            missing[label] -= weight
            self.left[label] -= 1
        return chosen
