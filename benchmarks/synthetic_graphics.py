"""Pictures without photographs: documents, charts, logos, patterns, plain ones; here hashes fail first."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]

_WORDS: Final = (
    "the",
    "of",
    "model",
    "data",
    "image",
    "label",
    "set",
    "curve",
    "train",
    "noise",
    "table",
    "figure",
)
_FONTS: Final = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
MIN_DIFFERENT: Final = 0.03  # share of pixels of a 64 x 64 copy
LEVELS: Final = 24  # that a pixel must differ by


def draw_graphic(rng: np.random.Generator, width: int, height: int) -> UInt8Array:
    """(H, W, 3) RGB of a document, a chart, a logo or a pattern."""
    paper = rng.integers(225, 256, size=3) if rng.random() < 0.7 else rng.integers(0, 256, size=3)
    page = np.full((height, width, 3), paper, dtype=np.uint8)
    draw = (_document, _chart, _logo, _pattern)[int(rng.integers(4))]
    draw(rng, page)
    return page


def draw_plain(rng: np.random.Generator, width: int, height: int) -> UInt8Array:
    """(H, W, 3) RGB of one color, or of a smooth change between two."""
    first, second = rng.integers(0, 256, size=(2, 3))
    if rng.random() < 0.5:
        return np.full((height, width, 3), first, dtype=np.uint8)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    weight = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.5, 1.4), 0, 1)
    blended: UInt8Array = (first + (second - first) * weight[:, :, None]).astype(np.uint8)
    return blended


def differ(one: UInt8Array, others: UInt8Array) -> npt.NDArray[np.bool_]:
    """(N,) whether a 64 x 64 copy (64, 64, 3) shows something else than each of others (N, 64, 64, 3)."""
    apart = np.abs(others.astype(np.int16) - one).max(axis=3) > LEVELS
    found: npt.NDArray[np.bool_] = apart.mean(axis=(1, 2)) >= MIN_DIFFERENT
    return found


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 220, size=3).tolist()
    return red, green, blue


def _document(rng: np.random.Generator, page: UInt8Array) -> None:
    height, width = page.shape[:2]
    size = height / rng.uniform(18, 40)
    left, top = int(width * rng.uniform(0.03, 0.15)), height * rng.uniform(0.05, 0.2)
    right = width * rng.uniform(0.6, 0.97)
    font, ink = _FONTS[int(rng.integers(len(_FONTS)))], _color(rng)
    while top < height * 0.97:
        if rng.random() < 0.15:  # a paragraph ends
            top += size * rng.uniform(0.5, 3)
            continue
        line = " ".join(rng.choice(_WORDS, size=30).tolist())
        scale = size / 40
        stop = right if rng.random() < 0.8 else rng.uniform(left + 10, right)
        while line and left + cv2.getTextSize(line, font, scale, 1)[0][0] > stop:
            line = line[:-3]
        cv2.putText(page, line, (left, int(top)), font, scale, ink, max(1, int(size / 20)), cv2.LINE_AA)
        top += size * 1.4


def _chart(rng: np.random.Generator, page: UInt8Array) -> None:
    height, width = page.shape[:2]
    x0, y0 = int(width * rng.uniform(0.05, 0.2)), int(height * rng.uniform(0.75, 0.95))
    cv2.line(page, (x0, y0), (width - 10, y0), (0, 0, 0), 2)
    cv2.line(page, (x0, y0), (x0, 10), (0, 0, 0), 2)
    count = int(rng.integers(4, 14))
    step = (width - x0 - 20) / count
    if rng.random() < 0.5:
        ink = _color(rng)
        for index in range(count):
            bar = int(rng.uniform(0.05, 0.95) * (y0 - 10))
            left = int(x0 + step * index + step * 0.15)
            cv2.rectangle(page, (left, y0 - bar), (int(left + step * 0.7), y0), ink, -1)
        return
    for _ in range(int(rng.integers(1, 4))):
        heights = np.cumsum(rng.normal(0, 0.15, size=count)) + rng.uniform(0.2, 0.8)
        points = [[int(x0 + step * k), int(y0 - np.clip(h, 0, 1) * (y0 - 10))] for k, h in enumerate(heights)]
        cv2.polylines(page, [np.array(points)], False, _color(rng), max(2, width // 150), cv2.LINE_AA)


def _logo(rng: np.random.Generator, page: UInt8Array) -> None:
    height, width = page.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        center = (int(width * rng.uniform(0.2, 0.8)), int(height * rng.uniform(0.2, 0.8)))
        reach = int(min(height, width) * rng.uniform(0.08, 0.35))
        kind, ink = int(rng.integers(3)), _color(rng)
        if kind == 0:
            cv2.circle(page, center, reach, ink, -1 if rng.random() < 0.6 else reach // 4 + 1, cv2.LINE_AA)
        elif kind == 1:
            corners = cv2.boxPoints((center, (2 * reach, reach * rng.uniform(0.5, 2)), rng.uniform(0, 90)))
            cv2.fillPoly(page, [corners.astype(np.int32)], ink, cv2.LINE_AA)
        else:
            spokes = np.sort(rng.uniform(0, 2 * np.pi, size=int(rng.integers(3, 7))))
            edge = np.stack([np.cos(spokes), np.sin(spokes)], axis=1) * reach + center
            cv2.fillPoly(page, [edge.astype(np.int32)], ink, cv2.LINE_AA)
    if rng.random() < 0.5:
        where = (int(width * 0.1), int(height * rng.uniform(0.8, 0.95)))
        text = "".join(rng.choice(list("ABCDEFGHKLMNORSTUVXZ"), size=int(rng.integers(3, 9))))
        cv2.putText(page, text, where, _FONTS[0], height / 250, _color(rng), 3, cv2.LINE_AA)


def _pattern(rng: np.random.Generator, page: UInt8Array) -> None:
    height, width = page.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    angle, waves = rng.uniform(0, np.pi), rng.uniform(1.5, 9)
    stripes = (
        np.sin(2 * np.pi * waves / 2 * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6.3)) > 0
    )
    if rng.random() < 0.6:
        waves = rng.uniform(1.5, 9)
        stripes ^= (
            np.sin(2 * np.pi * waves / 2 * (y * np.cos(angle) - x * np.sin(angle)) + rng.uniform(0, 6.3)) > 0
        )
    page[stripes] = _color(rng)
