"""The Segment Anything segmenter on a small model with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import segment_anything
import torch

from curate.adapters import box_batches
from curate.adapters.sam_builds import build_sam_tiny
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.errors import ModelError
from curate.params import SegmenterParams
from tests.adapters.small_models import noise, save_segmenter

BOXES = np.array([[4, 5, 30, 40], [0, 0, 64, 48], [20.5, 10.25, 60, 44]], dtype=np.float32)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_segmenter(tmp_path_factory.mktemp("models") / "sam.pth")


def load(checkpoint: Path, build: str = "tiny", device: str = "cpu") -> SegmentAnythingSegmenter:
    settings = SegmenterParams.model_validate({"build": build, "model": str(checkpoint)})
    return SegmentAnythingSegmenter(settings, device=device)


def test_masks_are_those_of_the_predictor(checkpoint: Path) -> None:
    masks, quality = load(checkpoint).segment(noise(0), BOXES)
    assert masks.shape == (3, 48, 64)
    assert masks.dtype == np.bool_
    assert quality.dtype == np.float32
    assert ((quality >= 0) & (quality <= 1)).all()
    predictor = segment_anything.SamPredictor(build_sam_tiny(str(checkpoint)))
    predictor.set_image(noise(0))
    for box, mask, score in zip(BOXES, masks, quality, strict=True):
        expected, iou, _ = predictor.predict(box=box, multimask_output=False)
        assert (mask != expected[0]).mean() < 1e-3  # batches round differently at a mask's very edge
        assert score == pytest.approx(float(np.clip(iou[0], 0, 1)), abs=1e-4)


def test_parts_of_a_long_list_of_boxes_are_the_same(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = load(checkpoint)
    whole, quality = segmenter.segment(noise(0), BOXES)
    monkeypatch.setattr(box_batches, "_MASK_PIXELS", 48 * 64)
    parts, part_quality = segmenter.segment(noise(0), BOXES)
    assert (whole != parts).mean() < 1e-3
    assert quality == pytest.approx(part_quality, abs=1e-4)


def test_no_boxes_no_masks(checkpoint: Path) -> None:
    masks, quality = load(checkpoint).segment(noise(0), np.zeros((0, 4), dtype=np.float32))
    assert masks.shape == (0, 48, 64)
    assert quality.shape == (0,)


def test_images_do_not_touch_each_other(checkpoint: Path) -> None:
    segmenter = load(checkpoint)
    first, _ = segmenter.segment(noise(0), BOXES)
    segmenter.segment(noise(1, 70, 50), BOXES)
    again, _ = segmenter.segment(noise(0), BOXES)
    assert np.array_equal(first, again)


def test_the_version_follows_the_weights(checkpoint: Path, tmp_path: Path) -> None:
    first = load(checkpoint).model_version
    assert first.startswith("sam-tiny@")
    assert load(save_segmenter(tmp_path / "other.pth", seed=1)).model_version != first
    assert load(save_segmenter(tmp_path / "same.pth", seed=0)).model_version.startswith("sam-tiny@")


def refused(checkpoint: Path, build: str = "tiny") -> str:
    with pytest.raises(ModelError) as caught:
        load(checkpoint, build)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refusals_are_one_line(checkpoint: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.pth"
    assert refused(missing) == (
        f"segmenter checkpoint {missing} does not exist: set autolabel.segmenter.model"
    )
    (tmp_path / "garbage.pth").write_bytes(b"not a checkpoint")
    assert "is damaged or no checkpoint" in refused(tmp_path / "garbage.pth")
    (tmp_path / "cut.pth").write_bytes(checkpoint.read_bytes()[:5000])
    assert "is damaged or no checkpoint" in refused(tmp_path / "cut.pth")
    assert "(vit_b) lacks " in refused(checkpoint, "vit_b")


@pytest.mark.parametrize("part", ["output_upscaling", "iou_prediction_head"])
def test_masks_that_are_no_numbers_have_no_quality(checkpoint: Path, part: str) -> None:
    """Their logits would be compared with 0 and the mask be empty."""
    segmenter = load(checkpoint)
    with torch.no_grad():
        for weights in getattr(segmenter._predictor.model.mask_decoder, part).parameters():
            weights.fill_(float("nan"))
    _, quality = segmenter.segment(noise(0), BOXES)
    assert np.isnan(quality).all()
