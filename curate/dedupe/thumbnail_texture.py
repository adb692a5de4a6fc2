"""How much there is to see on a thumbnail."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SIDE: Final = 32  # pixels of a thumbnail
_REACH: Final = 2  # pixels around one that its mean is taken over
_WIDE: Final = 2 * _REACH + 1


def structure(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N,) levels: root mean square of what (N, 32, 32) thumbnails differ from their means of 5 x 5.

    Edges are continued. Sums are of whole numbers, so the same in every batch.
    """
    around = np.pad(luma, ((0, 0), (_REACH, _REACH), (_REACH, _REACH)), mode="edge").astype(np.int32)
    columns: Any = sum(around[:, near : near + _SIDE] for near in range(_WIDE))
    totals: Any = sum(columns[:, :, near : near + _SIDE] for near in range(_WIDE))
    missed = (_WIDE**2 * luma.astype(np.int32) - totals).reshape(-1, _SIDE**2).astype(np.float64)
    squares = np.einsum("ij,ij->i", missed, missed)
    return np.asarray((np.sqrt(squares / _SIDE**2) / _WIDE**2).astype(np.float32))
