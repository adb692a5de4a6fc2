"""Whether two images that share a hash are one picture: lays one thumbnail over the other and compares.

A pair matches if all of these hold:

1. Agreement: aligned (`compare`), the steps between neighboring pixels correlate by `min_correlation` or
   more in the mean over blocks of the picture. Light may differ, and text or a logo may hide some blocks.
   Where the alignment moved the picture, chance has more room: 0.05 more is asked for, and as much again
   where it tilted it.
2. Color: where the alignment moved the picture, the mean chroma of the two differs by at most
   `_SAME_CHROMA`. A large change of color together with a crop is too rare to give that up.
3. Plain pictures, which have no structure to compare, are the same only as they stand: luma and colors all
   over within a few levels.

A match in which nothing but light, size and compression sets the two apart is the same picture; others, with
a text, another object or another color in some place, are variants of one scene
(`curate.dedupe.local_differences`). Plain pictures that differ somewhere are two pictures: nothing shows that
their scene is one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate import system
from curate.dedupe.crop_hashes import WINDOWS
from curate.dedupe.features import PLAIN, Features, Recipe
from curate.dedupe.hamming_search import Pairs
from curate.dedupe.orientations import Turn, turns

PIXEL_RELATIONS: Final = ("same", "mirrored", "rotated", "tilted", "cropped", "bordered", "variant")
VARIANT: Final = PIXEL_RELATIONS.index("variant")
_CLOSE: Final = 32  # pairs whose details are compared at a time: as many as fit the processor's cache
_CHUNK: Final = 256  # pairs; small, so that threads end together
_STARTS: Final = 4  # placements tried for a pair
_MOVED: Final = 0.04  # of a side
_MORE: Final = 0.05  # of correlation
_SAME_CHROMA: Final = 35.0  # levels
_SAME_LUMA: Final = 3.0  # levels, mean over a plain picture
_SAME_CELL: Final = 9  # levels, in every cell of a plain picture
_LARGER: Final = 1.05  # area; what shows that much more of the scene, or a border, is not the same
_TILT: Final = 0.03  # of a side, about two degrees


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of each pair.

    Attributes:
        same: (P,) bool, whether they match: one picture, or variants of one scene.
        correlation: (P,) float32, -1..1, agreement after alignment; of plain pictures 1 or 0.
        relation: (P,) int8, index into `PIXEL_RELATIONS`: how one of the two shows the other.
    """

    same: NDArray[np.bool_]
    correlation: NDArray[np.float32]
    relation: NDArray[np.int8]


def placements(features: Features, pairs: Pairs, recipe: Recipe) -> NDArray[np.float64]:
    """(P, 6) where the second image of each pair lies on the first (`curate.dedupe.registration`)."""
    from curate.dedupe.placement_search import compare  # noqa: PLC0415 - numba takes seconds to import

    found = np.zeros((len(pairs.first), 6))
    for start in range(0, len(found), _CHUNK):
        rows = slice(start, start + _CHUNK)
        sides = _Sides(features, features, pairs.first[rows], pairs.second[rows])
        starts = _starts(turns(recipe.turned), sides.windows[0].shape[1])
        compare(*sides.luma, starts, _likeliest(sides), np.zeros(len(found[rows])), found[rows])
    return found


def verify(
    features: Features, pairs: Pairs, recipe: Recipe, *, min_correlation: float, base: Features | None = None
) -> Verified:
    """Compare the images of each pair; memory does not grow with them but for the result.

    Args:
        features: Of the images; `pairs.first` counts in it.
        pairs: From `candidates`.
        recipe: That the features were made with.
        min_correlation: 0..1.
        base: What `pairs.second` counts in; None = `features`.
    """
    other = features if base is None else base
    count = len(pairs.first)
    found = Verified(
        np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.int8)
    )
    ways = turns(recipe.turned)

    def part(start: int) -> None:
        rows = slice(start, start + _CHUNK)
        first, second = pairs.first[rows], pairs.second[rows]
        _verify(_Sides(features, other, first, second), ways, min_correlation, _part(found, rows))

    with ThreadPoolExecutor(system.cores()) as pool:
        for _ in pool.map(part, range(0, count, _CHUNK)):
            pass
    return found


def _part(found: Verified, rows: slice) -> Verified:
    return Verified(found.same[rows], found.correlation[rows], found.relation[rows])


class _Sides:
    """The rows of both images of some pairs, fetched once."""

    def __init__(
        self, features: Features, other: Features, first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> None:
        self.luma = features.luma[first], other.luma[second]
        self.color = features.color[first].astype(np.float32), other.color[second].astype(np.float32)
        self.structure = np.minimum(features.structure[first], other.structure[second])
        self.phash = features.phash[first], other.phash[second]
        self.turned = features.turned[first]
        self.parts = features.parts[first], other.parts[second]
        self.windows = features.windows[first], other.windows[second]
        self._details = (features, first), (other, second)

    def details(self, rows: NDArray[np.int64]) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """Luma and color of both images of some of the pairs, for `curate.dedupe.local_differences`."""
        return [(side.detail[at[rows]], side.chroma[at[rows]]) for side, at in self._details]


def _verify(sides: _Sides, ways: tuple[Turn, ...], min_correlation: float, found: Verified) -> None:
    """Fill the result of one chunk."""
    from curate.dedupe.placement_search import compare  # noqa: PLC0415 - numba takes seconds to import

    count = len(sides.structure)
    starts, order = _starts(ways, sides.windows[0].shape[1]), _likeliest(sides)
    score, placement = np.zeros(count), np.zeros((count, 6))
    compare(sides.luma[0], sides.luma[1], starts, order, score, placement)
    plain = sides.structure < PLAIN
    alike = _plain_alike(sides)
    found.correlation[:] = np.where(plain, alike, np.round(score, 4))
    moved = np.abs(placement - starts[0]).max(axis=1) > _MOVED
    wanted = min_correlation + _MORE * moved + _MORE * _tilted(placement)
    agreeing = (score >= wanted) & ~(moved & (_chroma_apart(sides) > _SAME_CHROMA))
    found.same[:] = np.where(plain, alike, agreeing)
    found.relation[:] = np.where(plain, 0, _relations(sides, placement, found.same))
    _look_closely(sides, placement, plain, found)


def _look_closely(
    sides: _Sides, placement: NDArray[np.float64], plain: NDArray[np.bool_], found: Verified
) -> None:
    """Tell variants from copies among the matches, and drop matches that have too little in common."""
    from curate.dedupe.local_differences import measure  # noqa: PLC0415 - numba takes seconds to import

    matching = np.flatnonzero(found.same)
    for start in range(0, len(matching), _CLOSE):
        rows = matching[start : start + _CLOSE]
        first, second = sides.details(rows)
        differences = measure(first, second, placement[rows])
        copies = differences.copies(plain[rows])
        found.same[rows] = copies | (differences.related() & ~plain[rows])
        found.relation[rows[~copies]] = VARIANT


def _starts(ways: tuple[Turn, ...], windows: int) -> NDArray[np.float64]:
    """(1 + T + 2 W, 6) placements: as it is, turned, second = window of first, first = window of second."""
    starts = [(0.0, 1.0, 0.0, 0.0, 0.0, 1.0)]
    for turn in ways:
        x, y = -1.0 if turn.mirrored else 1.0, -1.0 if turn.flipped else 1.0
        starts.append((0.0, 0.0, y, 0.0, x, 0.0) if turn.transposed else (0.0, x, 0.0, 0.0, 0.0, y))
    parts = [
        ((w.left + w.right - 1) / 2, w.right - w.left, (w.top + w.bottom - 1) / 2, w.bottom - w.top)
        for w in WINDOWS[:windows]
    ]
    starts += [(x, wide, 0.0, y, 0.0, tall) for x, wide, y, tall in parts]
    starts += [(-x / wide, 1 / wide, 0.0, -y / tall, 0.0, 1 / tall) for x, wide, y, tall in parts]
    return np.array(starts)


def _likeliest(sides: _Sides) -> NDArray[np.int64]:
    """(P, K) starts by the distance of the hashes that speak for them, nearest first."""
    (one, two), (windows, other_windows) = sides.phash, sides.windows
    as_it_is = np.concatenate([(one ^ two)[:, None], sides.parts[0] ^ sides.parts[1]], axis=1)
    bits = np.concatenate(
        [
            np.bitwise_count(as_it_is).min(axis=1, keepdims=True),
            np.bitwise_count(sides.turned ^ two[:, None]),
            np.bitwise_count(windows ^ two[:, None]),
            np.bitwise_count(other_windows ^ one[:, None]),
        ],
        axis=1,
    )
    return np.ascontiguousarray(np.argsort(bits, axis=1, kind="stable")[:, :_STARTS])


def _plain_alike(sides: _Sides) -> NDArray[np.bool_]:
    luma = np.abs(sides.luma[0].astype(np.int16) - sides.luma[1]).mean(axis=(1, 2))
    cells = np.abs(sides.color[0] - sides.color[1]).max(axis=(1, 2, 3))
    alike: NDArray[np.bool_] = (luma <= _SAME_LUMA) & (cells <= _SAME_CELL)
    return alike


def _chroma_apart(sides: _Sides) -> NDArray[np.float32]:
    """(P,) levels between the mean colors, both taken without their lightness."""
    apart = sides.color[0].mean(axis=(1, 2)) - sides.color[1].mean(axis=(1, 2))
    lightness = apart @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    found: NDArray[np.float32] = np.hypot(apart[:, 0] - lightness, apart[:, 2] - lightness)
    return found


def _tilted(placement: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P,) whether the alignment turned the picture by a few degrees, quarter turns apart."""
    _, xu, xv, _, yu, yv = np.abs(placement).T
    transposed = xv + yu > xu + yv
    found: NDArray[np.bool_] = np.where(transposed, np.maximum(xu, yv), np.maximum(xv, yu)) > _TILT
    return found


def _relations(sides: _Sides, placement: NDArray[np.float64], same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(P,) index into `PIXEL_RELATIONS`."""
    _, xu, xv, _, yu, yv = placement.T
    area = xu * yv - xv * yu
    transposed = np.abs(xv) + np.abs(yu) > np.abs(xu) + np.abs(yv)
    shifted = np.maximum(np.abs(placement[:, 0]), np.abs(placement[:, 3])) > _MOVED
    resized = np.maximum(np.abs(area), 1 / np.maximum(np.abs(area), 1e-6)) > _LARGER
    relation = np.select(
        [area < 0, transposed | (xu < 0), _tilted(placement), resized | shifted],
        [1, 2, 3, PIXEL_RELATIONS.index("cropped")],
        default=0,
    )
    for row in np.flatnonzero(same & (relation >= 3) & resized):
        if _has_border(sides, placement[row], int(row), bool(area[row] < 1)):
            relation[row] = PIXEL_RELATIONS.index("bordered")
    return relation


def _has_border(sides: _Sides, placement: NDArray[np.float64], row: int, second_inside: bool) -> bool:
    from curate.dedupe.placement_search import bordered  # noqa: PLC0415

    if second_inside:
        return bool(bordered(sides.luma[0][row], placement))
    x, xu, xv, y, yu, yv = placement.tolist()
    whole = np.linalg.inv(np.array([[xu, xv], [yu, yv]]))
    back = -whole @ np.array([x, y])
    inverse = np.array([back[0], *whole[0], back[1], *whole[1]])
    return bool(bordered(sides.luma[1][row], inverse))
