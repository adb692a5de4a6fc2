"""pHashes of parts of a thumbnail: what finds crops and added borders without decoding again.

A crop shows a part of a picture, a border makes the picture a part of the copy. So the pHash of the right
part of one is close to the pHash of the other. Taking a part and its DCT are both linear, and both work on
rows and columns alone: one small matrix a side holds them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.hashes import UInt64Array, pack

_SIDE: Final = 32  # pixels of a thumbnail
_LOW: Final = 8  # coefficients per side
_SAMPLES: Final = 32  # of a window, a side
# Matrices are rounded to integers, so that products are exact in float64 and equal in any order of its sums.
_UNIT: Final = 4096.0
_PIECE: Final = 4  # thumbnails at a time: what is computed of them stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, in shares of its sides: 0..1, left < right, top < bottom."""

    left: float
    top: float
    right: float
    bottom: float


def _centered(width: float, height: float, dx: float = 0.0, dy: float = 0.0) -> Window:
    left, top = (1 - width) / 2 + dx, (1 - height) / 2 + dy
    return Window(left, top, left + width, top + height)


# Chosen on the tuning corpus (benchmarks/corpus.py). There the picture and its mirror image lead to 83% of
# the copies within radius 10, these windows to 98%, 168 windows to 99%, and the parts below to 99.7%.
_OFF: Final = 0.05
_CORNER: Final = 0.075
WINDOWS: Final = (
    _centered(0.92, 0.92),
    *(_centered(0.86, 0.86, dx, dy) for dx in (-_OFF, 0, _OFF) for dy in (-_OFF, 0, _OFF)),
    *(_centered(0.85, 0.85, dx, dy) for dx in (-_CORNER, _CORNER) for dy in (-_CORNER, _CORNER)),
    *(_centered(1, 0.9), _centered(0.9, 1)),  # bars above and below, left and right
    *(_centered(1, 0.93, 0, 0.035), _centered(1, 0.93, 0, -0.035)),  # cut on one side
    *(_centered(0.93, 1, 0.035, 0), _centered(0.93, 1, -0.035, 0)),
)
# Compared with the same part of the other picture: text, a logo or a sticker leaves one of them alone.
PARTS: Final = (
    *(_centered(1, 0.66, 0, 0.17), _centered(1, 0.66, 0, -0.17)),
    *(_centered(0.66, 1, 0.17, 0), _centered(0.66, 1, -0.17, 0)),
    _centered(0.6, 0.6),
)


def window_hashes(thumbnails: NDArray[np.uint8]) -> UInt64Array:
    """(N, len(WINDOWS) + len(PARTS)) uint64: the pHash of each window of (N, 32, 32) luma thumbnails."""
    matrices, across, down = _plan()
    windows, middle = len(across), _LOW * _LOW // 2
    found = np.empty((len(thumbnails), windows), np.uint64)
    for start in range(0, len(thumbnails), _PIECE):
        piece = thumbnails[start : start + _PIECE].astype(np.float64)
        # Whole numbers below 2^53: any order of the sums gives the same, on any machine.
        rows = (matrices.reshape(-1, _SIDE) @ piece).reshape(len(piece), -1, _LOW, _SIDE)
        low = (rows[:, down] @ matrices.transpose(0, 2, 1)[across]).reshape(-1, _LOW * _LOW)
        ranked = np.sort(low, axis=1)  # sooner than a partition: NumPy sorts with the processor's vectors
        above = 2 * low > (ranked[:, middle - 1] + ranked[:, middle])[:, None]
        found[start : start + _PIECE] = pack(above).reshape(len(piece), windows)
    return found


@functools.cache
def _plan() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Matrices (U, 8, 32) of distinct sides, and which of them each window takes across and down, (W,)."""
    every = WINDOWS + PARTS
    sides = sorted({side for w in every for side in ((w.left, w.right), (w.top, w.bottom))})
    across = np.array([sides.index((w.left, w.right)) for w in every])
    down = np.array([sides.index((w.top, w.bottom)) for w in every])
    return np.stack([_matrix(*side) for side in sides]), across, down


def _matrix(low: float, high: float) -> NDArray[np.float64]:
    """(8, 32) whole numbers: linear interpolation of the part low..high of a row, then its lowest cosines."""
    places = (low + (np.arange(_SAMPLES) + 0.5) / _SAMPLES * (high - low)) * _SIDE - 0.5
    places = np.clip(places, 0, _SIDE - 1)
    left = np.minimum(places.astype(int), _SIDE - 2)
    weight = places - left
    sample = np.zeros((_SAMPLES, _SIDE))
    sample[np.arange(_SAMPLES), left] = 1 - weight
    sample[np.arange(_SAMPLES), left + 1] += weight
    steps = np.arange(_SAMPLES) + 0.5
    cosines = np.cos(np.pi / _SAMPLES * np.arange(_LOW)[:, None] * steps[None])
    rounded: NDArray[np.float64] = np.rint(cosines @ sample * _UNIT)
    return rounded
