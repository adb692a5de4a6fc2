"""What sets two pictures of one frame apart: the measures that tell an original from its copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float32]
RINGS: Final = 8  # of frequency, from 0 to half a cycle a pixel
_BLOCK: Final = 64  # pixels a side
_MAX_BLOCKS: Final = 96
_DCT: Final = 8
# The nine lowest frequencies of a JPEG block but for its mean: row, column.
LOW: Final = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))
_STEPS: Final = np.arange(2, 100)  # levels of a quantizer that are looked for
_MIN_COMB: Final = 0.45  # mean cosine of coefficients at the steps of a quantizer
_MIN_COUNT: Final = 60  # coefficients that are not zero


@dataclass(frozen=True, slots=True)
class Spectra:
    """Power of two pictures a and b and of their difference, as densities in levels squared.

    Attributes:
        a: (8,) by ring.
        b: (8,) by ring.
        both: (8,) real part of the cross spectrum.
        calm: Variance of the fine part of b - a where a and b are smooth, in the calmest third of the blocks.
        busy: The same in the busiest third.
    """

    a: Floats
    b: Floats
    both: Floats
    calm: float
    busy: float

    @property
    def difference(self) -> Floats:
        """(8,) power of b - a."""
        power: Floats = np.maximum(self.a + self.b - 2 * self.both, 1e-6)
        return power

    @property
    def coherence(self) -> Floats:
        """(8,) 0..1, how far the one follows from the other by a filter."""
        share: Floats = self.both**2 / np.maximum(self.a * self.b, 1e-9)
        return share


def spectra(a: Floats, b: Floats) -> Spectra | None:
    """Compare two luma planes (H, W) of one frame; None if they are smaller than a block."""
    blocks_a, blocks_b = _blocks(a), _blocks(b)
    if len(blocks_a) == 0:
        return None
    window = np.hanning(_BLOCK)[:, None] * np.hanning(_BLOCK)
    window = (window / np.sqrt((window**2).mean())).astype(np.float32)
    fa, fb = (
        scipy.fft.rfft2((part - part.mean(axis=(1, 2), keepdims=True)) * window)
        for part in (blocks_a, blocks_b)
    )
    powers = [np.abs(fa) ** 2, np.abs(fb) ** 2, (fa * fb.conj()).real]
    u, v = np.meshgrid(np.fft.rfftfreq(_BLOCK), np.fft.fftfreq(_BLOCK))
    ring = np.minimum(
        (np.hypot(u, v) * 2 * RINGS).astype(int), RINGS
    )  # corners beyond half a cycle are left out
    one, other, both = (
        (np.array([part[:, ring == r].mean() for r in range(RINGS)]) / _BLOCK**2).astype(np.float32)
        for part in powers
    )
    fine = (powers[0] + powers[1] - 2 * powers[2])[:, (ring >= 3) & (ring < RINGS)].mean(axis=1) / _BLOCK**2
    busy = np.minimum(powers[0], powers[1])[:, (ring >= 1) & (ring < RINGS)].mean(axis=1)
    order, third = np.argsort(busy, kind="stable"), max(1, len(busy) // 3)
    calm, rough = (float(fine[part].mean()) for part in (order[:third], order[-third:]))
    return Spectra(one, other, both, calm, rough)


def _blocks(plane: Floats) -> Floats:
    """(N, 64, 64) blocks side by side, evenly chosen where there are many."""
    rows, columns = plane.shape[0] // _BLOCK, plane.shape[1] // _BLOCK
    cut = plane[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    every = cut.transpose(0, 2, 1, 3).reshape(-1, _BLOCK, _BLOCK)
    return (
        every[np.linspace(0, len(every) - 1, min(len(every), _MAX_BLOCKS)).astype(int)]
        if len(every)
        else every
    )


def quantizer_steps(luma: Floats) -> Floats:
    """(9,) the steps of `LOW` that a JPEG left in its pixels, in levels; 1 where none is seen.

    Coefficients of a picture that was once quantized lie near multiples of a step, also in a PNG and under a
    finer JPEG. The blocks must begin at the corner.

    Source: J. Lukas, J. Fridrich 2003, "Estimation of primary quantization matrix in double compressed JPEG
    images".
    """
    rows, columns = luma.shape[0] // _DCT, luma.shape[1] // _DCT
    cut = luma[: rows * _DCT, : columns * _DCT].reshape(rows, _DCT, columns, _DCT).transpose(0, 2, 1, 3)
    some = cut.reshape(-1, _DCT, _DCT)[:: max(1, rows * columns // 4000)] - 128
    coefficients = scipy.fft.dctn(some, axes=(1, 2), norm="ortho")
    found = np.ones(len(LOW), np.float32)
    for number, (row, column) in enumerate(LOW):
        values = np.sort(np.abs(coefficients[:, row, column]))
        zeros = np.searchsorted(values, _STEPS / 2, "right")
        # Cosines of 32 bits, a third of the time: a step as a number of NumPy's would make them of 64.
        scores = np.array(
            [
                np.cos(values[first:] * (2 * np.pi / step)).mean()
                if len(values) - first >= _MIN_COUNT
                else -1
                for step, first in zip(_STEPS.tolist(), zeros.tolist(), strict=True)
            ]
        )
        told = np.flatnonzero((scores > _MIN_COMB) & (scores > 0.8 * scores.max()))
        found[number] = _STEPS[told[-1]] if len(told) else 1
    return found


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
