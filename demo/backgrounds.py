"""Backgrounds of the scenes: crops of one or two photographs, turned, tinted and blended."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from demo.photographs import load_photograph

FloatArray = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]


def draw_background(rng: np.random.Generator, size: tuple[int, int], names: Sequence[str]) -> UInt8Array:
    """Draw a picture without signs.

    Two photographs meet at a soft, slanted edge in most scenes, like a wall and a street: that keeps
    the perceptual hashes of two scenes apart although there are only a dozen photographs.

    Args:
        rng: source of every choice.
        size: (width, height) in pixels.
        names: the photographs to choose from.

    Returns:
        (H, W, 3) RGB.
    """
    first = _crop(rng, size, names)
    if rng.random() < 0.75:
        second = _crop(rng, size, names)
        weight = _soft_edge(rng, size)[:, :, None]
        first = np.round(first * (1 - weight) + second * weight).astype(np.uint8)
    return first


def draw_texture(rng: np.random.Generator, size: tuple[int, int], names: Sequence[str]) -> UInt8Array:
    """(H, W, 3) RGB of one crop: what stands in front of a sign."""
    return _crop(rng, size, names)


def _crop(rng: np.random.Generator, size: tuple[int, int], names: Sequence[str]) -> UInt8Array:
    photograph = load_photograph(names[int(rng.integers(len(names)))])
    height, width = photograph.shape[:2]
    # The crop's diagonal must fit for any turn; reflection fills what little a turn leaves empty.
    largest = min(width / size[0], height / size[1])
    scale = largest * rng.uniform(0.4, 1.0)  # source pixels per scene pixel
    center = (
        rng.uniform(size[0] * scale / 2, width - size[0] * scale / 2),
        rng.uniform(size[1] * scale / 2, height - size[1] * scale / 2),
    )
    angle = rng.uniform(-25, 25) if rng.random() < 0.5 else 0.0
    turn = cv2.getRotationMatrix2D(center, angle, 1 / scale)
    turn[:, 2] += np.array([size[0] / 2 - center[0], size[1] / 2 - center[1]])
    crop = cv2.warpAffine(photograph, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    gain = rng.uniform(0.65, 1.2) * (1 + rng.uniform(-0.22, 0.22, size=3))
    offset = rng.uniform(-18, 18)
    tinted: UInt8Array = np.clip(crop.astype(np.float32) * gain.astype(np.float32) + offset, 0, 255).astype(
        np.uint8
    )
    return tinted


def _soft_edge(rng: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """(H, W) weights in 0..1 that change across a slanted, slightly wavy line."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    u = (x - width / 2) * math.cos(angle) + (y - height / 2) * math.sin(angle)
    v = -(x - width / 2) * math.sin(angle) + (y - height / 2) * math.cos(angle)
    wave = (
        np.sin(v * (2 * math.pi / (width * rng.uniform(0.3, 1.2))) + rng.uniform(0, 6))
        * width
        * rng.uniform(0, 0.08)
    )
    distance = u + wave + width * rng.uniform(-0.2, 0.2)
    softness = width * (rng.uniform(0.002, 0.02) if rng.random() < 0.5 else rng.uniform(0.05, 0.2))
    weights: FloatArray = (1 / (1 + np.exp(-np.clip(distance / softness, -30, 30)))).astype(np.float32)
    return weights
