"""One box and one mask from those of several people: the plain form of what `mask_fusion` has compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.geometry import masks
from curate.records import BoolArray

Values = NDArray[np.float64]
_SURE = 0.99999  # first sensitivity and specificity, as Warfield et al. begin
_ROUNDS, _TOLERANCE = 100, 1e-6


def weighted_medians(values: Values, weights: Values) -> Values:
    """The coordinate-wise medians of people's numbers, each weighed.

    A value stands at the middle of its weight on a line of length 1; the median is read at 1/2, between two
    values by interpolation. With equal weights it is the usual median; of two it is their weighted mean.

    Args:
        values: (G, M, D) of M people, for each of G objects.
        weights: (G, M) positive.

    Returns:
        (G, D).

    Examples:
        >>> import numpy as np
        >>> weighted_medians(np.array([[[0.0], [10.0]]]), np.array([[3.0, 1.0]])).tolist()
        [[2.5]]
        >>> weighted_medians(np.array([[[0.0], [1.0], [10.0]]]), np.ones((1, 3))).tolist()
        [[1.0]]
    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    shares = np.take_along_axis(
        np.broadcast_to((weights / weights.sum(axis=1, keepdims=True))[..., None], values.shape),
        order,
        axis=1,
    )
    middles = np.cumsum(shares, axis=1) - shares / 2
    after = np.minimum((middles < 0.5).sum(axis=1, keepdims=True), values.shape[1] - 1)
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(middles, place, axis=1) for place in (before, after))
    way = np.divide(0.5 - low, high - low, out=np.ones_like(low), where=high > low)
    first, last = (np.take_along_axis(ordered, place, axis=1) for place in (before, after))
    return np.asarray((first + np.clip(way, 0.0, 1.0) * (last - first))[:, 0])


def staple(rles: Sequence[str], *, width: int, height: int) -> str | None:
    """The pixels that are more probably than not of the object, by how often each person's masks are right.

    Computed on the patterns of who marked a pixel, of which there are few, within the smallest box around all
    masks: the background beyond would make every mask look specific.

    Args:
        rles: M COCO compressed counts of one object.
        width: Upright pixels of the image.
        height: Upright pixels of the image.

    Source:
        Warfield, Zou and Wells, Simultaneous truth and performance level estimation (STAPLE) (IEEE TMI 23,
        2004), without the spatial prior.
    """
    borders = [np.cumsum(masks.run_lengths(rle)) for rle in rles]
    edges = np.unique(np.concatenate([*borders, [0, width * height]]))
    starts, lengths = edges[:-1], np.diff(edges)
    marked = np.stack([np.searchsorted(border, starts, side="right") % 2 == 1 for border in borders], axis=1)
    union = marked.any(axis=1)
    if not union.any():
        return None
    boxes = masks.bboxes(rles, np.tile([[width, height]], (len(rles), 1)))
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    patterns, which = np.unique(marked, axis=0, return_inverse=True)
    pixels: Values = np.bincount(which.ravel(), weights=lengths, minlength=len(patterns)).astype(np.float64)
    nobody = ~patterns.any(axis=1)
    pixels[nobody] = (right - left) * (bottom - top) - pixels[~nobody].sum()
    chosen = staple_probability(patterns, pixels)[which.ravel()] >= 0.5
    changes = starts[np.diff(chosen & union, prepend=False)]
    runs = np.diff(changes, prepend=0, append=width * height)
    return masks.from_run_lengths(runs, width=width, height=height)


def staple_probability(patterns: BoolArray, pixels: Values) -> Values:
    """How probably pixels of each pattern are of the object.

    Args:
        patterns: (P, M) who marked such pixels.
        pixels: (P,) how many there are.

    Returns:
        (P,) in [0, 1].
    """
    marked = patterns.astype(np.float64)
    total = pixels.sum()
    prior = float((pixels @ marked).sum() / (total * patterns.shape[1]))
    sensitivity = specificity = np.full(patterns.shape[1], _SURE)
    there = np.zeros(len(patterns))
    for _ in range(_ROUNDS):
        yes = prior * np.where(patterns, sensitivity, 1 - sensitivity).prod(axis=1)
        no = (1 - prior) * np.where(patterns, 1 - specificity, specificity).prod(axis=1)
        before, there = there, yes / np.maximum(yes + no, 1e-300)
        if np.abs(there - before).max() < _TOLERANCE:
            break
        sure, unsure = there * pixels, (1 - there) * pixels
        sensitivity = np.clip(sure @ marked / max(sure.sum(), 1e-300), 1e-9, _SURE)
        specificity = np.clip(unsure @ (1 - marked) / max(unsure.sum(), 1e-300), 1e-9, _SURE)
    return there
