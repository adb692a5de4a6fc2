"""`curate.dedupe.registration` and what is built on it in plain NumPy, many pairs at a time.

For `benchmarks.kernels`. The steps are those of the compiled code; P pairs go through each at once, and those
that are done leave. Sums are taken in another order: the last digits differ.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.dedupe import local_differences, placement_search, registration

Floats = NDArray[np.float32]
Places = NDArray[np.float64]
_BLOCK = 8


class Samples(NamedTuple):
    """Samples of P pairs as in `registration.Samples`: (P, S, S) each."""

    value: Floats
    slope_x: Floats
    slope_y: Floats
    inside: NDArray[np.bool_]


def _where(placement: Places, side: int) -> tuple[Floats, Floats]:
    """(P, S, S) points of the first pictures, pixels."""
    start, shares = 0.5 / side - 0.5, (np.arange(side) + 0.5) / side - 0.5
    steps = np.arange(side, dtype=np.float32)
    found = []
    for origin, across, down in ((0, 1, 2), (3, 4, 5)):
        p = placement.T[:, :, None]
        rows = (p[origin] + p[across] * start + p[down] * shares + 0.5) * side - 0.5
        step = placement[:, across, None, None].astype(np.float32)
        found.append(rows.astype(np.float32)[:, :, None] + step * steps)
    return found[0], found[1]


def warp(first: Floats, placement: Places) -> Samples:
    """Redo `registration.warp`."""
    side = first.shape[-1]
    at_x, at_y = _where(placement, side)
    last, half = np.float32(side - 1), np.float32(0.5)
    inside = (at_x >= -half) & (at_y >= -half) & (at_x <= last + half) & (at_y <= last + half)
    at_x, at_y = np.clip(at_x, 0, last), np.clip(at_y, 0, last)
    left = np.minimum(at_x.astype(np.int32), side - 2)
    top = np.minimum(at_y.astype(np.int32), side - 2)
    fx, fy = at_x - left.astype(np.float32), at_y - top.astype(np.float32)
    base = (np.arange(len(first), dtype=np.int64) * side * side)[:, None, None]
    flat, at = first.reshape(-1), base + top * side + left
    a00, a01, a10, a11 = flat[at], flat[at + 1], flat[at + side], flat[at + side + 1]
    upper, lower = a00 + fx * (a01 - a00), a10 + fx * (a11 - a10)
    unit = np.float32(side)
    slope_x = unit * ((a01 - a00) + fy * ((a11 - a10) - (a01 - a00)))
    return Samples(upper + fy * (lower - upper), slope_x, unit * (lower - upper), inside)


def warp_cubic(first: Floats, placement: Places) -> Floats:
    """Redo `registration.warp_cubic`."""
    side = first.shape[-1]
    shares = (np.arange(side) + 0.5) / side - 0.5
    p = placement.T[:, :, None, None]
    u, v = shares[None, None], shares[None, :, None]
    at_x = np.clip((p[0] + p[1] * u + p[2] * v + 0.5) * side - 0.5, 0, side - 1)
    at_y = np.clip((p[3] + p[4] * u + p[5] * v + 0.5) * side - 0.5, 0, side - 1)
    left, top = at_x.astype(np.int64), at_y.astype(np.int64)
    across, down = _cubic(at_x - left), _cubic(at_y - top)
    flat = first.reshape(-1)
    base = (np.arange(len(first)) * side * side)[:, None, None]
    total = np.zeros(at_x.shape)
    for j in range(4):
        row = base + np.clip(top + j - 1, 0, side - 1) * side
        for i in range(4):
            total += down[j] * across[i] * flat[row + np.clip(left + i - 1, 0, side - 1)]
    return total.astype(np.float32)


def _cubic(t: Places) -> tuple[Places, ...]:
    return (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )


def agreement(second: Floats, at: Samples) -> Places:
    """(P,) as `registration.agreement`."""
    inside = at.inside
    a, b = np.where(inside, at.value, 0), np.where(inside, second, 0)
    count = _blocks(inside.astype(np.float32))
    few = count < _BLOCK * _BLOCK / 4
    safe = np.maximum(count, 1)
    contrast = np.maximum(
        _blocks(a * a) / safe - (_blocks(a) / safe) ** 2, _blocks(b * b) / safe - (_blocks(b) / safe) ** 2
    )
    weight = np.minimum(1, np.sqrt(np.maximum(contrast, 0)) / registration._MIN_CONTRAST) * count
    steps = [np.zeros_like(second) for _ in range(3)]
    for here, after in (
        (np.s_[:, :, :-1], np.s_[:, :, 1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        both = inside[here] & inside[after]
        da, db = (at.value[after] - at.value[here]) * both, (second[after] - second[here]) * both
        for total, product in zip(steps, (da * da, db * db, da * db), strict=True):
            total[here] += product
    aa, bb, ab = (_blocks(total) for total in steps)
    flat = (aa <= 1e-3) | (bb <= 1e-3)
    correlation = np.where(flat, 0, ab / np.sqrt(np.where(flat, 1, aa * bb)))
    weight = np.where(few, 0, weight)
    total = weight.sum(axis=(1, 2))
    return np.asarray((weight * correlation).sum(axis=(1, 2)) / np.where(total > 0, total, 1))


def _blocks(values: Floats) -> Places:
    count, side = len(values), values.shape[-1] // _BLOCK
    parts = values.reshape(count, side, _BLOCK, side, _BLOCK)
    return np.asarray(parts.sum(axis=(2, 4), dtype=np.float64))


def _weigh(first: Floats, second: Floats, inside: Floats) -> Floats:
    """(P, N) as `registration._weigh`."""
    weights = inside
    for _ in range(registration._WEIGHINGS):
        weighted = weights * second
        total, sum_a, sum_b = weights.sum(axis=1), (weights * first).sum(axis=1), weighted.sum(axis=1)
        sum_ab, sum_bb = (weighted * first).sum(axis=1), (weighted * second).sum(axis=1)
        spread = sum_bb - sum_b * sum_b / total
        flat = spread <= 1e-3 * total
        gain = np.where(flat, 1, (sum_ab - sum_a * sum_b / total) / np.where(flat, 1, spread))
        offset = (sum_a - gain * sum_b) / total
        miss = first - gain[:, None].astype(np.float32) * second - offset[:, None].astype(np.float32)
        missed = (weights * np.abs(miss)).sum(axis=1)
        scale = 1 / np.maximum(missed / total, 2) ** 2
        weights = inside / (1 + miss * miss * scale[:, None].astype(np.float32))
    return weights


def refine(first: Floats, second: Floats, placement: Places, rounds: int) -> tuple[Places, NDArray[np.bool_]]:
    """Placements (P, 6) as `registration.refine` leaves them, and for which pairs something holds them."""
    count, side = len(first), first.shape[-1]
    placement, held = placement.copy(), np.ones(count, np.bool_)
    shares = ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)
    u, v = np.tile(shares, side), np.repeat(shares, side)
    flat_second = second.reshape(count, -1)
    for _ in range(rounds):
        rows = np.flatnonzero(held)
        at = warp(first[rows], placement[rows])
        enough = at.inside.sum(axis=(1, 2)) >= registration._MIN_INSIDE * side * side
        held[rows[~enough]] = False
        rows = rows[enough]
        if not len(rows):
            break
        value, slope_x, slope_y, inside = (part[enough].reshape(len(rows), -1) for part in at)
        b = flat_second[rows]
        w = np.sqrt(_weigh(value, b, inside.astype(np.float32)))
        along, down = w * slope_x, w * slope_y
        parts = (along, along * u, along * v, down, down * u, down * v, -w * b, -w, -w * value)
        equations = np.stack(parts, axis=1)
        normal: Any = (equations @ equations.transpose(0, 2, 1)).astype(np.float64)
        motion = np.trace(normal[:, :6, :6], axis1=1, axis2=2)
        good = (motion > 1e-6) & np.isfinite(motion)
        held[rows[~good]] = False
        rows, normal, motion = rows[good], normal[good], motion[good]
        normal[:, range(6), range(6)] += registration._DAMPING * motion[:, None]
        normal[:, 6, 6] = normal[:, 6, 6] * (1 + 1e-5) + 1e-6
        normal[:, 7, 7] = normal[:, 7, 7] * (1 + 1e-5) + 1e-6
        placement[rows] += np.linalg.solve(normal[:, :8, :8], normal[:, :8, 8, None])[:, :6, 0]
    return placement, held


def compare(  # noqa: PLR0917 - as the kernel
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    starts: Places,
    order: NDArray[np.int64],
    score: Places,
    placement: Places,
) -> None:
    """Redo `placement_search.compare`."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    placement[:] = starts[order[:, 0]]
    score[:] = agreement(b, warp(a, placement))
    rows = np.flatnonzero(score < placement_search.AT_ONCE)
    if not len(rows):
        return
    coarse, best = _coarse(_halved(a[rows]), _halved(b[rows]), starts, order[rows])
    placement[rows] = best
    well = coarse >= placement_search._POOR
    score[rows[~well]] = np.minimum(score[rows[~well]], coarse[~well])
    rows = rows[well]
    score[rows], placement[rows] = _fine(a[rows], b[rows], placement[rows])


def _halved(pictures: Floats) -> Floats:
    side = pictures.shape[-1] // 2
    return np.asarray(pictures.reshape(len(pictures), side, 2, side, 2).mean(axis=(2, 4)))


def _coarse(first: Floats, second: Floats, starts: Places, order: NDArray[np.int64]) -> tuple[Places, Places]:
    tries = np.stack([agreement(second, warp(first, starts[start])) for start in order.T])
    which = tries.argmax(axis=0)
    top, best = tries.max(axis=0), starts[order[np.arange(len(order)), which]]
    rows = np.flatnonzero(top >= placement_search._HOPELESS)
    moved, held = refine(first[rows], second[rows], best[rows], placement_search._COARSE_ROUNDS)
    rows, moved = rows[held], moved[held]
    at = warp(first[rows], moved)
    found = agreement(second[rows], at)
    wide = at.inside.sum(axis=(1, 2)) >= placement_search._MIN_OVERLAP * first[0].size
    better = (found > top[rows]) & wide
    top[rows[better]], best[rows[better]] = found[better], moved[better]
    return top, best


def _fine(first: Floats, second: Floats, best: Places) -> tuple[Places, Places]:
    top = agreement(second, warp(first, best))
    rows = np.arange(len(first))
    for _ in range(placement_search._FINE_ROUNDS):
        rows = rows[top[rows] < placement_search._WELL]
        if not len(rows):
            break
        moved, held = refine(first[rows], second[rows], best[rows], 1)
        rows, moved = rows[held], moved[held]
        at = warp(first[rows], moved)
        found = agreement(second[rows], at)
        wide = at.inside.sum(axis=(1, 2)) >= placement_search._MIN_OVERLAP * first[0].size
        better = (found >= top[rows]) & wide
        rows = rows[better]
        top[rows], best[rows] = found[better], moved[better]
    return top, best


def place(  # noqa: PLR0917 - as the kernel
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    placement: Places,
    luma: Floats,
    inside: Floats,
    agreed: Floats,
) -> None:
    """Redo `local_differences._place`."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    best, moved, idle = placement.copy(), placement.copy(), np.zeros(len(first), int)
    top = agreement(b, warp(a, best))
    rows = np.arange(len(first))
    for _ in range(local_differences._STEPS):
        rows = rows[(top[rows] <= 0.97) & (idle[rows] <= 1)]
        if not len(rows):
            break
        moved[rows], held = refine(a[rows], b[rows], moved[rows], 1)
        rows = rows[held]
        at = warp(a[rows], moved[rows])
        wide = at.inside.sum(axis=(1, 2)) >= a[0].size / 2
        found, rows = agreement(b[rows], at)[wide], rows[wide]
        idle[rows] = np.where(found > top[rows] + 0.003, 0, idle[rows] + 1)
        better = found > top[rows]
        top[rows[better]], best[rows[better]] = found[better], moved[rows[better]]
    best[top < 0.3] = (0, 1, 0, 0, 0, 1)
    placement[:], agreed[:] = best, top
    inside[:] = warp(a, best).inside
    luma[:] = warp_cubic(a, best)


def place_colors(bands: Floats, placement: Places, out: Floats) -> None:
    """Redo `local_differences._place_colors`."""
    for band in range(2):
        out[:, band] = warp_cubic(np.ascontiguousarray(bands[:, band]), placement)
