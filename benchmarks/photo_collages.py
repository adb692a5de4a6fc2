"""Scenes that are truly distinct, drawn from a dozen photographs, and a measure of what two scenes share.

A photographic scene is a collage of one to four layers. Each layer is a part of a photograph, scaled, turned,
bent by a smooth warp and toned; a soft shape blends it over those below; light falls unevenly over all. Every
scene carries a map of 8 x 8 cells that says which spot of which photograph each cell shows. Two scenes share
a cell if they show nearly the same spot there (within `NEAR` of the part that the layer shows), as they are
or with one of them mirrored; scenes are distinct if they share less than `MAX_SHARED` of their cells. So two
scenes may use the same photograph, even overlapping parts of it, but most of what they show at the same place
differs.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

UInt8Array = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

CELLS: Final = 8
NEAR: Final = 0.12  # of the side of what a layer shows of its photograph
MAX_SHARED: Final = 0.4  # share of cells
_PHOTOGRAPH_SIDE: Final = 900  # pixels, at most
_SKIMAGE: Final = (
    *(
        "astronaut.png",
        "brick.png",
        "camera.png",
        "cell.png",
        "chelsea.png",
        "clock_motion.png",
        "coffee.png",
    ),
    *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png"),
    *("motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg"),
)
_OTHERS: Final = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)
FILES: Final = tuple(("skimage", f"data/{name}") for name in _SKIMAGE) + _OTHERS
# Two halves without a photograph in common: tune on one, check and report on the other.
HALVES: Final = {
    "tune": tuple(range(0, len(FILES), 2)),
    "check": tuple(range(1, len(FILES), 2)),
    "report": tuple(range(1, len(FILES), 2)),
    "all": tuple(range(len(FILES))),
}
_SIZES: Final = ((4, 3), (3, 2), (1, 1), (16, 9), (3, 4), (2, 3))


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and where it comes from.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        cells: (8, 8, 4) float32: number of the photograph, x and y there, and the shorter side of the part
            that the layer shows, in pixels.
    """

    pixels: UInt8Array
    cells: Floats


@functools.cache
def photograph(index: int) -> UInt8Array:
    """(H, W, 3) uint8 RGB of one of `FILES`, read-only; the package that carries it is not imported."""
    package, file = FILES[index]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the corpus needs the package {package}: pip install 'curate-vision[dev]'")
    with Image.open(Path(spec.origin).parent / file) as opened:
        rgb = np.array(opened.convert("RGB"))
    scale = _PHOTOGRAPH_SIDE / max(rgb.shape[:2])
    if scale < 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    rgb.setflags(write=False)
    return rgb


def draw(rng: np.random.Generator, sources: tuple[int, ...], pixels: int) -> Scene:
    """Draw a photographic scene.

    Args:
        rng: Of every choice.
        sources: Indices of photographs to choose from.
        pixels: Of the scene, about.
    """
    across, down = _SIZES[int(rng.integers(len(_SIZES)))]
    unit = math.sqrt(pixels / (across * down))
    width, height = round(across * unit), round(down * unit)
    picture, cells = _layer(rng, sources, width, height)
    for _ in range(int(rng.choice(4, p=[0.08, 0.32, 0.4, 0.2]))):
        above, above_cells = _layer(rng, sources, width, height)
        mask = _mask(rng, width, height)
        picture = picture + (above - picture) * mask[:, :, None]
        centers = cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        cells = np.where(centers[:, :, None] > 0.5, above_cells, cells)
    light = 1 + rng.uniform(0, 0.3) * _smooth(rng, 3, width, height)
    picture = np.clip(picture * light[:, :, None], 0, 255)
    return Scene(picture.astype(np.uint8), cells.astype(np.float32))


def _layer(
    rng: np.random.Generator, sources: tuple[int, ...], width: int, height: int
) -> tuple[Floats, Floats]:
    """Toned pixels (H, W, 3) of a bent part of a photograph, and the cells it shows."""
    index = sources[int(rng.integers(len(sources)))]
    source = photograph(index)
    tall, wide = source.shape[:2]
    scale = min(wide / width, tall / height) * rng.uniform(0.25, 0.9)  # source pixels per scene pixel
    angle = rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else 0.0
    half_w, half_h = width * scale / 2, height * scale / 2
    x0 = rng.uniform(half_w, wide - half_w)
    y0 = rng.uniform(half_h, tall - half_h)
    x, y = np.meshgrid(np.linspace(-half_w, half_w, width), np.linspace(-half_h, half_h, height))
    if rng.random() < 0.5:
        x = -x
    bend = rng.uniform(0, 0.12) * min(half_w, half_h) * 2
    u = x0 + x * math.cos(angle) - y * math.sin(angle) + bend * _smooth(rng, 3, width, height)
    v = y0 + x * math.sin(angle) + y * math.cos(angle) + bend * _smooth(rng, 3, width, height)
    u, v = u.astype(np.float32), v.astype(np.float32)
    pixels = cv2.remap(source, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
    gain = rng.uniform(0.7, 1.25) * (1 + rng.uniform(-0.2, 0.2, size=3))
    toned = pixels * gain.astype(np.float32) + np.float32(rng.uniform(-15, 15))
    centers = [cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for part in (u, v)]
    part = np.full((CELLS, CELLS), 2 * min(half_w, half_h))
    cells = np.stack([np.full((CELLS, CELLS), index), *centers, part], axis=-1)
    return toned, cells.astype(np.float32)


def _smooth(rng: np.random.Generator, knots: int, width: int, height: int) -> Floats:
    """(H, W) smooth field, about -1..1."""
    coarse = rng.uniform(-1, 1, size=(knots + 1, knots + 1)).astype(np.float32)
    field: Floats = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return field


def _mask(rng: np.random.Generator, width: int, height: int) -> Floats:
    """(H, W) weights 0..1: a half-plane with a wavy edge or a blob, of soft or sharp edge."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        distance = x * math.cos(angle) + y * math.sin(angle) + rng.uniform(-0.3, 0.3)
    else:
        cx, cy = rng.uniform(-0.6, 0.6, size=2)
        rx, ry = rng.uniform(0.35, 0.9, size=2)
        distance = 1 - np.hypot((x - cx) / rx, (y - cy) / ry)
    wavy = distance + rng.uniform(0, 0.3) * _smooth(rng, 4, width, height)
    softness = rng.choice([0.01, 0.05, 0.2])
    weights: Floats = (1 / (1 + np.exp(-np.clip(wavy / softness, -30, 30)))).astype(np.float32)
    return weights


def shared(one: Floats, others: Floats) -> Floats:
    """(N,) share of cells that a scene (8, 8, 4) has in common with each of others (N, 8, 8, 4)."""
    best: Any = 0.0
    for cells in (one, one[:, ::-1]):
        same = others[..., 0] == cells[..., 0]
        apart = np.hypot(others[..., 1] - cells[..., 1], others[..., 2] - cells[..., 2])
        close = apart < NEAR * np.maximum(others[..., 3], cells[..., 3])
        best = np.maximum(best, (same & close).mean(axis=(1, 2)))
    found: Floats = np.asarray(best, dtype=np.float32)
    return found
