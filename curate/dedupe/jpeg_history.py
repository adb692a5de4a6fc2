"""How coarsely JPEG once quantized a picture, read from its pixels: also in a PNG, or under a finer JPEG.

Coefficients of a picture that was quantized lie near multiples of a step. Blocks must begin at the corner.

Source: J. Lukas, J. Fridrich 2003, "Estimation of primary quantization matrix in double compressed JPEG
images".
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_DCT: Final = 8  # pixels per side of a block
# The ten lowest frequencies of a block: row, column. The mean counts most in pictures without detail.
FREQUENCIES: Final = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))
_MAX_BLOCKS: Final = 4000
_STEPS: Final = np.arange(2, 100)  # levels of a quantizer that are looked for
_BINS_PER_LEVEL: Final = 4
_BINS: Final = 1100 * _BINS_PER_LEVEL  # beyond the largest coefficient
_ZEROS: Final = _STEPS * _BINS_PER_LEVEL // 2 - 1  # last bin of what a step makes zero
_LEVELS: Final = (np.arange(_BINS) + 0.5) / _BINS_PER_LEVEL
_COSINES: Final = np.where(
    np.arange(_BINS) > _ZEROS[:, None], np.cos(2 * np.pi * _LEVELS / _STEPS[:, None]), 0
).astype(np.float32)
_MIN_COMB: Final = 0.45  # mean cosine of coefficients at the steps of a quantizer
_MIN_COUNT: Final = 60  # coefficients that are not zero
_MIN_STEP: Final = 6.0  # quality 85; finer ones are every camera's
_COARSER: Final = 1.6  # times the other's step
_MIN_FREQUENCIES: Final = 2
# A value and the multiple of a step that it was rounded to are 0.29 steps apart (root mean square).
_ROUNDED: Final = (0.12, 0.42)


def coefficients(luma: Floats) -> Floats:
    """(N, 10) the `FREQUENCIES` of blocks of a plane (H, W); the same blocks for the same size."""
    rows, columns = luma.shape[0] // _DCT, luma.shape[1] // _DCT
    cut = luma[: rows * _DCT, : columns * _DCT].reshape(rows, _DCT, columns, _DCT).transpose(0, 2, 1, 3)
    some = cut.reshape(-1, _DCT, _DCT)[:: max(1, rows * columns // _MAX_BLOCKS)] - 128
    every = scipy.fft.dctn(some, axes=(1, 2), norm="ortho")
    found: Floats = np.stack([every[:, row, column] for row, column in FREQUENCIES], axis=1)
    return found


def quantizer_steps(values: Floats) -> Floats:
    """(10,) the steps that `coefficients` (N, 10) are multiples of, in levels; 1 where none is seen."""
    places = np.minimum(np.abs(values) * _BINS_PER_LEVEL, _BINS - 1).astype(np.intp)
    counts = np.stack([np.bincount(column, minlength=_BINS) for column in places.T], axis=1).astype(
        np.float32
    )
    counts = counts[: max(int(places.max(initial=0)), int(_ZEROS[-1])) + 1]  # the other bins are empty
    near = counts.sum(axis=0) - np.cumsum(counts, axis=0)[_ZEROS]  # (steps, 10) of them that are not zero
    scores = np.where(near >= _MIN_COUNT, _COSINES[:, : len(counts)] @ counts / np.maximum(near, 1), -1)
    told = (scores > _MIN_COMB) & (scores > 0.8 * scores.max(axis=0))
    last = len(_STEPS) - 1 - np.argmax(told[::-1], axis=0)
    found: Floats = np.where(told.any(axis=0), _STEPS[last], 1).astype(np.float32)
    return found


def compressed_harder(one: Floats, other: Floats, steps: tuple[Floats, Floats]) -> bool:
    """Whether the one is the other, quantized by steps that the other does not have.

    Args:
        one: (N, 10) `coefficients`.
        other: Those of the same blocks of the other.
        steps: `quantizer_steps` of both.
    """
    counted = 0
    for number, (step, finer) in enumerate(zip(*steps, strict=True)):
        if step < _MIN_STEP or step < _COARSER * finer:
            continue
        kept = np.abs(one[:, number]) > step / 2  # what became zero may have been anything below
        away = float(np.sqrt(((one - other)[kept, number] ** 2).mean())) / step
        counted += _ROUNDED[0] < away < _ROUNDED[1]
    return bool(counted >= _MIN_FREQUENCIES)
