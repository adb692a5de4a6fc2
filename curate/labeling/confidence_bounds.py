"""Lower bounds of a share that hold with a stated confidence, for samples drawn image by image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Tallies of the best k boxes of a category, for every k from 1 to N.

    Attributes:
        boxes: (N,) k.
        right: (N,) how many of them are right.
        images: (N,) in how many images they lie.
        variance: (N,) of the share that is right, as it varies from image to image.
    """

    boxes: Floats
    right: Floats
    images: Floats
    variance: Floats

    @classmethod
    def of(cls, right: NDArray[np.bool_], images: NDArray[np.int64]) -> Sample:
        """Tally boxes that are ordered best score first.

        Args:
            right: (N,) whether each box is right.
            images: (N,) number of each box's image.

        Source:
            The variance of a ratio of two totals over clusters: Cochran, Sampling Techniques (3rd ed. 1977),
            chapter 6, with images as clusters: C / (C - 1) * sum (y_i - p m_i)^2 / (sum m_i)^2.
        """
        hits = right.astype(np.float64)
        earlier_boxes, earlier_hits = _earlier(images, np.ones_like(hits)), _earlier(images, hits)
        boxes = np.arange(1, len(hits) + 1).astype(np.float64)
        total, clusters = np.cumsum(hits), np.cumsum(earlier_boxes == 0).astype(np.float64)
        # Sums over images of m_i^2, y_i m_i and y_i^2, kept up to date box by box.
        squares = np.cumsum(2 * earlier_boxes + 1)
        products = np.cumsum(earlier_hits + hits * (earlier_boxes + 1))
        hit_squares = np.cumsum(hits * (2 * earlier_hits + 1))
        share = total / boxes
        spread = hit_squares - 2 * share * products + share**2 * squares
        correction = np.divide(clusters, clusters - 1, out=np.ones_like(clusters), where=clusters > 1)
        return cls(boxes, total, clusters, np.maximum(spread, 0.0) * correction / boxes**2)

    def at(self, counts: NDArray[np.intp]) -> Sample:
        """The tallies of the best `counts` boxes, each at least 1."""
        rows = counts - 1
        return Sample(self.boxes[rows], self.right[rows], self.images[rows], self.variance[rows])


def _earlier(groups: NDArray[np.int64], values: Floats) -> Floats:
    """Sum of the values of earlier rows of its group, for each row."""
    order = np.argsort(groups, kind="stable")
    running = np.cumsum(values[order]) - values[order]
    first = np.flatnonzero(np.diff(groups[order], prepend=groups[order[:1]] - 1))
    running -= np.repeat(running[first], np.diff(first, append=len(groups)))
    sums = np.empty_like(running)
    sums[order] = running
    return sums


def lower(share: ArrayLike, boxes: ArrayLike, level: ArrayLike) -> Floats:
    """One-sided lower bound of a share, which is wrong with a probability of at most `level`.

    Args:
        share: Observed, in [0, 1].
        boxes: Number of independent trials, which need not be whole.
        level: In (0, 1).

    Source:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial
        (Biometrika 26, 1934), as a quantile of the beta distribution.
    """
    p, n, alpha = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (share, boxes, level))
    )
    hits = p * n
    inside = hits > 0
    quantile = special.betaincinv(np.where(inside, hits, 1.0), n - np.where(inside, hits, 1.0) + 1.0, alpha)
    return np.where(inside, quantile, 0.0)


def effective_boxes(sample: Sample, level: ArrayLike) -> Floats:
    """How many independent boxes tell as much as those of a sample do.

    Boxes of one image are often right or wrong together. Their number is divided by the design effect (how
    much larger the variance between images makes the variance of the share), and once more for the few
    images that it is estimated from; it never grows. Where all boxes are right no variance can be estimated:
    then an image counts once.

    Args:
        sample: Tallies.
        level: Of the bound that it is meant for.

    Source:
        Korn and Graubard, Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data (Survey Methodology 24, 1998), for a one-sided bound.
    """
    share = sample.right / sample.boxes
    alone = share * (1 - share) / np.maximum(sample.boxes - 1, 1)
    certain = (alone <= 0) | (sample.images < 2)
    effect = np.divide(sample.variance, alone, out=np.ones_like(alone), where=~certain)
    tail = 1 - np.asarray(level, dtype=np.float64)
    students = special.stdtrit(np.maximum(sample.boxes - 1, 1), tail)
    of_images = special.stdtrit(np.maximum(sample.images - 1, 1), tail)
    grown = sample.boxes / np.maximum(effect, 1e-12) * (students / of_images) ** 2
    return np.where(certain, sample.images, np.minimum(grown, sample.boxes))
