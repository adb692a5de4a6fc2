"""What compiled code takes of one picture, in plain NumPy and Pillow: for `benchmarks.kernels`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.images.quality_sums import REACH, SKIP, TILE
from curate.records import UInt8Image

Wide = NDArray[np.int32]
_ROWS = 64
_ALIKE, _STEP, _BAR_NOISE = 3.0, 8.0, 1.5  # of bars, as in `curate.images.quality_sums`


def luma_sums(luma: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Redo `curate.images.luma_sums.luma_sums`: levels from the histogram, the Laplacian in 16 bits."""
    counts = np.array(Image.fromarray(luma).histogram())
    levels = np.arange(256)
    total = squares = 0
    for top in range(0, len(luma) - 2, _ROWS):  # pieces that stay in the processor's cache
        wide = luma[top : top + _ROWS + 2].astype(np.int16)
        here = wide[1:-1]
        laplacian = wide[:-2] + wide[2:]
        laplacian -= 4 * here
        laplacian[:, 1:-1] += here[:, :-2]
        laplacian[:, 1:-1] += here[:, 2:]
        flat = laplacian[:, 1:-1].astype(np.float64).ravel()  # whole numbers: exact
        total, squares = total + int(flat.sum()), squares + int(flat @ flat)
    return int(counts @ levels), int(counts @ levels**2), total, squares


def quality_of_sums(luma: NDArray[np.uint8], side: int) -> tuple[float, ...]:
    """Redo `curate.images.quality_sums.quality_of_sums`."""
    width = luma.shape[1]
    wide = luma.astype(np.int16)
    across, down = np.abs(wide[:, 1:] - wide[:, :-1]), np.abs(wide[1:] - wide[:-1])
    total: Any = {"dtype": np.int64}
    rows = np.append(down.sum(axis=1, **total), 0), across.sum(axis=1, **total), wide.sum(axis=1, **total)
    some, some_across = wide[::SKIP], across[::SKIP]
    columns = (
        np.append(some_across.sum(axis=0, **total), 0),
        down[::SKIP].sum(axis=0, **total),
        some.sum(axis=0, **total),
    )
    histogram = np.bincount(luma[::SKIP, ::2].ravel(), minlength=256)
    lines, pixels = float(len(some)), histogram.sum()
    shares = histogram[histogram > 0] / pixels
    return (
        _noise(wide),
        _blur(some, wide),
        min(_blocks(rows[0], side), _blocks(columns[0], side)),
        histogram[:2].sum() / pixels,
        histogram[254:].sum() / pixels,
        max(float(-(shares * np.log2(shares)).sum()), 0.0),
        _bars(rows[2], rows[1], float(width), float(max(width - 1, 1))),
        _bars(columns[2], columns[1], lines, lines),
    )


def _noise(wide: NDArray[np.int16]) -> float:
    height, width = wide.shape
    means = []
    for top in range(0, height // TILE * TILE, SKIP * TILE):
        first, last = max(top, 1), min(top + TILE, height - 1)
        above, here, below = wide[first - 1 : last - 1], wide[first:last], wide[first + 1 : last + 1]
        corners = above[:, :-2] + above[:, 2:] + below[:, :-2] + below[:, 2:]
        sides = above[:, 1:-1] + below[:, 1:-1] + here[:, :-2] + here[:, 2:]
        answers = np.pad(np.abs(corners - 2 * sides + 4 * here[:, 1:-1]).sum(axis=0), 1)
        tiles = answers[: width // TILE * TILE].reshape(-1, TILE).sum(axis=1)
        tall = TILE - (top == 0)
        means.append(tiles / (tall * np.where(np.arange(len(tiles)) == 0, TILE - 1, TILE)))
    every = np.sort(np.concatenate(means)) if means else np.empty(0)
    return math.sqrt(math.pi / 2) / 6 * float(every[len(every) // 4]) if every.size else math.nan


def _blur(some: NDArray[np.int16], wide: NDArray[np.int16]) -> float:
    times, shares = 2 * REACH + 1, []
    rows = np.arange(REACH, len(wide) - REACH - 1, SKIP)
    for first, here, after, last in (
        (some[:, :-times], some[:, REACH : -REACH - 1], some[:, REACH + 1 : -REACH], some[:, times:]),
        (wide[rows - REACH], wide[rows], wide[rows + 1], wide[rows + REACH + 1]),
    ):
        change = times * np.abs(after - here)
        total = int(change.sum(dtype=np.int64))
        if total:
            shares.append(int(np.minimum(change, np.abs(last - first)).sum(dtype=np.int64)) / total)
    return max(shares, default=math.nan)


def _blocks(sums: NDArray[np.int64], side: int) -> float:
    whole = (len(sums) - 1) // side * side
    if whole < 4 * side:
        return math.nan
    phases = sums[:whole].reshape(-1, side).sum(axis=0)
    inside = (phases.sum() - phases.max()) / (side - 1)
    return float(phases.max() / inside - 1) if inside > 0 else 0.0


def _bars(levels: NDArray[np.int64], activity: NDArray[np.int64], level: float, change: float) -> float:
    both = (_bar(levels / level, activity / change), _bar(levels[::-1] / level, activity[::-1] / change))
    return min(1.0, sum(both) / len(levels))


def _bar(levels: NDArray[np.float64], activity: NDArray[np.float64]) -> int:
    ends = np.flatnonzero((activity > _BAR_NOISE) | (np.abs(levels - levels[0]) > _ALIKE))
    end = int(ends[0]) if len(ends) else len(levels)
    if end >= len(levels) - 2 or np.abs(levels[end : end + 3] - levels[0]).max() < _STEP:
        return 0
    return end


def luma_thumbnail(pixels: UInt8Image, side: int) -> UInt8Image:
    """Redo `curate.dedupe.thumbnails.luma_thumbnail`, by Pillow."""
    return np.asarray(_picture(pixels).convert("L").resize((side, side), Image.Resampling.LANCZOS))


def color_cells(pixels: UInt8Image, cells: int) -> UInt8Image:
    """Redo `curate.dedupe.thumbnails.color_cells`, by Pillow, which rounds in between: within a level."""
    return np.asarray(_picture(pixels).convert("RGB").resize((cells, cells), Image.Resampling.BOX))


def _picture(pixels: UInt8Image) -> Image.Image:
    return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])


def contrasts(
    image: NDArray[np.uint16], mask: NDArray[np.uint8], reach: int, thresholds: Wide, responses: Wide
) -> NDArray[np.float32]:
    """Redo `curate.restoration.banding._contrasts`: columns' histograms, summed over the windows of a row."""
    height, width = image.shape
    steps, min_level = len(thresholds), max(int(image.min()) - len(thresholds), 0)
    levels = int(image.max()) + steps + 1 - min_level
    found = np.zeros((height, width), np.float32)
    columns = np.zeros((width + 2 * reach + 1, levels), np.int32)  # with a margin, and zeros before
    at = np.arange(width) + reach + 1
    places = image.astype(np.int64) - min_level
    for y in range(-reach, height):
        for row, change in ((y + reach, 1), (y - reach - 1, -1)):
            if 0 <= row < height:
                on = np.flatnonzero(mask[row])
                columns[at[on], places[row, on]] += change
        on = np.flatnonzero(mask[y]) if y >= 0 else np.empty(0, np.int64)
        if len(on):
            sums = np.cumsum(columns, axis=0, dtype=np.int32)
            counts = sums[on + 2 * reach + 1] - sums[on]
            found[y, on] = _contrast(counts, places[y, on], min_level, thresholds, responses)
    return found


def _contrast(
    counts: Wide, level: NDArray[np.int64], min_level: int, thresholds: Wide, responses: Wide
) -> NDArray[np.float64]:
    """Contrast of pixels with the counts (N, L) of levels from `min_level` on in their windows."""
    steps = np.arange(1, len(thresholds) + 1)
    pixels = np.arange(len(level))[:, None]
    padded = np.pad(counts, ((0, 0), (len(steps), len(steps))))
    middle = level[:, None] + len(steps)
    here = counts[pixels, level[:, None]].astype(np.int64)
    other = np.maximum(padded[pixels, middle + steps], padded[pixels, middle - steps]).astype(np.int64)
    seen = (level[:, None] + min_level <= thresholds) & (other > 0)
    values = responses * here * other / (here + other)
    return np.asarray(np.where(seen, values, 0).max(axis=1))
