"""Banding: false contours where a smooth gradient has too few levels, by the index CAMBI. Imports numba."""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled, helper
from curate.errors import MetricError

_LEVELS: Final = 1024  # CAMBI counts in 10 bits
_SCALES: Final = (16, 8, 4, 2, 1)  # their weights, finest first
_TOP: Final = 0.6  # share of the pixels, the worst, that are averaged
_WINDOW: Final = 65  # pixels of the window's side in a picture of 3840x2160
_MASK_SIDE: Final = 7  # pixels around one that must have equal neighbors
_MIN_SIDE: Final = 64  # pixels; a smaller picture has no gradient to speak of
_MAX_PIXELS: Final = 1920 * 1080  # larger pictures are looked at by every second, third ... pixel
_VISIBLE: Final = 0.019  # a step of luminance, as a share of it, that is seen
_WHITE, _BLACK, _GAMMA = 300.0, 0.01, 2.4  # candela per square meter, of the screen; ITU-R BT.1886
# Suprathreshold response to a step of 1, 2, 3 ... levels of 10 bits; table of CAMBI.
_RESPONSE: Final = (1, 2, 3, 4, 4, 5, 5, *(6,) * 4, *(7,) * 4, *(8,) * 7, *(9,) * 10)
_compiled: Any = compiled


def banding(luma: NDArray[np.uint8], *, studio: bool = False, steps: int = 32) -> float:
    """CAMBI, the contrast-aware multiscale banding index: 0 = none, about 5 annoys, 24 = unbearable.

    Where pixels equal their neighbors, it asks how often the window around a pixel has the pixel's level and
    one that lies a visible step from it: bands are plain areas side by side.

    Args:
        luma: (H, W), 0..255.
        studio: Levels are 16..235, as in video; else 0..255.
        steps: The largest step that counts as a band's edge, levels of 10 bits; 32 are 8 levels of 255. CAMBI
            takes 4 for video.

    Raises:
        MetricError: The picture is smaller than 64 pixels.

    Source:
        P. Tandon et al. 2021, "CAMBI: Contrast-aware multiscale banding index" (Picture Coding Symposium), as
        libvmaf measures it (which for its figure fixes a screen of 3840x2160); of pictures larger than
        1920x1080 every second, third ... pixel is looked at.

    Examples:
        >>> plain = np.full((256, 256), 90, np.uint8)
        >>> banding(plain)
        0.0
    """
    height, width = luma.shape
    if min(height, width) < _MIN_SIDE:
        raise MetricError(f"{width}x{height} pixels are too few for bands")
    every = math.ceil(math.sqrt(height * width / _MAX_PIXELS))
    image = _smoothed(luma[::every, ::every])
    height, width = image.shape
    mask = _plain_places(image)
    reach = max(((_WINDOW * (width + height)) // 375 >> 4) >> 1, 1)
    thresholds = _visible_up_to(studio, steps)
    score = 0.0
    for weight in _SCALES:
        if weight != _SCALES[0]:
            image, mask = image[::2, ::2], mask[::2, ::2]
        image = _mode_filtered(image)
        found = _contrasts(image, np.ascontiguousarray(mask), reach, thresholds, _responses(steps))
        n_top = max(1, int(_TOP * found.size))
        score += weight * float(np.partition(found.ravel(), found.size - n_top)[-n_top:].mean())
    return score / (2 * reach + 1) ** 2


def _smoothed(luma: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Luma in 10 bits, as means of 2x2 pixels, which undo dithering."""
    fine: NDArray[np.uint16] = luma.astype(np.uint16) * np.uint16(4)
    found = fine.copy()
    found[:-1, :-1] = (fine[:-1, :-1] + fine[:-1, 1:] + fine[1:, :-1] + fine[1:, 1:]) >> 2
    found[:-1, -1] = (fine[:-1, -1] + fine[1:, -1]) >> 1
    found[-1, :-1] = (fine[-1, :-1] + fine[-1, 1:]) >> 1
    return found


def _plain_places(image: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Where more than a number of the pixels around equal the next to the right and below."""
    height, width = image.shape
    alike = np.ones((height, width), np.int32)
    alike[:-1] &= image[:-1] == image[1:]
    alike[:, :-1] &= image[:, :-1] == image[:, 1:]
    side = _MASK_SIDE // 2
    sums = np.pad(alike, ((side + 1, side), (side + 1, side))).cumsum(axis=0).cumsum(axis=1)
    around = (
        sums[_MASK_SIDE:, _MASK_SIDE:]
        - sums[:-_MASK_SIDE, _MASK_SIDE:]
        - sums[_MASK_SIDE:, :-_MASK_SIDE]
        + sums[:-_MASK_SIDE, :-_MASK_SIDE]
    )
    blocks = max(1, (height >> 6) * (width >> 6))
    min_around = (_MASK_SIDE**2 + 3 * ((blocks - 1).bit_length() - 11) - 1) >> 1
    found: NDArray[np.uint8] = (around > min_around).astype(np.uint8)
    return found


@functools.cache
def _visible_up_to(studio: bool, steps: int) -> NDArray[np.int32]:
    """(steps,) the highest level, 10 bits, from which a step of 1, 2 ... levels up can be seen; -1 = none."""
    foot, head = (64, 940) if studio else (0, _LEVELS - 1)
    levels = np.arange(foot, head + steps + 1)
    light = luminance((levels - foot) / (head - foot))
    found = np.full(steps, -1, np.int32)
    for step in range(1, steps + 1):
        starts = head - step - foot
        seen = light[step : step + starts] - light[:starts] > _VISIBLE * light[:starts]
        if seen.any():
            last = int(np.flatnonzero(seen)[-1])
            found[step - 1] = _LEVELS - 1 if last == starts - 1 else foot + last
    return found


def luminance(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Candela per square meter that a screen of 300 makes of a signal in [0, 1].

    Source:
        ITU-R BT.1886, annex 1, with a black of 0.01.
    """
    white, black = _WHITE ** (1 / _GAMMA), _BLACK ** (1 / _GAMMA)
    shown: NDArray[np.float64] = ((white - black) * np.clip(signal, 0, 1) + black) ** _GAMMA
    return shown


@functools.cache
def _responses(steps: int) -> NDArray[np.int32]:
    return np.array(_RESPONSE[:steps], np.int32)


def _mode_filtered(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Replace each level by the one that two of three neighbors have, else the least; rows, then columns."""
    lines = image.copy()
    lines[:, 1:-1] = _mode(image[:, :-2], image[:, 1:-1], image[:, 2:])
    found = image.copy()
    found[1:-1] = _mode(lines[:-2], lines[1:-1], lines[2:])
    return found


def _mode(
    first: NDArray[np.uint16], second: NDArray[np.uint16], third: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    other = np.where(second == third, second, np.minimum(np.minimum(first, second), third))
    return np.where((first == second) | (first == third), first, other)


@helper()
def _count(image: Any, mask: Any, counts: Any, top: int, bottom: int, x: int, change: int) -> None:  # noqa: PLR0917
    for y in range(top, bottom):
        if mask[y, x]:
            counts[image[y, x]] += change


@helper()
def _contrast(counts: Any, level: int, thresholds: Any, responses: Any) -> float:
    here, found = counts[level], 0.0
    for step in range(1, len(thresholds) + 1):
        if level > thresholds[step - 1]:
            continue
        above = counts[level + step] if level + step < len(counts) else 0
        below = counts[level - step] if level >= step else 0
        other = max(above, below)
        if other:
            found = max(found, responses[step - 1] * here * other / (here + other))
    return found


@_compiled  # type: ignore[untyped-decorator]
def _contrasts(image: Any, mask: Any, reach: int, thresholds: Any, responses: Any) -> Any:
    height, width = image.shape
    found = np.zeros((height, width), np.float32)
    counts = np.zeros(1024, np.int32)
    for y in range(height):
        if not mask[y].any():
            continue
        top, bottom = max(y - reach, 0), min(y + reach + 1, height)
        counts[:] = 0
        for x in range(min(reach, width)):
            _count(image, mask, counts, top, bottom, x, 1)
        for x in range(width):
            if x + reach < width:
                _count(image, mask, counts, top, bottom, x + reach, 1)
            if x > reach:
                _count(image, mask, counts, top, bottom, x - reach - 1, -1)
            if mask[y, x]:
                found[y, x] = _contrast(counts, image[y, x], thresholds, responses)
    return found
