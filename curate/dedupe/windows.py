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
_LOW: Final = 8  # coefficients a side
_SAMPLES: Final = 32  # of a window, a side
# Matrices are rounded to integers, so that products are exact in float64 and equal in batches of any size.
_UNIT: Final = 4096.0


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, in shares of its sides: 0..1, left < right, top < bottom."""

    left: float
    top: float
    right: float
    bottom: float


def _centred(width: float, height: float, dx: float = 0.0, dy: float = 0.0) -> Window:
    left, top = (1 - width) / 2 + dx, (1 - height) / 2 + dy
    return Window(left, top, left + width, top + height)


# Chosen on the tuning corpus (benchmarks/corpus.py): with radius 10 these lead to 98% of the copies, the
# picture and its mirror image alone to 83%, and 168 windows to 99%.
_OFF: Final = 0.05
WINDOWS: Final = (
    _centred(0.92, 0.92),
    *(_centred(0.86, 0.86, dx, dy) for dx in (-_OFF, 0, _OFF) for dy in (-_OFF, 0, _OFF)),
    *(_centred(1, 0.9), _centred(0.9, 1)),  # bars above and below, left and right
    *(_centred(1, 0.93, 0, 0.035), _centred(1, 0.93, 0, -0.035)),  # cut on one side
    *(_centred(0.93, 1, 0.035, 0), _centred(0.93, 1, -0.035, 0)),
)


def window_hashes(thumbnails: NDArray[np.uint8]) -> UInt64Array:
    """(N, len(WINDOWS)) uint64: the pHash of each window of (N, 32, 32) luma thumbnails."""
    sides = _sides()
    matrices = np.stack([_matrix(*side) for side in sides])  # (U, 8, 32)
    pixels = thumbnails.astype(np.float64)
    by_columns = np.einsum("nyx,ukx->nuyk", pixels, matrices, optimize=True)  # (N, U, 32, 8)
    hashes = np.empty((len(thumbnails), len(WINDOWS)), dtype=np.uint64)
    for index, window in enumerate(WINDOWS):
        across, down = sides.index((window.left, window.right)), sides.index((window.top, window.bottom))
        low = np.matmul(matrices[down], by_columns[:, across]).reshape(-1, _LOW * _LOW)
        middle = np.partition(low, (_LOW * _LOW // 2 - 1, _LOW * _LOW // 2), axis=1)
        median = middle[:, _LOW * _LOW // 2 - 1] + middle[:, _LOW * _LOW // 2]
        hashes[:, index] = pack(2 * low > median[:, None])[:, 0]
    return hashes


@functools.cache
def _sides() -> list[tuple[float, float]]:
    return sorted({side for w in WINDOWS for side in ((w.left, w.right), (w.top, w.bottom))})


@functools.cache
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
