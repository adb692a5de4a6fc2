"""Draws traffic signs face on, at several times their final size, as premultiplied RGBA.

The outline of a sign is filled with its rim's color beyond the silhouette's edge by construction
(premultiplied alpha), so that warping and downsampling leave no dark fringe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # RGB, 0..255
Point = tuple[float, float]  # x, y in the sign's own frame, -1..1

CATEGORIES = ("stop_sign", "warning_triangle", "parking_sign", "priority_diamond")

WHITE: Color = (244, 244, 240)
RED: Color = (190, 24, 32)
BLUE: Color = (22, 74, 160)
YELLOW: Color = (246, 190, 22)
BLACK: Color = (24, 24, 26)
GREEN: Color = (20, 110, 62)
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


class _Canvas:
    """A square RGB picture with its silhouette, in the frame -1..1 with a margin around it."""

    def __init__(self, side: int, margin: float) -> None:
        """Args: side: pixels of the whole canvas; margin: empty share of the side on each edge."""
        self.rgb: UInt8Array = np.zeros((side, side, 3), dtype=np.uint8)
        self.alpha: UInt8Array = np.zeros((side, side), dtype=np.uint8)
        self.scale = side * (1 - 2 * margin) / 2  # pixels per unit
        self.center = side / 2

    def _pixels(self, points: Sequence[Point]) -> npt.NDArray[np.int32]:
        array = (np.asarray(points, dtype=np.float64) * self.scale + self.center) * (1 << _SHIFT)
        return np.round(array).astype(np.int32)

    def polygon(self, points: Sequence[Point], color: Color, *, outline: bool = False) -> None:
        """Fill a polygon; with `outline` it also becomes part of the silhouette."""
        pixels = self._pixels(points)
        cv2.fillPoly(self.rgb, [pixels], color, cv2.LINE_AA, _SHIFT)
        if outline:
            self.rgb[:] = color  # the silhouette alone decides where the sign ends
            cv2.fillPoly(self.alpha, [pixels], (255,), cv2.LINE_AA, _SHIFT)

    def circle(self, radius: float, color: Color, *, outline: bool = False) -> None:
        """Fill a circle around the center."""
        self.polygon(_regular(64, radius, 0.0), color, outline=outline)

    def text(
        self, text: str, color: Color, *, width: float, height: float, center: Point, weight: float
    ) -> None:
        """Stroke `text` into `width` x `height` units around `center`; `weight` is the stroke's width."""
        font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(weight * self.scale))
        (w, h), _ = cv2.getTextSize(text, font, 10.0, 1)
        font_scale = 10.0 * height * self.scale / h
        (w, h), _ = cv2.getTextSize(text, font, font_scale, 1)
        layer = np.zeros((h + 4 * thickness, w + 4 * thickness), dtype=np.uint8)
        origin = (2 * thickness, h + 2 * thickness)
        cv2.putText(layer, text, origin, font, font_scale, (255,), thickness, cv2.LINE_AA)
        columns, rows = np.flatnonzero(layer.any(axis=0)), np.flatnonzero(layer.any(axis=1))
        layer = layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        box = max(2, round(width * self.scale)), max(2, round(height * self.scale))
        glyphs = cv2.resize(layer, box, interpolation=cv2.INTER_AREA).astype(np.float32)[:, :, None] / 255
        x = round(self.center + center[0] * self.scale - box[0] / 2)
        y = round(self.center + center[1] * self.scale - box[1] / 2)
        window = self.rgb[y : y + box[1], x : x + box[0]]
        window[:] = np.round(window * (1 - glyphs) + np.asarray(color, np.float32) * glyphs).astype(np.uint8)

    def premultiplied(self) -> FloatArray:
        """(side, side, 4) in 0..1, color already multiplied by alpha."""
        alpha = self.alpha.astype(np.float32)[:, :, None] / 255
        return np.concatenate([self.rgb.astype(np.float32) / 255 * alpha, alpha], axis=2)


def _regular(corners: int, radius: float, turn: float) -> list[Point]:
    """Corners of a regular polygon; `turn` in radians, 0 puts the first corner to the right."""
    angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _rounded(points: Sequence[Point], radius: float, steps: int = 6) -> list[Point]:
    """Cut the corners of a convex polygon with short quadratic curves."""
    rounded: list[Point] = []
    for index, corner in enumerate(points):
        before, after = points[index - 1], points[(index + 1) % len(points)]
        ends: list[Point] = []
        for other in (before, after):
            length = math.hypot(other[0] - corner[0], other[1] - corner[1])
            share = radius / length
            ends.append(
                (corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share)
            )
        for step in range(steps + 1):
            t = step / steps
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
            rounded.append(
                (
                    a * ends[0][0] + b * corner[0] + c * ends[1][0],
                    a * ends[0][1] + b * corner[1] + c * ends[1][1],
                )
            )
    return rounded


def _square(half: float) -> list[Point]:
    return [(-half, -half), (half, -half), (half, half), (-half, half)]


def _stop_sign(canvas: _Canvas, _rng: np.random.Generator) -> None:
    canvas.polygon(_regular(8, 1.05, math.pi / 8), WHITE, outline=True)
    canvas.polygon(_regular(8, 0.97, math.pi / 8), RED)
    canvas.text("STOP", WHITE, width=1.5, height=0.58, center=(0.0, 0.0), weight=0.12)


def _warning_triangle(canvas: _Canvas, rng: np.random.Generator) -> None:
    triangle = [(0.0, -0.9), (1.03, 0.88), (-1.03, 0.88)]
    inner = [(0.0, -0.46), (0.68, 0.68), (-0.68, 0.68)]
    canvas.polygon(_rounded(triangle, 0.22), RED, outline=True)
    canvas.polygon(_rounded(inner, 0.1), WHITE)
    mark = int(rng.integers(3))
    if mark == 0:  # exclamation mark
        canvas.polygon([(-0.09, -0.12), (0.09, -0.12), (0.05, 0.32), (-0.05, 0.32)], BLACK)
        canvas.polygon([(x, y + 0.48) for x, y in _regular(24, 0.085, 0.0)], BLACK)
    elif mark == 1:  # crossroads
        canvas.polygon([(-0.07, -0.08), (0.07, -0.08), (0.07, 0.58), (-0.07, 0.58)], BLACK)
        canvas.polygon([(-0.32, 0.2), (0.32, 0.2), (0.32, 0.34), (-0.32, 0.34)], BLACK)
    else:  # bend
        canvas.polygon(
            [(-0.26, 0.56), (-0.26, 0.2), (0.05, 0.02), (0.13, 0.14), (-0.12, 0.3), (-0.12, 0.56)], BLACK
        )
        canvas.polygon([(0.0, -0.1), (0.28, -0.02), (0.14, 0.24)], BLACK)


def _parking_sign(canvas: _Canvas, _rng: np.random.Generator) -> None:
    canvas.polygon(_rounded(_square(0.94), 0.16), WHITE, outline=True)
    canvas.polygon(_rounded(_square(0.87), 0.14), BLUE)
    canvas.text("P", WHITE, width=0.74, height=1.12, center=(0.02, 0.0), weight=0.24)


def _priority_diamond(canvas: _Canvas, _rng: np.random.Generator) -> None:
    canvas.polygon(_rounded(_regular(4, 1.12, 0.0), 0.2), WHITE, outline=True)
    canvas.polygon(_rounded(_regular(4, 1.04, 0.0), 0.18), BLACK)
    canvas.polygon(_rounded(_regular(4, 1.0, 0.0), 0.17), WHITE)
    canvas.polygon(_rounded(_regular(4, 0.74, 0.0), 0.12), YELLOW)


def _round_limit(canvas: _Canvas, rng: np.random.Generator) -> None:
    canvas.circle(0.98, RED, outline=True)
    canvas.circle(0.76, WHITE)
    text = ("30", "50", "70")[int(rng.integers(3))]
    canvas.text(text, BLACK, width=0.96, height=0.62, center=(0.0, 0.0), weight=0.13)


def _direction_board(canvas: _Canvas, rng: np.random.Generator) -> None:
    board = [(-1.1, -0.5), (1.1, -0.5), (1.1, 0.5), (-1.1, 0.5)]
    color = (GREEN, WHITE, BLACK)[int(rng.integers(3))]
    canvas.polygon(_rounded(board, 0.12), WHITE if color != WHITE else BLACK, outline=True)
    canvas.polygon(_rounded([(x * 0.95, y * 0.9) for x, y in board], 0.1), color)
    ink = WHITE if color != WHITE else BLACK
    canvas.text(
        ("A7", "Ost", "EXIT")[int(rng.integers(3))], ink, width=1.2, height=0.5, center=(0, 0), weight=0.08
    )


_DRAW: dict[str, Callable[[_Canvas, np.random.Generator], None]] = {
    "stop_sign": _stop_sign,
    "warning_triangle": _warning_triangle,
    "parking_sign": _parking_sign,
    "priority_diamond": _priority_diamond,
    # Not annotated: they make sure that "a sign" is not enough to be found.
    "round_limit": _round_limit,
    "direction_board": _direction_board,
}
DISTRACTORS = ("round_limit", "direction_board")


def draw_sign(kind: str, side: int, rng: np.random.Generator, *, margin: float = 0.14) -> FloatArray:
    """Draw one sign face on.

    Args:
        kind: one of `CATEGORIES` or `DISTRACTORS`.
        side: pixels of the square canvas, margins included.
        rng: chooses the mark of a warning triangle and the like.
        margin: empty share of the side on each edge, room for perspective.

    Returns:
        (side, side, 4) premultiplied RGBA in 0..1.
    """
    canvas = _Canvas(side, margin)
    _DRAW[kind](canvas, rng)
    return canvas.premultiplied()
