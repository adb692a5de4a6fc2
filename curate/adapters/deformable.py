"""Multi-scale deformable attention on a processor: each query gathers what it needs, nothing in between.

The public models do without a compiled kernel on a processor: they sample each level into an array of its
own, stack the arrays, multiply and sum. At 800 x 1066 pixels most of an encoder's time goes there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import compiled, prange
from curate.records import FloatArray

_compiled: Any = compiled(parallel=True, error_model="numpy")


def attend(
    value: FloatArray, shapes: list[tuple[int, int]], locations: FloatArray, weights: FloatArray
) -> FloatArray:
    """Weighted sums of bilinear samples; outside of a level there are zeros.

    Args:
        value: (B, S, M, D) features of all levels, one after the other, S = sum of their cells.
        shapes: Rows and columns of each of L levels.
        locations: (B, Q, M, L, P, 2) where to sample, x and y as shares of the level.
        weights: (B, Q, M, L, P).

    Returns:
        (B, Q, M * D).

    Source:
        Zhu et al., Deformable DETR, 2021, equation 3; sampling as torch's `grid_sample` with
        `padding_mode="zeros"` and `align_corners=False`.
    """
    batch, _, heads, width = value.shape
    queries = locations.shape[1]
    out = np.zeros((batch, queries, heads, width), dtype=np.float32)
    levels = np.array(shapes, dtype=np.int64).reshape(-1, 2)
    _attend(
        np.ascontiguousarray(value),
        levels,
        np.ascontiguousarray(locations),
        np.ascontiguousarray(weights),
        out,
    )
    return out.reshape(batch, queries, heads * width)


@_compiled
def _attend(value, levels, locations, weights, out):  # type: ignore[no-untyped-def] # pragma: no cover
    batch, queries, heads, width = out.shape
    points = locations.shape[4]
    for task in prange(batch * queries):
        b, q = task // queries, task % queries
        for m in range(heads):
            first = 0
            for level in range(levels.shape[0]):
                rows, columns = levels[level, 0], levels[level, 1]
                for p in range(points):
                    x = locations[b, q, m, level, p, 0] * columns - np.float32(0.5)
                    y = locations[b, q, m, level, p, 1] * rows - np.float32(0.5)
                    if not (x > -1 and y > -1 and x < columns and y < rows):
                        continue
                    weight = weights[b, q, m, level, p]
                    column, row = int(np.floor(x)), int(np.floor(y))
                    right, low = np.float32(x - column), np.float32(y - row)
                    left, high = np.float32(1) - right, np.float32(1) - low
                    for corner in range(4):
                        at_row, at_column = row + corner // 2, column + corner % 2
                        if at_row < 0 or at_column < 0 or at_row >= rows or at_column >= columns:
                            continue
                        share = (low if corner // 2 else high) * (right if corner % 2 else left) * weight
                        cell = value[b, first + at_row * columns + at_column, m]
                        for d in range(width):
                            out[b, q, m, d] += share * cell[d]
                first += rows * columns
