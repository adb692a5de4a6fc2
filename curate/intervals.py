"""Figures with intervals: by resampling images, and Wilson's for shares.

What would other images of the same kind have given? Objects of one image depend on each other, so images, not
objects, are drawn. Every figure here is a function of sums over images, so that a resample is a vector of
weights and all figures come from one product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import ndtri

Sums = NDArray[np.float64]
_LEAST_DEFINED = 0.95  # share of the resamples
_CHUNK_CELLS = 8_000_000  # weights held at once: 64 MB


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number.

    Attributes:
        value: None if undefined: there is nothing that it could be computed from.
        low: Lower end of the 95% interval; None if there is no interval.
        high: Upper end.
        n: How many objects, pairs, images or units it rests on.
        reason: Why there is no value or no interval, where that is said.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None


def resampled_sums(
    per_image: csr_array, *, resamples: int, seed: int, strata: NDArray[np.int64] | None = None
) -> Sums:
    """Sums over images, for resamples of the images with replacement.

    Args:
        per_image: (N, F) contributions of each image to each sum.
        resamples: How many, R; 0 gives none.
        seed: Of NumPy's PCG64 generator; the same seed gives the same resamples.
        strata: (N,) group of each image: every resample has as many images of a group as there are. None =
            one group.

    Returns:
        (R, F).

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13 (percentile
        interval), with the image as the unit that is drawn.
    """
    images, features = per_image.shape
    if images == 0 or resamples == 0:
        return np.zeros((0, features))
    if strata is None:
        return np.concatenate([weights @ per_image for weights in _weights(images, resamples, seed)])
    seeds = np.random.SeedSequence(seed).spawn(int(strata.max()) + 1)
    sums = np.zeros((resamples, features))
    for group in np.unique(strata):
        members = csr_array(per_image[np.flatnonzero(strata == group)])
        parts = _weights(members.shape[0], resamples, seeds[group])
        sums += np.concatenate([weights @ members for weights in parts])
    return sums


def interval(values: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of a figure's resampled values.

    Args:
        values: (R,) with NaN where a resample leaves the figure undefined.
        level: Share of the values inside.

    Returns:
        Low and high; None if there are no values, or if a twentieth or more of them are undefined: an
        interval over the rest would look surer than it is.
    """
    defined = values[~np.isnan(values)]
    if len(values) == 0 or len(defined) <= _LEAST_DEFINED * len(values):
        return None
    tail = (1.0 - level) / 2
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return float(low), float(high)


def wilson(hits: int, trials: int, *, level: float = 0.95) -> Figure:
    """A share with its interval.

    Args:
        hits: Of the trials, 0 to `trials`.
        trials: Taken as independent; where they are not, the interval is too narrow.
        level: Confidence.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference (JASA 22, 1927),
        without continuity correction.

    Examples:
        >>> share = wilson(8, 10)
        >>> round(share.value, 2), round(share.low, 3), round(share.high, 3)
        (0.8, 0.49, 0.943)
    """
    if trials == 0:
        return Figure(None, None, None, 0)
    z = float(ndtri((1 + level) / 2))
    share, weight = hits / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / weight
    half = z * np.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / weight
    low = 0.0 if hits == 0 else float(middle - half)  # exactly, whatever the last bit says
    return Figure(share, low, 1.0 if hits == trials else float(middle + half), trials)


def _weights(
    images: int, resamples: int, seed: int | np.random.SeedSequence
) -> Iterator[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // images)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, images, size=(rows, images), dtype=np.int64)
        drawn += np.arange(rows, dtype=np.int64)[:, None] * images
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
