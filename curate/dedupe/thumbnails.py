"""A decoded picture to its luma thumbnail and its color cells, compiled.

Pillow takes seven to nine times as long: with it the features of a picture that is decoded in full take half
as long again (section "Compiled code" of docs/benchmarks.md).
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.compiled import compiled
from curate.records import UInt8Image

_BITS: Final = 22  # of the fraction of a weight, as in Pillow
_HALF: Final = 1 << (_BITS - 1)
_LANES: Final = 16  # numbers of 32 bits in a register
_LOBES: Final = 3.0  # of the Lanczos window
# Rounded ITU-R 601 weights in 1/65536, Pillow's.
_RED, _GREEN, _BLUE, _ROUND = 19595, 38470, 7471, 0x8000

Int32Array = NDArray[np.int32]
Shares = tuple[Int32Array, NDArray[np.float32]]  # the same, weights as parts of one
Taps = tuple[Int32Array, Int32Array]  # first input of each output, (out,); weights, (out, taps)


def luma_thumbnail(pixels: UInt8Image, side: int) -> UInt8Image:
    """(side, side) uint8 luma, bit for bit that of Pillow's `convert("L").resize((side, side), LANCZOS)`.

    Args:
        pixels: (H, W, 3) uint8, or (H, W, 1) of a gray picture.
        side: Of the thumbnail, pixels.
    """
    height, width, bands = pixels.shape
    # Pillow 13 reduces the columns of taller ones first, and rounds in between; older ones never do.
    if 2 * width < height + side:
        picture = Image.fromarray(pixels if bands == 3 else pixels[:, :, 0]).convert("L")
        return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))
    return _luma(_rows(pixels), bands, _lanczos(width, side), _lanczos(height, side))


def color_cells(pixels: UInt8Image, cells: int) -> UInt8Image:
    """(cells, cells, 3) uint8 mean RGB of the cells of (H, W, 3) or (H, W, 1) pixels."""
    height, width, bands = pixels.shape
    return _means(_rows(pixels), bands, _box(height, cells), _box(width, cells))


def _rows(pixels: UInt8Image) -> UInt8Image:
    whole = pixels if pixels.flags.c_contiguous else np.ascontiguousarray(pixels)
    return whole.reshape(len(pixels), -1)


@compiled
def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


@compiled
def _weigh(x: float, lanczos: bool) -> float:
    if lanczos:
        return _sinc(x) * _sinc(x / _LOBES) if -_LOBES <= x < _LOBES else 0.0
    return 1.0 if -0.5 < x <= 0.5 else 0.0


@compiled
def _taps(size: int, out: int, support: float, lanczos: bool) -> Taps:
    """Weights that take `size` pixels to `out` of them.

    Source: Pillow, src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
    """
    scale = size / out
    stretch = max(scale, 1.0)
    reach = support * stretch
    starts = np.zeros(out, dtype=np.int32)
    weights = np.zeros((out, math.ceil(reach) * 2 + 1), dtype=np.int32)
    found = np.empty(weights.shape[1])
    for index in range(out):
        center = (index + 0.5) * scale
        first, last = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), size)
        total = 0.0
        for tap in range(last - first):
            found[tap] = _weigh((tap + first - center + 0.5) * (1.0 / stretch), lanczos)
            total += found[tap]
        starts[index] = first
        for tap in range(last - first):
            fixed = found[tap] / total * (1 << _BITS)
            weights[index, tap] = int(fixed - 0.5) if fixed < 0 else int(fixed + 0.5)
    return starts, weights


@functools.lru_cache(maxsize=4096)
def _lanczos(size: int, out: int) -> Taps:
    found: Taps = _taps(size, out, _LOBES, True)
    return found


@functools.lru_cache(maxsize=4096)
def _box(size: int, out: int) -> Shares:
    """Weights of means, as parts of one."""
    starts, weights = _taps(size, out, 0.5, False)
    return starts, (weights / (1 << _BITS)).astype(np.float32)


@compiled
def _clip(value: int) -> int:
    return min(max(value >> _BITS, 0), 255)


@compiled
def _gray(row: UInt8Image, bands: int, gray: Int32Array) -> None:
    """Luma of a row of interleaved bytes, 1 or 3 per pixel, into (W,)."""
    if bands == 1:
        for at in range(len(gray)):
            gray[at] = row[at]
    else:
        for at in range(len(gray)):
            red, green, blue = np.int32(row[3 * at]), np.int32(row[3 * at + 1]), np.int32(row[3 * at + 2])
            gray[at] = (red * _RED + green * _GREEN + blue * _BLUE + _ROUND) >> 16


@compiled
def _sums_of_four(rows: Int32Array, weights: Int32Array, starts: Int32Array, out: Int32Array) -> None:
    """Rows (4, W + taps) summed with weights (K, taps) to (4, K), rounded to 0..255.

    Four at once share the weights they load. Sums are cast back at every step, or they would be of 64 bits.
    """
    taps = weights.shape[1]
    for index in range(len(starts)):
        weight, window = weights[index], slice(starts[index], starts[index] + taps)
        first, second, third, fourth = rows[0, window], rows[1, window], rows[2, window], rows[3, window]
        one, two, three, four = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for tap in range(len(weight)):
            one = np.int32(one + np.int32(weight[tap] * first[tap]))
            two = np.int32(two + np.int32(weight[tap] * second[tap]))
            three = np.int32(three + np.int32(weight[tap] * third[tap]))
            four = np.int32(four + np.int32(weight[tap] * fourth[tap]))
        out[0, index], out[1, index] = _clip(int(one) + _HALF), _clip(int(two) + _HALF)
        out[2, index], out[3, index] = _clip(int(three) + _HALF), _clip(int(four) + _HALF)


@compiled
def _reduce(lines: Int32Array, taps: Taps) -> Int32Array:
    """(K, L) lines summed with their weights to (out, L), rounded to 0..255; L is contiguous."""
    starts, weights = taps
    found = np.empty((len(starts), lines.shape[1]), dtype=np.int32)
    sums = np.empty(lines.shape[1], dtype=np.int32)
    for index in range(len(starts)):
        sums[:] = _HALF
        for tap in range(min(weights.shape[1], len(lines) - starts[index])):
            weight = weights[index, tap]
            line = lines[starts[index] + tap]
            for at in range(len(sums)):
                sums[at] += weight * line[at]
        for at in range(len(sums)):
            found[index, at] = _clip(sums[at])
    return found


@compiled
def _luma(rows: UInt8Image, bands: int, across: Taps, down: Taps) -> UInt8Image:
    """(H, W * bands) to the thumbnail; rows first, as Pillow does, with the same rounding in between."""
    height, width = len(rows), rows.shape[1] // bands
    starts, weights = across
    # Zeros up to whole registers: the rest of a loop, number by number, would take longer than the loop.
    taps = (weights.shape[1] + _LANES - 1) // _LANES * _LANES
    padded = np.zeros((len(starts), taps), dtype=np.int32)
    padded[:, : weights.shape[1]] = weights
    gray = np.zeros((4, width + taps), dtype=np.int32)
    narrow = np.empty((height + 3, len(starts)), dtype=np.int32)
    for top in range(0, height, 4):
        for row in range(min(4, height - top)):
            _gray(rows[top + row], bands, gray[row, :width])
        _sums_of_four(gray, padded, starts, narrow[top : top + 4])
    return _reduce(narrow[:height], down).astype(np.uint8)


@compiled
def _means(rows: UInt8Image, bands: int, down: Shares, across: Shares) -> UInt8Image:
    """Means over the rows (H, W * bands) of each cell, along contiguous memory, then over its columns."""
    height, length = rows.shape
    width = length // bands
    out = np.empty((len(down[0]), len(across[0]), 3), dtype=np.uint8)
    sums = np.empty(length, dtype=np.float32)
    for i in range(len(down[0])):
        sums[:] = 0
        for k in range(min(down[1].shape[1], height - down[0][i])):
            weight, row = down[1][i, k], rows[down[0][i] + k]
            for at in range(length):
                sums[at] += weight * np.float32(row[at])
        for j in range(len(across[0])):
            for band in range(3):
                total = np.float32(0.5)
                for k in range(min(across[1].shape[1], width - across[0][j])):
                    at = (across[0][j] + k) * bands + (band if bands == 3 else 0)
                    total += across[1][j, k] * sums[at]
                out[i, j, band] = np.uint8(min(total, np.float32(255)))
    return out
