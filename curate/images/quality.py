"""Three figures that tell dark, flat and blurred pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


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
    """Quality of an RGB picture: of ITU-R BT.601 luma in whole levels, as Pillow rounds it."""
    return measure_luma(np.asarray(picture.convert("L")))


def measure_luma(luma: NDArray[np.uint8]) -> Quality:
    """Quality of a luma plane (H, W), 0..255. Sums are integers, so the figures are the same everywhere.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy" (variance of Laplacian).
    """
    from curate.images.sums import luma_sums  # noqa: PLC0415 - loads numba

    height, width = luma.shape
    luma = np.ascontiguousarray(luma)
    total, squares, laplacian_squares = (int(value) for value in luma_sums(luma))
    brightness, variance = _moments(height * width, total, squares)
    inner = max(height - 2, 0) * max(width - 2, 0)
    sharpness = _moments(inner, _laplacian_total(luma), laplacian_squares)[1] if inner else 0.0
    return Quality(brightness, math.sqrt(variance), sharpness)


def _laplacian_total(luma: NDArray[np.uint8]) -> int:
    """Sum of the Laplacian over inner pixels: all terms but those of the two outermost lines cancel."""
    rows = luma[[0, -1, 1, -2], 1:-1].astype(np.int64).sum(axis=1)
    columns = luma[1:-1, [0, -1, 1, -2]].astype(np.int64).sum(axis=0)
    return int(rows[0] + rows[1] - rows[2] - rows[3] + columns[0] + columns[1] - columns[2] - columns[3])


def _moments(n: int, total: int, squares: int) -> tuple[float, float]:
    """Mean and variance from exact integer sums."""
    return total / n, (n * squares - total * total) / (n * n)
