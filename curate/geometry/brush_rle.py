"""Masks in Label Studio's own run-length format, which is not COCO's.

The format is a bit stream over the image's RGBA bytes in row order: 32 bits number of bytes, 5 bits word size
less 1, four times 4 bits run size less 1, then runs. A run is 1 bit "repeated", 2 bits which run size, the
length less 1, and one word (repeated) or as many words as it is long. A mask stands in the alpha byte.

Source:
    https://github.com/thi-ng/umbrella/blob/develop/packages/rle-pack/src/index.ts, and the encoder of
    label_studio_sdk.converter.brush, whose bytes `encode` and `from_coco` reproduce.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from curate.errors import AnnotationToolError, RecordError
from curate.geometry import masks
from curate.records import BoolArray

_PLANE = 2
_CHANNELS, _LENGTH_BITS = 4, 32


def encode(mask: BoolArray) -> list[int]:
    """The bytes of a mask (H, W), each 0..255.

    Raises:
        AnnotationToolError: Not two-dimensional, empty of pixels, or over 2**30 pixels.
    """
    if mask.ndim != _PLANE or mask.size == 0:
        raise AnnotationToolError(f"expected a mask (H, W), got {mask.shape}")
    padded = np.zeros(mask.size + 2, dtype=np.int8)
    padded[1:-1] = mask.ravel()
    return _written(np.flatnonzero(np.diff(padded)), int(mask.size))


def from_coco(counts: str, *, width: int, height: int) -> list[int] | None:
    """The bytes of a mask in COCO's compressed counts, None without pixels.

    No array of the image's size is made.

    Raises:
        RecordError: The counts are damaged or of another image size.
    """
    borders = np.cumsum(masks.run_lengths(counts))
    if borders[-1] != width * height:
        raise RecordError(_another_size(int(borders[-1]), width, height))
    edges = borders if len(borders) % 2 == 0 else borders[:-1]
    kept = np.repeat(np.diff(edges)[::2] > 0, 2)  # a run of no pixels ends nothing
    if not kept.any():
        return None
    return _written(_compiled().crossed(_merged(edges[kept]), height, width), width * height)


def to_coco(rle: Sequence[int], *, width: int, height: int) -> str | None:
    """COCO's compressed counts of a region's bytes, None without pixels; where alpha is at least one half.

    The counts are those that pycocotools makes of the mask. No array of the image's size is made.

    Raises:
        AnnotationToolError: Damaged, or of another image size.
    """
    edges = _read(rle, width, height)
    if not edges.size:
        return None
    runs = _compiled()
    return bytes(runs.coco_counts(runs.crossed(edges, width, height), width * height)).decode("ascii")


def decode(rle: Sequence[int], *, width: int, height: int) -> BoolArray:
    """The mask (height, width) of a region's bytes: where its alpha is at least one half.

    Reads what the browser writes as well: colored pixels, where the bytes of a run differ.

    Raises:
        AnnotationToolError: Damaged, or of another image size.
    """
    edges = _read(rle, width, height)
    lengths = np.diff(edges, prepend=0, append=width * height)
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(height, width)


def _read(rle: Sequence[int], width: int, height: int) -> NDArray[np.int64]:
    try:
        data = np.frombuffer(bytes(rle), dtype=np.uint8)
    except (ValueError, TypeError) as error:
        raise AnnotationToolError("a mask's run-length bytes are damaged") from error
    runs = _compiled()
    pixels, edges = runs.opaque(data)
    if pixels == runs.DAMAGED:
        raise AnnotationToolError("a mask's run-length bytes are damaged")
    if pixels != width * height:
        raise AnnotationToolError(_another_size(pixels, width, height))
    found: NDArray[np.int64] = edges
    return found


def _written(edges: NDArray[np.int64], pixels: int) -> list[int]:
    if pixels * _CHANNELS >= 1 << _LENGTH_BITS:
        raise AnnotationToolError(f"a mask of {pixels} pixels is larger than the format can tell")
    written: list[int] = _compiled().brush_bytes(edges, pixels).tolist()
    return written


def _merged(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Intervals that touch made one."""
    inner = edges[1:-1].reshape(-1, 2)
    kept = np.repeat(inner[:, 0] != inner[:, 1], 2)
    return edges if kept.all() else np.concatenate([edges[:1], inner.ravel()[kept], edges[-1:]])


def _another_size(pixels: int, width: int, height: int) -> str:
    return f"a mask covers {pixels} pixels, expected {width} x {height} = {width * height}"


def _compiled() -> ModuleType:
    from curate.geometry import brush_rle_kernels  # noqa: PLC0415 - loads numba

    return brush_rle_kernels
