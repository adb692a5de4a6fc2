"""Three figures that tell dark, flat and blurred pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_HALVED_FROM = 384  # pixels of the shorter side


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """Figures of the luma plane, at half size from 384 pixels of the shorter side on.

    Attributes:
        brightness: Mean, 0..255.
        contrast: Standard deviation, 0..127.5.
        sharpness: Variance of the 4-neighbor Laplacian over inner pixels, from 0 (flat) up.
    """

    brightness: float
    contrast: float
    sharpness: float


def is_halved(width: int, height: int) -> bool:
    """Whether pixels of that size are measured at half width and height.

    A camera with a Bayer filter measures a half of the green and a quarter of the red and blue that it
    writes; what it made up between them says nothing of the picture's sharpness, and costs a decoder time.
    """
    return min(width, height) >= _HALVED_FROM


def measure(picture: Image.Image) -> PixelStatistics:
    """Statistics of an RGB picture: of ITU-R BT.601 luma in whole levels, means of 2x2 pixels if halved.

    Examples:
        >>> from PIL import Image
        >>> measure(Image.new('RGB', (64, 64), (128, 128, 128)))
        PixelStatistics(brightness=128.0, contrast=0.0, sharpness=0.0)
    """
    return measure_luma(plane(picture))


def plane(picture: Image.Image) -> NDArray[np.uint8]:
    """The luma plane (H, W) of an RGB picture that is measured, means of 2x2 pixels if halved."""
    luma = picture.convert("L")
    return np.asarray(luma.reduce(2) if is_halved(*luma.size) else luma)


def measure_luma(luma: NDArray[np.uint8]) -> PixelStatistics:
    """Statistics of a luma plane (H, W), 0..255. Sums are integers, so the figures are the same everywhere.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy" (variance of Laplacian).
    """
    from curate.images.luma_sums import luma_sums  # noqa: PLC0415 - loads numba

    height, width = luma.shape
    luma = np.ascontiguousarray(luma)
    total, squares, laplacian, laplacian_squares = luma_sums(luma)
    brightness, variance = _moments(height * width, total, squares)
    inner = max(height - 2, 0) * max(width - 2, 0)
    sharpness = _moments(inner, laplacian, laplacian_squares)[1] if inner else 0.0
    return PixelStatistics(brightness, math.sqrt(variance), sharpness)


def _moments(n: int, total: int, squares: int) -> tuple[float, float]:
    """Mean and variance from exact integer sums."""
    return total / n, (n * squares - total * total) / (n * n)
