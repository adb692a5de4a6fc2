"""How alike two masks of one object are: overlap, outline, and distance of outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_cdt, distance_transform_edt

from curate.errors import RecordError
from curate.geometry import masks
from curate.records import BoolArray

BOUNDARY_SHARE = 0.02  # of the image's diagonal: how wide the band along an outline is


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two masks are; each figure but the last is in [0, 1].

    Attributes:
        dice: Twice the shared pixels over the pixels of both.
        boundary_iou: IoU of the bands along both outlines.
        hausdorff_95: Pixels within which 95% of either outline has the other; None where one mask is empty.
    """

    dice: float
    boundary_iou: float
    hausdorff_95: float | None


def compare(rle_a: str, rle_b: str, *, width: int, height: int) -> Likeness:
    """All measures of two masks of one image, computed in the smallest window around both.

    Args:
        rle_a: COCO compressed counts.
        rle_b: COCO compressed counts.
        width: Upright pixels of the image.
        height: Upright pixels of the image.

    Raises:
        RecordError: A mask is damaged or of another size.
    """
    a, b = (masks.decode(rle, width=width, height=height) for rle in (rle_a, rle_b))
    union = a | b
    rows, columns = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    if not len(rows):
        return Likeness(0.0, 0.0, None)
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    a, b = a[window], b[window]
    band = boundary_width(width, height)
    return Likeness(dice(a, b), _iou(boundary(a, band), boundary(b, band)), hausdorff_95(a, b))


def dice(a: BoolArray, b: BoolArray) -> float:
    """Dice's coefficient of two masks (H, W); 0 where both are empty.

    Source:
        Dice, Measures of the amount of ecologic association between species (Ecology 26, 1945): 2 |A and B| /
        (|A| + |B|).
    """
    _same_shape(a, b)
    both = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / both if both else 0.0


def boundary_iou(a: BoolArray, b: BoolArray, *, share: float = BOUNDARY_SHARE) -> float:
    """IoU of the bands of two masks (H, W) along their outlines, of a share of the diagonal in width.

    Where IoU forgives a coarse outline of a large object, this does not.

    Source:
        Cheng, Girshick, Dollar, Berg and Kirillov, Boundary IoU: improving object-centric image segmentation
        evaluation (CVPR 2021), with the band of the authors' code: eroded by squares of 3, outside is
        background.
    """
    _same_shape(a, b)
    height, width = a.shape
    band = boundary_width(width, height, share=share)
    return _iou(boundary(a, band), boundary(b, band))


def boundary_width(width: int, height: int, *, share: float = BOUNDARY_SHARE) -> int:
    """Pixels of the band in an image of that size, at least 1."""
    return max(1, round(share * math.hypot(width, height)))


def boundary(mask: BoolArray, band: int) -> BoolArray:
    """The pixels of a mask that lie within `band` steps, along the axes or diagonally, of its outside."""
    depth = distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    return np.asarray(mask & (depth <= band))


def hausdorff_95(a: BoolArray, b: BoolArray) -> float | None:
    """The larger of the 95th percentiles of the distances from either outline to the other, in pixels.

    Args:
        a: (H, W).
        b: (H, W).

    Returns:
        None where one of both is empty.

    Source:
        Huttenlocher, Klanderman and Rucklidge, Comparing images using the Hausdorff distance (IEEE PAMI 15,
        1993), with a quantile in place of the maximum; outlines are the pixels that touch the outside by a
        side.
    """
    _same_shape(a, b)
    if not a.any() or not b.any():
        return None
    edge_a, edge_b = (mask & ~binary_erosion(mask) for mask in (a, b))
    to_a, to_b = (distance_transform_edt(~edge) for edge in (edge_a, edge_b))
    return float(max(np.percentile(to_b[edge_a], 95), np.percentile(to_a[edge_b], 95)))


def _iou(a: BoolArray, b: BoolArray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def _same_shape(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> None:
    if a.shape != b.shape:
        raise RecordError(f"expected two masks of one size, got {a.shape} and {b.shape}")
