"""Masks as COCO compressed run-length strings, and the few operations that do not need pixels.

The string is the `counts` of COCO's format; the size is the image's and is handed in, so that a table
holds no size twice. Encoding and IoU run in pycocotools' C code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from curate.errors import RecordError
from curate.records import BoolArray, Box

# COCO's compressed counts: _BITS of a number a character, above _FIRST_CODE.
_FIRST_CODE, _BITS, _SIGN, _MORE = 48, 5, 0x10, 0x20
_PLANE = 2  # dimensions
_MIN_POINTS = 3  # of a ring
# COCO's filling walks along a ring in fifths of a pixel, in memory that it does not check: 16 bytes a step.
_STEPS_PER_PX, _MAX_STEPS = 5, 1 << 24


def encode(mask: BoolArray) -> str:
    """The COCO compressed counts of a mask (H, W).

    Raises:
        RecordError: Not two-dimensional.

    Examples:
        >>> import numpy as np
        >>> mask = np.zeros((4, 6), dtype=bool)
        >>> mask[1:3, 2:5] = True
        >>> counts = encode(mask)
        >>> bool((decode(counts, width=6, height=4) == mask).all())
        True
    """
    if mask.ndim != _PLANE:
        raise RecordError(f"expected a mask (H, W), got {mask.shape}")
    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return str(encoded["counts"].decode("ascii"))


def decode(rle: str, *, width: int, height: int) -> BoolArray:
    """The mask (height, width) of COCO compressed counts.

    Raises:
        RecordError: The counts are damaged or of another image size.

    Examples:
        >>> import numpy as np
        >>> counts = encode(np.eye(3, dtype=bool))
        >>> decode(counts, width=3, height=3).sum()
        np.int64(3)
    """
    runs = _checked_runs(rle, width, height)
    on = np.arange(len(runs)) % 2 == 1
    return np.repeat(on, runs).reshape((height, width), order="F")


def area(rle: str, *, width: int, height: int) -> int:
    """Number of pixels of the mask."""
    return int(coco.area(_checked(rle, width, height)))


def areas(rles: Sequence[str], *, width: int, height: int) -> list[int]:
    """Pixels of each of many checked masks of one image; only the runs are read."""
    if not rles:
        return []
    encoded = [{"size": [height, width], "counts": rle.encode("ascii")} for rle in rles]
    return [int(number) for number in coco.area(encoded)]


def bbox(rle: str, *, width: int, height: int) -> Box | None:
    """The smallest box xyxy around a mask's pixels; None for an empty mask."""
    encoded = _checked(rle, width, height)
    if int(coco.area(encoded)) == 0:
        return None
    x, y, w, h = (float(value) for value in coco.toBbox(encoded))
    return x, y, x + w, y + h


def bboxes(rles: Sequence[str], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The smallest boxes around many masks, of images of any size; only the runs are read.

    Args:
        rles: N COCO compressed counts, each of its image's size.
        sizes: (N, 2) width and height of the images, upright pixels.

    Returns:
        (N, 4) float64 xyxy; a point at the origin for an empty mask.
    """
    if not rles:
        return np.zeros((0, 4))
    encoded = [
        {"size": [height, width], "counts": rle.encode("ascii")}
        for rle, (width, height) in zip(rles, sizes.tolist(), strict=True)
    ]
    found = np.asarray(coco.toBbox(encoded), dtype=np.float64)
    return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)


def rle_iou(rles_a: Sequence[str], rles_b: Sequence[str], *, width: int, height: int) -> NDArray[np.float64]:
    """Intersection over union of every mask of one set with every mask of the other.

    Args:
        rles_a: N COCO compressed counts.
        rles_b: M COCO compressed counts.
        width: Upright pixels of the image, the same for all.
        height: Upright pixels of the image.

    Returns:
        (N, M) float64 in [0, 1]; 0 where both masks are empty.

    Examples:
        >>> import numpy as np
        >>> whole, half = np.ones((2, 4), bool), np.zeros((2, 4), bool)
        >>> half[:, :2] = True
        >>> rle_iou([encode(whole)], [encode(half)], width=4, height=2).tolist()
        [[0.5]]
    """
    if not rles_a or not rles_b:
        return np.zeros((len(rles_a), len(rles_b)))
    a = [_checked(rle, width, height) for rle in rles_a]
    b = [_checked(rle, width, height) for rle in rles_b]
    iou = np.asarray(coco.iou(a, b, [0] * len(b)), dtype=np.float64).reshape(len(a), len(b))
    return np.asarray(np.nan_to_num(iou, nan=0.0))


def from_run_lengths(runs: NDArray[np.int64], *, width: int, height: int) -> str | None:
    """The COCO compressed counts of runs off, on, off, ... down the columns; None if no pixel is on."""
    if runs[1::2].sum() == 0:
        return None
    counts = runs[:-1] if runs[-1] == 0 else runs
    encoded = coco.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return str(encoded["counts"].decode("ascii"))


def from_polygons(rings: Sequence[Sequence[float]], *, width: int, height: int) -> str | None:
    """The COCO compressed counts of the area within rings [x1, y1, x2, y2, ...]; None if no pixel is on.

    Raises:
        RecordError: A ring of fewer than three points, of numbers that are not finite, or of more than three
            million pixels around.
    """
    for ring in rings:
        if len(ring) < 2 * _MIN_POINTS or len(ring) % 2:
            raise RecordError(f"expected a ring of at least 3 points x, y, got {len(ring)} numbers")
        _check_length(ring)
    drawn = coco.frPyObjects([list(ring) for ring in rings], height, width)
    merged = drawn[0] if len(drawn) == 1 else coco.merge(drawn)
    return str(merged["counts"].decode("ascii")) if coco.area(merged) else None


def _check_length(ring: Sequence[float]) -> None:
    """Refuse what pycocotools would end the process with (maskApi.c, rleFrPoly)."""
    if not math.isfinite(sum(ring)):
        raise RecordError("a ring with a coordinate that is no finite number")
    low, high = min(ring), max(ring)
    reach = max(high, -low)
    if reach * _STEPS_PER_PX * len(ring) < _MAX_STEPS:
        return
    corners = np.reshape(np.asarray(ring, np.float64), (-1, 2))
    sides = np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1)
    around = float(sides.sum())
    if max(around, reach) * _STEPS_PER_PX > _MAX_STEPS:
        raise RecordError(
            f"a ring of {around:.3g} pixels around, as far as {reach:.3g} from the image's corner: "
            f"more than {_MAX_STEPS // _STEPS_PER_PX:,}"
        )


def _checked(rle: str, width: int, height: int) -> dict[str, Any]:
    """COCO's dictionary; of another size they are refused: pycocotools would read past its buffer."""
    _checked_runs(rle, width, height)
    return {"size": [height, width], "counts": rle.encode("ascii")}


def _checked_runs(rle: str, width: int, height: int) -> NDArray[np.int64]:
    runs = run_lengths(rle)
    pixels = int(runs.sum())
    if pixels != width * height:
        raise RecordError(
            f"mask counts cover {pixels} pixels, expected {width} x {height} = {width * height}"
        )
    return runs


def run_lengths(rle: str) -> NDArray[np.int64]:
    """The runs of COCO compressed counts, in pixels down the columns: off, on, off, ...

    Raises:
        RecordError: A character that the compression never writes, or a cut-off string.

    Source:
        pycocotools' maskApi.c, rleFrString: five bits a character from code 48, the sixth says that more
        follow, the fifth of the last is the sign; from the fourth run on, differences to the run two before.
    """
    codes = np.frombuffer(rle.encode("utf-8"), dtype=np.uint8).astype(np.int64) - _FIRST_CODE
    last = (codes & _MORE) == 0
    if len(codes) == 0 or codes.min() < 0 or codes.max() >= 2 * _MORE or not last[-1]:
        raise RecordError(f"mask counts {rle[:20]!r} are damaged: not COCO's compressed form")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    shifts = _BITS * (np.arange(len(codes)) - np.repeat(starts, ends - starts + 1))
    values = np.add.reduceat((codes & (_MORE - 1)) << shifts, starts)
    negative = (codes[ends] & _SIGN) != 0
    values -= np.where(negative, np.int64(1) << (shifts[ends] + _BITS), 0)
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    if runs.min() < 0:
        raise RecordError(f"mask counts {rle[:20]!r} are damaged: a run is negative")
    return np.asarray(runs)
