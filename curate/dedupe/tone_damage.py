"""What was done to the levels of a copy: colors lost, few levels left, light and shadow cut off."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image

from curate.records import UInt8Image

_DARK: Final = 2  # levels
_LIGHT: Final = 253
_MIN_CLIPPED: Final = 0.04  # of all values
_MORE_CLIPPED: Final = 3.0  # times the other's


def colorfulness(picture: UInt8Image) -> NDArray[np.int16]:
    """(32, 32) what the largest and the smallest of red, green and blue differ by, in levels."""
    small = np.asarray(Image.fromarray(picture).resize((32, 32), Image.Resampling.BOX))
    spread: NDArray[np.int16] = np.ptp(small.astype(np.int16), axis=2)
    return spread


def is_gray(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    """Whether the one is gray and the other has colors, by their `colorfulness`."""
    return bool(np.percentile(one, 98) < 6 and (other > 8).mean() > 0.3)


def has_few_levels(one: float, other: float) -> bool:
    """Whether the histogram of the one has peaks and gaps that the other's has not, by their `comb`."""
    return one > 1.5 * other + 0.1


def comb(picture: UInt8Image) -> float:
    """How much a histogram stands out in peaks and gaps, 0..2: few colors, or stretched light.

    Of red, green and blue the one that does most.
    """
    counts = np.array(Image.fromarray(picture).histogram(), float).reshape(3, 256)
    return max(map(_comb, counts))


def _comb(counts: NDArray[np.float64]) -> float:
    found = 0.0
    for wide in (1, 2, 4):
        bins = counts.reshape(-1, wide).sum(axis=1)[4 // wide : -(4 // wide)]
        before, here, after = bins[:-2], bins[1:-1], bins[2:]
        alone = (here - before) * (here - after) > 0  # higher or lower than both its neighbors
        if bins.sum() > 0.2 * counts.sum():
            found = max(found, float(np.abs(here - (before + after) / 2)[alone].sum() / bins.sum()))
    return found


def is_clipped(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether a part of the one is black or white in some color, and of the other is not, by `cut_off`."""
    share, of_extremes = one
    return share > _MIN_CLIPPED and of_extremes > 0.25 and share > _MORE_CLIPPED * other[0]


def cut_off(one: UInt8Image, other: UInt8Image) -> tuple[float, float]:
    """Share of the values that are at an end where the other's are not, and their share of all at an end.

    Of a picture with hardly any at an end the first is an upper bound.
    """
    dark, light = one <= _DARK, one >= _LIGHT
    ends = float((dark | light).mean())
    if ends <= _MIN_CLIPPED / _MORE_CLIPPED:
        return ends, 0.0
    smooth = scipy.ndimage.uniform_filter(other, (3, 3, 1))
    gone = float(((dark & (smooth > 8)) | (light & (smooth < 247))).mean())
    return gone, gone / ends
