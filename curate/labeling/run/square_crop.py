"""The part of an image that an encoder is shown of an object."""

from __future__ import annotations

import math

import numpy as np

from curate.records import FloatArray, UInt8Image


def crop(image: UInt8Image, box: FloatArray) -> UInt8Image:
    """The pixels of a box, with as much around it as makes it square, as far as the image goes.

    Encoders cut a square out of the middle of what they are shown: of a long box they would not see the ends.

    Args:
        image: (H, W, 3).
        box: xyxy pixels; what lies outside the image is left out.

    Returns:
        A copy; of no pixel where the box has none in the image.

    Example:
        >>> crop(np.zeros((50, 100, 3), np.uint8), np.array([10, 0, 14, 20])).shape
        (20, 20, 3)
    """
    height, width = image.shape[:2]
    x1, x2 = max(0, math.floor(box[0])), min(width, math.ceil(box[2]))
    y1, y2 = max(0, math.floor(box[1])), min(height, math.ceil(box[3]))
    if x2 <= x1 or y2 <= y1:
        return np.zeros((0, 0, 3), dtype=np.uint8)
    side = max(x2 - x1, y2 - y1)
    left, right = _grown(x1, x2, side, width)
    top, bottom = _grown(y1, y2, side, height)
    return np.ascontiguousarray(image[top:bottom, left:right])


def _grown(start: int, stop: int, side: int, max_stop: int) -> tuple[int, int]:
    """An interval of that length around this one, moved into 0..max_stop, or all of it."""
    begin = min(max(0, start - (side - (stop - start)) // 2), max(0, max_stop - side))
    return begin, min(max_stop, begin + side)
