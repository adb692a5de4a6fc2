"""A project before its release, for `benchmarks.release`: many images of a few pictures, with masks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from curate.records import Annotation
from tests import builders

WIDTH, HEIGHT, PER_IMAGE = 640, 480, 3
CATEGORIES = ("stop_sign", "parking_sign")


def make(root: Path, images: int, pictures: int) -> int:
    """What the stages before the release leave, anew.

    Args:
        root: Of the project; its pictures are drawn once.
        images: Images of the table.
        pictures: Distinct files; all others are links to them.

    Returns:
        The bytes of all images.
    """
    shutil.rmtree(root / "data", ignore_errors=True)
    builders.small_project(root)
    files = [root / f"pictures/{number}.jpg" for number in range(pictures)]
    for number, path in enumerate(files):
        if not path.exists():
            draw(path, number)
    shape = builders.rle(builders.ellipse((100.0, 80.0, 260.0, 300.0), size=(WIDTH, HEIGHT)))
    records, rows, size = [], [], 0
    for number in range(images):
        record = replace(builders.image(f"image {number}"), width=WIDTH, height=HEIGHT)
        target = root / str(record.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(files[number % pictures])
        size += target.stat().st_size
        records.append(record)
        for place in range(PER_IMAGE):
            box = (100.0, 80.0, 260.0, 300.0)
            rows.append(
                Annotation(
                    annotation_id=f"{number:07d}{place:017d}", image_id=record.image_id, origin="consensus",
                    category=CATEGORIES[(number + place) % 2], bbox_xyxy=box, rle=shape,
                )
            )  # fmt: skip
    builders.write_images(root / "data/dedupe/images.parquet", records)
    builders.write_annotations(root / "data/agreement/consensus.parquet", rows)
    return size


def draw(path: Path, seed: int) -> None:
    """Write a picture: a gradient with noise, of about 150 kB."""
    rng = np.random.default_rng(seed)
    first, last = rng.integers(40, 200, (2, 3))
    ramp = np.linspace(first, last, WIDTH)[None]
    pixels = np.clip(ramp + rng.normal(0, 21, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, quality=88)
