"""Which of two sizes of one picture came first: was the larger one enlarged, or the smaller one reduced?

In this order: rows that repeat, the beat that interpolation leaves at the rate of the smaller one's pixels,
which of the two is softer where both have detail, and detail that the smaller one cannot hold.

Source of the beat: A. Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed
images".
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.dedupe.jpeg_history import coefficients, quantizer_steps
from curate.dedupe.power_spectra import RINGS, Spectra, spectra

Floats = NDArray[np.float32]
_SAME_ROW: Final = 0.85  # of the step between other rows
_MIN_BEAT: Final = 4.0  # times the median of its neighbors
_JPEG_BLOCK: Final = 8  # pixels
_TREND: Final = 17  # pixels
_NEAR: Final = 25  # frequencies on either side
_MIN_SOFTER: Final = 0.06  # logarithm of amplitude
_BOTH: Final = slice(4, 10)  # rings of the smaller one that both sizes hold
_MIN_RELATED: Final = 0.6
_MIN_OWN: Final = 0.12  # levels squared; rounding to whole levels leaves 0.08
_MIN_OWN_CODED: Final = 4.5  # what a JPEG of usual quality adds
_MIN_SHARE: Final = 0.04  # of what the smaller one has next to it


def was_enlarged(larger: Floats, smaller: Floats) -> bool:
    """Whether a luma plane (H, W) is a smaller one of the same frame, enlarged."""
    if _repeated(larger, len(smaller)) and _repeated(larger.T, smaller.shape[1]):
        return True
    if np.sqrt(_beat(larger, smaller.shape[1]) * _beat(larger.T, len(smaller))) > _MIN_BEAT:
        return True
    small = spectra(_sized(larger, smaller), smaller)
    softer = _softer(small) if small else 0.0
    if abs(softer) > _MIN_SOFTER:
        return softer < 0
    return not _has_own_detail(larger, smaller)


def _sized(plane: Floats, like: Floats) -> Floats:
    return np.asarray(Image.fromarray(plane).resize((like.shape[1], like.shape[0]), Image.Resampling.LANCZOS))


def _repeated(luma: Floats, rows: int) -> bool:
    """Whether a picture repeats rows as one of fewer rows does that is enlarged without any smoothing."""
    steps = np.abs(np.diff(luma, axis=0)).mean(axis=1)
    for corner in (-0.01, 0, 0.5):  # programs take a pixel's corner or its middle, and round
        again = np.diff(np.floor((np.arange(len(luma)) + corner) * rows / len(luma))) == 0
        if 0 < again.sum() < len(again) and steps[again].mean() < _SAME_ROW * steps[~again].mean():
            return True
    return False


def _beat(luma: Floats, columns: int) -> float:
    """How much the roughness along rows beats at the rate of a picture of fewer columns.

    Blocks of a JPEG beat too: at a rate that is also theirs, the beat must be stronger than at their others.
    """
    count, rate = luma.shape[1] - 2, columns / luma.shape[1]
    if count < 4 * _NEAR:
        return 0.0
    rough = np.log(np.abs(2 * luma[:, 1:-1] - luma[:, :-2] - luma[:, 2:]).mean(axis=0) + 0.05)
    trend = np.convolve(np.pad(rough, _TREND // 2, "reflect"), np.full(_TREND, 1 / _TREND), "valid")
    powers = np.abs(np.fft.rfft((rough - trend) * np.hanning(count)))
    folded = min(rate, 1 - rate)
    at = round(folded * count)
    near = np.concatenate([powers[max(at - _NEAR, 5) : max(at - 3, 6)], powers[at + 4 : at + _NEAR + 1]])
    usual = float(np.median(near))
    blocks = np.arange(1, _JPEG_BLOCK // 2 + 1) / _JPEG_BLOCK
    if (np.abs(blocks - folded) < 0.005).any():
        others = (blocks[np.abs(blocks - folded) >= 0.005] * (count - 1)).astype(int)
        usual = max(usual, float(powers[others].max()) / 2)
    return float(powers[max(at - 1, 1) : at + 2].max() / max(usual, 1e-9))


def _softer(found: Spectra) -> float:
    """Logarithm of the amplitude of a over that of b where they are related."""
    coherence = np.clip(found.coherence, 0, 1)[_BOTH]
    weights = coherence**2 * (coherence > _MIN_RELATED)
    if weights.sum() < 0.5:
        return 0.0
    return float((weights * np.log(found.a / found.b)[_BOTH]).sum() / weights.sum() / 2)


def _has_own_detail(larger: Floats, smaller: Floats) -> bool:
    """Whether a picture has detail that a smaller one of the same frame cannot have, beyond rounding."""
    found = spectra(larger, _sized(smaller, larger))
    if found is None:
        return True
    held = RINGS / float(np.sqrt(larger.size / smaller.size))  # rings that the smaller one has
    above, below = min(int(np.ceil(held + 0.5)), RINGS - 2), max(int(held), 2)
    own = float(found.difference[above : above + 2].mean())
    coded = (quantizer_steps(coefficients(larger)) > 1).sum() > 1
    rounded = own > (_MIN_OWN_CODED if coded else _MIN_OWN)
    return bool(rounded and own > _MIN_SHARE * found.a[max(below - 2, 1) : below].mean())
