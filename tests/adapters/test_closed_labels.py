"""Detectors with labels of their own: what the library itself finds, by category of the taxonomy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from curate.adapters.transformers_detector import TransformersDetector
from curate.errors import ParamsError
from curate.params import DetectorParams
from tests.adapters.small_detr import save_rf_detr, save_rt_detr
from tests.adapters.small_models import category, noise

# The labels are Stop_Sign and dog: the first is a category by its name, the second by a prompt.
CATEGORIES = (category("stop-sign", "red octagon"), category("animal", "cat", "dog"))
SAVES: dict[str, Callable[[Path], Path]] = {"rt_detr": save_rt_detr, "rf_detr": save_rf_detr}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {kind: save(root / kind) for kind, save in SAVES.items()}


def load(folder: Path, **settings: str) -> TransformersDetector:
    params = DetectorParams.model_validate({"model": str(folder), **settings})
    return TransformersDetector(params, device="cpu")


@pytest.mark.parametrize("kind", SAVES)
def test_boxes_are_those_of_its_own_post_processing(folders: dict[str, Path], kind: str) -> None:
    pictures = [noise(0, 40, 90), noise(1, 64, 50)]
    found = load(folders[kind]).detect(pictures, CATEGORIES)
    processor = transformers.AutoImageProcessor.from_pretrained(folders[kind], backend="pil")
    model = transformers.AutoModelForObjectDetection.from_pretrained(folders[kind]).eval()
    inputs = processor(pictures, return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    sizes = [picture.shape[:2] for picture in pictures]
    expected = processor.post_process_object_detection(output, threshold=0.0, target_sizes=sizes)
    names = {0: "stop-sign", 1: "animal"}
    for one, other, (height, width) in zip(found, expected, sizes, strict=True):
        corner = np.array([width, height, width, height])
        boxes = np.clip(other["boxes"].numpy(), 0, corner)
        real = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        # It keeps as many pairs as there are queries; here are all pairs, the best of them first.
        number = int(real.sum())
        assert number > 0
        scores = other["scores"].numpy()[real]
        assert one.scores[:number] == pytest.approx(scores, abs=1e-5)
        assert one.boxes[:number] == pytest.approx(boxes[real], abs=1e-2)
        assert list(one.categories[:number]) == [names[i] for i in other["labels"].numpy()[real].tolist()]
    assert {prompt for one in found for prompt in one.prompts} == {"red octagon", "dog"}


def test_a_label_of_no_category_is_named(folders: dict[str, Path]) -> None:
    detector = load(folders["rt_detr"])
    with pytest.raises(
        ParamsError, match=r"label 'dog' is no category of taxonomy\.yaml .*1 of its 2 labels"
    ):
        detector.detect([noise(0)], [category("stop sign", "red octagon")])
    detector.detect([noise(0)], [category("Dog", "x"), category("stop sign", "y"), category("more", "z")])


def test_prompts_of_their_own_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ParamsError, match="a rt_detr reads no texts, set it to joint"):
        load(folders["rt_detr"], texts="per_category")
