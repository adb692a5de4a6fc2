"""Polygons of the labelling page: percent of the image in, rings in upright pixels and COCO masks out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from curate.records import Box

_PERCENT, _CORNERS = 100.0, 3
_DECIMALS = 3  # of a pixel, in the table

Ring = tuple[tuple[float, float], ...]  # corners (x, y) in upright pixels


def ring(value: Mapping[str, Any], *, width: int, height: int) -> Ring | None:
    """The corners of a region's value, cut at the image's edge; None with fewer than three.

    Raises:
        KeyError: No points.
        TypeError: Points that are no pairs of numbers.
        ValueError: The same.
    """
    points = [
        (float(x) / _PERCENT * width, float(y) / _PERCENT * height)
        for x, y in value["points"]
        if math.isfinite(x) and math.isfinite(y)
    ]
    return cut(points, width=width, height=height) if len(points) >= _CORNERS else None


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


def cut(points: Sequence[tuple[float, float]], *, width: int, height: int) -> Ring:
    """Corners beyond the image's edge moved onto it."""
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in points)


def box(corners: Ring) -> Box | None:
    """The upright box around the corners, in float32; None without area."""
    xs, ys = zip(*corners, strict=True)
    x1, y1, x2, y2 = (float(np.float32(edge)) for edge in (min(xs), min(ys), max(xs), max(ys)))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def rle(corners: Ring, *, width: int, height: int) -> str | None:
    """The polygon filled by COCO's own rule, as compressed counts; None if no pixel is in it.

    Source:
        pycocotools' maskApi.c, rleFrPoly: the outline drawn at five times the resolution. Who reads the
        published polygon with pycocotools gets the same pixels.
    """
    flat = [[place for corner in corners for place in corner]]
    (encoded,) = coco.frPyObjects(flat, height, width)
    return str(encoded["counts"].decode("ascii")) if int(coco.area(encoded)) else None


def rings_json(corners: Ring) -> str:
    """The `polygon` column: a list of rings [x1, y1, x2, y2, ...]."""
    return json.dumps([[round(place, _DECIMALS) for corner in corners for place in corner]])
