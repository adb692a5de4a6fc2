"""Draws scenes: signs with perspective, occlusion, blur, noise and light on crops of photographs.

A scene is a function of its seed, its size and the photographs allowed: the same bytes every time.
The seeds of the demo's data, of training, of threshold picking and of the held-out evaluation are disjoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from demo.augmentations import scene_effects, warp_sign
from demo.backgrounds import draw_background, draw_texture
from demo.photographs import PHOTOGRAPHS
from demo.signs import CATEGORIES, DISTRACTORS, draw_sign

FloatArray = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

DEMO_SEEDS = range(0, 10_000_000)
TRAINING_SEEDS = range(10_000_000, 20_000_000)
VALIDATION_SEEDS = range(20_000_000, 21_000_000)  # thresholds are picked here
HELD_OUT_SEEDS = range(30_000_000, 31_000_000)  # figures are measured here and nothing is chosen

SIDE_RANGE = (38.0, 200.0)  # pixels of a sign in a 640-wide scene
MIN_VISIBLE_SHARE = 0.5  # of the whole sign's area; less is not drawn
MIN_MASK_PIXELS = 40
MAX_BOX_IOU = 0.12  # two signs' boxes
OBJECT_COUNTS = (0, 1, 2, 3, 4)
OBJECT_COUNT_WEIGHTS = (0.06, 0.28, 0.30, 0.22, 0.14)


@dataclass(frozen=True, slots=True)
class SceneObject:
    """Annotated sign of a scene.

    Attributes:
        category: one of `demo.signs.CATEGORIES`.
        mask: (H, W) the sign's visible pixels.
        bbox_xyxy: the mask's box in pixels, right and bottom edges exclusive.
    """

    category: str
    mask: BoolArray
    bbox_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and what stands in it: image (H, W, 3) RGB uint8."""

    image: UInt8Array
    objects: tuple[SceneObject, ...]


@dataclass(slots=True)
class _Placed:
    kind: str
    coverage: FloatArray  # (H, W) alpha that is still visible, in 0..1
    full_area: float  # pixels of the whole sign, also those outside the picture


def mask_bbox_xyxy(mask: BoolArray) -> tuple[float, float, float, float]:
    """Box of a mask's pixels, (x0, y0, x1, y1) with exclusive right and bottom edges."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def draw_scene(seed: int, *, size: tuple[int, int], photographs: Sequence[str] | None = None) -> Scene:
    """Draw a scene from its specification.

    Args:
        seed: decides everything.
        size: (width, height) in pixels; signs scale with width / 640.
        photographs: names of the photographs allowed as background (all if None).

    Returns:
        The picture and its visible signs, those drawn first at the front of the tuple.
    """
    rng = np.random.default_rng(seed)
    names = tuple(photographs) if photographs is not None else tuple(PHOTOGRAPHS)
    canvas = draw_background(rng, size, names).astype(np.float32) / np.float32(255)
    count = int(rng.choice(OBJECT_COUNTS, p=OBJECT_COUNT_WEIGHTS))
    kinds = [CATEGORIES[int(rng.integers(len(CATEGORIES)))] for _ in range(count)]
    if rng.random() < 0.25:
        kinds.insert(int(rng.integers(len(kinds) + 1)), DISTRACTORS[int(rng.integers(len(DISTRACTORS)))])
    placed: list[_Placed] = []
    for kind in kinds:
        item = _place(canvas, kind, placed, rng, names)
        if item is not None:
            placed.append(item)
    image = scene_effects(np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8), seed, size[0] / 640)
    return Scene(image, tuple(_objects(placed)))


def _objects(placed: Sequence[_Placed]) -> list[SceneObject]:
    objects = []
    for item in placed:
        mask = item.coverage >= 0.5
        if item.kind in CATEGORIES and int(mask.sum()) >= MIN_MASK_PIXELS:
            objects.append(SceneObject(item.kind, mask, mask_bbox_xyxy(mask)))
    return objects


def _place(
    canvas: FloatArray, kind: str, placed: list[_Placed], rng: np.random.Generator, names: Sequence[str]
) -> _Placed | None:
    """Find a place for one sign and draw it, with its pole and perhaps something in front of it."""
    height, width = canvas.shape[:2]
    low, high = (side * width / 640 for side in SIDE_RANGE)
    side = min(low * (high / low) ** rng.random(), 0.55 * height)
    sign = _tilted_sign(kind, side, rng)
    for _ in range(12):
        reach = 0.12 if rng.random() < 0.2 else 0.0  # share of the sign that may leave the picture
        h, w = sign.shape[:2]
        x = int(rng.integers(round(-reach * w), max(1, round(width - w + reach * w) + 1)))
        y = int(rng.integers(round(-reach * h), max(1, round(height - h + reach * h) + 1)))
        layer = _paste((height, width), sign, x, y)
        pole = _pole(canvas.shape, sign, x, y, rng)
        veil = _occluder(layer, side, rng)
        coverage = layer[:, :, 3] * (1 - veil)
        item = _Placed(kind, coverage, float(sign[:, :, 3].sum()))
        if not _fits(item, pole, veil, placed):
            continue
        for other in placed:
            other.coverage *= (1 - layer[:, :, 3]) * (1 - pole) * (1 - veil)
        _blend(canvas, pole, _pole_color(rng))
        canvas *= 1 - layer[:, :, 3:]
        canvas += layer[:, :, :3]
        if veil.any():
            _blend(
                canvas, veil, draw_texture(rng, (width, height), names).astype(np.float32) / np.float32(255)
            )
        return item
    return None


def _fits(item: _Placed, pole: FloatArray, veil: FloatArray, placed: Sequence[_Placed]) -> bool:
    """Whether the new sign and all earlier ones stay visible enough and their boxes overlap little."""
    if item.coverage.sum() < MIN_VISIBLE_SHARE * item.full_area or not (item.coverage >= 0.5).any():
        return False
    box = mask_bbox_xyxy(item.coverage >= 0.5)
    hidden = np.maximum(np.maximum(item.coverage, pole), veil)
    for other in placed:
        left = other.coverage * (1 - hidden)
        # A little above the limit, because later signs may hide some more.
        if left.sum() < (MIN_VISIBLE_SHARE + 0.05) * other.full_area:
            return False
        if _box_iou(box, mask_bbox_xyxy(other.coverage >= 0.5)) > MAX_BOX_IOU:
            return False
    return True


def _box_iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union


def _tilted_sign(kind: str, side: float, rng: np.random.Generator) -> FloatArray:
    """(h, w, 4) premultiplied RGBA of about `side` pixels, seen from an angle, in its own light."""
    supersampling = 4.0 if side <= 110 else 440 / side  # 4x until the canvas would only cost time
    margin = 0.14
    canvas_side = max(24, round(side * supersampling / (1 - 2 * margin)))
    drawn = draw_sign(kind, canvas_side, rng, margin=margin)
    warped = warp_sign(drawn, int(rng.integers(2**31)))
    rows, columns = np.flatnonzero(warped[:, :, 3].any(axis=1)), np.flatnonzero(warped[:, :, 3].any(axis=0))
    warped = warped[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(4, round(warped.shape[1] / supersampling * rng.uniform(0.78, 1.0)))  # turned away: narrower
    height = max(4, round(warped.shape[0] / supersampling))
    sign: FloatArray = cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    gain = rng.uniform(0.55, 1.08) * (1 + rng.uniform(-0.08, 0.08, size=3))
    slope = np.linspace(1 - rng.uniform(0, 0.25), 1, height, dtype=np.float32)
    if rng.random() < 0.5:
        slope = slope[::-1]
    sign[:, :, :3] *= gain.astype(np.float32) * slope[:, None, None]
    sign[:, :, :3] = np.minimum(sign[:, :, :3], sign[:, :, 3:])
    return sign


def _paste(shape: tuple[int, int], sign: FloatArray, x: int, y: int) -> FloatArray:
    """The sign on an empty (H, W, 4) layer, its upper left corner at (x, y), cut at the edges."""
    height, width = shape
    layer = np.zeros((height, width, 4), dtype=np.float32)
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + sign.shape[1]), min(height, y + sign.shape[0])
    layer[y0:y1, x0:x1] = sign[y0 - y : y1 - y, x0 - x : x1 - x]
    return layer


def _blend(canvas: FloatArray, alpha: FloatArray, color: FloatArray) -> None:
    canvas *= 1 - alpha[:, :, None]
    canvas += alpha[:, :, None] * color


def _pole_color(rng: np.random.Generator) -> FloatArray:
    return (rng.uniform(0.25, 0.65) * (1 + rng.uniform(-0.06, 0.06, size=3))).astype(np.float32)


def _pole(shape: tuple[int, ...], sign: FloatArray, x: int, y: int, rng: np.random.Generator) -> FloatArray:
    """(H, W) alpha of a pole behind and below the sign; all zero for half of the signs."""
    alpha = np.zeros(shape[:2], dtype=np.uint8)
    if rng.random() < 0.5:
        h, w = sign.shape[:2]
        middle, half = x + w / 2, max(1.0, 0.03 * w)
        lean = rng.uniform(-0.04, 0.04) * h
        end = y + h * (1 + rng.uniform(0.6, 1.6))
        corners = [
            (middle - half, y + h / 2),
            (middle + half, y + h / 2),
            (middle + half + lean, end),
            (middle - half + lean, end),
        ]
        cv2.fillPoly(alpha, [np.round(np.asarray(corners) * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return alpha.astype(np.float32) / np.float32(255)


def _occluder(layer: FloatArray, side: float, rng: np.random.Generator) -> FloatArray:
    """(H, W) alpha of a leaf-like blob or a bar in front of part of the sign; mostly all zero."""
    alpha = np.zeros(layer.shape[:2], dtype=np.uint8)
    if rng.random() < 0.3 and layer[:, :, 3].any():
        x0, y0, x1, y1 = mask_bbox_xyxy(layer[:, :, 3] > 0)
        angle = rng.uniform(0, 2 * math.pi)
        if rng.random() < 0.5:  # a blob over one edge of the sign
            cx = (x0 + x1) / 2 + math.cos(angle) * (x1 - x0) * 0.55
            cy = (y0 + y1) / 2 + math.sin(angle) * (y1 - y0) * 0.55
            turns = np.linspace(0, 2 * math.pi, 14, endpoint=False)
            radii = side * rng.uniform(0.22, 0.38) * rng.uniform(0.75, 1.25, size=14)
            corners = np.stack([cx + np.cos(turns) * radii, cy + np.sin(turns) * radii], axis=1)
        else:  # a bar across it: a branch, a cable, another pole
            cx, cy = rng.uniform(x0, x1), rng.uniform(y0, y1)
            along, across = (
                np.array([math.cos(angle), math.sin(angle)]),
                np.array([-math.sin(angle), math.cos(angle)]),
            )
            half = side * rng.uniform(0.04, 0.1)
            ends = side * rng.uniform(0.8, 1.6, size=2)
            middle = np.array([cx, cy])
            corners = np.stack(
                [
                    middle + s * e * along + t * half * across
                    for s, e, t in ((1, ends[0], 1), (1, ends[0], -1), (-1, ends[1], -1), (-1, ends[1], 1))
                ]
            )
        cv2.fillPoly(alpha, [np.round(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return alpha.astype(np.float32) / np.float32(255)
