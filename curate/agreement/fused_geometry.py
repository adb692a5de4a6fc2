"""One box and one mask from those of several people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from curate.geometry import masks
from curate.records import BoolArray

Values = NDArray[np.float64]
_PAIR = 2
_SURE = 0.99999  # first sensitivity and specificity, as Warfield et al. begin
_ROUNDS, _TOLERANCE = 100, 1e-6


def weighted_median(values: Values, weights: Values) -> Values:
    """The coordinate-wise median of people's numbers, each weighed.

    A value stands at the middle of its weight on a line of length 1; the median is read at 1/2, between two
    values by interpolation. With equal weights it is the usual median; of two it is their weighted mean.

    Args:
        values: (M, D) of M people.
        weights: (M,) positive.

    Returns:
        (D,).

    Examples:
        >>> import numpy as np
        >>> weighted_median(np.array([[0.0], [10.0]]), np.array([3.0, 1.0])).tolist()
        [2.5]
        >>> weighted_median(np.array([[0.0], [1.0], [10.0]]), np.ones(3)).tolist()
        [1.0]
    """
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    shares = (weights / weights.sum())[order]
    middles = np.cumsum(shares, axis=0) - shares / 2
    columns = range(values.shape[1])
    return np.array([np.interp(0.5, middles[:, d], ordered[:, d]) for d in columns])


def fuse_masks(rles: Sequence[str], weights: Values, *, width: int, height: int) -> str | None:
    """One mask from several people's of one object.

    One stays as it is. Of two it is the shape between: the pixels whose signed distances to both outlines
    have a mean, weighed, of at least 0. Of three or more it is STAPLE's.

    Args:
        rles: M COCO compressed counts.
        weights: (M,) positive, of the people; only two masks use them.
        width: Upright pixels of the image.
        height: Upright pixels of the image.

    Returns:
        None if there is no mask, or nothing of them remains.

    Source:
        Two: Raya and Udupa, Shape-based interpolation of multidimensional objects (IEEE TMI 9, 1990).
    """
    if len(rles) <= 1 or len(set(rles)) == 1:
        return rles[0] if rles else None
    if len(rles) > _PAIR:
        return staple(rles, width=width, height=height)
    first, second = (masks.decode(rle, width=width, height=height) for rle in rles)
    window = _window(first | second)
    share = weights / weights.sum()
    middle = np.zeros_like(first)
    between = share[0] * _signed_distance(first[window]) + share[1] * _signed_distance(second[window])
    middle[window] = between >= 0
    return masks.encode(middle) if middle.any() else None


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


def _window(mask: BoolArray) -> tuple[slice, slice]:
    """The smallest window around a mask, a pixel wider on each side where the image allows."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - 1), int(rows[-1]) + 2),
        slice(max(0, columns[0] - 1), int(columns[-1]) + 2),
    )


def _signed_distance(mask: BoolArray) -> Values:
    """Pixels to the outline, positive inside; the border of the image is no outline."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, float(max(mask.shape)) * (1 if mask.any() else -1))
    inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
    return np.asarray(np.where(mask, inside - 0.5, 0.5 - outside))
