"""Originals with copies that were damaged in one of 26 ways: is the original kept?

Originals are parts of photographs at their own resolution, saved as cameras and sites do (JPEG of quality 88
to 95, or PNG); a copy is made of the decoded original, damaged, and saved as JPEG of quality 80 to
95 or as PNG.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import photo_collages

UInt8Array = npt.NDArray[np.uint8]
Damage = Callable[[np.random.Generator, UInt8Array], UInt8Array]
_SIDES: Final = (320, 640)  # pixels of an original, either side


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of an original and a copy: what was done to it, and the extensions of their names."""

    kind: str
    photograph: str
    original: bytes
    original_extension: str
    copy: bytes
    copy_extension: str


def _clip(values: npt.NDArray[np.floating]) -> UInt8Array:
    clipped: UInt8Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped


def _gray(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    del rng
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)


def _border(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    wide = int(min(pixels.shape[:2]) * rng.uniform(0.03, 0.08))
    ink = (
        [int(rng.choice([0, 255, 128]))] * 3 if rng.random() < 0.7 else rng.integers(0, 256, size=3).tolist()
    )
    return np.asarray(cv2.copyMakeBorder(pixels, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=ink))


def _letterbox(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    wide = int(min(pixels.shape[:2]) * rng.uniform(0.05, 0.15))
    sides = (wide, wide, 0, 0) if rng.random() < 0.5 else (0, 0, wide, wide)
    return np.asarray(cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_CONSTANT, value=[0, 0, 0]))


def _noise(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    shape = pixels.shape if rng.random() < 0.5 else (*pixels.shape[:2], 1)
    return _clip(pixels + rng.normal(0, rng.uniform(6, 20), shape))


def _grain(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    grain = rng.normal(0, rng.uniform(0.05, 0.15), (*pixels.shape[:2], 1))
    return _clip(pixels * (1 + grain))


def _specks(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    share, chosen, speckled = rng.uniform(0.005, 0.03), rng.random(pixels.shape[:2]), pixels.copy()
    speckled[chosen < share], speckled[chosen > 1 - share] = 0, 255
    return speckled


def _nothing(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    del rng
    return pixels


def _encoded(pixels: UInt8Array, format: str, quality: int, subsampling: int = 2) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def _through(low: int, high: int) -> Damage:
    def damage(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        coarse = _encoded(pixels, "JPEG", int(rng.integers(low, high)))
        return np.asarray(Image.open(io.BytesIO(coarse)).convert("RGB"))

    return damage


def _sized(low: float, high: float, method: int) -> Damage:
    def damage(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        scale = rng.uniform(low, high)
        return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method))

    return damage


def _down_and_up(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape[:2]
    scale = rng.uniform(0.3, 0.6)
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _blur(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.9, 2.5)))


def _motion(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    reach, angle = int(rng.integers(5, 12)), rng.uniform(0, np.pi)
    kernel = np.zeros((reach, reach), np.float32)
    for step in np.linspace(-0.5, 0.5, 4 * reach):
        row, column = ((0.5 + step * part) * (reach - 1) for part in (np.sin(angle), np.cos(angle)))
        kernel[round(row), round(column)] = 1
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()))


def _median(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.medianBlur(pixels, int(rng.choice([3, 5]))))


def _unsharp(radius: tuple[float, float], gain: tuple[float, float]) -> Damage:
    def damage(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
        soft = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(*radius)).astype(np.float32)
        return _clip(pixels + rng.uniform(*gain) * (pixels - soft))

    return damage


def _crop(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape[:2]
    tall, wide = (int(side * (1 - rng.uniform(0.04, 0.15))) for side in (height, width))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return np.ascontiguousarray(pixels[top : top + tall, left : left + wide])


def _posterized(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    step = int(rng.integers(12, 40))
    return _clip(pixels // step * step + step / 2)


def _palette(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    dither = Image.Dither.FLOYDSTEINBERG if rng.random() < 0.3 else Image.Dither.NONE
    few = Image.fromarray(pixels).quantize(int(rng.choice([16, 32, 64])), dither=dither)
    return np.asarray(few.convert("RGB"))


def _burnt(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    """Contrast until a tenth or more of the levels is cut off at either end."""
    low, high = np.percentile(pixels, [rng.uniform(3, 12), rng.uniform(88, 97)])
    return _clip((pixels - low) * (255 / max(high - low, 30)))


def _watermark(rng: np.random.Generator, pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape[:2]
    layer, scale = np.zeros((height, width), np.uint8), height / rng.uniform(220, 400)
    for row in range(int(height * 0.2), height, int(height * 0.3)):
        cv2.putText(
            layer, "SAMPLE  SAMPLE", (width // 20, row), 0, scale, 255, max(1, int(3 * scale)), cv2.LINE_AA
        )
    weight = layer[:, :, None] / 255 * rng.uniform(0.3, 0.6)
    return _clip(pixels * (1 - weight) + 255 * weight)


KINDS: Final[dict[str, Damage]] = {
    "gray": _gray, "border": _border, "letterbox": _letterbox, "crop": _crop,
    "noise": _noise, "grain": _grain, "specks": _specks,
    "jpeg q10": _nothing, "jpeg q30": _nothing, "jpeg q60 inside q92": _through(55, 70),
    "jpeg q30 in png": _through(25, 36), "webp q20": _nothing,
    "enlarged": _sized(1.3, 2.5, cv2.INTER_CUBIC), "enlarged lanczos": _sized(1.3, 2.5, cv2.INTER_LANCZOS4),
    "enlarged blocks": _sized(2, 2.01, cv2.INTER_NEAREST), "reduced": _sized(0.35, 0.8, cv2.INTER_AREA),
    "reduced and enlarged": _down_and_up, "blur": _blur, "motion": _motion, "median": _median,
    "sharpened": _unsharp((0.7, 1.5), (1.0, 3.0)), "clarity": _unsharp((2.5, 6), (0.7, 1.5)),
    "posterized": _posterized, "palette": _palette, "burnt": _burnt, "watermark": _watermark,
}  # fmt: skip


_COARSE: Final = {"jpeg q10": ("JPEG", 8, 13), "jpeg q30": ("JPEG", 25, 36), "webp q20": ("WEBP", 15, 30)}


def pairs(which: str, *, seed: int, count: int) -> Iterator[Pair]:
    """Draw `count` pairs of each kind.

    Args:
        which: Half of the photographs: tune or report.
        seed: Of every choice.
        count: Of each kind.
    """
    for number, (kind, damage) in enumerate(KINDS.items()):
        for index in range(count):
            rng = np.random.default_rng((seed, number, index))
            source = photo_collages.HALVES[which][index % len(photo_collages.HALVES[which])]
            part = _part(rng, photo_collages.photograph(source))
            if kind == "gray" and np.ptp(part.astype(np.int16), axis=2).mean() < 8:
                continue  # it never had colors
            original, extension = _saved(rng, part, 88, png=0.4)
            decoded = np.asarray(Image.open(io.BytesIO(original)).convert("RGB"))
            damaged = damage(rng, decoded)
            if kind in _COARSE:
                format, low, high = _COARSE[kind]
                copy, copy_extension = (
                    _encoded(damaged, format, int(rng.integers(low, high))),
                    f".{format.lower()}",
                )
            else:
                png = 1.0 if "png" in kind else 0.0 if "jpeg" in kind else 0.4
                copy, copy_extension = _saved(rng, damaged, 92 if "jpeg" in kind else 80, png=png)
            yield Pair(
                kind, Path(photo_collages.FILES[source][1]).stem, original, extension, copy, copy_extension
            )


def _part(rng: np.random.Generator, photograph: UInt8Array) -> UInt8Array:
    height, width = photograph.shape[:2]
    tall, wide = (min(side, int(rng.integers(*_SIDES))) for side in (height, width))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return np.ascontiguousarray(photograph[top : top + tall, left : left + wide])


def _saved(rng: np.random.Generator, pixels: UInt8Array, low: int, *, png: float) -> tuple[bytes, str]:
    if rng.random() < png:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue(), ".png"
    return _encoded(pixels, "JPEG", int(rng.integers(low, 96)), int(rng.choice([0, 2]))), ".jpg"
