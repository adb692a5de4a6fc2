"""Rows of the tables of restoration with defaults."""

from __future__ import annotations

from typing import Any

from curate.restoration.image_faults import FIGURES


def pair(pair_id: str, **more: Any) -> dict[str, Any]:
    return {
        "pair_id": pair_id,
        "image_id": "i",
        "hr_path": "hr.png",
        "lr_path": "lr.png",
        "x": 0,
        "y": 0,
        "width": 48,
        "height": 40,
        "scale": 4,
        "resized": 1.0,
        "preset": "classical",
        "recipe": "[]",
        "seed": 0,
        "hr_sha256": "0",
        "lr_sha256": "0",
        "license": "cc-by-4.0",
        "attribution": None,
        "split": "train",
        **more,
    }


def upscaled(model: str, image_id: str, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "image_id": image_id,
        "source": "lr.png",
        "source_sha256": "0",
        "path": None,
        "width": 48,
        "height": 40,
        "scale": 4,
        "model_version": f"{model}@1",
        "ran_on": "cpu float32",
        "model_license": "none",
        "outcome": "upscaled",
        "reason": None,
        "detail": None,
        **more,
    }


def diagnosed(image_id: str, faults: list[str], bands: dict[str, str]) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "path": f"{image_id}.png",
        **dict.fromkeys(FIGURES, 1.0),
        "faults": faults,
        "unknown": [],
        "words": "; ".join(faults),
        "bands": sorted(bands.items()),
    }
