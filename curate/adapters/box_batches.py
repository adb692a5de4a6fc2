"""A long list of boxes of one encoded image, decoded to masks in batches that fit the device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curate.adapters import torch_device
from curate.errors import DeviceMemoryError
from curate.records import BoolArray, FloatArray

_MASK_PIXELS = 1 << 26  # of all masks that are upscaled at once: 256 MiB of float32
_BOXES = 128  # at once; a SAM decoder takes some 20 MB per box


def masks_of_boxes(
    boxes: FloatArray, size: tuple[int, int], decode: Callable[[FloatArray], tuple[BoolArray, FloatArray]]
) -> tuple[BoolArray, FloatArray]:
    """Decode boxes in batches; a batch that does not fit the device is taken again in halves.

    Args:
        boxes: (N, 4) xyxy pixels, N > 0.
        size: Height and width of the masks, pixels.
        decode: From (B, 4) boxes to masks (B, height, width) and their quality (B,).

    Returns:
        Masks (N, height, width) and quality (N,) float32.

    Raises:
        DeviceMemoryError: Not even one box fits.
    """
    height, width = size
    masks = np.zeros((len(boxes), height, width), dtype=np.bool_)
    quality = np.zeros(len(boxes), dtype=np.float32)
    step = min(_BOXES, max(1, _MASK_PIXELS // (height * width)))
    start = 0
    while start < len(boxes):
        part = slice(start, start + step)
        done = _fits(lambda part=part: decode(boxes[part]))  # type: ignore[misc]
        if done is not None:
            masks[part], quality[part] = done
            start += step
        elif step == 1:
            raise too_large(size)
        else:
            step = (step + 1) // 2
    return masks, quality


def _fits(
    decode: Callable[[], tuple[BoolArray, FloatArray]],
) -> tuple[BoolArray, FloatArray] | None:
    """What it gives; None where the device has no memory for it."""
    try:
        with torch_device.enough_memory(1):
            return decode()
    except DeviceMemoryError:
        return None


def too_large(size: tuple[int, int]) -> DeviceMemoryError:
    """The error where an image, or one box of it, does not fit."""
    height, width = size
    return DeviceMemoryError(
        f"the device has no memory to segment {width}x{height} pixels: set autolabel.device to cpu"
    )
