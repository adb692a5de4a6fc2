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


def is_gray(one: UInt8Image, other: UInt8Image) -> bool:
    """Whether the one is gray and the other has colors."""
    small = (
        np.asarray(Image.fromarray(part).resize((32, 32), Image.Resampling.BOX)) for part in (one, other)
    )
    spread, others = (np.ptp(part.astype(np.int16), axis=2) for part in small)
    return bool(np.percentile(spread, 98) < 6 and (others > 8).mean() > 0.3)


def has_few_levels(one: UInt8Image, other: UInt8Image) -> bool:
    """Whether the histogram of the one has peaks and gaps that the other's has not."""
    combs = [max(comb(part[..., band]) for band in range(3)) for part in (one, other)]
    return combs[0] > 1.5 * combs[1] + 0.1


def comb(band: NDArray[np.uint8]) -> float:
    """How much of the histogram stands out in peaks and gaps, 0..2: few colors, or stretched light."""
    counts = np.bincount(band.reshape(-1), minlength=256).astype(float)
    found = 0.0
    for wide in (1, 2, 4):
        bins = counts.reshape(-1, wide).sum(axis=1)[4 // wide : -(4 // wide)]
        before, here, after = bins[:-2], bins[1:-1], bins[2:]
        alone = (here - before) * (here - after) > 0  # higher or lower than both its neighbors
        if bins.sum() > 0.2 * counts.sum():
            found = max(found, float(np.abs(here - (before + after) / 2)[alone].sum() / bins.sum()))
    return found


def is_clipped(one: UInt8Image, other: UInt8Image) -> bool:
    """Whether a part of the one is black or white in some color, and of the other is not."""
    share, of_extremes = _cut_off(one, other)
    return share > _MIN_CLIPPED and of_extremes > 0.25 and share > _MORE_CLIPPED * _cut_off(other, one)[0]


def _cut_off(one: UInt8Image, other: UInt8Image) -> tuple[float, float]:
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
