"""Ringing: what a filter or sharpening leaves beside sharp edges, from the mean of all edges of a picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.errors import MetricError

_STEP: Final = 40  # levels of an edge, at least
_NEAR, _SIDE = 4, 8  # pixels to each side that belong to the edge, and of the plain side beyond them
_REACH: Final = _NEAR + _SIDE
_STEEP: Final = 0.3  # of what changes near the edge: its steepest pixel, at least; softer edges do not ring
_ROUGH: Final = 0.15  # of the step: standard deviation of a plain side, at most; texture hides ringing
_MIN_EDGES: Final = 20  # fewer say nothing
_MAX_LINES: Final = 600  # rows, and columns, that are looked at
Floats = NDArray[np.float32]


def ringing(luma: NDArray[np.uint8]) -> float:
    """Measure how far brightness falls back beyond an edge, as a share of the edge; 0 = not at all.

    Sharp edges between plain sides, along rows and columns, are laid one over the other, each from 0 to 1.
    Noise and texture average out; what stays is the response to an edge, which rises and never falls unless
    something rings, sharpens or draws halos. What a codec scatters around edges is no such response: see
    blockiness and the quality of JPEG.

    Args:
        luma: (H, W), 0..255, of the picture's own pixels.

    Returns:
        Mean of both sides of the largest fall going outwards. A filter that cuts frequencies off leaves
        0.138: 1.0895 beyond the edge, then 0.9514.

    Raises:
        MetricError: There are fewer than 20 sharp edges between plain sides.

    Source:
        The response to an edge from the mean of many: ISO 12233:2017, edge-based spatial frequency response.
        Only between plain surroundings: H. Liu, N. Klomp and I. Heynderickx 2010, "A no-reference metric for
        perceived ringing artifacts in images". Overshoot of a filtered step: J. W. Gibbs 1899.

    Examples:
        >>> step = np.full((64, 64), 40, np.uint8)
        >>> step[:, 32:] = 200
        >>> ringing(step)
        0.0
    """
    found = [
        _edges(np.ascontiguousarray(lines[:: max(1, len(lines) // _MAX_LINES)], dtype=np.float32))
        for lines in (luma, luma.T)
    ]
    edges = np.concatenate(found)
    if len(edges) < _MIN_EDGES:
        raise MetricError(f"{len(edges)} sharp edges between plain areas are too few for ringing")
    response = edges.mean(axis=0)
    return (_fall(response[_REACH:]) + _fall(1 - response[_REACH - 1 :: -1])) / 2


def _edges(lines: Floats) -> Floats:
    """(N, 2 REACH) levels across each edge, 0 at its dark side and 1 at its bright one, in rising order."""
    width = lines.shape[1]
    if width < 2 * _REACH + 2:
        return np.zeros((0, 2 * _REACH), np.float32)
    change = np.abs(np.diff(lines, axis=1))
    middle = change[:, _REACH : width - 1 - _REACH]
    steepest = middle >= _STEEP * _STEP
    for away in range(1, _NEAR + 1):
        steepest &= middle >= change[:, _REACH - away : width - 1 - _REACH - away]
        steepest &= middle > change[:, _REACH + away : width - 1 - _REACH + away]
    rows, columns = np.nonzero(steepest)
    places = columns[:, None] + np.arange(1, 2 * _REACH + 1)  # the edge lies behind the pixel REACH - 1
    across = lines[rows[:, None], places]
    first, last = across[:, :_SIDE], across[:, -_SIDE:]
    start, step = first.mean(axis=1), last.mean(axis=1) - first.mean(axis=1)
    near = across[:, _SIDE:-_SIDE]
    at_edge = across[:, _REACH] - across[:, _REACH - 1]
    wanted = (
        (np.abs(step) >= _STEP)
        & (np.maximum(first.std(axis=1), last.std(axis=1)) <= _ROUGH * np.abs(step))
        & (np.abs(at_edge) >= _STEEP * np.ptp(near, axis=1))
        & (at_edge * step > 0)
    )
    shares: Floats = (across[wanted] - start[wanted, None]) / step[wanted, None]
    return np.where(step[wanted, None] > 0, shares, 1 - shares[:, ::-1])


def _fall(outwards: Floats) -> float:
    return float((np.maximum.accumulate(outwards) - outwards).max())
