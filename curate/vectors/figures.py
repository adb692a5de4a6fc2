"""What the vectors say of one image among all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.vectors.nearest import Neighbors

NEIGHBORS: Final = 20  # that the figures look at; Breunig et al. advise 10 to 50
_TINY: Final = 1e-10  # of a distance: copies are not infinitely dense (as scikit-learn has it)


@dataclass(frozen=True, slots=True)
class Figures:
    """A value each for N images; NaN where there is no other image.

    Attributes:
        uniqueness: One minus the cosine to the nearest other image, in [0, 2]: 0 for a copy.
        representativeness: Mean cosine to the nearest images, in [-1, 1]: high in the middle of many alike.
            What TypiClust calls typicality is a falling function of the same distances (Hacohen et al. 2022).
        outlier: Local outlier factor (Breunig et al. 2000): about 1 among its like, more where an image lies
            further from its neighbors than these from theirs.
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
    """Of Euclidean distances between unit vectors."""
    distance = np.sqrt(np.maximum(0, 2 - 2 * cosine.astype(np.float64)))
    there = rows >= 0
    n_there = np.maximum(1, there.sum(axis=1))
    furthest = np.nanmax(np.where(there, distance, 0), axis=1)
    reach = np.where(there, np.maximum(distance, furthest[rows]), 0)
    density = 1 / (reach.sum(axis=1) / n_there + _TINY)
    found = np.where(there, density[rows], 0).sum(axis=1) / n_there / density
    found[~there.any(axis=1)] = np.nan
    return np.asarray(found, dtype=np.float64)
