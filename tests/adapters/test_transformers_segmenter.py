"""SAM and SAM 2 of transformers on small models with random weights; batches of boxes on little memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from curate.adapters import box_batches
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.errors import DeviceMemoryError, ModelError
from curate.params import SegmenterParams
from curate.records import BoolArray, FloatArray
from tests.adapters.small_kinds import save_sam, save_sam2
from tests.adapters.small_models import noise, save_detector

BOXES = np.array([[4, 5, 30, 40], [0, 0, 64, 48], [20.5, 10.25, 60, 44]], dtype=np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"sam": save_sam(root / "sam"), "sam2": save_sam2(root / "sam2")}


def load(folder: Path, precision: Any = "auto", **settings: Any) -> TransformersSegmenter:
    params = SegmenterParams.model_validate({"kind": "transformers", "model": str(folder), **settings})
    return TransformersSegmenter(params, device="cpu", precision=precision)


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_masks_are_those_of_the_processor_and_the_model(folders: dict[str, Path], kind: str) -> None:
    masks, quality = load(folders[kind]).segment(noise(0), BOXES)
    assert masks.shape == (3, 48, 64)
    assert masks.dtype == np.bool_
    assert quality.dtype == np.float32
    processor = transformers.AutoProcessor.from_pretrained(folders[kind], backend="pil")
    model = transformers.AutoModelForMaskGeneration.from_pretrained(folders[kind]).eval()
    inputs = processor(images=noise(0), input_boxes=[BOXES.tolist()], return_tensors="pt")
    with torch.inference_mode():
        names = ("pixel_values", "input_boxes")
        output = model(**{name: inputs[name].float() for name in names}, multimask_output=False)
    sizes = [inputs["original_sizes"]] + ([inputs["reshaped_input_sizes"]] if kind == "sam" else [])
    (expected,) = processor.image_processor.post_process_masks(output.pred_masks, *sizes)
    assert 0.01 < masks.mean() < 0.99
    assert (masks != expected[:, 0].numpy()).mean() < 1e-3
    assert quality == pytest.approx(output.iou_scores[0, :, 0].clamp(0, 1).numpy(), abs=1e-4)


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_the_image_is_encoded_once(folders: dict[str, Path], kind: str) -> None:
    segmenter = load(folders[kind])
    seen = []
    segmenter._model.vision_encoder.register_forward_hook(lambda *_: seen.append(1))
    many = np.repeat(BOXES, 100, axis=0)  # three batches
    masks, _ = segmenter.segment(noise(0), many)
    assert len(seen) == 1
    few, _ = segmenter.segment(noise(0), BOXES)
    assert (masks[::100] != few).mean() < 1e-3
    assert segmenter.segment(noise(0), BOXES[:0])[0].shape == (0, 48, 64)
    assert len(seen) == 2  # nothing to decode, nothing to encode


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_half_precision_is_of_the_encoder_alone(folders: dict[str, Path], kind: str) -> None:
    exact, exact_quality = load(folders[kind]).segment(noise(0), BOXES)
    half, quality = load(folders[kind], "bfloat16").segment(noise(0), BOXES)
    assert not (np.array_equal(exact_quality, quality) and np.array_equal(exact, half))  # it is in use
    assert (exact != half).mean() < 0.1


def test_other_models_and_other_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a grounding-dino, expected one of sam, sam2"):
        load(save_detector(tmp_path / "detector"))
    with pytest.raises(ModelError, match=f"expected {'0' * 64}, found"):
        load(folders["sam2"], sha256="0" * 64)


def starved(room: int, seen: list[int]) -> Any:
    """A decoder on a device with room for so many boxes."""

    def decode(boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        seen.append(len(boxes))
        if len(boxes) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        planes = np.zeros((len(boxes), 4, 5), dtype=np.bool_)
        planes[:, 0, 0] = boxes[:, 0] % 2 == 1
        return planes, boxes[:, 0] / 1000

    return decode


@pytest.mark.parametrize("number", [1, 7, 128, 300])
def test_boxes_that_do_not_fit_are_taken_in_smaller_batches(number: int) -> None:
    seen: list[int] = []
    boxes = np.arange(number, dtype=np.float32)[:, None].repeat(4, axis=1)
    masks, quality = box_batches.masks_of_boxes(boxes, (4, 5), starved(10, seen))
    assert masks[:, 0, 0].tolist() == [index % 2 == 1 for index in range(number)]
    assert quality == pytest.approx(np.arange(number) / 1000)
    assert sum(size for size in seen if size <= 10) >= number
    assert max(seen) <= 128


def test_no_room_for_one_box_is_an_error_that_names_the_image() -> None:
    with pytest.raises(DeviceMemoryError, match=r"no memory to segment 5x4 pixels"):
        box_batches.masks_of_boxes(np.zeros((3, 4), dtype=np.float32), (4, 5), starved(0, []))


@pytest.mark.parametrize("kind", ["sam", "sam2"])
@pytest.mark.parametrize("part", ["upscale_conv1", "iou_prediction_head"])
def test_masks_that_are_no_numbers_have_no_quality(folders: dict[str, Path], kind: str, part: str) -> None:
    """Their logits would be compared with 0 and the mask be empty."""
    segmenter = load(folders[kind])
    with torch.no_grad():
        for weights in getattr(segmenter._model.mask_decoder, part).parameters():
            weights.fill_(float("nan"))
    _, quality = segmenter.segment(noise(0), BOXES)
    assert np.isnan(quality).all()
