"""Figures of quality control: means and ratios of sums over images, with intervals from resampled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from curate.intervals import Figure, Scale, Sums, resampled_sums, t_interval

Values = NDArray[np.float64]
MIN_IMAGES = 10  # below, an interval by resampling is too narrow
TOO_FEW = f"fewer than {MIN_IMAGES} images"


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: `resamples` of the images (0 = none), from `seed`."""

    resamples: int
    seed: int = 0


def f1(same: Values, objects: Values, image: NDArray[np.int64], how: Resampling) -> Figure:
    """Detection F1 from counts of answers.

    Args:
        same: (N,) matched pairs of one category, by answer.
        objects: (N,) objects of both sides.
        image: (N,) image of each answer: the unit that is resampled.
        how: Of the interval.

    Source:
        2 TP / (2 TP + FP + FN) (van Rijsbergen 1979) = 2 x matched pairs of one category / objects of both.
    """
    return ratio(2 * same, objects, image, how)


def ratio(
    top: Values, bottom: Values, image: NDArray[np.int64], how: Resampling, *, scale: Scale = "share"
) -> Figure:
    """A ratio of two sums over answers, with a t-interval (`curate.intervals.t_interval`).

    `n` is the number of images.

    Args:
        top: (N,) contribution of each answer.
        bottom: (N,) likewise.
        image: (N,) image of each answer.
        how: Of the interval.
        scale: What the ratio can be: `share` = 0 to 1, `positive` = anything above 0.
    """
    sums = resampled(np.stack([top, bottom], axis=1), image, how)
    return sums.figure(lambda sums: quotient(sums[..., 0], sums[..., 1]), scale=scale)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Sums over images and over resamples of them: any number of figures from one drawing.

    Attributes:
        images: How many.
        total: (F,) sums.
        drawn: (R, F) sums of resamples.
    """

    images: int
    total: Sums
    drawn: Sums

    def figure(self, compute: Callable[[Sums], Values], *, scale: Scale, images: int | None = None) -> Figure:
        """A figure from sums (..., F) to (...), NaN where undefined.

        No interval, no figure: where there are too few images for one, the value is None, with the reason.

        Args:
            compute: The figure.
            scale: Of the interval.
            images: Number of images that decide how sure it is; None = all.
        """
        value = float(compute(self.total)) if self.images else float("nan")
        if np.isnan(value):
            return Figure(None, None, None, self.images, "nothing to measure")
        if self.images < MIN_IMAGES:
            return Figure(None, None, None, self.images, TOO_FEW)
        if not len(self.drawn):
            return Figure(value, None, None, self.images, "no resamples were asked for")
        ends = t_interval(value, compute(self.drawn), images or self.images, scale=scale)
        if ends is None:
            return Figure(None, None, None, self.images, "undefined in too many resamples")
        return Figure(value, ends[0], ends[1], self.images)


def resampled(
    parts: Values | coo_array,
    image: NDArray[np.int64],
    how: Resampling,
    *,
    strata: NDArray[np.int64] | None = None,
) -> Resampled:
    """Add up the contributions of answers by image, and resample the images.

    Args:
        parts: (N, F) contributions of each answer.
        image: (N,) image of each answer.
        how: Of the resamples.
        strata: (N,) group of each answer's image, for a stratified bootstrap.
    """
    names, first, unit = np.unique(image, return_index=True, return_inverse=True)
    cells = coo_array(parts)
    answer, column = cells.coords
    shape = (len(names), cells.shape[1])
    per_image = csr_array(coo_array((cells.data, (unit[answer], column)), shape=shape))
    few = len(names) < MIN_IMAGES  # no interval will be shown
    drawn = resampled_sums(
        per_image,
        resamples=0 if few else how.resamples,
        seed=how.seed,
        strata=None if strata is None else strata[first],
    )
    return Resampled(len(names), np.asarray(per_image.sum(axis=0)).ravel(), drawn)


def quotient(top: Values, bottom: Values) -> Values:
    """One divided by the other, NaN where there is nothing to divide by."""
    out = np.full(np.shape(bottom), np.nan)
    return np.asarray(np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0))
