"""Pre-drawn scenes for training and evaluation, at the models' input size, kept in a cache file."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from demo.scenes import HELD_OUT_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS, draw_scene, mask_bbox_xyxy
from demo.signs import CATEGORIES

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

LONG_SIDE, SHORT_SIDE = 256, 192  # pixels that both models see
SHAPES = ((256, 192), (192, 256), (256, 170))  # (width, height)
SHAPE_WEIGHTS = (0.6, 0.2, 0.2)
DRAW_SCALE = 1.75  # drawn larger and downsampled, as the real pictures are: noise and blur look alike
RANGES = {"training": TRAINING_SEEDS, "validation": VALIDATION_SEEDS, "held_out": HELD_OUT_SEEDS}


@dataclass(frozen=True, slots=True)
class PoolScene:
    """Small scene of the training pool.

    Attributes:
        image: (H, W, 3) RGB, one of `SHAPES`.
        masks: (N, H, W) visible pixels.
        boxes: (N, 4) xyxy pixels.
        categories: (N,) indices into `demo.signs.CATEGORIES`.
    """

    image: UInt8Array
    masks: BoolArray
    boxes: FloatArray
    categories: npt.NDArray[np.int64]


def small_scene(seed: int) -> PoolScene:
    """Draw one scene and bring it to its input size."""
    width, height = SHAPES[int(np.random.default_rng([seed, 1]).choice(len(SHAPES), p=SHAPE_WEIGHTS))]
    scene = draw_scene(seed, size=(round(width * DRAW_SCALE), round(height * DRAW_SCALE)))
    image = cv2.resize(scene.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    masks, boxes, categories = [], [], []
    for item in scene.objects:
        share = cv2.resize(item.mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        mask = share >= 0.5
        if mask.any():
            masks.append(mask)
            boxes.append(mask_bbox_xyxy(mask))
            categories.append(CATEGORIES.index(item.category))
    return PoolScene(
        image,
        np.asarray(masks, dtype=bool).reshape(-1, height, width),
        np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        np.asarray(categories, dtype=np.int64),
    )


def _worker(seed: int) -> PoolScene:
    cv2.setNumThreads(1)
    return small_scene(seed)


def load_pool(name: str, count: int, *, folder: Path, jobs: int | None = None) -> list[PoolScene]:
    """The first `count` scenes of a seed range; drawn once, then read from `folder`.

    Args:
        name: "training", "validation" or "held_out".
        count: scenes.
        folder: cache folder.
        jobs: processes; all cores if None.
    """
    path = folder / f"pool_{name}_{count}.npz"
    if not path.exists():
        seeds = RANGES[name][:count]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=context) as executor:
            _save(list(executor.map(_worker, seeds, chunksize=16)), path)
    return _load(path)


def _save(scenes: Sequence[PoolScene], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.stem + ".partial.npz")
    np.savez(
        partial,
        shapes=np.array([scene.image.shape[:2] for scene in scenes]),
        counts=np.array([len(scene.boxes) for scene in scenes]),
        images=np.concatenate([scene.image.reshape(-1) for scene in scenes]),
        masks=np.concatenate([np.packbits(scene.masks.reshape(-1)) for scene in scenes]),
        boxes=np.concatenate([scene.boxes for scene in scenes]),
        categories=np.concatenate([scene.categories for scene in scenes]),
    )
    partial.replace(path)


def _load(path: Path) -> list[PoolScene]:
    with np.load(path) as stored:
        data = {key: stored[key] for key in stored.files}
    scenes: list[PoolScene] = []
    pixel = byte = row = 0
    for (height, width), count in zip(data["shapes"].tolist(), data["counts"].tolist(), strict=True):
        area = height * width
        length = (count * area + 7) // 8
        masks = np.unpackbits(data["masks"][byte : byte + length], count=count * area).astype(bool)
        scenes.append(
            PoolScene(
                data["images"][pixel : pixel + area * 3].reshape(height, width, 3),
                masks.reshape(count, height, width),
                data["boxes"][row : row + count],
                data["categories"][row : row + count],
            )
        )
        pixel, byte, row = pixel + area * 3, byte + length, row + count
    return scenes


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw a pool ahead of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--range", choices=sorted(RANGES), default="training")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--cache", type=Path, default=Path(".cache/demo"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    scenes = load_pool(options.range, options.count, folder=options.cache, jobs=options.jobs)
    objects = sum(len(scene.boxes) for scene in scenes)
    print(f"{len(scenes)} scenes, {objects} signs, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
