"""Typicality: the image in the middle of each crowd that nobody looks at (TypiClust), for cold starts."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import vq

from curate.qa.choice.greedy import Flags, Floats
from curate.records import FloatArray

Ints = NDArray[np.int64]
_MAX_CLUSTERS = 500
_SMALL = 5  # images; smaller clusters come last
_NEIGHBORS = 20
_EPSILON = 1e-5  # where neighbors are equal
_ROUNDS = 30  # of k-means
_FITTED = 50  # images a cluster that k-means is fitted to, at most
_ROWS = 1024  # whose distances are in memory at once


class Typicality:
    """The most typical image of the largest cluster that people look at least has 1.

    Images are clustered by k-means into as many clusters as images will have been looked at, 500 at most.
    Clusters queue: those with the fewest images that people look at first, of these the largest; clusters of
    fewer than 5 images come last. An image has its typicality as a share of that of its cluster's most
    typical candidate, times 1 minus its cluster's place in the queue as a share of the queue. Alone this is
    TypiClust.

    Source:
        Hacohen, Dekel and Weinshall, Active learning on a budget: opposite strategies suit high and low
        budgets (ICML 2022): typicality is the inverse of the mean distance to the 20 nearest neighbors,
        which are sought in the image's cluster.
    """

    def __init__(self, vectors: FloatArray, looked: Flags, number: int, seed: int) -> None:
        """Cluster the images.

        Args:
            vectors: (N, D) of unit length.
            looked: (N,) images that people look at.
            number: How many will be chosen.
            seed: Of k-means.
        """
        clusters = max(1, min(int(looked.sum()) + number, _MAX_CLUSTERS, len(vectors)))
        self._cluster = k_means(vectors, clusters, seed)
        self._sizes = np.bincount(self._cluster, minlength=clusters)
        self._looked = np.bincount(self._cluster[looked], minlength=clusters)
        self._typical = typicality(vectors, self._cluster)
        self._best: Floats | None = None  # of each cluster's candidates; 0 = it has none

    def values(self, free: Flags) -> Floats:
        """Values of the images that are free, as the class describes them."""
        best = self._bests(free)
        there = np.flatnonzero(best > 0)
        keys = (-self._sizes[there], self._looked[there], self._sizes[there] < _SMALL)
        turn = np.zeros(len(best))
        turn[there[np.lexsort(keys)]] = 1 - np.arange(len(there)) / max(1, len(there))
        share = self._typical / np.where(best > 0, best, 1.0)[self._cluster]
        return np.asarray(share * turn[self._cluster])

    def take(self, image: int, free: Flags) -> None:
        """Its cluster goes to the end of the queue."""
        best, cluster = self._bests(free), int(self._cluster[image])
        self._looked[cluster] += 1
        best[cluster] = self._typical[free & (self._cluster == cluster)].max(initial=0.0)

    def say(self, image: int) -> str:
        """How large its cluster is, and how many of it people look at."""
        cluster = int(self._cluster[image])
        if self._sizes[cluster] == 1:
            return "alone in its cluster"
        return (
            f"typical of {self._sizes[cluster]:,} images alike, of which people look at "
            f"{self._looked[cluster]:,}"
        )

    def _bests(self, free: Flags) -> Floats:
        if self._best is None:
            self._best = np.zeros(len(self._sizes))
            np.maximum.at(self._best, self._cluster[free], self._typical[free])
        return self._best


def typicality(vectors: FloatArray, clusters: Ints) -> Floats:
    """(N,) more than 0: the inverse of the mean distance to the 20 nearest neighbors in the same cluster."""
    result = np.full(len(vectors), 1 / _EPSILON)  # alone in a cluster
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        neighbors = min(_NEIGHBORS, len(members) - 1)
        if not neighbors:
            continue
        inside = vectors[members]
        for start in range(0, len(members), _ROWS):
            cosine = inside[start : start + _ROWS] @ inside.T
            distance = np.sqrt(np.maximum(2 - 2 * cosine.astype(np.float64), 0.0))
            rows = np.arange(len(distance))
            distance[rows, start + rows] = np.inf  # not to itself
            nearest = np.partition(distance, neighbors - 1, axis=1)[:, :neighbors]
            result[members[start : start + _ROWS]] = 1 / (nearest.mean(axis=1) + _EPSILON)
    return result


def k_means(vectors: FloatArray, clusters: int, seed: int) -> Ints:
    """(N,) cluster of each image, by k-means that begins at k-means++ centers.

    Fitted to a random sample of 50 images per cluster where there are more; all images are assigned.

    Source:
        Arthur and Vassilvitskii, k-means++: the advantages of careful seeding (SODA 2007); Lloyd's iterations
        are SciPy's.
    """
    rng = np.random.default_rng(seed)
    fitted = vectors
    if len(vectors) > _FITTED * clusters:
        fitted = vectors[np.sort(rng.choice(len(vectors), _FITTED * clusters, replace=False))]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One of the clusters is empty")  # it keeps its center
        centers, _ = vq.kmeans2(fitted, _first_centers(fitted, clusters, rng), iter=_ROUNDS, minit="matrix")
    return np.asarray(vq.vq(vectors, centers)[0], dtype=np.int64)


def _first_centers(vectors: FloatArray, clusters: int, rng: np.random.Generator) -> FloatArray:
    """K-means++: each drawn with the squared distance to those before it as its probability."""
    chosen = [int(rng.integers(len(vectors)))]
    squared = np.full(len(vectors), np.inf)
    while len(chosen) < clusters:
        squared = np.minimum(squared, np.maximum(2 - 2 * (vectors @ vectors[chosen[-1]]).astype(float), 0.0))
        squared[chosen] = 0.0
        if not squared.sum():
            left = np.setdiff1d(np.arange(len(vectors)), chosen)  # all are equal to one that is chosen
            chosen += left[: clusters - len(chosen)].tolist()
            break
        chosen.append(int(rng.choice(len(vectors), p=squared / squared.sum())))
    return np.asarray(vectors[chosen])
