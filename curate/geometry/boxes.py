"""Axis-aligned boxes: conversions, areas, IoU.

A box is two corners in upright pixels, `x1, y1, x2, y2`, on the continuous plane: a box from 0 to 2 is two
pixels wide. COCO's form is a corner and a size, `x, y, width, height`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RecordError

Boxes = NDArray[np.float64]  # (N, 4)
_CORNERS = 4  # numbers of a box


def as_boxes(values: ArrayLike) -> Boxes:
    """Boxes as a float64 array.

    Args:
        values: N sequences of 4 numbers; N may be 0.

    Returns:
        (N, 4) float64, a view where possible.

    Raises:
        RecordError: Another shape.
    """
    boxes = np.asarray(values, dtype=np.float64)
    if boxes.size == 0:
        return boxes.reshape(0, _CORNERS)
    if boxes.shape[1:] != (_CORNERS,):
        raise RecordError(f"expected boxes (N, 4), got {boxes.shape}")
    return boxes


def xyxy_to_xywh(boxes: ArrayLike) -> Boxes:
    """Corners (N, 4) to corner and size (N, 4)."""
    xyxy = as_boxes(boxes)
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def clip(boxes: ArrayLike, *, width: int, height: int) -> Boxes:
    """Boxes (N, 4) xyxy cut at the borders of an image; one that lies outside becomes a line or a point."""
    upper = np.array([width, height, width, height], dtype=np.float64)
    return np.clip(as_boxes(boxes), 0.0, upper)


def area(boxes: ArrayLike) -> NDArray[np.float64]:
    """Areas (N,) in square pixels of boxes (N, 4) xyxy; 0 for a box turned inside out."""
    xyxy = as_boxes(boxes)
    sides = np.clip(xyxy[:, 2:] - xyxy[:, :2], 0.0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def box_iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box of one set with every box of the other.

    Args:
        boxes_a: (N, 4) xyxy pixels.
        boxes_b: (M, 4) xyxy pixels.

    Returns:
        (N, M) float64 in [0, 1]; 0 where both boxes are without area.

    Source:
        Everingham et al., The Pascal Visual Object Classes Challenge (2010), section 4.2, equation 3.

    Examples:
        >>> box_iou([[10, 10, 50, 50]], [[20, 20, 60, 60], [50, 50, 60, 60]]).round(6).tolist()
        [[0.391304, 0.0]]
    """
    a, b = as_boxes(boxes_a), as_boxes(boxes_b)
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def intersection(boxes_a: ArrayLike, boxes_b: ArrayLike) -> NDArray[np.float64]:
    """Area (N, M) in square pixels that every box (N, 4) shares with every box (M, 4), xyxy."""
    a, b = as_boxes(boxes_a), as_boxes(boxes_b)
    corner_1 = np.maximum(a[:, None, :2], b[None, :, :2])
    corner_2 = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(corner_2 - corner_1, 0.0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])
