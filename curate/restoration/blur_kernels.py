"""Kernels of second-order degradation: Gaussian, generalized, plateau-shaped, and the sinc filter."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.special import j1

from curate.extras import require
from curate.records import FloatArray

Kernel = NDArray[np.float64]
# Pixels; from 13 on OpenCV goes through a DFT that takes ten times as long as that of SciPy.
_MAX_DIRECT: Final = 11


def gaussian_like(
    size: int, sigma_x: float, sigma_y: float, angle: float, *, shape: float = 1.0, plateau: bool = False
) -> Kernel:
    """A kernel (size, size) with sum 1.

    Args:
        size: Pixels of a side, odd.
        sigma_x: Along its own first axis, pixels.
        sigma_y: Along the second.
        angle: By which the axes are turned, radians.
        shape: 1 = Gaussian; less = with heavier tails, more = flatter (generalized Gaussian, or plateau).
        plateau: 1 / (1 + d^shape) instead of exp(-d^shape / 2), where d is the squared distance in sigmas.

    Source:
        Wang et al., Real-ESRGAN (2021), section 3.2; the generalized Gaussian of Liu et al. (2020).
    """
    axis = np.arange(size) - size // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    along = (x * np.cos(angle) + y * np.sin(angle)) / sigma_x
    across = (y * np.cos(angle) - x * np.sin(angle)) / sigma_y
    distance = (along**2 + across**2) ** shape
    kernel = 1 / (1 + distance) if plateau else np.exp(-distance / 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def circular_sinc(size: int, cutoff: float) -> Kernel:
    """An ideal low pass, cut to (size, size): it leaves the ringing of oversharpened pictures.

    Args:
        size: Pixels of a side, odd.
        cutoff: Radians per pixel, up to pi.

    Source:
        Wang et al., Real-ESRGAN (2021), equation 6: cutoff / (2 pi r) * J1(cutoff r).
    """
    axis = np.arange(size) - size // 2
    radius = np.hypot(*np.meshgrid(axis, axis, indexing="ij"))
    middle = cutoff**2 / (4 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.where(radius == 0, middle, cutoff * j1(cutoff * radius) / (2 * np.pi * radius))
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def convolved(image: FloatArray, kernel: Kernel) -> FloatArray:
    """An image (H, W, 3) float32 under a kernel that is the same when turned by half a turn, as all here are.

    What lies outside is the image mirrored at the middle of its outermost pixels.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2: Any = require("cv2", extra="restoration")
    weights = kernel.astype(np.float32)
    if len(kernel) <= _MAX_DIRECT:
        return np.asarray(cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REFLECT_101))
    around = [len(kernel) // 2] * 4
    padded = cv2.copyMakeBorder(image, *around, cv2.BORDER_REFLECT_101)
    return np.asarray(fftconvolve(padded, weights[..., None], mode="valid", axes=(0, 1)))
