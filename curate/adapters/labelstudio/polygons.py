"""Polygons of the labelling page: percent of the image in, rings in upright pixels and COCO masks out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from curate.geometry import masks
from curate.records import Box

_PERCENT, _CORNERS = 100.0, 3
_DECIMALS = 3  # of a pixel, in the table

Point = tuple[float, float]
Ring = tuple[Point, ...]  # corners (x, y) in upright pixels


def corners(value: Mapping[str, Any], *, width: int, height: int) -> Ring:
    """The corners of a polygon region's value.

    Raises:
        KeyError: No points.
        TypeError: Points that are no pairs of numbers.
        ValueError: The same.
    """
    return tuple((float(x) / _PERCENT * width, float(y) / _PERCENT * height) for x, y in value["points"])


def rotated(value: Mapping[str, Any], *, width: int, height: int) -> Ring:
    """The four corners of a rectangle that is turned clockwise around its top left corner."""
    left, top = value["x"] / _PERCENT * width, value["y"] / _PERCENT * height
    across, down = value["width"] / _PERCENT * width, value["height"] / _PERCENT * height
    turn = math.radians(value["rotation"])
    right, below = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    return tuple(
        (left + u * right[0] + v * below[0], top + u * right[1] + v * below[1])
        for u, v in ((0.0, 0.0), (across, 0.0), (across, down), (0.0, down))
    )


def clip(ring: Ring, *, width: int, height: int) -> Ring:
    """What of a polygon lies in the image; empty where nothing does.

    Parts that the edge separates stay one ring that runs along the edge between them.

    Source:
        I. E. Sutherland, G. W. Hodgman, "Reentrant polygon clipping", CACM 17 (1974) 32-42.
    """
    for axis, bound, sign in ((0, 0.0, 1), (1, 0.0, 1), (0, float(width), -1), (1, float(height), -1)):
        inside = [sign * (point[axis] - bound) >= 0 for point in ring]
        if all(inside):
            continue
        kept: list[Point] = []
        for i, point in enumerate(ring):
            before = ring[i - 1]
            if inside[i] != inside[i - 1]:
                share = (bound - before[axis]) / (point[axis] - before[axis])
                crossing = [
                    before[0] + share * (point[0] - before[0]),
                    before[1] + share * (point[1] - before[1]),
                ]
                crossing[axis] = bound
                kept.append((crossing[0], crossing[1]))
            if inside[i]:
                kept.append(point)
        ring = tuple(kept)
    return ring if len(ring) >= _CORNERS else ()


def box(ring: Ring) -> Box | None:
    """The upright box around the corners, in float32; None without area."""
    if not ring:
        return None
    xs, ys = zip(*ring, strict=True)
    x1, y1, x2, y2 = (float(np.float32(edge)) for edge in (min(xs), min(ys), max(xs), max(ys)))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def rle(rings: Sequence[Ring], *, width: int, height: int) -> str | None:
    """The first ring filled by COCO's own rule, without the pixels of the others; None if none is left.

    Source:
        pycocotools' maskApi.c, rleFrPoly: the outline drawn at five times the resolution. Who reads the
        published polygon with pycocotools gets the same pixels.
    """
    filled = [_filled(ring, width, height) for ring in rings]
    if len(filled) == 1:
        return filled[0] if masks.area(filled[0], width=width, height=height) else None
    left = masks.decode(filled[0], width=width, height=height)
    for hole in filled[1:]:
        left &= ~masks.decode(hole, width=width, height=height)
    return masks.encode(left) if left.any() else None


def encloses(outer: Ring, inner: Ring, *, width: int, height: int) -> bool:
    """Whether every pixel of `inner` is one of `outer`, which has more, and it has any."""
    one, other = (_filled(ring, width, height) for ring in (outer, inner))
    size = [height, width]
    both = coco.merge([{"size": size, "counts": counts.encode()} for counts in (one, other)], intersect=True)
    pixels = masks.area(other, width=width, height=height)
    return 0 < pixels < masks.area(one, width=width, height=height) and int(coco.area(both)) == pixels


def rings_json(rings: Sequence[Ring]) -> str:
    """The `polygon` column: a list of rings [x1, y1, x2, y2, ...]; all but the first are holes in it."""
    return json.dumps([[round(place, _DECIMALS) for corner in ring for place in corner] for ring in rings])


def _filled(ring: Ring, width: int, height: int) -> str:
    (encoded,) = coco.frPyObjects([[place for corner in ring for place in corner]], height, width)
    return str(encoded["counts"].decode("ascii"))
