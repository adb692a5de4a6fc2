"""The transformers detector on a small model with random weights: spans, texts, versions, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from curate.adapters.transformers_detector import TransformersDetector
from curate.errors import ModelError, ParamsError
from curate.params import DetectorParams
from tests.adapters.small_models import boxes_of, category, noise, save_detector

CATEGORIES = (
    category("stop", "stop sign", "red sign"),
    category("parking", "parking sign"),
    category("dog", "dog"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def detector(folder: Path) -> TransformersDetector:
    return load(folder)


def load(model: Path | str, device: str = "cpu") -> TransformersDetector:
    return TransformersDetector(DetectorParams(model=str(model)), device=device)


def refused(model: Path | str, device: str = "cpu") -> str:
    with pytest.raises(ModelError) as caught:
        load(model, device)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_scores_are_means_over_the_tokens_of_one_prompt(detector: TransformersDetector, folder: Path) -> None:
    processor = transformers.AutoProcessor.from_pretrained(folder, backend="pil")
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    text = "stop sign . red sign . parking sign . dog ."
    #       1    2    3 4   5    6 7   8   9    10 11
    spans = {"stop sign": [1, 2], "red sign": [4, 5], "parking sign": [7, 8, 9], "dog": [11]}
    inputs = processor(images=noise(0), text=text, return_tensors="pt")
    assert processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])[7:10] == [
        "park",
        "##ing",
        "sign",
    ]
    with torch.inference_mode():
        output = model(**inputs)
    tokens = output.logits[0].sigmoid().numpy()
    expected = np.stack([tokens[:, at].mean(axis=1) for at in spans.values()], axis=1)
    boxes = output.pred_boxes[0].numpy()
    (found,) = boxes_of(detector, [noise(0)], CATEGORIES)
    order = np.argsort(-expected.max(axis=1), kind="stable")
    assert len(found.categories) == 9
    assert found.scores == pytest.approx(expected.max(axis=1)[order], abs=1e-6)
    assert found.prompts == tuple(list(spans)[i] for i in expected.argmax(axis=1)[order])
    of_prompt = {prompt: c.name for c in CATEGORIES for prompt in c.prompts}
    assert found.categories == tuple(of_prompt[prompt] for prompt in found.prompts)
    centers = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    inside = (boxes[order, :2] - boxes[order, 2:] / 2 >= 0) & (boxes[order, :2] + boxes[order, 2:] / 2 <= 1)
    assert inside.any()
    assert centers[inside] == pytest.approx((boxes[order, :2] * [64, 48])[inside], abs=1e-2)


def test_the_greatest_token_may_be_the_score(detector: TransformersDetector, folder: Path) -> None:
    settings = DetectorParams(model=str(folder), prompt_score="max")
    (greatest,) = boxes_of(TransformersDetector(settings, device="cpu"), [noise(0)], CATEGORIES)
    (mean,) = boxes_of(detector, [noise(0)], CATEGORIES)
    # The same nine boxes, none with a lower score, and some with a higher one.
    of_box = {tuple(box): score for box, score in zip(mean.boxes.tolist(), mean.scores, strict=True)}
    gains = [s - of_box[tuple(b)] for b, s in zip(greatest.boxes.tolist(), greatest.scores, strict=True)]
    assert len(gains) == 9
    assert min(gains) >= -1e-6
    assert max(gains) > 1e-3


def test_boxes_lie_inside_and_are_ordered(detector: TransformersDetector) -> None:
    for found in boxes_of(detector, [noise(1), noise(2)], CATEGORIES):
        assert found.boxes.dtype == np.float32
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, 2:] <= [64, 48]).all()
        assert (np.diff(found.scores) <= 0).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_the_lowest_threshold_is_the_floor(detector: TransformersDetector) -> None:
    (every,) = boxes_of(detector, [noise(0)], CATEGORIES)
    middle = float(np.median(every.scores))
    categories = [category("stop", "stop sign", "red sign", threshold=0.99)]
    categories += [
        category("parking", "parking sign", threshold=middle),
        category("dog", "dog", threshold=0.99),
    ]
    (found,) = boxes_of(detector, [noise(0)], categories)
    assert len(found.categories) == int((every.scores >= np.float32(middle)).sum())


def test_two_times_the_same(detector: TransformersDetector) -> None:
    images = [noise(0), noise(1), noise(2, 80, 50)]
    first, second = boxes_of(detector, images, CATEGORIES), boxes_of(detector, images, CATEGORIES)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.boxes, b.boxes)
        assert np.array_equal(a.scores, b.scores)
        assert a.prompts == b.prompts


def test_images_of_one_size_do_not_touch_each_other(detector: TransformersDetector) -> None:
    together = boxes_of(detector, [noise(0), noise(1)], CATEGORIES)
    for number, found in enumerate(together):
        (alone,) = boxes_of(detector, [noise(number)], CATEGORIES)
        assert found.boxes == pytest.approx(alone.boxes, abs=1e-2)
        assert found.scores == pytest.approx(alone.scores, abs=1e-4)


def test_no_images(detector: TransformersDetector) -> None:
    assert boxes_of(detector, [], CATEGORIES) == []


def test_prompts_that_do_not_fit_are_asked_in_several_texts(tmp_path: Path) -> None:
    detector = load(save_detector(tmp_path / "short", max_text_len=8))
    (found,) = boxes_of(detector, [noise(0)], CATEGORIES)
    # "stop sign . red sign ." is 6 tokens, "parking sign . dog ." also: two texts of 9 queries each.
    assert len(found.categories) == 18
    assert (np.diff(found.scores) <= 0).all()
    (parking_alone,) = boxes_of(detector, [noise(0)], CATEGORIES[1:])
    mine = [i for i, prompt in enumerate(found.prompts) if prompt in ("parking sign", "dog")]
    assert found.scores[mine] == pytest.approx(parking_alone.scores, abs=1e-6)
    with pytest.raises(ParamsError, match="has 6 tokens, the model reads 5"):
        boxes_of(detector, [noise(0)], [category("long", "red red red red red red")])


def test_a_prompt_that_the_tokenizer_does_not_know_is_refused(detector: TransformersDetector) -> None:
    with pytest.raises(ParamsError, match="prompt 'zebra' of zebra has no token that the model knows"):
        detector.detect([noise(0)], [category("zebra", "zebra"), category("dog", "dog")])
    (found,) = detector.detect([noise(0)], [category("zebra", "zebra dog")])
    assert len(found.scores) == 9  # a part of it is known


def test_a_box_is_told_for_every_prompt_that_scores_enough(detector: TransformersDetector) -> None:
    (every,) = detector.detect([noise(0)], CATEGORIES)
    assert len(every.scores) == 9 * 4
    (best,) = boxes_of(detector, [noise(0)], CATEGORIES)
    for query in set(every.queries.tolist()):
        own = every.take(np.flatnonzero(every.queries == query))
        assert len(own.prompts) == len(set(own.prompts)) == 4
        assert (own.boxes == own.boxes[0]).all()
        assert own.scores.max() in best.scores


def test_the_version_follows_the_files_that_matter(folder: Path, tmp_path: Path) -> None:
    first = load(folder).model_version
    assert first.startswith("small@")
    assert len(first) == len("small@") + 12
    (folder / "README.md").write_text("a card")
    (folder / "training.json").write_text("{}")
    assert load(folder).model_version == first
    assert load(save_detector(tmp_path / "small", seed=1)).model_version != first


def test_refusals_are_one_line(tmp_path: Path) -> None:
    assert "is no folder" in refused("demo/models/nowhere")
    assert "is no folder" in refused(tmp_path / "missing")
    (tmp_path / "file.pth").write_bytes(b"x")
    assert "is no folder" in refused(tmp_path / "file.pth")
    (tmp_path / "empty").mkdir()
    assert "holds no config.json" in refused(tmp_path / "empty")
    assert "cannot be loaded" in refused("nobody/no-such-model")  # offline, and not in the cache


def test_damaged_or_foreign_weights_are_refused(tmp_path: Path) -> None:
    damaged = save_detector(tmp_path / "damaged")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "cannot be loaded" in refused(damaged)
    foreign = tmp_path / "foreign"
    transformers.BertConfig().save_pretrained(foreign)
    assert "is a bert, expected one of grounding-dino" in refused(foreign)
    partial = save_detector(tmp_path / "partial")
    safetensors = pytest.importorskip("safetensors.torch")
    kept = {
        k: v for k, v in safetensors.load_file(partial / "model.safetensors").items() if "enc_output" not in k
    }
    safetensors.save_file(kept, partial / "model.safetensors", metadata={"format": "pt"})
    assert "lacks" in refused(partial)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    assert refused(folder, "cuda") == "device cuda is not available here: set autolabel.device to auto or cpu"
