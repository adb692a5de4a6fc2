"""Which of two copies is the original: evidence in order, the first that speaks decides, each with its words.

1. color: one is gray.
2. border: one has bars or a frame of one color.
3. view: one shows more of the scene.
4. size: the larger one was enlarged, or the smaller one reduced. Where sizes are equal:
5. jpeg: one is the other, quantized by coarser steps, also under a finer JPEG or in a PNG.
6. noise: what only one has is equally strong at all frequencies and everywhere.
7. levels: gaps in the histogram, of few colors or stretched light.
8. clipping: a part of the one is black or white, and of the other not.
9. sharpening: fine detail is raised by a gain that levels off; a blur's loss goes on growing.
10. overlay: something coarse lies on one.
11. detail: one has lost it.

Nothing decides about hue or brightness: a tie.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.dedupe.detail_damage import adds_noise, adds_overlay, is_sharpened, keeps_detail, loses_detail
from curate.dedupe.jpeg_history import coefficients, compressed_harder, quantizer_steps
from curate.dedupe.power_spectra import spectra
from curate.dedupe.resampling import was_enlarged
from curate.dedupe.tone_damage import colorfulness, comb, cut_off, has_few_levels, is_clipped, is_gray
from curate.records import UInt8Image

Floats = NDArray[np.float32]
# What is said to whoever asks why a copy was dropped.
WORDS: Final = {
    "color": "the other has lost its colors",
    "border": "the other has a border around it",
    "view": "keeper shows more of the scene",
    "noise": "noise was added to the other",
    "levels": "the other was reduced to few colors",
    "clipping": "light and shadow are cut off in the other",
    "jpeg": "the other was compressed harder",
    "sharpening": "the other was sharpened",
    "detail": "the other has lost fine detail",
    "enlarged": "the other was enlarged",
    "reduced": "the other was reduced",
    "overlay": "something was laid over the other",
    "file": "the same pixels, keeper is the JPEG that they come from",
}
_MORE_VIEW: Final = 1.03  # area
_SAME_SIZE: Final = 1.05  # of a side


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded file.

    Attributes:
        pixels: (H, W, 3) uint8 upright RGB.
        format: Pillow's name of the file's format.
    """

    pixels: UInt8Image
    format: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one of two pictures.

    Attributes:
        first: Whether the first is the original; None = nothing tells them apart.
        reason: A key of `WORDS`; "" without evidence.
    """

    first: bool | None
    reason: str = ""


_NONE: Final = Evidence(None)


def compare(first: Picture, second: Picture, placement: NDArray[np.float64]) -> Evidence:
    """Find the original of two copies.

    Args:
        first: A picture.
        second: Another.
        placement: (6,) where the second lies on the first (`curate.dedupe.registration`).
    """
    a, b, placement = first.pixels, _turned(second.pixels, placement), np.abs(placement)
    if first.pixels.shape == b.shape and (first.pixels == b).all():
        return _decided("file", second.format == "JPEG", first.format == "JPEG")
    colors, margins = (colorfulness(a), colorfulness(b)), (_margins(a), _margins(b))
    found = _decided("color", is_gray(*colors), is_gray(*colors[::-1]))
    if not found.reason:
        found = _decided("border", _bordered(*margins), _bordered(*margins[::-1]))
    if found.reason:
        return found
    area = placement[1] * placement[5] + placement[2] * placement[4]  # of the first, in the second
    sure = _MORE_VIEW if a.shape != b.shape else 2 * _MORE_VIEW - 1  # crops seldom keep the size
    shown = _decided("view", area > sure, area < 1 / sure)
    return shown if shown.reason else _same_view(a, b)


def _decided(reason: str, first_damaged: bool, second_damaged: bool) -> Evidence:
    return _NONE if first_damaged == second_damaged else Evidence(bool(second_damaged), reason)


def _turned(pixels: UInt8Image, placement: NDArray[np.float64]) -> UInt8Image:
    """The second picture turned as the first stands, by the quarter turns and mirrors of the placement."""
    _, xu, xv, _, yu, yv = placement
    if abs(xv) + abs(yu) > abs(xu) + abs(yv):
        pixels, xu, yv = pixels.swapaxes(0, 1), xv, yu
    return pixels[:: 1 if yv >= 0 else -1, :: 1 if xu >= 0 else -1]


def _bordered(one: list[float], other: list[float]) -> bool:
    """Whether the one has margins of one color, at least a hundredth of a side, that the other has not."""
    return any(mine > theirs + 0.01 for mine, theirs in zip(one, other, strict=True))


def _margins(pixels: UInt8Image) -> list[float]:
    """Shares of the sides that are of one color from the edge: top, bottom, left, right."""
    found = []
    for turned in (pixels, pixels[::-1], pixels.swapaxes(0, 1), pixels[:, ::-1].swapaxes(0, 1)):
        first = turned[0].astype(np.float32)
        if (np.abs(first - np.median(first, axis=0)).max(axis=1) > 12).mean() >= 0.005:
            found.append(0.0)  # as most: the rest would be work for nothing
            continue
        rows = turned[: len(turned) // 3].astype(np.float32)
        bands = np.abs(rows - np.median(rows[0], axis=0)).transpose(2, 0, 1)
        away = np.maximum.reduce([*bands])  # a maximum along three neighbors takes ten times as long
        flat = (away > 12).mean(axis=1) < 0.005
        deep = int(np.argmin(flat)) if not flat.all() else 0
        steady = (
            deep > 0
            and float(away[: max(deep - 3, 1)].mean()) < 2
            and float(away[deep : deep + 4].mean()) > 4
        )
        found.append(deep / len(turned) if steady else 0.0)
    return found


def _same_view(a: UInt8Image, b: UInt8Image) -> Evidence:
    """Evidence from two pictures of one frame, whatever their sizes."""
    ratio = float(np.sqrt(a.shape[0] * a.shape[1] / (b.shape[0] * b.shape[1])))
    if not 1 / _SAME_SIZE < ratio < _SAME_SIZE:
        larger, smaller = (a, b) if ratio > 1 else (b, a)
        enlarged = was_enlarged(_luma(larger), _luma(smaller))
        return Evidence(bool((ratio > 1) != enlarged), "enlarged" if enlarged else "reduced")
    both = _to_one_size(a, b)
    luma = [_luma(part) for part in both]
    found = spectra(*luma)
    if found is None:
        return _NONE
    blocks = [coefficients(part) for part in luma]
    steps = [quantizer_steps(part) for part in blocks]
    made = found.swapped(), found  # how a may have been made of b, and b of a
    combs = functools.cache(lambda k: comb(both[k]))
    cuts = functools.cache(lambda k: cut_off(both[k], both[1 - k]))
    tests: dict[str, Callable[[int], bool]] = {  # whether a, then b, is the damaged one
        "noise": lambda k: adds_noise(made[k]),
        "jpeg": lambda k: compressed_harder(blocks[k], blocks[1 - k], (steps[k], steps[1 - k])),
        "levels": lambda k: has_few_levels(combs(k), combs(1 - k)) and keeps_detail(made[k]),
        "clipping": lambda k: is_clipped(cuts(k), cuts(1 - k)) and keeps_detail(made[k]),
        "sharpening": lambda k: is_sharpened(made[k], coded=bool((steps[k] > 1).any())),
        "overlay": lambda k: adds_overlay(made[k]),
        "detail": lambda k: loses_detail(made[k]),
    }
    for reason, damaged in tests.items():
        evidence = _decided(reason, damaged(0), damaged(1))
        if evidence.reason:
            return evidence
    return _NONE


def _to_one_size(a: UInt8Image, b: UInt8Image) -> tuple[UInt8Image, UInt8Image]:
    """Both at the size of the smaller one."""
    if a.shape == b.shape:
        return a, b
    small = min(a, b, key=lambda part: part.size)
    sides = (small.shape[1], small.shape[0])
    one, other = (Image.fromarray(part).resize(sides, Image.Resampling.LANCZOS) for part in (a, b))
    return np.asarray(one), np.asarray(other)


def _luma(pixels: UInt8Image) -> Floats:
    luma: Floats = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return luma
