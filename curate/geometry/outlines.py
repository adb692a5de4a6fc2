"""Masks as polygons along the edges of their pixels, and polygons with holes as masks.

Corners lie on the grid between pixels, so that filling an outline gives the mask again, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.geometry import masks

Ring = tuple[float, ...]  # x1, y1, x2, y2, ...
Polygon = tuple[Ring, ...]  # an outline, then the holes in it


def trace(rle: str, *, width: int, height: int) -> tuple[Polygon, ...]:
    """The outlines of a mask; parts that touch at a corner only are parts of their own.

    Args:
        rle: COCO compressed counts.
        width: Pixels of the image.
        height: Pixels of the image.

    Returns:
        A polygon for each part: its outline, then its holes. Corners are whole numbers.

    Raises:
        RecordError: The counts are damaged or of another image size.

    Examples:
        >>> import numpy as np
        >>> mask = np.zeros((4, 6), dtype=bool)
        >>> mask[1:3, 2:5] = True
        >>> trace(masks.encode(mask), width=6, height=4)
        (((2.0, 1.0, 5.0, 1.0, 5.0, 3.0, 2.0, 3.0),),)
    """
    box = masks.bbox(rle, width=width, height=height)
    if box is None:
        return ()
    left, top, right, bottom = map(int, box)
    mask = masks.decode(rle, width=width, height=height)[top:bottom, left:right]
    rings = _rings(np.pad(mask, 1))
    outer = [one for one in rings if _signed_area(one) > 0]
    holes = [one for one in rings if _signed_area(one) < 0]
    parts: list[list[NDArray[np.int64]]] = [[one] for one in outer]
    for hole in holes:
        around = [part for part in parts if _holds(part[0], hole)]
        min(around, key=lambda part: _signed_area(part[0])).append(hole)
    shift = np.array([left - 1, top - 1])
    return tuple(
        tuple(tuple(float(value) for value in (one + shift).ravel()) for one in part) for part in parts
    )


def filled(polygons: Sequence[Polygon], *, width: int, height: int) -> str | None:
    """COCO compressed counts of what the polygons cover; None if that is no pixel.

    Each ring is filled by COCO's own rule, so that who reads a published polygon with pycocotools gets the
    same pixels; holes are taken out of their own part.

    Raises:
        RecordError: A ring of less than three corners.
    """
    if not polygons:
        return None
    if all(len(rings) == 1 for rings in polygons):
        return masks.from_polygons([rings[0] for rings in polygons], width=width, height=height)
    total = np.zeros((height, width), dtype=bool)
    for rings in polygons:
        covered = [masks.from_polygons([one], width=width, height=height) for one in rings]
        if covered[0] is None:
            continue
        part = masks.decode(covered[0], width=width, height=height)
        for hole in covered[1:]:
            if hole is not None:
                part = part & ~masks.decode(hole, width=width, height=height)
        total |= part
    return masks.encode(total) if total.any() else None


def joined(polygons: Sequence[Polygon]) -> Ring:
    """All rings as one, joined by cuts without width; for formats that hold one ring an object.

    The even-odd rule fills it as before: each cut is walked forth and back.

    Args:
        polygons: At least one.
    """
    flat = [one for rings in polygons for one in rings]
    rings: list[NDArray[np.float64]] = [np.reshape(np.asarray(one, np.float64), (-1, 2)) for one in flat]
    path, rest = rings[0], rings[1:]
    for one in rest:
        distances = ((path[:, None] - one[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(int(distances.argmin()), distances.shape)
        around = np.roll(one, -int(there), axis=0)
        path = np.concatenate([path[: here + 1], around, around[:1], path[here:]])
    return tuple(path.ravel().tolist())


def _rings(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Closed walks along the edges of a padded mask, pixels on the right hand; (N, 2) x, y corners each."""
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for rows, start, step in (
        (mask[1:, :] & ~mask[:-1, :], (0, 1), (1, 0)),  # upper edges, walked to the right
        (mask[:-1, :] & ~mask[1:, :], (1, 1), (-1, 0)),  # lower edges, to the left
        (mask[:, :-1] & ~mask[:, 1:], (1, 0), (0, 1)),  # right edges, down
        (mask[:, 1:] & ~mask[:, :-1], (1, 1), (0, -1)),  # left edges, up
    ):
        for y, x in np.argwhere(rows).tolist():
            steps.setdefault((x + start[0], y + start[1]), []).append(step)
    found = []
    while steps:
        here = first = next(iter(steps))
        corners: list[tuple[int, int]] = []
        before = (0, 0)
        while True:
            ways = steps[here]
            turn = (-before[1], before[0])  # to the right: around the same pixel where two touch at a corner
            way = turn if turn in ways else ways[0]
            ways.remove(way)
            if not ways:
                del steps[here]
            if way != before:
                corners.append(here)
            here, before = (here[0] + way[0], here[1] + way[1]), way
            if here == first and (-way[1], way[0]) not in steps.get(here, ()):
                break
        found.append(np.array(_without_straight(corners), dtype=np.int64))
    return found


def _without_straight(corners: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the first corner where the walk merely began in the middle of a straight edge."""
    before, first, after = corners[-1], corners[0], corners[1]
    straight = before[0] == first[0] == after[0] or before[1] == first[1] == after[1]
    return corners[1:] if straight else corners


def _signed_area(corners: NDArray[np.int64]) -> int:
    x, y = corners[:, 0], corners[:, 1]
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _holds(outer: NDArray[np.int64], hole: NDArray[np.int64]) -> bool:
    """Whether a point just within the hole's first corner lies in the outline (rays to the left)."""
    x, y = hole[0] + 0.5 * np.sign((hole[1] - hole[0]) + (hole[-1] - hole[0]))
    ends = np.roll(outer, -1, axis=0)
    upright = (outer[:, 0] == ends[:, 0]) & (outer[:, 0] < x)
    low, high = np.minimum(outer[:, 1], ends[:, 1]), np.maximum(outer[:, 1], ends[:, 1])
    return bool((upright & (low < y) & (y < high)).sum() % 2)
