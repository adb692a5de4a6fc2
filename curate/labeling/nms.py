"""Which of the boxes that a detector found stay, and why each of the others does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curate.geometry.boxes import area, box_iou, intersection
from curate.records import Detections, FloatArray

Indices = NDArray[np.intp]
Across = Literal["keep_best", "keep_both"]
# In the order in which they are looked for: a box has the first reason that holds.
REASONS = ("under_threshold", "too_small", "repeats", "inside", "other_category", "surplus")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a box must be to stay.

    Attributes:
        thresholds: Least score of each category, in [0, 1].
        min_side: Least width and height, in pixels.
        iou: A box with a larger IoU to a better one that stays is dropped; so is an identical box.
        containment: A box of which at least this share lies in a better one of its category, or that holds at
            least this share of a better one, is dropped; None = none is.
        across: keep_best = `iou` holds between categories too; keep_both = one object may have several.
        max_boxes: The best so many stay.
    """

    thresholds: Mapping[str, float]
    min_side: float
    iou: float
    containment: float | None
    across: Across
    max_boxes: int


def sift(found: Detections, rules: Rules) -> tuple[Indices, list[str | None]]:
    """Tell the boxes that stay from those that do not.

    First each box for itself (score, size), then within each category, then across categories, then the
    number. On a tie of scores the earlier box is the better one. A box that was dropped drops no other.

    Args:
        found: Boxes of one image.
        rules: What a box must be to stay.

    Returns:
        Indices of the boxes that stay, best first; and for every box one of `REASONS`, None where it stays.
    """
    categories = np.array(found.categories, dtype=np.str_)
    reasons = np.full(len(categories), "", dtype=np.dtypes.StringDType())
    min_scores = np.array([rules.thresholds[name] for name in found.categories], dtype=np.float32)
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    reasons[(sides < rules.min_side).any(axis=1)] = "too_small"
    reasons[found.scores < min_scores] = "under_threshold"
    for name in sorted(set(found.categories)):
        members = np.flatnonzero((reasons == "") & (categories == name))
        _drop_repeats(found, members, reasons, rules)
    left = np.flatnonzero(reasons == "")
    if rules.across == "keep_best":
        better = _dropped_by(found.scores[left], _overlaps(found.boxes[left], rules.iou))
        reasons[left[better >= 0]] = "other_category"
        left = left[better < 0]
    left = left[np.argsort(-found.scores[left], kind="stable")]
    reasons[left[rules.max_boxes :]] = "surplus"
    return left[: rules.max_boxes], [reason or None for reason in reasons.tolist()]


def _drop_repeats(found: Detections, members: Indices, reasons: NDArray[Any], rules: Rules) -> None:
    """Name the boxes of one category that repeat a better one, or lie in one or around one."""
    boxes = found.boxes[members]
    overlaps = _overlaps(boxes, rules.iou)
    drops = overlaps
    if rules.containment is not None:
        drops = overlaps | (_containment(boxes) >= rules.containment)
    better = _dropped_by(found.scores[members], drops)
    dropped = np.flatnonzero(better >= 0)
    repeats = overlaps[better[dropped], dropped]
    reasons[members[dropped[repeats]]] = "repeats"
    reasons[members[dropped[~repeats]]] = "inside"


def _overlaps(boxes: FloatArray, threshold: float) -> NDArray[np.bool_]:
    iou = box_iou(boxes, boxes)
    return np.asarray((iou > threshold) | (iou >= 1.0))


def _containment(boxes: FloatArray) -> NDArray[np.float64]:
    """Share of the smaller of two boxes that lies in the other one: (N, N) in [0, 1]."""
    areas = area(boxes)
    smaller = np.minimum(areas[:, None], areas[None, :])
    shared = intersection(boxes, boxes)
    return np.asarray(np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0))


def _dropped_by(scores: FloatArray, drops: NDArray[np.bool_]) -> Indices:
    """Greedy suppression: for each box the best one that stays and drops it; -1 where it stays itself.

    Args:
        scores: (N,).
        drops: (N, N), symmetric: of two such boxes the worse is dropped, the later one on a tie.
    """
    order = np.argsort(-scores, kind="stable")
    drops = drops[np.ix_(order, order)]
    better = np.full(len(order), -1, dtype=np.intp)
    for i in range(len(order)):
        if better[i] < 0:
            later = better[i + 1 :]  # a view
            later[drops[i, i + 1 :] & (later < 0)] = i
    result = np.full(len(order), -1, dtype=np.intp)
    result[order] = np.where(better >= 0, order[better], -1)
    return result
