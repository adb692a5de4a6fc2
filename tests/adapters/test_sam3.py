"""SAM 3, alone and as it is published: phrases to boxes by one half of it, boxes to masks by the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.errors import ModelError, ParamsError
from curate.params import DetectorParams, SegmenterParams
from tests.adapters.small_detr import save_sam3, save_sam3_whole
from tests.adapters.small_models import category, noise

CATEGORIES = (category("stop", "stop sign", "red sign"), category("dog", "dog"))
BOXES = np.array([[3, 3, 50, 30], [10, 5, 80, 39], [0, 0, 20, 20]], dtype=np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"alone": save_sam3(root / "alone"), "whole": save_sam3_whole(root / "whole")}


def detector(folder: Path) -> TransformersDetector:
    return TransformersDetector(DetectorParams(model=str(folder)), device="cpu")


def segmenter(folder: Path) -> TransformersSegmenter:
    return TransformersSegmenter(SegmenterParams(kind="transformers", model=str(folder)), device="cpu")


@pytest.mark.parametrize("kind", ["alone", "whole"])
def test_boxes_are_those_of_its_own_post_processing(folders: dict[str, Path], kind: str) -> None:
    pictures = [noise(0, 40, 90), noise(1, 40, 90)]
    found = detector(folders[kind]).detect(pictures, CATEGORIES)
    processor = transformers.Sam3Processor.from_pretrained(folders[kind])
    model = transformers.Sam3Model.from_pretrained(folders[kind]).eval()
    limits = np.array([90, 40, 90, 40])
    for number, picture in enumerate(pictures):
        for prompt in ("stop sign", "red sign", "dog"):
            inputs = processor(images=picture, text=prompt, return_tensors="pt")
            with torch.inference_mode():
                output = model(
                    pixel_values=inputs["pixel_values"],
                    input_ids=inputs["input_ids"][:, :16],
                    attention_mask=inputs["attention_mask"][:, :16],
                )
            (expected,) = processor.image_processor.post_process_instance_segmentation(
                output, threshold=0.0, target_sizes=[(40, 90)]
            )
            boxes = np.clip(expected["boxes"].numpy(), 0, limits)
            real = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
            order = np.argsort(-expected["scores"].numpy()[real], kind="stable")
            own = found[number].take(np.flatnonzero([one == prompt for one in found[number].prompts]))
            assert len(own.scores) == real.sum() > 0
            assert own.scores == pytest.approx(expected["scores"].numpy()[real][order], abs=1e-5)
            assert own.boxes == pytest.approx(boxes[real][order], abs=1e-2)
        assert len(set(found[number].scores.round(3).tolist())) > 4


def test_images_and_phrases_are_encoded_once(folders: dict[str, Path]) -> None:
    model = detector(folders["whole"])
    seen: list[str] = []
    network = model._asked._model
    network.vision_encoder.register_forward_hook(lambda *_: seen.append("image"))
    network.text_encoder.register_forward_hook(lambda *_: seen.append("phrase"))
    model.detect([noise(0)], CATEGORIES)
    model.detect([noise(1)], CATEGORIES)
    assert (seen.count("image"), seen.count("phrase")) == (2, 3)


def test_what_it_cannot_read_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ParamsError, match="of long has 15 tokens, the model reads 14: shorten it"):
        detector(folders["alone"]).detect([noise(0)], [category("long", "red " * 15)])


def test_masks_come_from_the_same_file(folders: dict[str, Path]) -> None:
    masks, quality = segmenter(folders["whole"]).segment(noise(0, 40, 90), BOXES)
    assert masks.shape == (3, 40, 90)
    assert ((quality >= 0) & (quality <= 1)).all()
    assert (masks[0] != masks[1]).any()
    images = transformers.AutoImageProcessor.from_pretrained(folders["whole"])
    model = transformers.Sam3TrackerModel.from_pretrained(folders["whole"]).eval()
    prepared = images(noise(0, 40, 90), return_tensors="pt")
    scaled = torch.tensor(BOXES * np.array([112 / 90, 112 / 40] * 2), dtype=torch.float32)[None]
    with torch.inference_mode():
        output = model(prepared["pixel_values"], input_boxes=scaled, multimask_output=False)
    (expected,) = images.post_process_masks(output.pred_masks, [(40, 90)])
    assert np.array_equal(masks, expected[:, 0].numpy())


def test_a_renamed_text_encoder_is_no_random_one(tmp_path: Path) -> None:
    """A public report: names had changed, the text encoder stayed at random, and nothing was ever found."""
    folder = save_sam3_whole(tmp_path / "whole")
    path = folder / "model.safetensors"
    state = {
        name.replace(".text_encoder.", ".language_backbone."): value
        for name, value in safetensors.torch.load_file(path).items()
    }
    safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks \d+ weights .* such as text_encoder.*language_backbone"):
        detector(folder)
    segmenter(folder)  # has no part in it
