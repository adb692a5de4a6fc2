"""Power spectra of two pictures of one frame, and how far the one follows from the other by a filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float32]
RINGS: Final = 16  # of frequency, from 0 to half a cycle per pixel
_BLOCK: Final = 64  # pixels per side
_MAX_BLOCKS: Final = 96
_FINE: Final = 6  # rings from here on are fine detail
_COARSEST: Final = 2  # rings below are light and shade


@dataclass(frozen=True, slots=True)
class Spectra:
    """Power of two pictures a and b, as densities in levels squared.

    Attributes:
        a: (16,) by ring.
        b: (16,) by ring.
        both: (16,) real part of the cross spectrum.
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
        """(16,) power of b - a."""
        power: Floats = np.maximum(self.a + self.b - 2 * self.both, 1e-6)
        return power

    @property
    def gain(self) -> Floats:
        """(16,) what a is multiplied with to come nearest to b; 1 where b is a and something unrelated."""
        share: Floats = self.both / np.maximum(self.a, 1e-9)
        return share

    @property
    def coherence(self) -> Floats:
        """(16,) how far one follows from the other by a filter, 0..1; negative where the filter inverts."""
        share: Floats = self.both * np.abs(self.both) / np.maximum(self.a * self.b, 1e-9)
        return share

    def swapped(self) -> Spectra:
        """The spectra with a and b exchanged."""
        return Spectra(self.b, self.a, self.both, self.calm, self.busy)


def _by_ring() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order of the (2112,) frequencies of a block by ring, and where each ring begins; corners come last."""
    u, v = np.meshgrid(np.fft.rfftfreq(_BLOCK), np.fft.fftfreq(_BLOCK))
    ring = (np.hypot(u, v) * 2 * RINGS).astype(int).reshape(-1)
    order = np.argsort(ring, kind="stable")
    return order, np.searchsorted(ring[order], np.arange(RINGS + 1))


_ORDER, _STARTS = _by_ring()
_WINDOW: Final = np.hanning(_BLOCK)[:, None] * np.hanning(_BLOCK)
_SCALED: Final = (_WINDOW / np.sqrt((_WINDOW**2).mean())).astype(np.float32)


def spectra(a: Floats, b: Floats) -> Spectra | None:
    """Compare two luma planes (H, W) of one frame; None if they are smaller than a block."""
    blocks_a, blocks_b = _blocks(a), _blocks(b)
    if len(blocks_a) == 0:
        return None
    fa, fb = (
        scipy.fft.rfft2((part - part.mean(axis=(1, 2), keepdims=True)) * _SCALED)
        for part in (blocks_a, blocks_b)
    )
    one, other, both = (
        _ring_means(x.real * y.real + x.imag * y.imag) for x, y in ((fa, fa), (fb, fb), (fa, fb))
    )
    fine = (one + other - 2 * both)[:, _FINE:].mean(axis=1)
    busy = np.minimum(one, other)[:, _COARSEST:].mean(axis=1)
    order, third = np.argsort(busy, kind="stable"), max(1, len(busy) // 3)
    calm, rough = (float(fine[part].mean()) for part in (order[:third], order[-third:]))
    return Spectra(one.mean(axis=0), other.mean(axis=0), both.mean(axis=0), calm, rough)


def _ring_means(powers: Floats) -> Floats:
    """(N, 16) densities from the powers (N, 64, 33) of blocks."""
    sums = np.add.reduceat(powers.reshape(len(powers), -1)[:, _ORDER[: _STARTS[-1]]], _STARTS[:-1], axis=1)
    means: Floats = sums / (np.diff(_STARTS) * _BLOCK**2)
    return means


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
