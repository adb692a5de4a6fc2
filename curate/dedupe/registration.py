"""Lays one thumbnail over another and measures how well they agree there; compiled, one pair at a time.

A placement is six numbers p: the point (u, v) of the second picture, measured from its middle in shares of
its sides, shows the point (p0 + p1 u + p2 v, p3 + p4 u + p5 v) of the first, measured likewise. Squeezed to a
square, crops, borders, mirror images and turns are all of this form.

Source: B. Lucas, T. Kanade 1981, "An iterative image registration technique"; gain and offset of light are
solved for along with the placement, and pixels that do not fit (text, a logo, a border) lose their weight as
in P. Holland, R. Welsch 1977, "Robust regression using iteratively reweighted least-squares" (with Cauchy's
weights).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled

Floats = NDArray[np.float32]
UNKNOWNS: Final = 8  # six of the placement, gain, offset
# Keeps a placement where it is in directions that nothing in the picture speaks for; relative.
_DAMPING: Final = 1e-3
_MIN_INSIDE: Final = 1 / 3  # share of the second picture that must be in the first
_WEIGHINGS: Final = 3
_BLOCK: Final = 8  # pixels per side
_MIN_CONTRAST: Final = 6.0  # levels; blocks with less contrast than this count for less
Function = TypeVar("Function", bound=Callable[..., Any])


# Sums may be taken in any order, or no loop over pixels could use the processor's vectors: the last digits
# may differ between processors, but never between batches on one.
vectorized: Final[Callable[[Function], Function]] = compiled(fastmath={"reassoc", "nsz"})


class Samples(NamedTuple):
    """The first picture where the second shows it; all (S, S) float32.

    Attributes:
        value: Levels.
        slope_x: Along x, levels for the side of the picture.
        slope_y: Along y, likewise.
        inside: 1 for pixels within the first picture, 0 for others, which continue its edge.
    """

    value: Floats
    slope_x: Floats
    slope_y: Floats
    inside: Floats


@vectorized
def samples(side: int) -> Samples:
    """Room for the samples of pictures of that side, a multiple of 8."""
    shape = (side, side)
    return Samples(
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
    )


@vectorized
def halved(picture: Floats, small: Floats) -> None:
    """Fill `small` (S / 2, S / 2) with the means of 2 x 2 pixels of `picture` (S, S)."""
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            upper = picture[2 * y, 2 * x] + picture[2 * y, 2 * x + 1]
            lower = picture[2 * y + 1, 2 * x] + picture[2 * y + 1, 2 * x + 1]
            small[y, x] = np.float32(0.25) * (upper + lower)


@vectorized
def warp(first: Floats, placement: NDArray[np.float64], out: Samples) -> int:
    """Sample the first picture where the second shows it, bilinearly.

    Args:
        first: (S, S) levels.
        placement: (6,).
        out: From `samples`, filled.

    Returns:
        How many pixels of the second picture show a point of the first.
    """
    side = first.shape[0]
    unit, last, half = np.float32(side), np.float32(side - 1), np.float32(0.5)
    step_x, step_y = np.float32(placement[1]), np.float32(placement[4])
    inside = 0
    for y in range(side):
        # The middle of the row's first pixel, then one step for each pixel.
        u, v = 0.5 / side - 0.5, (y + 0.5) / side - 0.5
        row_x = np.float32((placement[0] + placement[1] * u + placement[2] * v + 0.5) * side - 0.5)
        row_y = np.float32((placement[3] + placement[4] * u + placement[5] * v + 0.5) * side - 0.5)
        for x in range(side):
            at_x, at_y = row_x + step_x * np.float32(x), row_y + step_y * np.float32(x)
            within = at_x >= -half and at_y >= -half and at_x <= last + half and at_y <= last + half
            at_x = min(max(at_x, np.float32(0.0)), last)
            at_y = min(max(at_y, np.float32(0.0)), last)
            left, top = min(int(at_x), side - 2), min(int(at_y), side - 2)
            fx, fy = at_x - np.float32(left), at_y - np.float32(top)
            a00, a01 = first[top, left], first[top, left + 1]
            a10, a11 = first[top + 1, left], first[top + 1, left + 1]
            upper, lower = a00 + fx * (a01 - a00), a10 + fx * (a11 - a10)
            out.value[y, x] = upper + fy * (lower - upper)
            out.slope_x[y, x] = unit * ((a01 - a00) + fy * ((a11 - a10) - (a01 - a00)))
            out.slope_y[y, x] = unit * (lower - upper)
            out.inside[y, x] = np.float32(1.0) if within else np.float32(0.0)
            inside += 1 if within else 0
    return inside


@vectorized
def warp_cubic(first: Floats, placement: NDArray[np.float64], out: Floats) -> None:
    """Sample the first picture as `warp` does, by cubic convolution, which keeps its sharpness.

    Source: R. Keys 1981, "Cubic convolution interpolation for digital image processing" (a = -1/2).
    """
    side = first.shape[0]
    across, down = np.empty(4), np.empty(4)
    for y in range(side):
        for x in range(side):
            u, v = (x + 0.5) / side - 0.5, (y + 0.5) / side - 0.5
            at_x = (placement[0] + placement[1] * u + placement[2] * v + 0.5) * side - 0.5
            at_y = (placement[3] + placement[4] * u + placement[5] * v + 0.5) * side - 0.5
            at_x, at_y = min(max(at_x, 0.0), side - 1.0), min(max(at_y, 0.0), side - 1.0)
            left, top = int(at_x), int(at_y)
            _cubic(at_x - left, across)
            _cubic(at_y - top, down)
            total = 0.0
            for j in range(4):
                row = first[min(max(top + j - 1, 0), side - 1)]
                for i in range(4):
                    total += down[j] * across[i] * row[min(max(left + i - 1, 0), side - 1)]
            out[y, x] = total


@vectorized
def _cubic(t: float, weights: NDArray[np.float64]) -> None:
    """Weights (4,) of the pixels around a point that lies t past the second."""
    weights[0] = ((2 - t) * t - 1) * t / 2
    weights[1] = ((3 * t - 5) * t * t + 2) / 2
    weights[2] = ((4 - 3 * t) * t + 1) * t / 2
    weights[3] = (t - 1) * t * t / 2


@vectorized
def _weigh(first: Floats, second: Floats, inside: Floats, weights: Floats) -> None:
    """Fill the weights (N,) of pixels: little where no gain and offset fit, nothing outside the picture.

    All arguments are (N,); `first` is fitted by gain times `second` plus offset.
    """
    weights[:] = inside
    for _ in range(_WEIGHINGS):
        total = sum_a = sum_b = sum_ab = sum_bb = np.float32(0.0)
        for k in range(len(second)):
            w, a, b = weights[k], first[k], second[k]
            total, sum_a, sum_b = total + w, sum_a + w * a, sum_b + w * b
            sum_ab, sum_bb = sum_ab + w * a * b, sum_bb + w * b * b
        spread = sum_bb - sum_b * sum_b / total
        flat = spread <= np.float32(1e-3) * total
        gain = np.float32(1.0) if flat else (sum_ab - sum_a * sum_b / total) / spread
        offset = (sum_a - gain * sum_b) / total
        missed = np.float32(0.0)
        for k in range(len(second)):
            missed += weights[k] * abs(first[k] - gain * second[k] - offset)
        scale = np.float32(1.0) / max(missed / total, np.float32(2.0)) ** 2
        for k in range(len(second)):
            miss = first[k] - gain * second[k] - offset
            weights[k] = inside[k] / (np.float32(1.0) + miss * miss * scale)


@vectorized
def _equations(second: Floats, at: Samples, weights: Floats, rows: Floats) -> None:
    """Fill the weighted equations (9, N) of one step: a row for each unknown, then what they must give."""
    side = second.shape[0]
    for y in range(side):
        v = np.float32((y + 0.5) / side - 0.5)
        for x in range(side):
            k, u = y * side + x, np.float32((x + 0.5) / side - 0.5)
            w = np.sqrt(weights[k])
            along, down = w * at.slope_x[y, x], w * at.slope_y[y, x]
            rows[0, k], rows[1, k], rows[2, k] = along, along * u, along * v
            rows[3, k], rows[4, k], rows[5, k] = down, down * u, down * v
            rows[6, k], rows[7, k], rows[8, k] = -w * second[y, x], -w, -w * at.value[y, x]


@vectorized
def refine(first: Floats, second: Floats, placement: NDArray[np.float64], rounds: int, at: Samples) -> bool:
    """Improve a placement in place by robust least squares.

    Args:
        first: (S, S) levels.
        second: (S, S) levels.
        placement: (6,), a start that is right to about a tenth of the picture.
        rounds: Steps.
        at: From `samples`, overwritten.

    Returns:
        False if nothing in the pictures holds the placement.
    """
    pixels = second.size
    weights, rows = np.empty(pixels, np.float32), np.empty((UNKNOWNS + 1, pixels), np.float32)
    normal = np.empty((UNKNOWNS + 1, UNKNOWNS + 1))
    for _ in range(rounds):
        if warp(first, placement, at) < _MIN_INSIDE * pixels:
            return False
        _weigh(at.value.reshape(pixels), second.reshape(pixels), at.inside.reshape(pixels), weights)
        _equations(second, at, weights, rows)
        for i in range(UNKNOWNS + 1):
            for j in range(i + 1):
                total = np.float32(0.0)
                for k in range(pixels):
                    total += rows[i, k] * rows[j, k]
                normal[i, j] = normal[j, i] = total
        motion = 0.0
        for i in range(6):
            motion += normal[i, i]
        if not 1e-6 < motion < np.inf:
            return False
        for i in range(6):
            normal[i, i] += _DAMPING * motion
        normal[6, 6], normal[7, 7] = normal[6, 6] * (1 + 1e-5) + 1e-6, normal[7, 7] * (1 + 1e-5) + 1e-6
        step = np.linalg.solve(normal[:UNKNOWNS, :UNKNOWNS].copy(), normal[:UNKNOWNS, UNKNOWNS].copy())
        for i in range(6):
            placement[i] += step[i]
    return True


@vectorized
def agreement(second: Floats, at: Samples) -> float:
    """How well the pictures agree block by block, so that one strong edge cannot speak for all; -1..1.

    In each block of 8 x 8 pixels, the correlation of the steps between neighboring pixels, which are the
    same whatever the light; then the mean over blocks, weighted by their contrast up to a bound.

    Args:
        second: (S, S) levels.
        at: Filled by `warp`.
    """
    side = second.shape[0]
    total = agreeing = 0.0
    for top in range(0, side, _BLOCK):
        for left in range(0, side, _BLOCK):
            weight, correlation = _block(second, at, top, left)
            total += weight
            agreeing += weight * correlation
    return agreeing / total if total > 0 else 0.0


@vectorized
def _block(second: Floats, at: Samples, top: int, left: int) -> tuple[float, float]:
    """Weight of a block and correlation of its steps; see `agreement`."""
    side = second.shape[0]
    count = sum_a = sum_b = sum_aa = sum_bb = 0.0
    steps_aa = steps_bb = steps_ab = 0.0
    for y in range(top, top + _BLOCK):
        for x in range(left, left + _BLOCK):
            if at.inside[y, x] == 0:
                continue
            a, b = at.value[y, x], second[y, x]
            count, sum_a, sum_b = count + 1, sum_a + a, sum_b + b
            sum_aa, sum_bb = sum_aa + a * a, sum_bb + b * b
            if x + 1 < side and at.inside[y, x + 1] > 0:
                da, db = at.value[y, x + 1] - a, second[y, x + 1] - b
                steps_aa, steps_bb, steps_ab = steps_aa + da * da, steps_bb + db * db, steps_ab + da * db
            if y + 1 < side and at.inside[y + 1, x] > 0:
                da, db = at.value[y + 1, x] - a, second[y + 1, x] - b
                steps_aa, steps_bb, steps_ab = steps_aa + da * da, steps_bb + db * db, steps_ab + da * db
    if count < _BLOCK * _BLOCK / 4:
        return 0.0, 0.0
    contrast = max(sum_aa / count - (sum_a / count) ** 2, sum_bb / count - (sum_b / count) ** 2, 0.0)
    weight = min(1.0, np.sqrt(contrast) / _MIN_CONTRAST) * count
    if steps_aa <= 1e-3 or steps_bb <= 1e-3:
        return weight, 0.0
    return weight, steps_ab / np.sqrt(steps_aa * steps_bb)
