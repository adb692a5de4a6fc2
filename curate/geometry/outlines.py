"""Masks as polygons along the edges of their pixels, and polygons with holes as masks.

Corners lie on the grid between pixels, so that filling an outline gives the mask again, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def nested(rings: Sequence[Ring]) -> tuple[Polygon, ...]:
    """Polygons of the rings that fill the same by the even-odd rule: a ring within another is a hole in it.

    Args:
        rings: That do not cross each other.
    """
    corners = [np.reshape(np.asarray(one, np.float64), (-1, 2)) for one in rings]
    order = sorted(range(len(rings)), key=lambda at: -abs(_signed_area(corners[at])))
    around: dict[int, list[int]] = {}  # rings that hold this one, the largest first
    parts: dict[int, list[Ring]] = {}
    for at in order:
        around[at] = [other for other in around if _holds(corners[other], corners[at])]
        if len(around[at]) % 2:
            parts[around[at][-1]].append(rings[at])
        else:
            parts[at] = [rings[at]]
    return tuple(tuple(part) for _, part in sorted(parts.items()))


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


def _signed_area(corners: NDArray[Any]) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _holds(outer: NDArray[Any], inner: NDArray[Any]) -> bool:
    """Whether a ring lies in another one that it does not cross: a ray to the left from a point in it."""
    x, y = _point_within(inner)
    ends = np.roll(outer, -1, axis=0)
    crossed = (outer[:, 1] > y) != (ends[:, 1] > y)
    a, b = outer[crossed], ends[crossed]
    at = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return bool((at < x).sum() % 2)


def _point_within(ring: NDArray[Any]) -> tuple[float, float]:
    """A point in a ring: between the first two crossings of a row that runs through no corner."""
    rows = np.unique(ring[:, 1])
    y = float(rows[0] + rows[1]) / 2 if len(rows) > 1 else float(rows[0])
    ends = np.roll(ring, -1, axis=0)
    crossed = (ring[:, 1] > y) != (ends[:, 1] > y)
    a, b = ring[crossed], ends[crossed]
    at = np.sort(a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]))
    return (float(at[0] + at[1]) / 2 if len(at) > 1 else float(ring[0, 0]), y)
