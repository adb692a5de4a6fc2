"""A map: vectors as points of a plane, near ones near each other as far as a plane allows."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Final, Literal

import numpy as np

from curate.records import FloatArray

Method = Literal["umap", "pca"]
_SEED: Final = 0
_MIN_POINTS: Final = 5  # points that UMAP needs for its first step
_PIECE: Final = 65_536


def project(vectors: FloatArray) -> tuple[FloatArray, Method]:
    """Points (N, 2) float32, and how they were made: by UMAP where umap-learn is installed, else by PCA.

    Args:
        vectors: (N, D) float32.
    """
    if len(vectors) >= _MIN_POINTS and importlib.util.find_spec("umap") is not None:
        umap = importlib.import_module("umap")
        neighbors = min(15, len(vectors) - 1)
        # With a seed it uses one thread, and gives the same points again.
        reducer = umap.UMAP(
            n_components=2, metric="cosine", n_neighbors=neighbors, random_state=_SEED, n_jobs=1
        )
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float32), "umap"
    return principal_components(vectors), "pca"


def principal_components(vectors: FloatArray) -> FloatArray:
    """The two directions of most variance, as (N, 2) float32; signs so that the largest loading is positive.

    Example:
        >>> principal_components(np.array([[0, 0, 0], [3, 0, 0], [6, 0, 0]], np.float32))[:, 0].tolist()
        [-3.0, 0.0, 3.0]
    """
    count, width = vectors.shape
    points = np.zeros((count, 2), dtype=np.float32)
    if not count or not width:
        return points
    mean = vectors.mean(axis=0, dtype=np.float64)
    spread = np.zeros((width, width))
    for start in range(0, count, _PIECE):
        part = vectors[start : start + _PIECE] - mean
        spread += part.T @ part
    _, directions = np.linalg.eigh(spread)
    best = directions[:, ::-1][:, :2]
    best = best * np.sign(best[np.abs(best).argmax(axis=0), np.arange(best.shape[1])])
    for start in range(0, count, _PIECE):
        points[start : start + _PIECE, : best.shape[1]] = (vectors[start : start + _PIECE] - mean) @ best
    return points
