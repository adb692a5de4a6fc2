"""One region of the page as a shape in upright pixels, or the reason why it is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from curate.adapters.labelstudio import encode_regions, polygons
from curate.adapters.labelstudio.polygons import Ring
from curate.errors import AnnotationToolError
from curate.geometry import boxes, brush_rle, masks
from curate.records import Box

_PERCENT, _CORNERS = 100.0, 3
# A region that was drawn without choosing a label first comes without "labels" in its type.
_KINDS: Final = {
    kind.removesuffix(suffix): kind
    for kind in (encode_regions.RECTANGLES, encode_regions.BRUSHES, encode_regions.POLYGONS)
    for suffix in ("", "labels")
}
_ANSWER_KINDS: Final = frozenset({"choices", "textarea", "rating", "number", "datetime", "taxonomy"})
_GEOMETRY: Final = frozenset({"x", "y", "points", "rle", "vertices", "radiusX", "imageDataURL", "keypoints"})


class UnreadableError(Exception):
    """No rule reads this region; says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline (rectangle or polygon) or a brush stroke.

    Attributes:
        category: What it shows.
        box: The upright box around it, within the image.
        rle: COCO's compressed counts of its pixels; None for a rectangle.
        rings: Corners of a polygon or of a turned rectangle; all but the first are holes.
        fills: Whether the rings' pixels are the object's: not those of a turned rectangle.
        stroke: It was painted.
        origin: `prediction` = a suggestion that nobody changed; `prediction-changed` or `manual` = a
            person's; empty where the server does not say.
    """

    category: str
    box: Box
    rle: str | None = None
    rings: tuple[Ring, ...] = ()
    fills: bool = False
    stroke: bool = False
    origin: str = ""


def is_shape(region: Mapping[str, Any]) -> bool:
    """Whether a region of the `result` list is drawn on the image, whatever drew it.

    What is said of an object is not, although the page repeats the object's place in it.
    """
    kind, value = str(region.get("type")), region.get("value")
    if kind in _ANSWER_KINDS:
        return False
    drawn = isinstance(value, Mapping) and not _GEOMETRY.isdisjoint(value)
    return kind in _KINDS or kind.endswith("labels") or drawn


def read_shape(region: Mapping[str, Any], categories: Sequence[str], *, width: int, height: int) -> Shape:
    """The shape of a region.

    Args:
        region: With `type`, `value` and what else the page says of it.
        categories: Names that the project knows.
        width: Upright pixels of the image, as our own tables have it.
        height: The same.

    Raises:
        UnreadableError: It is of no kind that a row can hold, incomplete, or nothing is left of it.
    """
    try:
        kind = _KINDS[str(region.get("type"))]
    except KeyError:
        raise UnreadableError(f"region of type {region.get('type')}") from None
    try:
        if region.get("image_rotation"):
            raise UnreadableError("image turned while labeling")
        shown = region.get("original_width", width), region.get("original_height", height)
        if shown != (width, height):
            raise UnreadableError(f"drawn on an image of {shown[0]} x {shown[1]}")
        category = _category(region["value"], kind, categories)
        shape = _SHAPES[kind](region["value"], category, width, height)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UnreadableError(f"incomplete {kind}") from None
    return replace(shape, origin=str(region.get("origin") or ""))


def with_holes(
    outlines: Mapping[str, Shape], parents: Mapping[str, str], *, width: int, height: int
) -> tuple[dict[str, Shape], dict[str, list[str]]]:
    """Polygons with those cut out of them that lie in them as their children.

    What lies in a hole in the same way is an outline again: an island, with holes of its own if it has any.

    Args:
        outlines: Rectangles and polygons by region id.
        parents: The region that each was put under.
        width: Upright pixels of the image.
        height: The same.

    Returns:
        The outlines without those that are holes, in their order; and the holes of each.

    Raises:
        UnreadableError: Nothing is left of a polygon.
    """
    outer_of = {
        key: parents[key]
        for key, shape in outlines.items()
        if _lies_in(shape, outlines.get(parents.get(key, "")), width, height)
    }  # without a circle: each has fewer pixels than the one around it
    holes: dict[str, list[str]] = {}
    for key, outer in outer_of.items():
        depth, around = 1, outer
        while around in outer_of:
            depth, around = depth + 1, outer_of[around]
        if depth % 2:
            holes.setdefault(outer, []).append(key)
    cut_out = {hole for found in holes.values() for hole in found}
    left = {key: shape for key, shape in outlines.items() if key not in cut_out}
    for key, found in holes.items():
        rings = (*left[key].rings, *(outlines[hole].rings[0] for hole in found))
        rle = polygons.rle(rings, width=width, height=height)
        if rle is None:
            raise UnreadableError("polygon of which its holes leave nothing")
        left[key] = replace(left[key], rings=rings, rle=rle)
    return left, holes


def _lies_in(inner: Shape, outer: Shape | None, width: int, height: int) -> bool:
    if outer is None or not (inner.fills and outer.fills) or inner.category != outer.category:
        return False
    return polygons.encloses(outer.rings[0], inner.rings[0], width=width, height=height)


def _category(value: Mapping[str, Any], kind: str, categories: Sequence[str]) -> str:
    names = value.get(kind) or []
    if len(names) != 1:
        raise UnreadableError(f"{len(names)} categories" if names else "no category")
    if names[0] not in categories:
        raise UnreadableError(f"unknown category {names[0]}")
    return str(names[0])


def _rectangle(value: Mapping[str, Any], category: str, width: int, height: int) -> Shape:
    """The upright box in pixels, cut at the edge, in float32."""
    rotation = value.get("rotation") or 0
    sides = [float(value[name]) for name in ("x", "y", "width", "height")]
    if not all(map(math.isfinite, (*sides, rotation))):
        raise UnreadableError("not a number")
    if sides[2] <= 0 or sides[3] <= 0:
        raise UnreadableError("no area")
    if rotation:
        ring = polygons.clip(polygons.rotated(value, width=width, height=height), width=width, height=height)
        return Shape(category, _box(polygons.box(ring)), rings=(ring,))
    left, top = sides[0] / _PERCENT * width, sides[1] / _PERCENT * height
    right, below = left + sides[2] / _PERCENT * width, top + sides[3] / _PERCENT * height
    inside = boxes.clip([[left, top, right, below]], width=width, height=height)
    x1, y1, x2, y2 = (float(np.float32(edge)) for edge in inside[0])
    if right <= 0 or below <= 0 or left >= width or top >= height:
        raise UnreadableError("outside the image")
    if x1 >= x2 or y1 >= y2:
        raise UnreadableError("no area")
    return Shape(category, (x1, y1, x2, y2))


def _polygon(value: Mapping[str, Any], category: str, width: int, height: int) -> Shape:
    drawn = polygons.corners(value, width=width, height=height)
    if not all(math.isfinite(place) for corner in drawn for place in corner):
        raise UnreadableError("not a number")
    if len(drawn) < _CORNERS:
        raise UnreadableError("polygon of fewer than three corners")
    if polygons.box(drawn) is None:
        raise UnreadableError("no area")
    ring = polygons.clip(drawn, width=width, height=height)
    around = _box(polygons.box(ring))
    return Shape(category, around, polygons.rle([ring], width=width, height=height), (ring,), fills=True)


def _brush(value: Mapping[str, Any], category: str, width: int, height: int) -> Shape:
    """COCO counts and bounding box."""
    try:
        rle = brush_rle.to_coco(value.get("rle") or [], width=width, height=height)
    except AnnotationToolError:
        raise UnreadableError("damaged mask") from None
    around = masks.bbox(rle, width=width, height=height) if rle is not None else None
    if around is None:
        raise UnreadableError("empty mask")
    return Shape(category, around, rle, stroke=True)


def _box(found: Box | None) -> Box:
    if found is None:
        raise UnreadableError("outside the image")
    return found


_SHAPES: Final = {
    encode_regions.RECTANGLES: _rectangle,
    encode_regions.BRUSHES: _brush,
    encode_regions.POLYGONS: _polygon,
}
