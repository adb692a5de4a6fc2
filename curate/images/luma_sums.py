"""The sums that brightness, contrast and sharpness are made of, compiled.

NumPy takes eight times as long: section "Compiled code" of docs/benchmarks.md. Imports numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled, types

int64: Any = types.int64
_BYTES = types.Array(types.uint8, 2, "C", readonly=True)
_compiled: Any = compiled(types.UniTuple(int64, 4)(_BYTES))


@_compiled
def _sums(luma):  # type: ignore[no-untyped-def]
    height, width = luma.shape
    total, squares, laplacian, laplacian_squares = int64(0), int64(0), int64(0), int64(0)
    for y in range(height):
        for x in range(width):
            value = np.int32(luma[y, x])
            total += value
            squares += value * value
    for y in range(1, height - 1):
        above, row, below = luma[y - 1], luma[y], luma[y + 1]
        for x in range(1, width - 1):
            sides = np.int32(above[x]) + np.int32(below[x]) + np.int32(row[x - 1]) + np.int32(row[x + 1])
            value = sides - 4 * np.int32(row[x])
            laplacian += value
            laplacian_squares += value * value
    return total, squares, laplacian, laplacian_squares


def luma_sums(luma: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Sum of levels and of their squares; sum of the Laplacian over inner pixels and of its squares.

    Args:
        luma: (H, W), C-contiguous.
    """
    readonly = luma.view()
    readonly.flags.writeable = False
    found: tuple[int, int, int, int] = _sums(readonly)
    return found
