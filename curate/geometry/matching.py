"""Which boxes of two people mean the same object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from curate.errors import RecordError
from curate.geometry.boxes import as_boxes, box_iou

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Matches:
    """One-to-one matches between two sets of boxes, ordered by `a`.

    Attributes:
        a: (K,) indices into the first set.
        b: (K,) indices into the second set.
        iou: (K,) float64, at least the threshold.
    """

    a: Indices
    b: Indices
    iou: NDArray[np.float64]


def match(
    boxes_a: ArrayLike,
    boxes_b: ArrayLike,
    categories_a: Sequence[str],
    categories_b: Sequence[str],
    *,
    iou_threshold: float,
) -> Matches:
    """Match boxes one to one, so that the sum of IoU is greatest.

    Two passes: first within each category; then, among what is left over, whatever the category. A match of
    the second pass is an object that two people see but name differently. The order of the rows does not
    matter: ties are settled by the boxes' coordinates and categories.

    Args:
        boxes_a: (N, 4) xyxy pixels.
        boxes_b: (M, 4) xyxy pixels.
        categories_a: N names.
        categories_b: M names.
        iou_threshold: Least IoU of a match, in (0, 1].

    Raises:
        RecordError: Numbers of boxes and of categories differ.

    Source:
        The assignment problem (Kuhn 1955), solved by SciPy's `linear_sum_assignment` (Crouse 2016).

    Examples:
        >>> found = match([[0, 0, 10, 10]], [[1, 1, 10, 10], [50, 50, 60, 60]], ['car'], ['car', 'bus'],
        ...               iou_threshold=0.5)
        >>> found.a.tolist(), found.b.tolist(), found.iou.round(2).tolist()
        ([0], [0], [0.81])
    """
    a, b = as_boxes(boxes_a), as_boxes(boxes_b)
    if len(a) != len(categories_a) or len(b) != len(categories_b):
        raise RecordError(
            f"{len(a)} and {len(b)} boxes, but {len(categories_a)} and {len(categories_b)} categories"
        )
    order_a, order_b = canonical_order(a, categories_a), canonical_order(b, categories_b)
    iou = box_iou(a[order_a], b[order_b])
    gain = np.where(iou >= iou_threshold, iou, 0.0)
    rows, columns = assign_by_category(
        gain, [categories_a[i] for i in order_a], [categories_b[i] for i in order_b]
    )
    matched_a, matched_b = order_a[rows], order_b[columns]
    by_a = np.argsort(matched_a, kind="stable")
    return Matches(matched_a[by_a], matched_b[by_a], iou[rows, columns][by_a])


def assign_by_category(
    gain: NDArray[np.float64], categories_a: Sequence[str], categories_b: Sequence[str]
) -> tuple[Indices, Indices]:
    """The one-to-one assignment with the greatest sum of gain, within categories first, then among the rest.

    Args:
        gain: (N, M) at least 0; pairs without gain are never assigned.
        categories_a: N names.
        categories_b: M names.

    Returns:
        Rows and columns of the assigned pairs.
    """
    names_a, names_b = np.array(categories_a, dtype=object), np.array(categories_b, dtype=object)
    same = names_a[:, None] == names_b[None, :]
    rows, columns = _assign(np.where(same, gain, 0.0))
    left = gain.copy()
    left[rows, :] = 0.0
    left[:, columns] = 0.0
    more_rows, more_columns = _assign(left)
    return np.concatenate([rows, more_rows]), np.concatenate([columns, more_columns])


def canonical_order(boxes: ArrayLike, categories: Sequence[str]) -> Indices:
    """Indices (N,) that order boxes by x1, y1, x2, y2, then category: the same for any order of the rows."""
    rows = as_boxes(boxes).tolist()
    keys = [(*row, category) for row, category in zip(rows, categories, strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def _assign(gain: NDArray[np.float64]) -> tuple[Indices, Indices]:
    """Rows and columns of the best one-to-one assignment; pairs without gain are left out."""
    if not gain.any():
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    real = gain[rows, columns] > 0.0
    return np.asarray(rows[real], dtype=np.intp), np.asarray(columns[real], dtype=np.intp)
