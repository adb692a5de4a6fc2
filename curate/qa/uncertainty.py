"""How unsure the models are of each image, and why.

An image is as uncertain as the worst thing about it, each measured from 0 (nothing) to 1:

- `score`: a box near its category's threshold, above or (where rejected boxes are kept) below it:
  1 - |score - threshold| / near;
- `mask`: the segmenter and the detector disagree: (min_iou - IoU) / min_iou for the IoU of the mask's box
  with the detector's; 1 for a suggestion without a mask where others have one, because the stage autolabel
  found none that fits;
- `category`: two boxes of different categories on one object (IoU of at least a half) with close scores:
  1 - |difference| / near. Needs `autolabel.across: keep_both`, or `keep_rejects`.

Source:
    Least confidence and margin sampling, Settles, Active Learning Literature Survey (2009), section 3.1, here
    around the threshold that decides, instead of around one half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.geometry.grouped_matching import paired_iou
from curate.qa.suggestions import Floats, Ints, Suggestions

SCORE, MASK, CATEGORY = 0, 1, 2
_ONE_OBJECT = 0.5  # IoU


@dataclass(frozen=True, slots=True)
class Doubt:
    """The worst thing about each image.

    Attributes:
        value: (N,) in [0, 1]; 0 = nothing speaks against the suggestions, or there are none.
        kind: (N,) SCORE, MASK or CATEGORY; -1 where the value is 0.
        row: (N,) the box, a row of `Suggestions`; -1 where the value is 0.
        other: (N,) of kind CATEGORY the other box; -1 elsewhere.
    """

    value: Floats
    kind: Ints
    row: Ints
    other: Ints


def judge(found: Suggestions, images: int, thresholds: Floats, *, near: float, mask_iou: float) -> Doubt:
    """The doubt about every image.

    Args:
        found: What models said.
        images: Number of kept images, N.
        thresholds: (C,) of the taxonomy's categories.
        near: Difference of scores from which on nothing is uncertain.
        mask_iou: IoU from which on mask and box agree.
    """
    reasons = [_scores(found, thresholds, near), _masks(found, mask_iou), _categories(found, near)]
    row = np.concatenate([part[0] for part in reasons])
    other = np.concatenate([part[1] for part in reasons])
    value = np.concatenate([part[2] for part in reasons])
    kind = np.repeat(np.arange(len(reasons)), [len(part[0]) for part in reasons])
    order = np.lexsort((row, kind, -value, found.images[row]))
    order = order[value[order] > 0]
    image, first = np.unique(found.images[row][order], return_index=True)
    best = order[first]
    doubt = Doubt(np.zeros(images), *(np.full(images, -1, dtype=np.int64) for _ in range(3)))
    doubt.value[image], doubt.kind[image] = value[best], kind[best]
    doubt.row[image], doubt.other[image] = row[best], other[best]
    return doubt


def words(
    doubt: Doubt, images: Ints, found: Suggestions, names: Sequence[str], thresholds: Floats
) -> list[str]:
    """Say why each of some images is uncertain: "stop_sign: score 0.31, threshold 0.30"."""
    texts = []
    for image in images.tolist():
        row, other, kind = int(doubt.row[image]), int(doubt.other[image]), int(doubt.kind[image])
        if kind == -1:
            texts.append("uncertain when it was planned")
            continue
        category, score = int(found.categories[row]), found.scores[row]
        name = names[category] if category >= 0 else "unknown category"
        if kind == SCORE:
            texts.append(f"{name}: score {score:.2f}, threshold {thresholds[category]:.2f}")
        elif kind == MASK:
            iou = found.mask_iou[row]
            texts.append(
                f"{name}: no mask fits the box"
                if np.isnan(iou)
                else f"{name}: mask and box overlap with IoU {iou:.2f}"
            )
        else:
            second = int(found.categories[other])
            texts.append(
                f"{name} {score:.2f} or {names[second] if second >= 0 else 'unknown category'} "
                f"{found.scores[other]:.2f}"
            )
    return texts


_Part = tuple[Ints, Ints, Floats]  # row, other row or -1, value


def _scores(found: Suggestions, thresholds: Floats, near: float) -> _Part:
    rows = np.flatnonzero((found.categories >= 0) & ~np.isnan(found.scores))
    gap = np.abs(found.scores[rows] - thresholds[found.categories[rows]])
    return _above_zero(rows, np.full(len(rows), -1), 1 - gap / near)


def _masks(found: Suggestions, min_iou: float) -> _Part:
    rows = np.flatnonzero(found.shown)
    iou = found.mask_iou[rows]
    segmented = bool((~np.isnan(iou)).any())
    value = np.where(np.isnan(iou), 1.0 if segmented else 0.0, (min_iou - iou) / min_iou)
    return _above_zero(rows, np.full(len(rows), -1), value)


def _categories(found: Suggestions, near: float) -> _Part:
    """Pairs of boxes of one image: each with the next, with the one after that, and so on."""
    first: list[Ints] = [np.zeros(0, dtype=np.int64)]
    second: list[Ints] = [np.zeros(0, dtype=np.int64)]
    rows: Ints = np.arange(len(found.images))
    for lag in range(1, len(rows)):
        rows = rows[rows + lag < len(found.images)]
        rows = rows[found.images[rows] == found.images[rows + lag]]
        if not len(rows):
            break
        first.append(rows)
        second.append(rows + lag)
    a, b = np.concatenate(first), np.concatenate(second)
    differ = (found.categories[a] != found.categories[b]) & (found.shown[a] | found.shown[b])
    a, b = a[differ], b[differ]
    close = paired_iou(found.boxes[a], found.boxes[b]) >= _ONE_OBJECT
    a, b = a[close], b[close]
    return _above_zero(a, b, 1 - np.abs(found.scores[a] - found.scores[b]) / near)


def _above_zero(rows: NDArray[np.int64], others: NDArray[np.int64], value: Floats) -> _Part:
    there = value > 0  # not where a score is missing: NaN
    return rows[there], others[there], np.minimum(value[there], 1.0)
