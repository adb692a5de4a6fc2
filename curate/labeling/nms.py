"""Which of several boxes on one object stay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from curate.geometry.boxes import box_iou
from curate.records import Detections, FloatArray


def above_threshold(found: Detections, thresholds: Mapping[str, float]) -> Detections:
    """Only the boxes that reach the threshold of their category."""
    least = np.array([thresholds[category] for category in found.categories], dtype=np.float32)
    return found.take(np.flatnonzero(found.scores >= least))


def suppress(found: Detections, *, iou_threshold: float, max_boxes: int) -> Detections:
    """Drop boxes that repeat a better one: first within each category, then across categories.

    Args:
        found: Boxes of one image.
        iou_threshold: A box with a larger IoU to a better one that stays is dropped; so is an identical box.
        max_boxes: The best so many stay.

    Returns:
        Best score first; the earlier one on a tie.
    """
    categories = np.array(found.categories, dtype=np.str_)
    survivors = [
        members[greedy_nms(found.boxes[members], found.scores[members], iou_threshold)]
        for members in (np.flatnonzero(categories == name) for name in sorted(set(found.categories)))
    ]
    best_a_category = found.take(np.sort(np.concatenate(survivors))) if survivors else found
    kept = greedy_nms(best_a_category.boxes, best_a_category.scores, iou_threshold)
    return best_a_category.take(kept[:max_boxes])


def greedy_nms(boxes: FloatArray, scores: FloatArray, iou_threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4) xyxy pixels.
        scores: (N,).
        iou_threshold: IoU in [0, 1].

    Returns:
        Indices of the boxes that stay, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    iou = box_iou(boxes[order], boxes[order])
    repeats = (iou > iou_threshold) | (iou >= 1.0)
    stays = np.ones(len(order), dtype=np.bool_)
    for i in range(len(order)):
        if stays[i]:
            stays[i + 1 :] &= ~repeats[i, i + 1 :]
    return order[stays]
