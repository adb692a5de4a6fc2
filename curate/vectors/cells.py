"""Vectors in k-means cells: for more of them than can all be compared with each other."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from curate.extras import require
from curate.records import FloatArray

# Vectors that are all compared with each other; of more, only those in near cells are. Time for all pairs
# grows with the square of their number.
ALL_PAIRS: Final = 1_000_000
_PROBED: Final = 0.02  # share of the cells that are searched, and at least so many:
_MIN_PROBED: Final = 16
_SEED: Final = 0


def index(vectors: FloatArray, *, n_cells: int | None = None) -> Any:
    """A faiss index of inner products over k-means cells.

    Two vectors meet where one lies in one of the cells nearest to the other: pairs at a high cosine nearly
    always do, others are missed (a test measures how many).

    Args:
        vectors: (N, D) float32 of unit length, N > 0.
        n_cells: None = the root of N.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    faiss = require("faiss", extra="semantic")
    count, width = vectors.shape
    cells = min(count, n_cells or max(1, math.isqrt(count)))
    made = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    made.cp.seed, made.cp.spherical = _SEED, True
    made.cp.min_points_per_centroid = 1  # or it warns on stderr
    made.train(np.ascontiguousarray(vectors, dtype=np.float32))
    made.add(np.ascontiguousarray(vectors, dtype=np.float32))
    made.nprobe = min(cells, max(_MIN_PROBED, math.ceil(_PROBED * cells)))
    return made
