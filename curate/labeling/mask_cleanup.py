"""What a segmenter left over in a mask: small holes, small islands, and masks that miss their box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from curate.geometry.boxes import box_iou
from curate.records import BoolArray, FloatArray

_EIGHT = np.ones((3, 3), dtype=np.bool_)  # pixels that touch at a corner are one island ...
_FOUR = ndimage.generate_binary_structure(2, 1)  # ... so the background between them is two holes


def clean(mask: BoolArray, *, max_hole: float, max_island: float) -> BoolArray:
    """Fill small holes and take away small islands.

    The largest island always stays, on a tie all of them. What the removal of an island or the filling of a
    hole leaves is not looked at a second time.

    Args:
        mask: (H, W).
        max_hole: Holes of up to this share of the mask's area are filled; 0 = none.
        max_island: Islands of up to this share of the mask's area are removed; 0 = none.

    Returns:
        (H, W), another array where anything changed.

    Source:
        `remove_small_regions` of segment_anything's utils/amg.py (Kirillov et al., Segment Anything, 2023,
        appendix B), which takes pixels for shares and joins holes at corners too.
    """
    window = _window(mask)
    if window is None:
        return mask
    part = mask[window]
    area = int(part.sum())
    islands, count = ndimage.label(part, _EIGHT)
    sizes = np.bincount(islands.ravel(), minlength=count + 1)
    small = sizes <= max_island * area
    small[0], small[sizes == sizes[1:].max()] = False, False
    holes, count = ndimage.label(np.pad(~part, 1, constant_values=True), _FOUR)
    filled = np.bincount(holes.ravel(), minlength=count + 1) <= max_hole * area
    filled[[0, holes[0, 0]]] = False  # the mask itself, and all around it
    if not small.any() and not filled.any():
        return mask
    cleaned = mask.copy()
    cleaned[window] = (part & ~small[islands]) | filled[holes[1:-1, 1:-1]]
    return cleaned


def fits_box(mask: BoolArray, box: FloatArray, *, min_iou: float) -> bool:
    """Whether the smallest box around a mask has at least this IoU with the box that it was made from.

    Args:
        mask: (H, W).
        box: (4,) xyxy pixels.
        min_iou: In [0, 1].

    Returns:
        False for an empty mask, whatever `min_iou`.
    """
    window = _window(mask)
    if window is None:
        return False
    rows, columns = window
    around = np.array([[columns.start, rows.start, columns.stop, rows.stop]], dtype=np.float64)
    return bool(box_iou(around, box[None])[0, 0] >= min_iou)


def _window(mask: BoolArray) -> tuple[slice, slice] | None:
    """Rows and columns of the smallest box around a mask; None for an empty one."""
    rows, columns = (_extent(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
    return (rows, columns) if rows is not None and columns is not None else None


def _extent(line: NDArray[np.bool_]) -> slice | None:
    there = np.flatnonzero(line)
    return slice(int(there[0]), int(there[-1]) + 1) if len(there) else None
