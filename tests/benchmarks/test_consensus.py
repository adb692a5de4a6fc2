from __future__ import annotations

import numpy as np
import pytest

from benchmarks import consensus
from benchmarks.consensus import Score, calibration_error
from benchmarks.simulated_annotators import World


def test_calibration_error_of_known_answers() -> None:
    """Ten at 0.75 of which eight are right, ten at 0.25 of which two are: 0.05 each."""
    sure = [0.75] * 10 + [0.25] * 10
    right = [True] * 8 + [False] * 2 + [True] * 2 + [False] * 8
    assert calibration_error(sure, right) == pytest.approx(0.05)
    assert calibration_error([1.0] * 4, [True] * 4) == pytest.approx(0.0)


def test_a_score_counts_right_objects_only() -> None:
    box, far = [10.0, 10.0, 50.0, 50.0], [100.0, 100.0, 150.0, 150.0]
    score = Score()
    drawn = np.array([box, far]), ["car", "bus"]
    assert score.add(drawn, (np.array([box, far]), ["car", "car"])) == [True, False]
    assert (score.f1, score.mean_iou) == (pytest.approx(0.5), pytest.approx(1.0))


def test_a_small_world_is_settled_better_than_anybody_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consensus, "IMAGES", 40)
    found = consensus._score(5, 1)
    assert found["ours"][0] > found["all"]["best"][0]
    assert found["ours"][1] > found["all"]["best"][1]
    assert 0.5 < found["released"] <= 1
    assert len(World.simulated(1, 3, images=40, overlap=0.5, lookers=2).work) == 20 * 2 + 20
