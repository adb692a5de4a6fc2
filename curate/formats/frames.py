"""Labels that were drawn on a file's own pixels, before EXIF turned them, brought upright.

Source:
    CIPA DC-008 (Exif 2.32), tag Orientation: 2 mirrored, 3 upside down, 4 both, 5 to 8 with swapped sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from curate.formats.record import LabeledObject, Ring, Size
from curate.geometry import masks
from curate.records import BoolArray, Box

Frame = Literal["stored", "upright"]
_Point = tuple[float, float]
# Where the point x, y of a stored image of width w and height h lies in the upright one.
_POINTS: Final[Mapping[int, Callable[[float, float, int, int], _Point]]] = {
    1: lambda x, y, _w, _h: (x, y),
    2: lambda x, y, w, _h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, _w, h: (x, h - y),
    5: lambda x, y, _w, _h: (y, x),
    6: lambda x, y, _w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, _h: (y, w - x),
}
_MASKS: Final[Mapping[int, Callable[[BoolArray], BoolArray]]] = {
    1: lambda mask: mask,
    2: lambda mask: mask[:, ::-1],
    3: lambda mask: mask[::-1, ::-1],
    4: lambda mask: mask[::-1],
    5: lambda mask: mask.T,
    6: lambda mask: np.rot90(mask, -1),
    7: lambda mask: np.rot90(mask, 2).T,
    8: np.rot90,
}


def upright(one: LabeledObject, orientation: int, stored: Size) -> LabeledObject:
    """An object of the stored frame in the upright one.

    Args:
        one: In pixels.
        orientation: EXIF, 1..8.
        stored: Width and height of the stored pixels.

    Raises:
        RecordError: Its mask is of another size, or damaged.
    """
    if orientation == 1:
        return one
    box, rle = one.bbox_xyxy, one.rle
    turned: Box | None = None
    if box is not None:
        (ax, ay), (bx, by) = (_POINTS[orientation](*corner, *stored) for corner in (box[:2], box[2:]))
        turned = (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
    if rle is not None:
        rle = masks.encode(_MASKS[orientation](masks.decode(rle, width=stored[0], height=stored[1])))
    return replace(
        one,
        bbox_xyxy=turned,
        polygons=tuple(tuple(_ring(ring, orientation, stored) for ring in rings) for rings in one.polygons),
        rle=rle,
        rle_size=None if rle is None else (stored if orientation < 5 else (stored[1], stored[0])),
    )


def _ring(ring: Ring, orientation: int, stored: Size) -> Ring:
    points = (_POINTS[orientation](x, y, *stored) for x, y in zip(ring[::2], ring[1::2], strict=True))
    return tuple(value for point in points for value in point)


def fits(one: LabeledObject, size: Size) -> bool:
    """Whether an object lies in an image of `size`, to a pixel."""
    box = one.box()
    return box is None or (box[0] >= -1 and box[1] >= -1 and box[2] <= size[0] + 1 and box[3] <= size[1] + 1)
