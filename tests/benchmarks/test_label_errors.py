from __future__ import annotations

import numpy as np
import pytest

from benchmarks import label_errors
from benchmarks.planted_label_errors import plant
from benchmarks.simulated_annotators import CATEGORIES, SIZE, truth_of_image
from benchmarks.simulated_detector import DETECTORS, look
from curate.geometry.boxes import box_iou


def test_what_is_planted_is_wrong_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    kinds = []
    for _ in range(300):
        there = truth_of_image(rng)
        labeled = plant(there, rng, size=SIZE, categories=CATEGORIES)
        (corners, names), (boxes, true_names) = labeled.labels, there
        for box, name, kind in zip(corners, names, labeled.wrong, strict=True):
            iou = box_iou([box], boxes)[0]
            best = true_names[int(iou.argmax())]
            bounds = {"spurious": (0.0, 0.1), "location": (0.2, 0.75)}.get(str(kind), (0.75, 1.0))
            assert bounds[0] <= iou.max() <= bounds[1]
            assert (name == best) == (kind != "category") or kind == "spurious"
            kinds.append(kind)
        assert len(names) == len(true_names) - len(labeled.lost) + list(labeled.wrong).count("spurious")
    assert {"spurious", "location", "category", None} == set(kinds)


def test_a_strong_detector_sees_more_than_a_middling_one() -> None:
    rng = np.random.default_rng(4)
    scenes = [truth_of_image(rng) for _ in range(200)]
    seen = {
        name: sum(len(look(one, scene, rng).names) for scene in scenes) for name, one in DETECTORS.items()
    }
    assert seen["middling"] > seen["strong"] > 0.9 * sum(len(names) for _, names in scenes)


def test_a_curve_by_hand() -> None:
    """Right, wrong, the first error once more, right: of three planted ones two are found."""
    points = label_errors.curve([(True, True), (False, False), (True, False), (True, True)], 3)
    assert points == [
        (pytest.approx(1 / 3), 1.0), (pytest.approx(1 / 3), 0.5),
        (pytest.approx(1 / 3), pytest.approx(2 / 3)), (pytest.approx(2 / 3), 0.75),
    ]  # fmt: skip
    assert label_errors.recall_at(points, 0.7) == pytest.approx(2 / 3)
    assert label_errors.recall_at(points, 0.9) == pytest.approx(1 / 3)


def test_most_planted_errors_of_a_strong_detector_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "IMAGES", 400)
    case = label_errors._case(label_errors.simulated("strong", 1))
    assert case["recall"] > 0.7
    assert case["images"]["curate"] > case["images"]["objectlab"]
