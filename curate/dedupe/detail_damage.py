"""What was done to the detail of a copy, told from two power spectra: noise, sharpening, blur, an overlay.

`b` is the picture that is asked about, `a` the one that it may be made of. Wherever detail was lost, the copy
loses ever more with frequency, down to its own rounding; a sharpening filter's gain levels off, and what it
raised stays related to the original, down to the faintest ring.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.power_spectra import Spectra

Floats = NDArray[np.float32]
_MIN_NOISE: Final = 3.0  # levels squared
_WHITE: Final = slice(2, 9)  # rings; above, compression takes noise away
_WHITENESS: Final = 1.6  # the strongest of them over the weakest
_RELATED: Final = 0.5  # coherence
_EVEN: Final = 0.12  # of the logarithm of the gain
_SOME_RELATION: Final = 0.35
_MIN_SHARPENING: Final = 0.15
_MAX_SHARPENING: Final = 4.5  # more is nobody's sharpening but the inverse of a blur
_FALLEN: Final = 0.75  # of the largest gain
_ABOVE_ROUNDING: Final = 1.0  # levels squared; below, nothing is told from a file's own noise
_WELL_ABOVE: Final = 4.0
_MAX_LOSS: Final = -0.03  # logarithm of power


def adds_noise(found: Spectra) -> bool:
    """Whether b is a and something unrelated that is white and everywhere."""
    apart = found.difference
    white = apart[_WHITE].max() < _WHITENESS * apart[_WHITE].min() and apart[2:].mean() > _MIN_NOISE
    held = np.zeros(len(apart), np.bool_)
    held[_WHITE] = found.a[_WHITE] > apart[_WHITE]
    logs = _log_gain(found)
    changed = abs(float((logs[held] - logs[1]).mean())) if held.any() else 0.0
    more = ((found.b - found.a) / found.a)[3:].sum() / (apart / found.a)[3:].sum()
    return bool(white and changed < 0.06 and 0.75 < more < 1.8 and found.calm > 0.05 * found.busy)


def keeps_detail(found: Spectra) -> bool:
    """Whether b holds all of a by one factor, coarse and fine, so that a is not b blurred or sharpened."""
    related = found.coherence > _RELATED
    related[0] = False
    logs = _log_gain(found)[related]
    return bool(len(logs) and np.abs(logs - np.median(logs)).mean() < _EVEN)


def is_sharpened(found: Spectra, *, coded: bool) -> bool:
    """Whether b is a with a gain that grows with frequency and levels off.

    Args:
        found: Of both.
        coded: Whether b shows the steps of a JPEG, which takes away what was raised.
    """
    related = np.append(found.coherence[1:] > _SOME_RELATION, False)
    gain, logs = found.gain, _log_gain(found)[1 : int(np.argmin(related)) + 1]
    told = np.flatnonzero(found.a > _ABOVE_ROUNDING)
    told = told[told > 0]
    if len(logs) < 4 or logs.max() < _MIN_SHARPENING or len(told) == 0 or np.median(gain[12:]) < 0.6:
        return False
    faint = found.a < _ABOVE_ROUNDING
    if not coded and faint.any() and found.coherence[faint].mean() < _RELATED:
        return False  # a filter raises what is faint too
    here = gain[told]
    lowest = np.where(found.a[told] > _WELL_ABOVE, 1, 0.5)
    if (
        (here < lowest) & (here < _FALLEN * np.maximum.accumulate(here))
    ).any() or here.max() > _MAX_SHARPENING:
        return False
    middle = len(logs) // 2
    return bool(logs[-1] - logs[middle] < 1.1 * (logs[middle] - min(logs[0], 0.0)))


def loses_detail(found: Spectra) -> bool:
    """Whether b has less than a of what is related, beyond the coarsest."""
    weights = np.clip(found.coherence, 0, 1)[2:] ** 2
    logs = np.log(np.maximum(found.b, 1e-9) / np.maximum(found.a, 1e-9))
    loss = float((weights * (logs[2:] - logs[1])).sum())
    return bool(weights.sum() > 0.3 and loss < _MAX_LOSS * weights.sum())


def adds_overlay(found: Spectra) -> bool:
    """Whether b is a and something unrelated that is coarse, and strong beside a."""
    apart = found.difference
    more = ((found.b - found.a) / apart)[1:6]
    coarse = apart[1] > 10 * max(apart[12], 0.5) and apart[1] > 0.05 * found.a[1]
    return bool(coarse and more.min() > 0.3 and np.abs(_log_gain(found)[1:6]).mean() < 0.15)


def _log_gain(found: Spectra) -> Floats:
    logs: Floats = np.log(np.maximum(found.gain, 1e-3))
    return logs
