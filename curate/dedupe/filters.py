"""Filters over many small pictures at once, (P, S, S) float32; edges are continued."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def blurred(pictures: Floats, times: int = 1) -> Floats:
    """Blur by a pixel, `times` over: binomial, 1 4 6 4 1 along either axis."""
    for _ in range(2 * times):
        for axis in (1, 2):
            before, here, after = _shifted(pictures, axis, 1)
            pictures = np.float32(0.25) * (before + after) + np.float32(0.5) * here
    return pictures


def boxed(pictures: Floats, reach: int) -> Floats:
    """Means over (2 reach + 1) x (2 reach + 1) pixels."""
    for axis in (1, 2):
        parts = _shifted(pictures, axis, reach)
        total = parts[0] + parts[1]
        for part in parts[2:]:
            total += part
        pictures = total * np.float32(1 / len(parts))
    return pictures


def inner(mask: Floats) -> Floats:
    """A mask without the pixels that touch its outside; beyond the picture nothing is outside."""
    for axis in (1, 2):
        mask = np.minimum.reduce(_shifted(mask, axis, 1))
    return mask


def slope(pictures: Floats) -> Floats:
    """Levels per pixel, of both axes together."""
    total = np.zeros_like(pictures)
    for axis in (1, 2):
        before, _, after = _shifted(pictures, axis, 1)
        total += np.abs(after - before) * np.float32(0.5)
    return total


def halved(pictures: Floats) -> Floats:
    """(P, S / 2, S / 2) means of 2 x 2 pixels."""
    rows = pictures[:, ::2] + pictures[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


def blocks(pictures: Floats, side: int = 8) -> Floats:
    """(P, S / side, S / side) means of blocks of pixels."""
    count, tall, wide = pictures.shape
    found: Floats = pictures.reshape(count, tall // side, side, wide // side, side).mean(axis=(2, 4))
    return found


def _shifted(pictures: Floats, axis: int, reach: int) -> list[Floats]:
    """The pictures moved by -reach..reach pixels along an axis."""
    widths = [(reach, reach) if number == axis else (0, 0) for number in range(3)]
    padded, size = np.pad(pictures, widths, mode="edge"), pictures.shape[axis]
    return [padded[(slice(None),) * axis + (slice(at, at + size),)] for at in range(2 * reach + 1)]
