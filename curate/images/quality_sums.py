"""Sums over a luma plane and the quality figures that follow from them, compiled.

NumPy takes ten times as long: section "Compiled code" of docs/benchmarks.md. What few pixels tell as well as
all is asked of few. Imports numba.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled, helper, types

IntArray = NDArray[np.int32]
TILE: Final = 16  # pixels per side of the tiles in which noise is measured
REACH: Final = 4  # pixels to either side of the blur that a picture is compared with
SKIP: Final = 4  # every fourth row and row of tiles is looked at, but for sums by row
_QUIET: Final = 4  # noise is measured in one of so many tiles, the smoothest
_ALIKE, _STEP = 3.0, 8.0  # levels: within a bar, and where it ends
_BAR_NOISE: Final = 1.5  # levels between neighbors in a bar, at most
int32: Any = types.int32
_compiled: Any = compiled  # what it makes is called without types


class QualitySums(NamedTuple):
    """Sums over a plane (H, W) of levels 0..255.

    Attributes:
        rows: (3, H) of each row: absolute differences to the next one (0 for the last), those between
            neighbors in it, levels.
        columns: (3, W) the same of each column, in every SKIPth row.
        changes: (2,) absolute differences to the next pixel where they can be compared with the blurred
            plane's, across and down, times 2 REACH + 1.
        kept: (2,) the smaller one of these and of the blurred plane's.
        noise: (every SKIPth of H // TILE, W // TILE) absolute values of the difference of two Laplacians.
        histogram: (256,) of every second pixel of every SKIPth row.
    """

    rows: IntArray
    columns: IntArray
    changes: NDArray[np.int64]
    kept: NDArray[np.int64]
    noise: IntArray
    histogram: IntArray


@helper()
def _row_sums(luma: Any, rows: Any) -> None:
    height, width = luma.shape
    down, across, levels = rows[0], rows[1], rows[2]
    for y in range(height):
        here, below = luma[y], luma[min(y + 1, height - 1)]
        level, step, side = int32(0), int32(0), int32(0)
        for x in range(width):
            level += int32(here[x])
            step += abs(int32(below[x]) - int32(here[x]))
        for x in range(width - 1):
            side += abs(int32(here[x + 1]) - int32(here[x]))
        down[y], across[y], levels[y] = step, side, level


@helper()
def _column_sums(luma: Any, columns: Any) -> None:
    height, width = luma.shape
    across, down, levels = columns[0], columns[1], columns[2]
    for y in range(0, height, SKIP):
        here, below = luma[y], luma[min(y + 1, height - 1)]
        for x in range(width):
            levels[x] += int32(here[x])
            down[x] += abs(int32(below[x]) - int32(here[x]))
        for x in range(width - 1):
            across[x] += abs(int32(here[x + 1]) - int32(here[x]))


@helper()
def _changes_of_row(here: Any, after: Any, first: Any, last: Any) -> tuple[int, int]:
    """Changes from `here` to `after` and what a blur leaves of them; views, for no index is then negative."""
    total, smaller = 0, 0
    for x in range(len(here)):
        change = (2 * REACH + 1) * abs(int32(after[x]) - int32(here[x]))
        blurred = abs(int32(last[x]) - int32(first[x]))
        total += change
        smaller += min(change, blurred)
    return total, smaller


@helper()
def _changes(luma: Any, changes: Any, kept: Any) -> None:
    """How much of the change between neighbors a blur along that axis leaves."""
    height, width = luma.shape
    for y in range(0, height if width > 2 * REACH + 1 else 0, SKIP):
        row, last = luma[y], width - REACH - 1
        total, smaller = _changes_of_row(
            row[REACH:last], row[REACH + 1 : last + 1], row[: last - REACH], row[2 * REACH + 1 :]
        )
        changes[0] += total
        kept[0] += smaller
    for y in range(REACH, height - REACH - 1, SKIP):
        total, smaller = _changes_of_row(luma[y], luma[y + 1], luma[y - REACH], luma[y + REACH + 1])
        changes[1] += total
        kept[1] += smaller


@helper()
def _noise_sums(luma: Any, tiles: Any) -> None:
    rows, columns = tiles.shape
    height, width = luma.shape
    answers = np.zeros(width, np.int32)
    for tile in range(rows):
        answers[:] = 0
        for y in range(max(SKIP * tile * TILE, 1), min(SKIP * tile * TILE + TILE, height - 1)):
            above, here, below = luma[y - 1], luma[y], luma[y + 1]
            for x in range(1, width - 1):
                corners = (
                    int32(above[x - 1]) + int32(above[x + 1]) + int32(below[x - 1]) + int32(below[x + 1])
                )
                sides = int32(above[x]) + int32(below[x]) + int32(here[x - 1]) + int32(here[x + 1])
                answers[x] += abs(corners - 2 * sides + 4 * int32(here[x]))
        for place in range(columns):
            tiles[tile, place] = answers[place * TILE : (place + 1) * TILE].sum()


@helper()
def _count_levels(luma: Any, counts: Any) -> None:
    height, width = luma.shape
    for y in range(0, height, SKIP):
        row = luma[y]
        for x in range(0, width, 2):
            counts[row[x]] += 1


@helper()
def _noise(tiles: Any) -> float:
    """Sigma in the smoothest tiles; of those at the first borders a row and a column are missing."""
    if not tiles.size:
        return math.nan
    means = np.empty(tiles.shape)
    for y in range(tiles.shape[0]):
        for x in range(tiles.shape[1]):
            pixels = (TILE - (y == 0)) * (TILE - (x == 0))
            means[y, x] = tiles[y, x] / pixels
    quiet: float = np.sort(means.reshape(-1))[tiles.size // _QUIET]
    return math.sqrt(math.pi / 2) / 6 * quiet


@helper()
def _blur(kept: Any, changes: Any) -> float:
    found = math.nan
    for axis in range(2):
        if changes[axis] > 0:
            share = kept[axis] / changes[axis]
            found = share if math.isnan(found) else max(found, share)
    return found


@helper()
def _blocks(sums: Any, side: int) -> float:
    """Share by which differences at one phase exceed those at the others; blocks may begin anywhere."""
    whole = (len(sums) - 1) // side * side
    if whole < 4 * side:
        return math.nan
    phases = np.zeros(side)
    for at in range(whole):
        phases[at % side] += sums[at]
    inside = (phases.sum() - phases.max()) / (side - 1)
    return phases.max() / inside - 1 if inside > 0 else 0.0


@helper()
def _bar(levels: Any, activity: Any, per_level: float, per_change: float) -> int:
    """Lines at the beginning that are a bar: plain, alike, and ending at a step."""
    total, end = len(levels), 0
    first = levels[0] / per_level
    while (
        end < total
        and activity[end] / per_change <= _BAR_NOISE
        and abs(levels[end] / per_level - first) <= _ALIKE
    ):
        end += 1
    if end >= total - 2:
        return 0
    for at in range(end, end + 3):
        if abs(levels[at] / per_level - first) >= _STEP:
            return end
    return 0


@helper()
def _bars(levels: Any, activity: Any, per_level: float, per_change: float) -> float:
    begin = _bar(levels, activity, per_level, per_change)
    end = _bar(levels[::-1], activity[::-1], per_level, per_change)
    return min(1.0, (begin + end) / len(levels))


@helper()
def _entropy(histogram: Any) -> float:
    total, found = histogram.sum(), 0.0
    for count in histogram:
        if count:
            found -= count / total * math.log2(count / total)
    return max(found, 0.0)


@_compiled  # type: ignore[untyped-decorator]
def _fill(luma: Any, rows: Any, columns: Any, of_blur: Any, tiles: Any, counts: Any) -> None:  # noqa: PLR0917
    _row_sums(luma, rows)
    _column_sums(luma, columns)
    _changes(luma, of_blur[0], of_blur[1])
    _noise_sums(luma, tiles)
    _count_levels(luma, counts)


@_compiled  # type: ignore[untyped-decorator]
def _measure(luma: Any, side: int) -> Any:
    height, width = luma.shape
    rows, columns = np.zeros((3, height), np.int32), np.zeros((3, width), np.int32)
    of_blur = np.zeros((2, 2), np.int64)
    tiles = np.zeros(((height // TILE + SKIP - 1) // SKIP, width // TILE), np.int32)
    counts = np.zeros(256, np.int32)
    _fill(luma, rows, columns, of_blur, tiles, counts)
    lines, pixels = float((height + SKIP - 1) // SKIP), counts.sum()
    return (
        _noise(tiles),
        _blur(of_blur[1], of_blur[0]),
        min(_blocks(rows[0], side), _blocks(columns[0], side)),
        counts[:2].sum() / pixels,
        counts[254:].sum() / pixels,
        _entropy(counts),
        _bars(rows[2], rows[1], float(width), float(max(width - 1, 1))),
        _bars(columns[2], columns[1], lines, lines),
    )


def _readonly(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    view = np.ascontiguousarray(luma).view()
    view.flags.writeable = False
    return view


def quality_sums(luma: NDArray[np.uint8]) -> QualitySums:
    """The sums of a plane (H, W)."""
    height, width = luma.shape
    blur = np.zeros((2, 2), np.int64)
    sums = QualitySums(
        np.zeros((3, height), np.int32),
        np.zeros((3, width), np.int32),
        blur[0],
        blur[1],
        np.zeros(((height // TILE + SKIP - 1) // SKIP, width // TILE), np.int32),
        np.zeros(256, np.int32),
    )
    _fill(_readonly(luma), sums.rows, sums.columns, blur, sums.noise, sums.histogram)
    return sums


def quality_of_sums(luma: NDArray[np.uint8], side: int) -> tuple[float, ...]:
    """Noise, blur, blockiness, shadows, highlights, entropy, letterbox and pillarbox of a plane (H, W).

    Args:
        luma: Levels 0..255.
        side: Pixels of a block of JPEG in it.
    """
    found: tuple[float, ...] = _measure(_readonly(luma), side)
    return found
