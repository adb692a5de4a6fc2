"""PSNR, SSIM and MS-SSIM, on luma or on RGB, with a stated border left out.

Papers differ by just that: super-resolution reports luma of BT.601 with `scale` pixels of border left out,
restoration often RGB with none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from curate.errors import MetricError
from curate.records import UInt8Image

Color = Literal["y", "rgb"]
Planes = NDArray[np.float64]  # (H, W, C) in [0, 255]
_SIGMA, _RADIUS = 1.5, 5  # of the window: 11 x 11
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first
_Y: Final = np.array([65.481, 128.553, 24.966]) / 255


def planes(image: UInt8Image, *, color: Color, border: int) -> Planes:
    """What a metric looks at: (H, W, 3), or (H, W, 1) of luma in 16..235.

    Args:
        image: (H, W, 3) RGB.
        color: y = luma of BT.601 in studio range, as MATLAB's rgb2ycbcr gives it and papers report it.
        border: Pixels that are left out at each side.

    Raises:
        MetricError: Nothing is left.

    Source:
        ITU-R BT.601-7, section 2.5.1; without rounding, as BasicSR's `bgr2ycbcr(y_only=True)` does.

    Examples:
        >>> float(planes(np.full((4, 4, 3), 255, np.uint8), color="y", border=1)[0, 0, 0])
        235.0
    """
    height, width = image.shape[:2]
    if min(height, width) <= 2 * border:
        raise MetricError(f"an image of {width}x{height} pixels has none inside a border of {border}")
    inside = image[border : height - border, border : width - border].astype(np.float64)
    return inside if color == "rgb" else (inside @ _Y + 16.0)[..., None]


def psnr(reference: Planes, image: Planes) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255; infinite for equal images.

    Raises:
        MetricError: Their shapes differ.
    """
    _same_shape(reference, image)
    error = float(np.mean((reference - image) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(reference: Planes, image: Planes) -> float:
    """Structural similarity, -1..1: mean over pixels whose whole window lies inside, and over planes.

    Raises:
        MetricError: Their shapes differ, or they are smaller than the window of 11 pixels.

    Source:
        Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural
        similarity (IEEE TIP 13, 2004): Gaussian window of 11 pixels, sigma 1.5, K1 0.01, K2 0.03.
    """
    full, _ = _similarity(reference, image)
    return full


def ms_ssim(reference: Planes, image: Planes) -> float:
    """Structural similarity over five scales, 0..1; negative parts count as none.

    Raises:
        MetricError: Their shapes differ, or a side is shorter than 176 pixels: the coarsest of five scales
            must still hold a window.

    Source:
        Wang, Simoncelli and Bovik, Multiscale structural similarity for image quality assessment (Asilomar
        2003), with the weights of its experiment.
    """
    product = 1.0
    for place, weight in enumerate(_WEIGHTS):
        full, contrast = _similarity(reference, image)
        last = place == len(_WEIGHTS) - 1
        product *= max(0.0, full if last else contrast) ** weight
        reference, image = _halved(reference), _halved(image)
    return product


def _similarity(reference: Planes, image: Planes) -> tuple[float, float]:
    """Means of SSIM, and of its part without luminance."""
    _same_shape(reference, image)
    height, width = reference.shape[:2]
    if min(height, width) < 2 * _RADIUS + 1:
        raise MetricError(f"a window of {2 * _RADIUS + 1} pixels does not fit {width}x{height}")
    full, contrast = [], []
    for plane in range(reference.shape[2]):
        x, y = reference[..., plane], image[..., plane]
        mean_x, mean_y = _window(x), _window(y)
        var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
        both = _window(x * y) - mean_x * mean_y
        structure = (2 * both + _C2) / (var_x + var_y + _C2)
        luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
        full.append(float(np.mean(luminance * structure)))
        contrast.append(float(np.mean(structure)))
    return float(np.mean(full)), float(np.mean(contrast))


def _window(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian means where the whole window lies inside."""
    means: NDArray[np.float64] = gaussian_filter(plane, _SIGMA, truncate=_RADIUS / _SIGMA)
    return means[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _halved(values: Planes) -> Planes:
    height, width = (side - side % 2 for side in values.shape[:2])
    even = values[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _same_shape(reference: NDArray[Any], image: NDArray[Any]) -> None:
    if reference.shape != image.shape:
        (h, w), (other_h, other_w) = reference.shape[:2], image.shape[:2]
        raise MetricError(f"the result has {other_w}x{other_h} pixels, what it is compared with {w}x{h}")


class Fidelity:
    """PSNR, SSIM or MS-SSIM as a `curate.ports.ImageMetric`.

    Attributes:
        name: psnr, ssim or ms_ssim.
        higher_is_better: True.
        color: What it looks at.
        border: Pixels left out at each side.
    """

    higher_is_better = True

    def __init__(self, name: str, *, color: Color, border: int) -> None:
        self.name, self.color, self.border = name, color, border
        self._figure = FIGURES[name]

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """See `curate.ports.ImageMetric`."""
        _same_shape(reference, image)
        clean = planes(reference, color=self.color, border=self.border)
        return self._figure(clean, planes(image, color=self.color, border=self.border))


FIGURES: Final[dict[str, Callable[[Planes, Planes], float]]] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
}
