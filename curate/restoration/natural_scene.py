"""How natural an image looks, without its original: NIQE's formula, fitted on the project's clean images.

The model that was published with the formula comes from pictures that nobody else has, and tells how near
an image is to those. Here it is fitted on what the project's own clean images look like, so that no weights
of others are needed: figures can be compared within a project, and with no paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

from curate.errors import MetricError
from curate.records import UInt8Image

NAME: Final = "niqe_here"
_PATCH: Final = 96  # pixels of a side
_SHARP: Final = 0.75  # of the sharpest patch of a clean image: patches that the model is fitted on
_MIN_PATCHES: Final = 100  # of the clean images together: 36 means and their covariance
_SIGMA, _RADIUS = 7 / 6, 3  # of the window: 7 x 7
_SHAPES: Final = np.arange(0.2, 10.001, 0.001)  # of a generalized Gaussian
# Of each shape: squared mean of the absolute values over the mean of the squares.
_RATIOS: Final = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
_SHIFTS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbors whose products are looked at: rows, columns
Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NaturalSceneModel:
    """What patches of clean images are like.

    Attributes:
        mean: (36,) of their features.
        covariance: (36, 36).
        patches: How many it was fitted on.
    """

    mean: Plane
    covariance: Plane
    patches: int


def fit(images: Iterable[UInt8Image]) -> NaturalSceneModel:
    """The model of clean images (H, W, 3): of their sharp patches.

    Raises:
        MetricError: They have fewer than 100 such patches.
    """
    found = []
    for image in images:
        features, sharpness = _patches(image)
        if len(features):
            found.append(features[sharpness >= _SHARP * sharpness.max()])
    rows = np.concatenate(found) if found else np.zeros((0, 36))
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < _MIN_PATCHES:
        raise MetricError(
            f"the clean images have {len(rows)} sharp patches of {_PATCH} pixels: its model takes "
            f"{_MIN_PATCHES}"
        )
    return NaturalSceneModel(rows.mean(axis=0), np.cov(rows, rowvar=False), len(rows))


@dataclass(frozen=True, slots=True)
class Naturalness:
    """NIQE's distance as a `curate.ports.ImageMetric` that does not look at the clean image.

    0 = patches are distributed as those of the project's clean images; noise and blur raise it.

    Attributes:
        model: Of the clean images.

    Source:
        A. Mittal, R. Soundararajan and A. C. Bovik 2013, "Making a 'completely blind' image quality analyzer"
        (IEEE Signal Processing Letters 20), with another model than theirs.
    """

    model: NaturalSceneModel

    name = NAME
    higher_is_better = False

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:  # noqa: ARG002 - the port has it
        """See `curate.ports.ImageMetric`; `reference` is not looked at."""
        features, _ = _patches(image)
        features = features[np.isfinite(features).all(axis=1)]
        if len(features) < 2:
            height, width = image.shape[:2]
            raise MetricError(f"{width}x{height} pixels have fewer than 2 patches of {_PATCH} with texture")
        apart = self.model.mean - features.mean(axis=0)
        spread = (self.model.covariance + np.cov(features, rowvar=False)) / 2
        return float(np.sqrt(apart @ np.linalg.pinv(spread) @ apart))


def _patches(image: UInt8Image) -> tuple[Plane, Plane]:
    """Features (N, 36) of whole patches at two scales, and how sharp each is (N,)."""
    luma = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64)
    rows, columns = (side // _PATCH for side in luma.shape)
    luma = luma[: rows * _PATCH, : columns * _PATCH]
    scales, sharpness = [], np.zeros(0)
    for number in range(2):
        side = _PATCH >> number
        normal, deviation = normalized(luma)
        blocks = normal.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
        scales.append(np.array([features_of(block) for block in blocks]).reshape(-1, 18))
        if number == 0:
            sharpness = deviation.reshape(rows, side, columns, side).mean(axis=(1, 3)).reshape(-1)
            luma = _halved(luma)
    return np.concatenate(scales, axis=1), sharpness


def _halved(luma: Plane) -> Plane:
    if not luma.size:
        return luma
    half = (luma.shape[1] // 2, luma.shape[0] // 2)
    picture = Image.fromarray(luma.astype(np.float32)).resize(half, Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.float64)


def normalized(luma: Plane) -> tuple[Plane, Plane]:
    """Luma less its local mean, over its local deviation plus 1; and that deviation (equation 1)."""
    if not luma.size:
        return luma, luma
    mean = gaussian_filter(luma, _SIGMA, mode="nearest", radius=_RADIUS)
    squares = gaussian_filter(luma * luma, _SIGMA, mode="nearest", radius=_RADIUS)
    deviation = np.sqrt(np.abs(squares - mean * mean))
    return (luma - mean) / (deviation + 1), deviation


def features_of(block: Plane) -> Plane:
    """(18,) shape and spread of the values of a patch, and of products of neighbors in four directions."""
    shape, left, right = asymmetric_gaussian(block)
    found = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = asymmetric_gaussian(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)
        found += [shape, mean, left, right]
    return np.array(found)


def asymmetric_gaussian(values: Plane) -> tuple[float, float, float]:
    """Shape, left and right scale of the asymmetric generalized Gaussian with the moments of the values.

    NaN where there is nothing on one side.

    Source:
        N. Lasmar, Y. Stitou and Y. Berthoumieu 2009, "Multiscale skewed heavy tailed model for texture
        analysis".
    """
    below, above = values[values < 0], values[values > 0]
    if not len(below) or not len(above):
        return float("nan"), float("nan"), float("nan")
    left, right = np.sqrt(np.mean(below**2)), np.sqrt(np.mean(above**2))
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin((_RATIOS - ratio) ** 2)])
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, float(left * scale), float(right * scale)
