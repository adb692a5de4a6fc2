"""What happens to copies of an image: transforms to tune on, others to check on, others to report on.

The sets have the same names, so that recall can be read by name, but other kinds and strengths behind each:
to tune on Gaussian blur, check on motion blur and report on enlarged thumbnails, and so on; the later ones
have kinds that the first one lacks. The check set was looked at while the rules were made, the report set was
written and run when they were fixed. A crop of p% keeps 1 - p of either side, from anywhere; `tilt`
turns by a few degrees.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from curate.images.frames import turned_upright

UInt8Array = npt.NDArray[np.uint8]
Change = Callable[[np.random.Generator, UInt8Array], UInt8Array]


@dataclass(frozen=True, slots=True)
class File:
    """An encoded image: its bytes and the extension of its name."""

    content: bytes
    extension: str


def encode(pixels: UInt8Array, *, format: str = "JPEG", quality: int = 90, orientation: int = 1) -> File:
    """A file whose upright picture is `pixels`, turned by an EXIF orientation if one is given."""
    picture = Image.fromarray(pixels)
    exif = Image.Exif()
    if orientation != 1:
        picture = turned_upright(picture, {6: 8, 8: 6}.get(orientation, orientation))  # their inverses
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    if format == "PNG":
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, format, quality=quality, exif=exif)
    return File(buffer.getvalue(), {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[format])


def _clip(values: npt.NDArray[np.floating]) -> UInt8Array:
    clipped: UInt8Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped


def _resized(pixels: UInt8Array, width: int, height: int) -> UInt8Array:
    resized: UInt8Array = cv2.resize(pixels, (max(width, 32), max(height, 32)), interpolation=cv2.INTER_AREA)
    return resized


def _scaled(low: float, high: float, stretch: float = 0.0) -> Change:
    def change(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        scale = rng.uniform(low, high)
        wider = 1 + rng.uniform(-stretch, stretch)
        return _resized(pixels, round(pixels.shape[1] * scale * wider), round(pixels.shape[0] * scale))

    return change


def _gaussian(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    sigma = max(pixels.shape) * rng.uniform(0.001, 0.005)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma))


def _motion(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    reach = max(3, round(max(pixels.shape) * rng.uniform(0.005, 0.02)))
    kernel = np.zeros((reach, reach), dtype=np.float32)
    angle = rng.uniform(0, np.pi)
    for step in np.linspace(-0.5, 0.5, 4 * reach):
        kernel[
            int((0.5 + step * np.sin(angle)) * (reach - 1)), int((0.5 + step * np.cos(angle)) * (reach - 1))
        ] = 1
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()))


def _noise(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    return _clip(pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(8, 25))


def _specks(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Salt and pepper on 1 to 6% of the pixels."""
    speckled = pixels.copy()
    chosen = rng.random(pixels.shape[:2], dtype=np.float32)
    share = rng.uniform(0.005, 0.03)
    speckled[chosen < share], speckled[chosen > 1 - share] = 0, 255
    return speckled


def _gain(low: float, high: float) -> Change:
    def change(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        gain = rng.uniform(low, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, high)
        return _clip(pixels * np.float32(gain))

    return change


def _gamma(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    power = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.2, 0.6)))
    return _clip(255 * (np.arange(256) / 255) ** power)[pixels]


def _contrast(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    return _clip((pixels - 128.0) * rng.uniform(0.6, 1.5) + 128)


def _equalised(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Part of the way to a flat histogram of luma."""
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    target = cv2.equalizeHist(luma).astype(np.float32)
    share = rng.uniform(0.3, 0.6)
    return _clip(pixels + share * (target - luma)[:, :, None])


def _saturation(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    gray = pixels @ np.array([0.299, 0.587, 0.114])
    tint = 1 + rng.uniform(-0.12, 0.12, size=3)
    return _clip((gray[:, :, None] + (pixels - gray[:, :, None]) * rng.uniform(0.0, 1.8)) * tint)


def _white_balance(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    warm = rng.choice([-1, 1]) * rng.uniform(0.1, 0.25)
    sepia = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    return (
        _clip(pixels @ sepia.T) if rng.random() < 0.3 else _clip(pixels * np.array([1 + warm, 1, 1 - warm]))
    )


def _lettered(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Write one word several times across the picture, half transparent."""
    height, width = pixels.shape[:2]
    layer = np.zeros((height, width), dtype=np.uint8)
    scale = height / rng.uniform(250, 450)
    for row in range(int(height * 0.15), height, int(height * rng.uniform(0.25, 0.4))):
        for left in range(0, width, int(width * 0.45)):
            cv2.putText(
                layer, "SAMPLE", (left, row), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, int(3 * scale))
            )
    weight = layer[:, :, None] / 255 * rng.uniform(0.25, 0.5)
    return _clip(pixels * (1 - weight) + 255 * weight)


def _stamp(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """An opaque round logo in a corner."""
    stamped = pixels.copy()
    height, width = pixels.shape[:2]
    reach = int(min(height, width) * rng.uniform(0.05, 0.09))
    x = reach + 8 if rng.random() < 0.5 else width - reach - 8
    y = reach + 8 if rng.random() < 0.5 else height - reach - 8
    cv2.circle(stamped, (x, y), reach, rng.integers(0, 256, size=3).tolist(), -1, cv2.LINE_AA)
    cv2.putText(stamped, "TV", (x - reach // 2, y + reach // 4), 0, reach / 40, (255, 255, 255), 2)
    return stamped


def _border(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """One color on all four sides, 2 to 8% of the shorter side."""
    wide = round(min(pixels.shape[:2]) * rng.uniform(0.02, 0.08))
    color = rng.choice([0, 255, 128]) if rng.random() < 0.7 else int(rng.integers(256))
    return np.asarray(
        cv2.copyMakeBorder(pixels, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=[int(color)] * 3)
    )


def _bars(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Black or white bars above and below or left and right, 4 to 10% each, or a picture frame."""
    kind = int(rng.integers(3))
    tall, wide = (round(side * rng.uniform(0.04, 0.1)) for side in pixels.shape[:2])
    tall, wide = (tall, 0) if kind == 0 else (0, wide) if kind == 1 else (tall, tall)
    color = [int(rng.choice([0, 255]))] * 3 if kind < 2 else rng.integers(0, 256, size=3).tolist()
    return np.asarray(cv2.copyMakeBorder(pixels, tall, tall, wide, wide, cv2.BORDER_CONSTANT, value=color))


def _crop(low: float, high: float, *, corner: bool = False) -> Change:
    """Keep 1 - p of either side, p in low..high; `corner`: cut on one or two sides only."""

    def change(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        height, width = pixels.shape[:2]
        keep = 1 - rng.uniform(low, high, size=2)
        tall, wide = round(height * keep[0]), round(width * keep[1])
        at = rng.integers(0, 2, size=2) if corner else rng.random(size=2)
        top, left = round(at[0] * (height - tall)), round(at[1] * (width - wide))
        return np.ascontiguousarray(pixels[top : top + tall, left : left + wide])

    return change


def _tilt(low: float, high: float, *, filled: bool) -> Change:
    """Turn by some degrees; corners filled with black, or cropped away."""

    def change(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        height, width = pixels.shape[:2]
        degrees = rng.choice([-1, 1]) * rng.uniform(low, high)
        radians = abs(np.radians(degrees))
        grow = 1.0 if filled else np.cos(radians) + np.sin(radians) * max(width / height, height / width)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, grow)
        return np.asarray(cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR))

    return change


def _caption(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Large words at the top or the bottom, as people add them."""
    height, width = pixels.shape[:2]
    lettered = pixels.copy()
    text = "".join(rng.choice(list("ABCDEFGHIKLMNORSTU "), size=int(rng.integers(6, 14))))
    row = int(height * rng.choice([0.15, 0.95]))
    scale = width / (len(text) * 26)
    for ink, thick in (((0, 0, 0), 8), ((255, 255, 255), 3)):
        cv2.putText(lettered, text, (10, row), 0, scale, ink, max(1, int(thick * scale)), cv2.LINE_AA)
    return lettered


def _sticker(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """A white bar with dark text anywhere, up to 12% of the height and 60% of the width."""
    height, width = pixels.shape[:2]
    lettered = pixels.copy()
    tall, wide = int(height * rng.uniform(0.06, 0.12)), int(width * rng.uniform(0.3, 0.6))
    top, left = int(rng.uniform(0, height - tall)), int(rng.uniform(0, width - wide))
    cv2.rectangle(lettered, (left, top), (left + wide, top + tall), (255, 255, 255), -1)
    cv2.putText(lettered, "breaking news", (left + 5, top + int(tall * 0.7)), 0, tall / 50, (20, 20, 20), 2)
    return lettered


def _flip(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    del rng
    return np.ascontiguousarray(pixels[:, ::-1])


def _vignette(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return _clip(pixels * (1 - rng.uniform(0.25, 0.45) * (x * x + y * y)[:, :, None]))


def _sharpen(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    soft = cv2.GaussianBlur(pixels, (0, 0), 2).astype(np.float32)
    return _clip(pixels + rng.uniform(0.5, 1.5) * (pixels - soft))


def _nothing(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    del rng
    return pixels


def _thumbnail(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Down to 150 to 320 pixels, the longer side."""
    scale = min(1.0, rng.uniform(150, 320) / max(pixels.shape))
    return _resized(pixels, round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))


def _enlarged(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Enlarged from 90 to 200 pixels, the longer side."""
    height, width = pixels.shape[:2]
    scale = rng.uniform(90, 200) / max(width, height)
    small = _resized(pixels, round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _speckle(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Noise in proportion to the light, in grains of two pixels."""
    height, width = pixels.shape[:2]
    grain = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32)
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_NEAREST)
    return _clip(pixels * (1 + rng.uniform(0.08, 0.25) * grain[:, :, None]))


def _shadow(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Light that falls from one side: gains from 0.6 to 1.3 across the picture."""
    height, width = pixels.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    return _clip(pixels * (0.95 + 0.5 * (x * np.cos(angle) + y * np.sin(angle)))[:, :, None])


def _faded(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Blacks lifted, whites lowered, as an old print."""
    low, high = rng.uniform(20, 70), rng.uniform(180, 240)
    return _clip(low + pixels * ((high - low) / 255))


def _channels(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Each channel with a gain and an offset of its own, or gray."""
    if rng.random() < 0.25:
        return _clip(np.repeat((pixels @ np.array([0.299, 0.587, 0.114]))[:, :, None], 3, axis=2))
    return _clip(pixels * rng.uniform(0.8, 1.2, size=3) + rng.uniform(-15, 15, size=3))


def _grid(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Slanted half-transparent lines, and words across the middle."""
    height, width = pixels.shape[:2]
    layer = np.zeros((height, width), dtype=np.uint8)
    for start in range(-height, width, max(20, int(width * rng.uniform(0.2, 0.35)))):
        cv2.line(layer, (start, 0), (start + height, height), 255, max(1, width // 250), cv2.LINE_AA)
    cv2.putText(layer, "stock photo", (width // 5, height // 2), 0, width / 450, 255, max(1, width // 200))
    weight = layer[:, :, None] / 255 * rng.uniform(0.3, 0.6)
    return _clip(pixels * (1 - weight) + 235 * weight)


def _frame(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Colored, of another width on each side, 1 to 8%."""
    height, width = pixels.shape[:2]
    top, bottom = (round(height * share) for share in rng.uniform(0.01, 0.08, size=2))
    left, right = (round(width * share) for share in rng.uniform(0.01, 0.08, size=2))
    color = rng.integers(0, 256, size=3).tolist()
    return np.asarray(cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=color))


def _subtitle(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """One or two lines of white text with a dark edge in the lower quarter."""
    height, width = pixels.shape[:2]
    lettered = pixels.copy()
    words = ["I never said that", "we have to go back now", "2019-07-04 12:31"]
    for line in range(int(rng.integers(1, 3))):
        where = (int(width * rng.uniform(0.05, 0.2)), int(height * (0.78 + 0.12 * line)))
        text = words[int(rng.integers(len(words)))]
        for ink, thick in (((0, 0, 0), 6), ((255, 255, 255), 2)):
            cv2.putText(lettered, text, where, 2, width / 600, ink, max(1, thick * width // 700), cv2.LINE_AA)
    return lettered


def _posterise(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    step = int(rng.integers(24, 52))
    return _clip(pixels // step * step + step / 2)


# What leaves a plain picture the same plain picture.
PLAIN: Final = ("reencode", "exif", "resize", "blur")
SETS: Final[dict[str, dict[str, Change]]] = {
    "tune": {
        "reencode": _nothing, "exif": _nothing, "resize": _scaled(0.35, 0.8), "blur": _gaussian,
        "noise": _noise, "brightness": _gain(0.6, 1.4), "contrast": _contrast, "colour": _saturation,
        "watermark": _lettered, "border": _border, "crop2": _crop(0.01, 0.03), "crop8": _crop(0.06, 0.1),
        "crop15": _crop(0.13, 0.17), "tilt": _tilt(0.5, 3, filled=False), "flip": _flip, "text": _caption,
    },
    "check": {
        "reencode": _nothing, "exif": _nothing, "resize": _scaled(0.25, 0.6, stretch=0.1), "blur": _motion,
        "noise": _specks, "brightness": _gamma, "contrast": _equalised, "colour": _white_balance,
        "watermark": _stamp, "border": _bars, "crop2": _crop(0.02, 0.02, corner=True),
        "crop8": _crop(0.08, 0.08), "crop15": _crop(0.15, 0.15, corner=True),
        "tilt": _tilt(1, 4, filled=True), "flip": _flip, "text": _sticker, "vignette": _vignette,
        "sharpen": _sharpen,
    },
    "report": {
        "reencode": _nothing, "exif": _nothing, "resize": _thumbnail, "blur": _enlarged,
        "noise": _speckle, "brightness": _shadow, "contrast": _faded, "colour": _channels,
        "watermark": _grid, "border": _frame, "crop2": _crop(0.015, 0.025), "crop8": _crop(0.07, 0.09),
        "crop15": _crop(0.14, 0.16), "tilt": _tilt(0.5, 3.5, filled=True), "flip": _flip, "text": _subtitle,
        "posterise": _posterise,
    },
}  # fmt: skip


def make(name: str, which: str, rng: np.random.Generator, pixels: UInt8Array) -> File:
    """The file of a copy of an upright picture (H, W, 3) uint8 RGB.

    Args:
        name: Of the transform.
        which: Set of transforms: tune or report.
        rng: Of every choice.
        pixels: The original.
    """
    changed = SETS[which][name](rng, pixels)
    if name == "reencode":
        format = str(rng.choice(["JPEG", "JPEG", "WEBP", "PNG"]))
        low = 30 if which == "tune" else 20
        return encode(changed, format=format, quality=int(rng.integers(low, 81)))
    orientation = int(rng.integers(2, 9)) if name == "exif" else 1
    return encode(changed, quality=int(rng.integers(75, 96)), orientation=orientation)
