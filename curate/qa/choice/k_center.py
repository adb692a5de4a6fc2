"""Diversity: how far an image is from everything that people look at already (k-center greedy)."""

from __future__ import annotations

import numpy as np

from curate.qa.choice.greedy import Flags, Floats
from curate.records import FloatArray

_CHUNK = 128  # centers that distances are taken to at once
_COPY = 1e-3  # distance under which float32 does not tell two images from two copies of one


class KCenter:
    """Distance to the nearest image that people look at, as a share of the farthest candidate's at the start.

    It falls while images are chosen: where everything is near to one of them it says little.
    Alone it is the greedy 2-approximation of the k-center problem, which begins at what is labelled.

    Source:
        Sener and Savarese, Active learning for convolutional neural networks: a core-set approach (ICLR
        2018), algorithm 1, with the distance of unit vectors, sqrt(2 - 2 cosine).
    """

    def __init__(self, vectors: FloatArray, looked: Flags) -> None:
        """Measure every image against what people look at.

        Args:
            vectors: (N, D) of unit length.
            looked: (N,) images that people look at.
        """
        self._vectors = vectors
        self._cosine = np.full(len(vectors), -np.inf)  # to the nearest center
        self._farthest: float | None = None  # distance of a candidate, when there first is a center
        centers = vectors[looked]
        for start in range(0, len(centers), _CHUNK):
            near = (vectors @ centers[start : start + _CHUNK].T).max(axis=1)
            self._cosine = np.maximum(self._cosine, near)

    def values(self, free: Flags) -> Floats:
        """(N,) see the class; 1 for all as long as nobody looks at anything."""
        distance = self.distances()
        if np.isinf(distance).any():
            return np.ones(len(distance))
        if self._farthest is None:
            self._farthest = float(distance[free].max(initial=0.0))
        return np.asarray(distance / self._farthest if self._farthest > 0 else np.zeros(len(distance)))

    def distances(self) -> Floats:
        """(N,) to the nearest center, in [0, 2]; infinite while there is none."""
        distance = np.sqrt(np.maximum(2 - 2 * self._cosine, 0.0))
        return np.asarray(np.where(distance < _COPY, 0.0, distance))

    def take(self, image: int, free: Flags) -> None:
        """The image is a center from now on."""
        del free
        self._cosine = np.maximum(self._cosine, self._vectors @ self._vectors[image])

    def say(self, image: int) -> str:
        """How near the nearest center is."""
        if np.isinf(self._cosine[image]):
            return "nobody looks at anything yet"
        return f"cosine {self._cosine[image]:.2f} to the nearest image that people look at"
