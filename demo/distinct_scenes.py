"""Draws many scenes in parallel, no two of which look alike to a perceptual hash."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image
from pycocotools import mask as coco_mask

from demo.scenes import draw_scene

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

MIN_DISTANCE = 10  # bits of 64 between two scenes; the dedupe stage joins at 6 to 8
TRIES = 20  # sub-seeds of one scene


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """What decides a scene: its first seed (TRIES follow), (width, height), the photographs allowed."""

    seed: int
    size: tuple[int, int]
    photographs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrameObject:
    """One sign in a picture: category, COCO compressed RLE counts of its mask."""

    category: str
    rle: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture (H, W, 3) RGB and its signs, in its own pixels."""

    image: UInt8Array
    objects: tuple[FrameObject, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def mask(self, index: int) -> BoolArray:
        """(H, W) mask of one object."""
        height, width = self.image.shape[:2]
        return decode_rle(self.objects[index].rle, height, width)


def encode_rle(mask: BoolArray) -> str:
    """COCO compressed RLE counts of a mask, as text."""
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def decode_rle(rle: str, height: int, width: int) -> BoolArray:
    """(height, width) mask of COCO compressed RLE counts."""
    decoded: BoolArray = coco_mask.decode({"size": [height, width], "counts": rle.encode("ascii")}).astype(
        bool
    )
    return decoded


def perceptual_hash(image: UInt8Array) -> int:
    """64-bit pHash of an RGB picture."""
    return int(str(imagehash.phash(Image.fromarray(image))), 16)


def hamming(a: int, b: int) -> int:
    """Bits in which two hashes differ."""
    return (a ^ b).bit_count()


def draw_frame(spec: SceneSpec, attempt: int) -> tuple[Frame, int]:
    """Draw one scene with its `attempt`-th sub-seed; also returns its perceptual hash."""
    scene = draw_scene(spec.seed + attempt, size=spec.size, photographs=spec.photographs)
    objects = tuple(FrameObject(item.category, encode_rle(item.mask)) for item in scene.objects)
    return Frame(scene.image, objects), perceptual_hash(scene.image)


def _first_draw(spec: SceneSpec) -> tuple[Frame, int]:
    cv2.setNumThreads(1)  # the processes already fill the cores
    return draw_frame(spec, 0)


def draw_distinct(specs: Sequence[SceneSpec], *, jobs: int) -> tuple[list[Frame], int]:
    """Draw all scenes; one that looks like an earlier one is drawn again with its next sub-seed.

    Args:
        specs: the scenes, whose seeds lie at least `TRIES` apart.
        jobs: processes.

    Returns:
        One frame a spec, and how many scenes had to be drawn again. The same for any number of processes.

    Raises:
        RuntimeError: a scene still resembles an earlier one after all tries.
    """
    if jobs > 1:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            drawn = list(pool.map(_first_draw, specs, chunksize=4))
    else:
        drawn = [draw_frame(spec, 0) for spec in specs]
    accepted: list[int] = []
    frames: list[Frame] = []
    redrawn = 0
    for spec, (first, first_hash) in zip(specs, drawn, strict=True):
        frame, value, attempt = first, first_hash, 0
        while any(hamming(value, other) < MIN_DISTANCE for other in accepted):
            attempt += 1
            if attempt == TRIES:
                raise RuntimeError(f"scene {spec.seed} still resembles an earlier one after {TRIES} tries")
            frame, value = draw_frame(spec, attempt)
        redrawn += attempt > 0
        accepted.append(value)
        frames.append(frame)
    return frames, redrawn
