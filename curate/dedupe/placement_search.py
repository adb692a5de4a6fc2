"""Finds the placement of one thumbnail on another and scores it; compiled, over many pairs."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.registration import Floats, Samples, agreement, halved, refine, samples, vectorized, warp

# Shares of agreement at which a pair needs no further look. Of the pairs of the tuning corpus that the fast
# looks reject, 0.3% are copies; of those that they accept, all but the graphics of one pattern.
AT_ONCE: Final = 0.9
_HOPELESS: Final = 0.35  # of the best start, at 16 x 16 pixels
_POOR: Final = 0.45  # after the coarse steps
_COARSE_ROUNDS: Final = 4
_FINE_ROUNDS: Final = 2
_WELL: Final = 0.8  # needs no finer placement
_MIN_OVERLAP: Final = 0.5  # of the second picture
_PLAIN_EDGE: Final = 8.0  # levels; an edge with less contrast, around the other picture, is a border


@vectorized
def compare(  # noqa: PLR0917 - numba
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    starts: NDArray[np.float64],
    order: NDArray[np.int64],
    score: NDArray[np.float64],
    placement: NDArray[np.float64],
) -> None:
    """Place and score pairs.

    Args:
        first: (P, 32, 32) luma.
        second: (P, 32, 32).
        starts: (H, 6) placements to begin with.
        order: (P, K) which starts to try for each pair, the likeliest first.
        score: (P,), filled with the agreement, -1..1.
        placement: (P, 6), filled.
    """
    a, b = np.empty((32, 32), dtype=np.float32), np.empty((32, 32), dtype=np.float32)
    small_a, small_b = np.empty((16, 16), dtype=np.float32), np.empty((16, 16), dtype=np.float32)
    work, small_work = samples(32), samples(16)
    for k in range(len(first)):
        a[:], b[:] = first[k], second[k]
        best = starts[order[k, 0]].copy()
        warp(a, best, work)
        score[k] = agreement(b, work)
        if score[k] < AT_ONCE:
            halved(a, small_a)
            halved(b, small_b)
            coarse = _coarse(small_a, small_b, starts, order[k], best, small_work)
            if coarse >= _POOR:
                score[k] = _fine(a, b, best, work)
            else:
                score[k] = min(score[k], coarse)
        placement[k] = best


@vectorized
def _coarse(  # noqa: PLR0917
    first: Floats,
    second: Floats,
    starts: NDArray[np.float64],
    order: NDArray[np.int64],
    best: NDArray[np.float64],
    work: Samples,
) -> float:
    """Agreement at half size; `best` becomes the best placement."""
    top = -2.0
    for start in order:
        warp(first, starts[start], work)
        found = agreement(second, work)
        if found > top:
            top = found
            best[:] = starts[start]
    if top < _HOPELESS:
        return top
    moved = best.copy()
    if refine(first, second, moved, _COARSE_ROUNDS, work):
        inside = warp(first, moved, work)
        found = agreement(second, work)
        if found > top and inside >= _MIN_OVERLAP * first.size:
            top = found
            best[:] = moved
    return top


@vectorized
def _fine(first: Floats, second: Floats, best: NDArray[np.float64], work: Samples) -> float:
    """Agreement at full size; `best` is improved if that helps."""
    warp(first, best, work)
    top = agreement(second, work)
    for _ in range(_FINE_ROUNDS):
        if top >= _WELL:
            break
        moved = best.copy()
        if not refine(first, second, moved, 1, work):
            break
        inside = warp(first, moved, work)
        found = agreement(second, work)
        if found < top or inside < _MIN_OVERLAP * first.size:
            break
        top = found
        best[:] = moved
    return top


@vectorized
def bordered(picture: NDArray[np.uint8], placement: NDArray[np.float64]) -> bool:
    """Whether `picture` (32, 32) is plain along its edge, where the placed one does not reach."""
    side = picture.shape[0]
    determinant = placement[1] * placement[5] - placement[2] * placement[4]
    if abs(determinant) < 1e-6:
        return False
    count = total = squares = 0.0
    for y in range(side):
        for x in range(side):
            if 0 < x < side - 1 and 0 < y < side - 1:
                continue
            du, dv = (x + 0.5) / side - 0.5 - placement[0], (y + 0.5) / side - 0.5 - placement[3]
            u = (placement[5] * du - placement[2] * dv) / determinant
            v = (placement[1] * dv - placement[4] * du) / determinant
            if max(abs(u), abs(v)) > 0.5:
                level = float(picture[y, x])
                count, total, squares = count + 1, total + level, squares + level * level
    return count >= side / 2 and squares / count - (total / count) ** 2 < _PLAIN_EDGE**2
