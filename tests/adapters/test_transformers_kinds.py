"""OWL, MM-Grounding-DINO, and what all detectors of transformers share: one encoding, precision, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from curate.adapters.transformers_detector import TransformersDetector
from curate.errors import DeviceMemoryError, ModelError, ParamsError
from curate.geometry.boxes import box_iou
from curate.params import DetectorParams
from tests.adapters.small_kinds import save_mm_grounding_dino, save_owl
from tests.adapters.small_models import boxes_of, category, noise, save_detector

CATEGORIES = (category("stop", "stop sign", "red sign"), category("dog", "dog"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "grounding": save_detector(root / "grounding", max_text_len=8),
        "mm": save_mm_grounding_dino(root / "mm"),
        "owlvit": save_owl(root / "owlvit", version=1),
        "owlv2": save_owl(root / "owlv2"),
    }


def load(folder: Path, precision: Any = "auto", **settings: Any) -> TransformersDetector:
    params = DetectorParams.model_validate({"model": str(folder), **settings})
    return TransformersDetector(params, device="cpu", precision=precision)


@pytest.mark.parametrize("kind", ["owlvit", "owlv2"])
def test_owl_finds_what_its_own_post_processing_finds(folders: dict[str, Path], kind: str) -> None:
    """The boxes of a wide image, which OWLv2 pads to a square, as transformers computes them."""
    image = noise(0, 40, 90)
    (found,) = boxes_of(load(folders[kind]), [image], CATEGORIES)
    processor = transformers.AutoProcessor.from_pretrained(folders[kind], backend="pil")
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folders[kind]).eval()
    texts = ["stop sign", "red sign", "dog"]
    inputs = processor(images=image, text=[texts], return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    (expected,) = processor.image_processor.post_process_object_detection(
        output, threshold=0.0, target_sizes=[(40, 90)]
    )
    boxes = expected["boxes"].clamp(min=0).numpy()
    boxes = np.minimum(boxes, [90, 40, 90, 40])
    # Its scores and boxes, sorted; boxes of the padding have no area in the image and are left out.
    real = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
    order = np.argsort(-expected["scores"].numpy()[real], kind="stable")
    assert len(found.scores) == real.sum() >= 8
    assert found.scores == pytest.approx(expected["scores"].numpy()[real][order], abs=1e-5)
    assert found.boxes == pytest.approx(boxes[real][order], abs=1e-2)
    assert list(found.prompts) == [texts[i] for i in expected["labels"].numpy()[real][order]]
    of_prompt = {prompt: one.name for one in CATEGORIES for prompt in one.prompts}
    assert list(found.categories) == [of_prompt[prompt] for prompt in found.prompts]
    assert len(set(found.scores.round(4).tolist())) > 4


def test_owl_asks_prompts_for_themselves(folders: dict[str, Path]) -> None:
    """However many prompts there are, a prompt's scores are what they are alone; none are split or mixed."""
    detector = load(folders["owlv2"])
    words = ("stop", "sign", "red", "dog", "warning", "triangle")
    many = [category(f"{a} {b} {c}", f"{a} {b} {c}") for a in words for b in words for c in words]
    (found,) = boxes_of(detector, [noise(0)], many)  # 216 prompts, four batches of texts
    assert len(found.scores) >= 8
    for name in dict.fromkeys(found.categories):
        (alone,) = boxes_of(detector, [noise(0)], [category(name, name)])
        at = {tuple(np.round(box, 2)): score for box, score in zip(alone.boxes, alone.scores, strict=True)}
        mine = [i for i, one in enumerate(found.categories) if one == name]
        for i in mine:
            assert found.scores[i] == pytest.approx(at[tuple(np.round(found.boxes[i], 2))], abs=1e-5)


def test_owl_refuses_what_it_cannot_read(folders: dict[str, Path]) -> None:
    detector = load(folders["owlv2"])
    with pytest.raises(ParamsError, match="of long has 15 tokens, the model reads 14: shorten it"):
        boxes_of(detector, [noise(0)], [category("long", "red " * 15)])
    with pytest.raises(ParamsError, match="has no token that the model knows"):
        boxes_of(detector, [noise(0)], [category("empty", " ")])


def test_mm_grounding_dino_detects(folders: dict[str, Path]) -> None:
    found = boxes_of(load(folders["mm"]), [noise(0), noise(1, 80, 50)], CATEGORIES)
    assert [len(one.scores) for one in found] == [9, 9]
    assert set(found[0].categories) | set(found[1].categories) <= {"stop", "dog"}


@pytest.mark.parametrize("kind", ["grounding", "owlv2"])
def test_images_are_encoded_once_for_all_texts(folders: dict[str, Path], kind: str) -> None:
    """A counter on the image encoder's own module; the answers are those of separate questions."""
    detector = load(folders[kind])
    model = detector._asked._model
    encoder = model.model.backbone.inner if kind == "grounding" else model.owlv2.vision_model
    seen = []
    encoder.register_forward_hook(lambda *_: seen.append(1))
    categories = [category("stop", "stop sign", "red sign"), category("parking", "warning sign"),
                  category("dog", "dog"), category("triangle", "warning triangle")]  # fmt: skip
    (found,) = boxes_of(detector, [noise(0)], categories)
    assert len(seen) == 1
    boxes_of(detector, [noise(1)], categories)
    assert len(seen) == 2
    if kind == "grounding":  # 8 tokens a text: stop, the next two, the last
        parts = [
            boxes_of(detector, [noise(0)], part)[0]
            for part in (categories[:1], categories[1:3], categories[3:])
        ]
        assert found.scores == pytest.approx(-np.sort(-np.concatenate([p.scores for p in parts])), abs=1e-6)


@pytest.mark.parametrize("kind", ["grounding", "mm", "owlvit", "owlv2"])
def test_half_precision_moves_boxes_by_little(folders: dict[str, Path], kind: str) -> None:
    """bfloat16 knows 8 bits of a number; the heads that give coordinates keep all 24."""
    (exact,) = boxes_of(load(folders[kind]), [noise(0)], CATEGORIES)
    (half,) = boxes_of(load(folders[kind], "bfloat16"), [noise(0)], CATEGORIES)
    assert not np.array_equal(exact.scores, half.scores)  # it is in use
    assert np.median(np.abs(np.sort(half.scores) - np.sort(exact.scores))) < 0.02
    best = box_iou(half.boxes, exact.boxes).max(axis=1)
    assert np.median(best) > 0.9


class Starved(torch.nn.Module):
    """A module on a device with room for so many images."""

    def __init__(self, inner: torch.nn.Module, room: int) -> None:
        super().__init__()
        self.inner, self.room = inner, room

    def forward(self, pixels: torch.Tensor, *rest: Any, **more: Any) -> Any:
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.inner(pixels, *rest, **more)


def test_too_many_images_are_an_error_of_their_own(folders: dict[str, Path]) -> None:
    """And after it half of them are found as if nothing had been."""
    detector = load(folders["grounding"])
    pictures = [noise(seed) for seed in range(4)]
    expected = boxes_of(detector, pictures[:2], CATEGORIES)
    backbone = detector._asked._model.model.backbone
    backbone.inner = Starved(backbone.inner, 2)
    with pytest.raises(
        DeviceMemoryError, match=r"no memory for 4 images: set autolabel\.detector\.batch_size"
    ):
        boxes_of(detector, pictures, CATEGORIES)
    again = boxes_of(detector, pictures[:2], CATEGORIES)
    assert [one.boxes.tolist() for one in again] == [one.boxes.tolist() for one in expected]


def test_weights_with_another_digest_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError) as caught:
        load(folders["owlv2"], sha256="0" * 64)
    message = str(caught.value)
    assert f"expected {'0' * 64}, found " in message
    found = message.split("found ")[1].split(maxsplit=1)[0]
    assert load(folders["owlv2"], sha256=found).model_version.startswith("owlv2@")


def test_a_model_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    transformers.ViTConfig().save_pretrained(tmp_path / "vit")
    with pytest.raises(
        ModelError, match="is a vit, expected one of grounding-dino, mm-grounding-dino, owlvit"
    ):
        load(tmp_path / "vit")
