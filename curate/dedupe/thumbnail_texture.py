"""How much there is to see on a thumbnail, compiled."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled

_SIDE: Final = 32  # pixels of a thumbnail
_REACH: Final = 2  # pixels around one that its mean is taken over
_WIDE: Final = 2 * _REACH + 1


def structure(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N,) levels: root mean square of what (N, 32, 32) thumbnails differ from their means of 5 x 5.

    Edges are continued. Sums are of whole numbers, so the same in every batch.
    """
    squares = _squares(np.ascontiguousarray(luma))
    found: NDArray[np.float32] = (np.sqrt(squares / (_SIDE * _SIDE)) / _WIDE**2).astype(np.float32)
    return found


@compiled
def _squares(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N,) sums over the squares of 25 times the differences."""
    found = np.empty(len(luma))
    columns = np.empty((_SIDE, _SIDE + 2 * _REACH), np.int32)
    for n in range(len(luma)):
        for y in range(_SIDE):
            for x in range(_SIDE):
                total = np.int32(0)
                for near in range(y - _REACH, y + _REACH + 1):
                    total += np.int32(luma[n, min(max(near, 0), _SIDE - 1), x])
                columns[y, x + _REACH] = total
            columns[y, :_REACH] = columns[y, _REACH]
            columns[y, _SIDE + _REACH :] = columns[y, _SIDE + _REACH - 1]
        squares = np.int64(0)
        for y in range(_SIDE):
            for x in range(_SIDE):
                total = np.int32(0)
                for near in range(_WIDE):
                    total += columns[y, x + near]
                squares += np.int64(np.int32(luma[n, y, x]) * np.int32(_WIDE**2) - total) ** 2
        found[n] = squares
    return found
