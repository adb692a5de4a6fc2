"""What the vectors say of one image among all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.vectors.nearest import Neighbors

NEIGHBORS: Final = 20  # that the figures look at; Breunig et al. advise 10 to 50
_COPY: Final = 1e-3  # distance under which float32 does not tell two images from two copies of one


@dataclass(frozen=True, slots=True)
class Figures:
    """A value each for N images; NaN where there is no other image.

    Attributes:
        uniqueness: One minus the cosine to the nearest other image, in [0, 2]: 0 for a copy.
        representativeness: Mean cosine to the nearest images, in [-1, 1]: high in the middle of many alike.
            What TypiClust calls typicality is a falling function of the same distances (Hacohen et al. 2022).
        outlier: Local outlier factor (Breunig et al. 2000): about 1 among its like, more where an image lies
            further from its neighbors than these from theirs. NaN where all its nearest ones are copies of
            it: how dense it lies there is not known, and no other image is held against it.
    """

    uniqueness: NDArray[np.float32]
    representativeness: NDArray[np.float32]
    outlier: NDArray[np.float32]


def figures(neighbors: Neighbors) -> Figures:
    """The figures of each image from its nearest ones.

    Args:
        neighbors: `NEIGHBORS` of each are meant; fewer where there are no more images.
    """
    count, k = neighbors.rows.shape
    if not k:
        nothing = np.full(count, np.nan, dtype=np.float32)
        return Figures(nothing, nothing, nothing)
    cosine = np.where(neighbors.rows >= 0, neighbors.cosine, np.nan)
    alone = np.isnan(cosine[:, 0])
    mean = np.full(count, np.nan)
    mean[~alone] = np.nanmean(cosine[~alone], axis=1)
    return Figures(
        (1 - cosine[:, 0]).astype(np.float32),
        mean.astype(np.float32),
        _local_outlier_factor(neighbors.rows, cosine).astype(np.float32),
    )


def _local_outlier_factor(rows: NDArray[np.int64], cosine: NDArray[np.floating]) -> NDArray[np.float64]:
    """Local outlier factor by the Euclidean distances between unit vectors."""
    distance = np.sqrt(np.maximum(0, 2 - 2 * cosine.astype(np.float64)))
    there = rows >= 0
    furthest = np.where(there, distance, 0).max(axis=1)
    known = furthest > _COPY
    counted = there & known[rows] & known[:, None]
    density = 1 / _mean(np.maximum(distance, furthest[rows]), counted)
    return _mean(density[rows], counted & np.isfinite(density)[rows]) / density


def _mean(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) of what is counted in each row; NaN where nothing is."""
    number = counted.sum(axis=1)
    total = np.where(counted, values, 0).sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean
