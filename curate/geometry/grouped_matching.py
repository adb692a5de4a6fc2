"""Matching of many small sets of boxes at once: all images, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.geometry.boxes import Boxes, area
from curate.geometry.matching import Indices, Matches, match

_CHUNK_PAIRS = 2_000_000  # pairs of boxes held at once: about 200 MB


@dataclass(frozen=True, slots=True)
class Grouped:
    """Boxes of many groups (images, or answers), rows of a group next to each other.

    Attributes:
        group: (N,) int64, rising, from 0.
        boxes: (N, 4) xyxy, upright pixels.
        categories: (N,) int64 codes.
    """

    group: NDArray[np.int64]
    boxes: Boxes
    categories: NDArray[np.int64]

    def take(self, rows: Indices) -> Grouped:
        """Some rows, in rising order."""
        return Grouped(self.group[rows], self.boxes[rows], self.categories[rows])

    def borders(self, groups: int) -> Indices:
        """(groups + 1,) first row of each group, and the end."""
        return np.asarray(np.searchsorted(self.group, np.arange(groups + 1)), dtype=np.intp)


def paired_iou(boxes_a: Boxes, boxes_b: Boxes) -> NDArray[np.float64]:
    """IoU (N,) of the boxes (N, 4) of one set with those of the other, row by row."""
    corner_1 = np.maximum(boxes_a[:, :2], boxes_b[:, :2])
    corner_2 = np.minimum(boxes_a[:, 2:], boxes_b[:, 2:])
    shared = np.clip(corner_2 - corner_1, 0.0, None).prod(axis=1)
    union = area(boxes_a) + area(boxes_b) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def best_iou(first: Grouped, second: Grouped) -> NDArray[np.float64]:
    """The greatest IoU (N,) of each box of the first with any of its group's in the second; 0 without one."""
    best = np.zeros(len(first.group))
    for rows_a, rows_b in _pairs(first, second):
        np.maximum.at(best, rows_a, paired_iou(first.boxes[rows_a], second.boxes[rows_b]))
    return best


def match_groups(first: Grouped, second: Grouped, names: Sequence[str], *, iou_threshold: float) -> Matches:
    """What `matching.match` gives for each group, for all groups at once.

    Where no box has a choice of partners, the matches are the pairs over the threshold and need no
    assignment; the other groups go through `match` one by one.

    Args:
        first: Boxes of all groups.
        second: Boxes of the same groups.
        names: Category names by code.
        iou_threshold: Least IoU of a match, in (0, 1].

    Returns:
        Row numbers of both, ordered by the first.
    """
    found: list[tuple[Indices, Indices, NDArray[np.float64]]] = []
    found.append((np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)))
    for rows_a, rows_b in _pairs(first, second):
        iou = paired_iou(first.boxes[rows_a], second.boxes[rows_b])
        near = iou >= iou_threshold
        a, b, iou = rows_a[near], rows_b[near], iou[near]
        choice = _repeated(a) | _repeated(b)
        crowded = np.unique(first.group[a[choice]])
        alone = ~np.isin(first.group[a], crowded)
        found.append((a[alone], b[alone], iou[alone]))
        found += [_one_by_one(first, second, names, int(group), iou_threshold) for group in crowded]
    a, b, iou = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(a, kind="stable")
    return Matches(a[order], b[order], iou[order])


def _pairs(first: Grouped, second: Grouped) -> Iterator[tuple[Indices, Indices]]:
    """Every row of a group with every row of the other's, some groups at a time."""
    groups = int(max(first.group.max(initial=-1), second.group.max(initial=-1))) + 1
    starts_a, starts_b = first.borders(groups), second.borders(groups)
    size_a, size_b = np.diff(starts_a), np.diff(starts_b)
    pairs = size_a * size_b
    total = np.cumsum(pairs)
    at = 0
    while at < groups:
        before = total[at - 1] if at else 0
        until = max(at + 1, int(np.searchsorted(total, before + _CHUNK_PAIRS, side="right")))
        count = pairs[at:until]
        group = np.repeat(np.arange(at, until), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        yield starts_a[group] + within // size_b[group], starts_b[group] + within % size_b[group]
        at = until


def _repeated(rows: Indices) -> NDArray[np.bool_]:
    """Whether each row occurs more than once."""
    _, inverse, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _one_by_one(
    first: Grouped, second: Grouped, names: Sequence[str], group: int, iou_threshold: float
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    ends = [np.searchsorted(side.group, [group, group + 1]) for side in (first, second)]
    (a0, a1), (b0, b1) = ends
    matched = match(
        first.boxes[a0:a1],
        second.boxes[b0:b1],
        [names[code] for code in first.categories[a0:a1]],
        [names[code] for code in second.categories[b0:b1]],
        iou_threshold=iou_threshold,
    )
    return matched.a + a0, matched.b + b0, matched.iou
