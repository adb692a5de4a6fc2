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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled
from curate.dedupe.vector_sums import dot

Floats = NDArray[np.float32]
UNKNOWNS: Final = 8  # six of the placement, gain, offset
# Keeps a placement where it is in directions that nothing in the picture speaks for; relative.
_DAMPING: Final = 1e-3
_LEAST_INSIDE: Final = 1 / 3  # share of the second picture that must be in the first
_EQUATIONS: Final = 256  # taken at a time, so that they stay in the processor's first cache
_BLOCK: Final = 8  # pixels a side
_LEAST_CONTRAST: Final = 6.0  # levels; blocks with less contrast than this count for less


@compiled
def workspace(side: int) -> Floats:
    """Room for the samples and equations of pictures of that side, a multiple of 16."""
    # A row is no power of two long: such rows would push each other out of the cache.
    return np.empty((14, side * side + 16), dtype=np.float32)


@compiled
def halved(picture: Floats, small: Floats) -> None:
    """Means of 2 x 2 pixels of (S, S) into (S / 2, S / 2)."""
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            small[y, x] = np.float32(0.25) * (
                picture[2 * y, 2 * x]
                + picture[2 * y, 2 * x + 1]
                + picture[2 * y + 1, 2 * x]
                + picture[2 * y + 1, 2 * x + 1]
            )


@compiled
def warp(first: Floats, placement: NDArray[np.float64], work: Floats) -> int:
    """Sample the first picture where the second shows it; the number of pixels that are there.

    Args:
        first: (S, S).
        placement: (6,).
        work: From `workspace`; its rows 0 to 3 are filled with value, slope along x,
            slope along y (levels a picture side), and 1 or 0 for pixels inside or outside the first picture.
    """
    side = first.shape[0]
    unit, last, half = np.float32(side), np.float32(side - 1), np.float32(0.5)
    step_x, step_y = np.float32(placement[1]), np.float32(placement[4])
    inside = 0
    for y in range(side):
        # The middle of the row's first pixel, then a step a pixel.
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
            here = y * side + x
            work[0, here] = upper + fy * (lower - upper)
            work[1, here] = unit * ((a01 - a00) + fy * ((a11 - a10) - (a01 - a00)))
            work[2, here] = unit * (lower - upper)
            work[3, here] = np.float32(1.0) if within else np.float32(0.0)
            inside += 1 if within else 0
    return inside


@compiled
def _weigh(second: Floats, work: Floats) -> None:
    """Weights into row 4 of `work`: little where no gain and offset fit, nothing outside the picture."""
    count, row = len(second), work.shape[1]
    first, inside, weights = work[0, :count], work[3, :count], work[4, :count]
    one, weighted, other = work[5, :count], work[6, :count], work[7, :count]
    for k in range(count):
        one[k] = np.float32(1.0)
        weights[k] = inside[k]
    for _ in range(3):
        for k in range(count):
            weighted[k], other[k] = weights[k] * first[k], weights[k] * second[k]
        s = dot(work, 4 * row, work, 5 * row, count)
        sa, sb = dot(work, 6 * row, work, 5 * row, count), dot(work, 7 * row, work, 5 * row, count)
        sab, sbb = dot(work, 6 * row, second, 0, count), dot(work, 7 * row, second, 0, count)
        spread = sbb - sb * sb / s
        gain = (sab - sa * sb / s) / spread if spread > 1e-3 * s else np.float32(1.0)
        offset = (sa - gain * sb) / s
        for k in range(count):
            other[k] = abs(first[k] - gain * second[k] - offset)
        scale = np.float32(1.0) / max(dot(work, 4 * row, work, 7 * row, count) / s, np.float32(2.0)) ** 2
        for k in range(count):
            miss = first[k] - gain * second[k] - offset
            weights[k] = inside[k] / (np.float32(1.0) + miss * miss * scale)


@compiled
def _equations(
    second: Floats, side: int, work: Floats, normal: NDArray[np.float64], right: NDArray[np.float64]
) -> None:
    """Normal equations of one step, lower half; row 4 of `work` holds the weights, its end the equations."""
    normal[:], right[:] = 0.0, 0.0
    rows, row = work[5:], work.shape[1]
    for start in range(0, side * side, _EQUATIONS):
        for k in range(start, start + _EQUATIONS):
            v, u = np.float32((k // side + 0.5) / side - 0.5), np.float32((k % side + 0.5) / side - 0.5)
            w, to = np.sqrt(work[4, k]), k - start
            along, down = w * work[1, k], w * work[2, k]
            rows[0, to], rows[1, to], rows[2, to] = along, along * u, along * v
            rows[3, to], rows[4, to], rows[5, to] = down, down * u, down * v
            rows[6, to], rows[7, to], rows[8, to] = -w * second[k], -w, -w * work[0, k]
        for i in range(UNKNOWNS):
            for j in range(i + 1):
                normal[i, j] += dot(work, (5 + i) * row, work, (5 + j) * row, _EQUATIONS)
            right[i] += dot(work, (5 + i) * row, work, 13 * row, _EQUATIONS)


@compiled
def refine(first: Floats, second: Floats, placement: NDArray[np.float64], rounds: int, work: Floats) -> bool:
    """Improve a placement in place by robust least squares; False if nothing holds it.

    Args:
        first: (S, S).
        second: (S, S).
        placement: (6,), a start that is right to about a tenth of the picture.
        rounds: Steps.
        work: From `workspace`, overwritten.
    """
    side = first.shape[0]
    flat = second.reshape(side * side)
    normal = np.zeros((UNKNOWNS, UNKNOWNS))
    right = np.zeros(UNKNOWNS)
    for _ in range(rounds):
        if warp(first, placement, work) < _LEAST_INSIDE * side * side:
            return False
        _weigh(flat, work)
        _equations(flat, side, work, normal, right)
        motion = 0.0
        for i in range(6):
            motion += normal[i, i]
        for i in range(6):
            normal[i, i] += _DAMPING * motion + 1e-6
        normal[6, 6] *= 1.0 + 1e-5
        normal[7, 7] *= 1.0 + 1e-5
        if not _factor(normal):
            return False
        _substitute(normal, right)
        for i in range(6):
            placement[i] += right[i]
    return True


@compiled
def _factor(normal: NDArray[np.float64]) -> bool:
    """Cholesky of the lower half, in place."""
    for i in range(UNKNOWNS):
        for j in range(i + 1):
            total = normal[i, j]
            for k in range(j):
                total -= normal[i, k] * normal[j, k]
            if i != j:
                normal[i, j] = total / normal[j, j]
            elif total > 1e-9:
                normal[i, i] = np.sqrt(total)
            else:
                return False
    return True


@compiled
def _substitute(factor: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    """`right` becomes the solution."""
    for i in range(UNKNOWNS):
        for k in range(i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]
    for i in range(UNKNOWNS - 1, -1, -1):
        for k in range(i + 1, UNKNOWNS):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]


@compiled
def agreement(second: Floats, work: Floats) -> float:
    """How well the pictures agree block by block, so that one strong edge cannot speak for all; -1..1.

    In each block of 8 x 8 pixels, the correlation of the steps between neighbouring pixels, which are the
    same whatever the light; then the mean over blocks, weighted by their contrast up to a bound.

    Args:
        second: (S, S).
        work: From `warp`.
    """
    side = second.shape[0]
    total = agreeing = 0.0
    for top in range(0, side, _BLOCK):
        for left in range(0, side, _BLOCK):
            count = sa = sb = saa = sbb = 0.0
            gaa = gbb = gab = 0.0
            for y in range(top, top + _BLOCK):
                for x in range(left, left + _BLOCK):
                    here = y * side + x
                    if work[3, here] == 0:
                        continue
                    a, b = work[0, here], second[y, x]
                    count, sa, sb, saa, sbb = count + 1, sa + a, sb + b, saa + a * a, sbb + b * b
                    if x + 1 < side and work[3, here + 1] > 0:
                        da, db = work[0, here + 1] - a, second[y, x + 1] - b
                        gaa, gbb, gab = gaa + da * da, gbb + db * db, gab + da * db
                    if y + 1 < side and work[3, here + side] > 0:
                        da, db = work[0, here + side] - a, second[y + 1, x] - b
                        gaa, gbb, gab = gaa + da * da, gbb + db * db, gab + da * db
            if count < _BLOCK * _BLOCK / 4:
                continue
            contrast = max(saa / count - (sa / count) ** 2, sbb / count - (sb / count) ** 2, 0.0)
            weight = min(1.0, np.sqrt(contrast) / _LEAST_CONTRAST) * count
            total += weight
            if gaa > 1e-3 and gbb > 1e-3:
                agreeing += weight * gab / np.sqrt(gaa * gbb)
    return agreeing / total if total > 0 else 0.0
