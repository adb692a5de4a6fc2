"""Three figures that tell dark, flat and blurred pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ROWS = 64  # at a time: they stay in the processor's cache, and memory stays flat however large the picture


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of the luma plane.

    Attributes:
        brightness: Mean, 0..255.
        contrast: Standard deviation, 0..127.5.
        sharpness: Variance of the 4-neighbour Laplacian over inner pixels, from 0 (flat) up.
    """

    brightness: float
    contrast: float
    sharpness: float


def measure(picture: Image.Image) -> Quality:
    """Quality of an RGB picture; sums are integers, so the figures are the same everywhere.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy" (variance of Laplacian).
    """
    luma = picture.convert("L")
    counts = luma.histogram()
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level * level * count for level, count in enumerate(counts))
    brightness, variance = _moments(sum(counts), total, squares)
    return Quality(brightness, math.sqrt(variance), _laplacian_variance(np.asarray(luma)))


def _laplacian_variance(luma: NDArray[np.uint8]) -> float:
    n, total, squares = 0, 0.0, 0.0
    for start in range(1, luma.shape[0] - 1, _ROWS):
        stop = min(start + _ROWS, luma.shape[0] - 1)
        rows = luma[start - 1 : stop + 1].astype(np.int16)
        middle = rows[1:-1]
        laplacian = rows[:-2, 1:-1] + rows[2:, 1:-1]
        laplacian += middle[:, :-2]
        laplacian += middle[:, 2:]
        laplacian -= middle[:, 1:-1] << 2
        values = laplacian.ravel().astype(np.float64)  # whole numbers: sums below 2^53 are exact
        n += values.size
        total += float(values.sum())
        squares += float(values @ values)
    return _moments(n, int(total), int(squares))[1] if n else 0.0


def _moments(n: int, total: int, squares: int) -> tuple[float, float]:
    """Mean and variance from exact integer sums."""
    return total / n, (n * squares - total * total) / (n * n)
