"""Models of full size in the public formats load through the adapters and answer; random weights.

Swin-T, Grounding DINO tiny and SAM's vit_b, which stand in test_same_models.py, do so there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from skimage import data

from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.sam_builds import SAM_BUILDS
from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.params import DetectorParams, SegmenterParams
from curate.records import Detections
from tests.adapters import full_size, key_maps
from tests.adapters.small_models import boxes_of, category

pytestmark = pytest.mark.integration
CATEGORIES = (category("stop", "stop sign", "red sign"), category("dog", "dog"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gigabytes, removed at once."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def assert_sound(found: Detections, width: int, height: int) -> None:
    assert len(found.scores) > 100
    assert np.isfinite(found.boxes).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height, width, height]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.categories) <= {"stop", "dog"}


def test_grounding_dino_swin_b(folder: Path) -> None:
    """On a narrow strip, which is 1333 x 133 pixels to the model: a full image costs ten times as much."""
    encoder = full_size.save_text_encoder(folder)
    state = full_size.grounding_dino(encoder, "SwinB")
    assert state["backbone.0.layers.2.blocks.17.attn.qkv.weight"].shape == (1536, 512)
    checkpoint = full_size.save_grounding_dino(folder / "groundingdino_swinb_cogcoor.pth", state)
    assert checkpoint.stat().st_size == pytest.approx(938_057_991, rel=0.01)  # the public file's
    del state
    strip = np.ascontiguousarray(data.astronaut()[:50, :500])
    settings = DetectorParams(kind="groundingdino", model=str(checkpoint))
    (found,) = boxes_of(GroundingDinoDetector(settings, device="cpu"), [strip], CATEGORIES)
    assert_sound(found, 500, 50)


def test_owlv2_base(folder: Path) -> None:
    model = full_size.save_owlv2_base(folder / "owlv2")
    assert (model / "model.safetensors").stat().st_size > 350e6  # a small vocabulary: 100 MB less than public
    detector = TransformersDetector(DetectorParams(model=str(model)), device="cpu")
    (found,) = boxes_of(detector, [data.chelsea()], CATEGORIES)
    assert_sound(found, 451, 300)


def test_sam2_hiera_tiny(folder: Path) -> None:
    model = full_size.save_sam2_tiny(folder / "sam2")
    assert (model / "model.safetensors").stat().st_size == pytest.approx(155_908_064, rel=0.05)
    settings = SegmenterParams(kind="transformers", model=str(model))
    boxes = np.array([[10, 20, 200, 180], [150, 60, 440, 290]], dtype=np.float32)
    masks, quality = TransformersSegmenter(settings, device="cpu").segment(data.chelsea(), boxes)
    assert masks.shape == (2, 300, 451)
    assert np.isfinite(quality).all()


@pytest.mark.parametrize(
    ("build", "size", "vision"),
    [
        (
            "vit_l",
            1_249_524_607,
            {"hidden_size": 1024, "num_hidden_layers": 24, "global_attn_indexes": [5, 11, 17, 23]},
        ),
        (
            "vit_h",
            2_564_550_879,
            {"hidden_size": 1280, "num_hidden_layers": 32, "global_attn_indexes": [7, 15, 23, 31]},
        ),
    ],
)
def test_the_large_sams_have_the_public_sizes_and_names(
    build: str, size: int, vision: dict[str, Any]
) -> None:
    """Without memory for the weights: every name and shape is that of transformers' model of that size."""
    with torch.device("meta"):
        state = SAM_BUILDS[build]().state_dict()
        config = transformers.SamVisionConfig(
            **vision, num_attention_heads=16, mlp_dim=4 * vision["hidden_size"]
        )
        other = transformers.SamModel(transformers.SamConfig(vision_config=config.to_dict())).state_dict()
    renamed = {name: tuple(value.shape) for name, value in key_maps.sam(state).items()}
    assert renamed == {name: tuple(value.shape) for name, value in other.items()}
    assert 4 * sum(value.numel() for value in state.values()) == pytest.approx(size, rel=1e-3)
