"""Weights and images for benchmarks/autolabel.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from PIL import Image

from benchmarks.autolabel_stage import CHECKPOINT, SEGMENTER
from curate import schema, tables
from curate.adapters.sam_builds import SAM_BUILDS
from curate.records import ImageRecord
from demo.scenes import HELD_OUT_SEEDS, draw_scene
from tests.adapters import full_size


def make_weights(folder: str) -> None:
    """Random weights of the public architectures in their public formats."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    encoder = full_size.save_text_encoder(target)
    full_size.save_grounding_dino(target / CHECKPOINT, full_size.grounding_dino(encoder, "SwinT_OGC"))
    torch.manual_seed(0)
    torch.save(SAM_BUILDS["vit_b"]().state_dict(), target / SEGMENTER)


def make_images(folder: str, number: int, width: int, height: int) -> None:
    """Drawn scenes as JPEG files, their table and a taxonomy."""
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    records = []
    for index in range(number):
        path = root / f"{index}.jpg"
        if not path.is_file():
            scene = draw_scene(HELD_OUT_SEEDS[index % len(HELD_OUT_SEEDS)], size=(width, height))
            Image.fromarray(scene.image).save(path, quality=90)
        image_id = hashlib.sha256(str(index).encode()).hexdigest()
        records.append(
            ImageRecord(image_id, ("made",), path.stat().st_size, path=str(path), width=width, height=height)
        )
    tables.write_rows([record.row() for record in records], root / "images.parquet", schema.IMAGES)
