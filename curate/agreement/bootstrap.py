"""Intervals by resampling images: what would other images of the same kind have given?

Objects of one image depend on each other, so images, not objects, are drawn. Every figure here is a function
of sums over images, so that a resample is a vector of weights and all figures come from one product.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Sums = NDArray[np.float64]
_LEAST_DEFINED = 0.95  # share of the resamples
_CHUNK_CELLS = 8_000_000  # weights held at once: 64 MB


def resampled_sums(per_image: csr_array, *, resamples: int, seed: int) -> Sums:
    """Sums over images, for resamples of the images with replacement.

    Args:
        per_image: (N, F) contributions of each image to each sum.
        resamples: How many, R; 0 gives none.
        seed: Of NumPy's PCG64 generator; the same seed gives the same resamples.

    Returns:
        (R, F).

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13 (percentile
        interval), with the image as the unit that is drawn.
    """
    images, features = per_image.shape
    if images == 0 or resamples == 0:
        return np.zeros((0, features))
    return np.concatenate([weights @ per_image for weights in _weights(images, resamples, seed)])


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


def _weights(images: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // images)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, images, size=(rows, images), dtype=np.int64)
        drawn += np.arange(rows, dtype=np.int64)[:, None] * images
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
