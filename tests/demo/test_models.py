"""The committed toy models, loaded as public checkpoints are, still find and cut out signs they never saw.

A quick guard over a few held-out scenes; the figures over 300 scenes stand in demo/models/evaluation.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.adapters.sam_builds import SAM_BUILDS, build_sam_tiny
from curate.labeling import taxonomy
from demo.detector_model import ABSENT_PHRASES, MAX_TEXT_LEN, PHRASES, category_of, vocabulary
from demo.evaluate_models import detect, evaluation_scene, figures, judge, load_detector, mask_ious
from demo.scenes import HELD_OUT_SEEDS, Scene
from demo.signs import CATEGORIES

MODELS = Path(__file__).resolve().parents[2] / "demo" / "models"
SCENES = 24
MIN_F1 = 0.85
MIN_MASK_IOU = 0.8
MAX_BYTES = 9_000_000


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [evaluation_scene(HELD_OUT_SEEDS, 1000 + index) for index in range(SCENES)]


@pytest.fixture(scope="module")
def detector() -> tuple[Any, Any]:
    return load_detector(MODELS / "detector")


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((MODELS / "evaluation.json").read_text())
    return document


def test_detector_finds_held_out_signs(
    detector: tuple[Any, Any], scenes: list[Scene], evaluation: dict[str, Any]
) -> None:
    judged = judge(scenes, [detect(*detector, scene.image) for scene in scenes])
    thresholds = evaluation["detector"]["thresholds"]
    counts = np.array([item.counts(thresholds[category]) for category, item in judged.items()]).sum(axis=0)
    measured = figures(*counts.tolist())
    assert counts[0] + counts[2] > 30, "the scenes must hold enough signs to judge by"
    assert measured["f1"] >= MIN_F1, measured


def test_detector_reads_its_prompt(detector: tuple[Any, Any], scenes: list[Scene]) -> None:
    asked = CATEGORIES[0]
    found = [detect(*detector, scene.image, PHRASES[asked][0] + ".") for scene in scenes]
    strong = [score for result in found for score in result.scores if score > 0.4]
    present = sum(item.category == asked for scene in scenes for item in scene.objects)
    assert 0 < len(strong) <= present * 1.5 + 2  # not every sign answers to one sign's name


def test_detector_works_on_a_padded_batch(detector: tuple[Any, Any], scenes: list[Scene]) -> None:
    processor, model = detector
    images = [scenes[0].image, scenes[3].image]  # landscape and portrait
    assert images[0].shape != images[1].shape
    text = [". ".join(PHRASES[category][0] for category in CATEGORIES) + "."] * 2
    outputs = model(**processor(images=images, text=text, return_tensors="pt"))
    assert np.isfinite(outputs.pred_boxes.detach().numpy()).all()
    for index, image in enumerate(images):
        alone = model(**processor(images=image, text=text[0], return_tensors="pt"))
        together = outputs.logits[index].sigmoid().max(dim=1).values.sort(descending=True).values
        single = alone.logits[0].sigmoid().max(dim=1).values.sort(descending=True).values
        assert abs(together[0].item() - single[0].item()) < 0.25


def test_segmenter_cuts_out_held_out_signs(scenes: list[Scene]) -> None:
    segment_anything = pytest.importorskip("segment_anything")
    predictor = segment_anything.SamPredictor(SAM_BUILDS["tiny"](str(MODELS / "segmenter.pth")))
    ious = [iou for scene in scenes for iou in mask_ious(predictor, scene)]
    assert np.mean(ious) >= MIN_MASK_IOU
    random = segment_anything.SamPredictor(build_sam_tiny())
    assert np.mean([iou for scene in scenes[:4] for iou in mask_ious(random, scene)]) < 0.5


def test_evaluation_states_figures_and_thresholds(evaluation: dict[str, Any]) -> None:
    assert set(evaluation["detector"]["thresholds"]) == set(CATEGORIES)
    assert evaluation["scenes"]["held_out"] >= 300
    assert evaluation["detector"]["all"]["f1"] >= MIN_F1
    assert evaluation["segmenter"]["mean_iou"] >= MIN_MASK_IOU


def test_models_stay_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < MAX_BYTES


def test_vocabulary_keeps_berts_ids() -> None:
    tokens = vocabulary()
    assert (tokens[101], tokens[102], tokens[1012], tokens[1029]) == ("[CLS]", "[SEP]", ".", "?")
    assert len(set(tokens)) == len(tokens)
    longest = max(sum(len(phrase.split()) + 1 for phrase in PHRASES[category]) for category in CATEGORIES)
    assert 2 + len(CATEGORIES) * longest // 2 < MAX_TEXT_LEN


def test_phrases_name_one_category() -> None:
    names = [phrase for phrases in PHRASES.values() for phrase in phrases]
    assert len(set(names)) == len(names)
    assert category_of("stop  sign") == "stop_sign"
    assert all(category_of(phrase) is None for phrase in ABSENT_PHRASES)


def test_the_readme_tells_the_measured_figures(evaluation: dict[str, Any]) -> None:
    text = (MODELS / "README.md").read_text()
    found = evaluation["detector"]
    for name, row in {"detection at IoU 0.5, category right": found["all"], **found["by_category"]}.items():
        assert f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} |" in text
    assert f"mean IoU {evaluation['segmenter']['mean_iou']:.3f}" in text


def test_the_taxonomy_has_the_thresholds_of_the_evaluation(evaluation: dict[str, Any]) -> None:
    categories = taxonomy.load(MODELS.parents[1] / "taxonomy.yaml")
    assert {c.name: c.threshold for c in categories} == evaluation["detector"]["thresholds"]
