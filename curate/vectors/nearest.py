"""The nearest neighbors of each vector among the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.records import FloatArray
from curate.vectors import cells

EXACT: Final = 100_000  # vectors of which each is compared with each; of more, with those in near cells
_PRODUCTS: Final = 1 << 24  # cosines in memory at a time
_QUERIES: Final = 4096


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The k nearest of each of N vectors, nearest first, never itself.

    Attributes:
        rows: (N, k) int64; -1 = there is none (only where cells were searched).
        cosine: (N, k) float32, in [-1, 1]; -1 where there is none.
    """

    rows: NDArray[np.int64]
    cosine: NDArray[np.float32]


def nearest(vectors: FloatArray, k: int) -> Neighbors:
    """The k nearest by cosine; of equal ones, those of lower rows.

    Args:
        vectors: (N, D) float32 of unit length.
        k: At least 1; N - 1 where there are no more.

    Raises:
        MissingExtraError: More than `EXACT` vectors, and faiss is not installed.

    Example:
        >>> nearest(np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32), 1).rows.ravel().tolist()
        [1, 2, 1]
    """
    k = max(0, min(k, len(vectors) - 1))
    rows = np.full((len(vectors), k), -1, dtype=np.int64)
    cosine = np.full((len(vectors), k), -1, dtype=np.float32)
    if not k:
        return Neighbors(rows, cosine)
    index = cells.index(vectors) if len(vectors) > EXACT else None
    step = _QUERIES if index is not None else max(1, _PRODUCTS // len(vectors))
    for start in range(0, len(vectors), step):
        queries = vectors[start : start + step]
        some = slice(start, start + len(queries))
        own = np.arange(start, start + len(queries))[:, None]
        if index is None:
            products = queries @ vectors.T
            products[np.arange(len(queries)), own.ravel()] = -2
            found = _highest(products, k)
            values = np.take_along_axis(products, found, axis=1)
        else:
            values, found = index.search(queries, k + 1)
            values[(found == own) | (found < 0)] = -2
        order = np.lexsort((found, -values), axis=1)[:, :k]
        rows[some] = np.take_along_axis(found, order, axis=1)
        cosine[some] = np.take_along_axis(values, order, axis=1)
    rows[cosine < -1.5] = -1
    return Neighbors(rows, np.clip(cosine, -1, 1))


def _highest(products: FloatArray, k: int) -> NDArray[np.int64]:
    """(N, k) columns of the highest of each row, in any order; of equal ones the first."""
    found = np.argpartition(-products, k - 1, axis=1)[:, :k].astype(np.int64)
    lowest = np.take_along_axis(products, found, axis=1).min(axis=1)
    # A partition cuts equal values anywhere; copies are many where there are any.
    for row in np.flatnonzero((products >= lowest[:, None]).sum(axis=1) > k):
        columns = np.flatnonzero(products[row] >= lowest[row])
        found[row] = columns[np.argsort(-products[row, columns], kind="stable")[:k]]
    return found
