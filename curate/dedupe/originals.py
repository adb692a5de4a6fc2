"""Which of two copies is the original: evidence in order, the first that speaks decides, each with its words.

1. color: one is gray.
2. border: one has bars or a frame of one color.
3. view: one shows more of the scene.
4. noise: what only one has is equally strong at all frequencies and everywhere.
5. jpeg: the coarser step of a quantizer, read from the pixels, so also under a finer JPEG and in a PNG.
6. levels: gaps in the histogram, of few colors or stretched light.
7. clipping: a part of the one is black or white, and of the other not.
8. sharpening: fine detail is raised by a gain that levels off; a blur's loss goes on growing.
9. overlay: something coarse lies on one.
10. detail: one has lost it; or, where sizes differ, the larger one has none of its own.

Nothing decides about hue or brightness: a tie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image

from curate.dedupe.spectra import RINGS, Spectra, comb, quantizer_steps, spectra
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
_SAME_VIEW: Final = 0.04  # of a side, that a placement may be off
_MORE_VIEW: Final = 1.03  # area


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


_SAME_ROW: Final = 0.75  # of the step between other rows
_MIN_DETAIL: Final = 4.0  # levels squared; what compression adds to a smooth picture is none
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
    for reason, damaged in (("color", _gray), ("border", _bordered)):
        found = _decided(reason, damaged(a, b), damaged(b, a))
        if found.reason:
            return found
    area = placement[1] * placement[5] + placement[2] * placement[4]  # of the first, in the second
    sure = _MORE_VIEW if a.shape != b.shape else 2 * _MORE_VIEW - 1  # crops seldom keep the size
    shown = _decided("view", area > sure, area < 1 / sure)
    return shown if shown.reason else _same_view(a, b)


def _decided(reason: str, first_damaged: bool, second_damaged: bool) -> Evidence:
    return _NONE if first_damaged == second_damaged else Evidence(second_damaged, reason)


def _turned(pixels: UInt8Image, placement: NDArray[np.float64]) -> UInt8Image:
    """The second picture turned as the first stands, by the quarter turns and mirrors of the placement."""
    _, xu, xv, _, yu, yv = placement
    if abs(xv) + abs(yu) > abs(xu) + abs(yv):
        pixels, xu, yv = pixels.swapaxes(0, 1), xv, yu
    return pixels[:: 1 if yv >= 0 else -1, :: 1 if xu >= 0 else -1]


def _gray(one: UInt8Image, other: UInt8Image) -> bool:
    """Whether the one is gray and the other has colors."""
    small = (
        np.asarray(Image.fromarray(part).resize((32, 32), Image.Resampling.BOX)) for part in (one, other)
    )
    spread, others = (np.ptp(part.astype(np.int16), axis=2) for part in small)
    return bool(np.percentile(spread, 98) < 6 and (others > 8).mean() > 0.3)


def _bordered(one: UInt8Image, other: UInt8Image) -> bool:
    """Whether the one has margins of one color, at least a hundredth of a side, that the other has not."""
    return any(mine > theirs + 0.01 for mine, theirs in zip(_margins(one), _margins(other), strict=True))


def _margins(pixels: UInt8Image) -> list[float]:
    """Shares of the sides that are of one color from the edge: top, bottom, left, right."""
    found = []
    for turned in (pixels, pixels[::-1], pixels.swapaxes(0, 1), pixels[:, ::-1].swapaxes(0, 1)):
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
    (one, other), ratio = _to_one_size(a, b)
    luma = [_luma(part) for part in (one, other)]
    found = spectra(*luma)
    if found is None:
        return _NONE
    back = Spectra(found.b, found.a, found.both, found.calm, found.busy)
    sized = 1 / 1.05 < ratio < 1.05
    steps = [quantizer_steps(part) for part in luma] if sized else []
    tests: dict[str, Callable[[int], bool]] = {  # whether a, then b, is the damaged one
        "noise": lambda k: sized and _noisy((back, found)[k]),
        "jpeg": lambda k: (
            sized
            and _coarser(steps[k], steps[1 - k])
            and _carried((back, found)[k], most=1.1)
            and not _lost((found, back)[k], -0.3)
        ),
        "levels": lambda k: (
            _few_levels((a, b)[k], (a, b)[1 - k]) and (not sized or _carried((back, found)[k]))
        ),
        "clipping": lambda k: _clipped(luma[k], luma[1 - k]),
        "sharpening": lambda k: sized and _sharpened((back, found)[k]),
        "overlay": lambda k: sized and _overlaid((back, found)[k]),
    }
    for reason, damaged in tests.items():
        evidence = _decided(reason, damaged(0), damaged(1))
        if evidence.reason:
            return evidence
    if sized:
        return _decided("detail", _lost(back), _lost(found))
    larger, smaller = (a, b) if ratio > 1 else (b, a)
    own = _own_detail(_luma(larger), _luma(smaller))
    return Evidence((ratio > 1) == own, "reduced" if own else "enlarged")


def _to_one_size(a: UInt8Image, b: UInt8Image) -> tuple[tuple[UInt8Image, UInt8Image], float]:
    """Both at the size of the smaller one, and how many times as long the sides of a are as those of b."""
    ratio = float(np.sqrt(a.shape[0] * a.shape[1] / (b.shape[0] * b.shape[1])))
    if a.shape == b.shape:
        return (a, b), ratio
    small = b if ratio > 1 else a
    sides = (small.shape[1], small.shape[0])
    one, other = (Image.fromarray(part).resize(sides, Image.Resampling.LANCZOS) for part in (a, b))
    return (np.asarray(one), np.asarray(other)), ratio


def _luma(pixels: UInt8Image) -> Floats:
    luma: Floats = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return luma


def _noisy(found: Spectra) -> bool:
    """Whether b is a and something uncorrelated that is white and everywhere."""
    more, apart = (found.b - found.a)[3:] / found.difference[3:], found.difference[1:]
    white = apart.max() < 4 * apart.min() and apart.mean() > 4
    gain = np.abs(np.log(np.maximum(found.both / found.a, 1e-3)))[2:6].mean()
    return bool(white and more.min() > 0.55 and gain < 0.12 and found.calm > 0.12 * found.busy)


def _carried(found: Spectra, most: float = np.inf) -> bool:
    """Whether b holds what a shows coarsely, as it is or stretched; if not, levels alone made no copy of it.

    A trace in b, of a quantizer or of few levels, then is the original's own, and a the one that was blurred,
    sharpened or stretched.
    """
    first, second = (found.both / found.a)[1:3]
    steady = found.a[2] < _MIN_DETAIL or abs(np.log(max(second, 1e-3) / first)) < 0.25
    return bool(0.9 < first < most and steady)


def _few_levels(one: UInt8Image, other: UInt8Image) -> bool:
    combs = [max(comb(part[..., band]) for band in range(3)) for part in (one, other)]
    return combs[0] > 1.5 * combs[1] + 0.06


def _clipped(one: Floats, other: Floats) -> bool:
    """Whether a part of the one is black or white and of the other is not."""
    smooth = scipy.ndimage.uniform_filter(other, 3)
    dark, light = one <= 2, one >= 253
    gone = (dark & (smooth > 10)) | (light & (smooth < 245))
    return bool(gone.mean() > 0.02 and gone.sum() > 0.3 * (dark | light).sum())


def _coarser(one: Floats, other: Floats) -> bool:
    return bool(one.mean() >= 6 and one.mean() > 1.6 * other.mean())


def _sharpened(found: Spectra) -> bool:
    """Whether b is a with a gain that grows with frequency and levels off."""
    told = int(np.argmin(np.append(found.coherence > 0.6, False)))  # rings that follow from each other
    gain = np.log(np.maximum(found.both / found.a, 1e-3))[1:told]
    if len(gain) < 5 or gain.max() < 0.2:
        return False
    middle = len(gain) // 2
    return bool(gain[-1] - gain[middle] < 1.1 * (gain[middle] - min(gain[0], 0.0)))


def _lost(found: Spectra, limit: float = -0.08) -> bool:
    """Whether b has less than a of all but the lowest frequencies."""
    ratio = np.log(found.b / found.a)
    return bool(ratio[2:].mean() - ratio[1] < limit and found.a[4:].mean() > _MIN_DETAIL)


def _overlaid(found: Spectra) -> bool:
    """Whether b is a and something coarse that is uncorrelated."""
    more, gain = (found.b - found.a)[1:4] / found.difference[1:4], (found.both / found.a)[1:4]
    coarse = found.difference[1] > 10 * max(found.difference[6], 1)
    return bool(coarse and more.min() > 0.4 and gain.min() > 0.85 and gain.max() < 1.15)


def _repeated(luma: Floats, rows: int) -> bool:
    """Whether a picture repeats rows as one of fewer rows does that is enlarged without any smoothing."""
    steps = np.abs(np.diff(luma, axis=0)).mean(axis=1)
    for corner in (-0.01, 0, 0.5):  # programs take a pixel's corner or its middle, and round
        again = np.diff(np.floor((np.arange(len(luma)) + corner) * rows / len(luma))) == 0
        if 0 < again.sum() < len(again) and steps[again].mean() < _SAME_ROW * steps[~again].mean():
            return True
    return False


def _own_detail(larger: Floats, smaller: Floats) -> bool:
    """Whether a picture has detail that a smaller one of the same frame cannot have."""

    def sized(plane: Floats, like: Floats, method: Image.Resampling) -> Floats:
        return np.asarray(Image.fromarray(plane).resize((like.shape[1], like.shape[0]), method))

    if _repeated(larger, len(smaller)) and _repeated(larger.T, smaller.shape[1]):
        return False
    carried = sized(sized(larger, smaller, Image.Resampling.LANCZOS), larger, Image.Resampling.LANCZOS)
    found = spectra(larger, carried)
    if found is None:
        return True
    ratio = float(np.sqrt(larger.size / smaller.size))
    above = np.arange(RINGS) >= min(np.ceil(RINGS / ratio + 0.25), RINGS - 1)
    below = found.a[max(int(RINGS / ratio) - 1, 1)]
    # The closer the sizes, the less is left between what was carried over and what lies above.
    wanted = 0.04 * max(2 / ratio, 1.0) ** 3
    return bool(found.difference[above].mean() > wanted * below)
