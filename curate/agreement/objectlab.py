"""ObjectLab's score of each image: how likely its boxes are right, by what a model finds there.

Own code over arrays, since cleanlab's takes a Python loop a pair of boxes and brings pandas; a test holds
both against each other.

Source:
    Tkachenko, Thyagarajan and Mueller, "ObjectLab: Automated diagnosis of mislabeled images in object
    detection data" (2023, https://arxiv.org/abs/2309.00832), with the settings of cleanlab 2.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.geometry.boxes import box_iou

Values = NDArray[np.float64]
_OVERLAP_SHARE = 0.9  # of the similarity of two boxes; the rest is their distance
_DISTANCE_RATE = 0.1  # of the decay with the distance of centers, per pixel
_SURE, _LIKELY = 0.95, 0.5  # scores that count for missing and misnamed objects, and for badly placed ones
_SAME_PLACE = 0.95  # IoU of two labels of one object
_TEMPERATURE = 0.1  # of the soft minimum over the boxes of an image
_TINY = 1e-100


@dataclass(frozen=True, slots=True)
class Boxes:
    """Objects of one image.

    Attributes:
        corners: (N, 4) xyxy pixels.
        names: (N,) categories.
        scores: (N,) of a model, in [0, 1]; of labels nobody asks for them.
    """

    corners: Values
    names: NDArray[np.object_]
    scores: Values


def image_scores(labels: Sequence[Boxes], predictions: Sequence[Boxes]) -> Values:
    """The score of each image, in [0, 1]: low = look at it.

    Args:
        labels: Of each image.
        predictions: Of each image, in the same order.

    Examples:
        >>> box = np.array([[10.0, 10.0, 50.0, 50.0]])
        >>> car, nothing = np.array(["car"], dtype=object), np.zeros(0)
        >>> empty = Boxes(np.zeros((0, 4)), nothing.astype(object), nothing)
        >>> found = Boxes(box, car, np.array([0.99]))
        >>> image_scores([Boxes(box, car, nothing), empty], [found, found]).round(3).tolist()
        [1.0, 0.215]
    """
    overlaps = [box_iou(a.corners, b.corners) for a, b in zip(labels, predictions, strict=True)]
    alike = [_similarity(a, b, iou) for a, b, iou in zip(labels, predictions, overlaps, strict=True)]
    min_similarity = min((float(one[one > 0].min()) for one in alike if (one > 0).any()), default=1.0)
    scores = np.empty(len(labels))
    for at, (label, found) in enumerate(zip(labels, predictions, strict=True)):
        parts = (
            _missing(label, found, overlaps[at], alike[at], min_similarity),
            _badly_placed(label, found, overlaps[at], alike[at]),
            _misnamed(label, found, alike[at], min_similarity),
        )
        scores[at] = np.exp(np.mean([np.log(_TINY + _soft_minimum(part)) for part in parts]))
    return scores


def _similarity(labels: Boxes, found: Boxes, iou: Values) -> Values:
    centers_a, centers_b = (
        np.stack([(one[:, 0] + one[:, 2]) / 2, (one[:, 1] + one[:, 3]) / 2], axis=1)
        for one in (labels.corners, found.corners)
    )
    apart = np.hypot(*(centers_a[:, None, :] - centers_b[None, :, :]).transpose(2, 0, 1))
    return np.asarray(_OVERLAP_SHARE * iou + (1 - _OVERLAP_SHARE) * np.exp(-_DISTANCE_RATE * apart))


def _missing(labels: Boxes, found: Boxes, iou: Values, alike: Values, min_similarity: float) -> Values:
    """How near each sure prediction that touches no label is to a label of its name."""
    rows = []
    for at in np.flatnonzero((found.scores >= _SURE) & ~(iou > 0).any(axis=0)):
        same = alike[labels.names == found.names[at], at]
        rows.append(float(same.max()) if len(same) else min_similarity * (1 - float(found.scores[at])))
    return np.array(rows)


def _badly_placed(labels: Boxes, found: Boxes, iou: Values, alike: Values) -> Values:
    """How alike each label is to the best likely prediction of its name that touches it."""
    counts = (labels.names[:, None] == found.names[None, :]) & (found.scores > _LIKELY)[None, :] & (iou > 0)
    best = np.where(counts, alike, -1.0).max(axis=1, initial=-1.0)
    return np.where(best < 0, 1.0, best)


def _misnamed(labels: Boxes, found: Boxes, alike: Values, min_similarity: float) -> Values:
    """How far each label is from the nearest sure prediction of another name."""
    other = (labels.names[:, None] != found.names[None, :]) & (found.scores > _SURE)[None, :]
    nearest = np.where(other, alike, -1.0).max(axis=1, initial=-1.0)
    scores = np.where(nearest < 0, 1.0, np.maximum(min_similarity, 1 - nearest))
    twice = (box_iou(labels.corners, labels.corners) >= _SAME_PLACE) & (
        labels.names[:, None] != labels.names[None, :]
    )
    return np.where(twice.any(axis=1), min_similarity, scores)


def _soft_minimum(scores: Values) -> float:
    """1 for none."""
    if not len(scores):
        return 1.0
    weights = np.exp(-(scores - scores.min()) / _TEMPERATURE)
    return float(weights @ scores / weights.sum())
