"""The comparison of two detectors on the page: its figures, where they come from, and what is not known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from curate.labeling import taxonomy
from curate.report import page
from tests import builders


def written(root: Path) -> str:
    html = page.write(root, root / "data/report/index.html").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def figure(value: float | None, low: float | None, high: float | None, reason: str | None = None) -> Any:
    return {"value": value, "low": low, "high": high, "n": 14, "reason": reason}


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "images": 14,
        "objects": 31,
        "gold": "abc",
        "left_out": {"that a detector was trained on": 2},
        "reason": None,
        "iou_threshold": 0.5,
        "resamples": 1000,
        "before": {"model": "old", "model_version": "old@1", "thresholds": {}},
        "after": {"model": "new", "model_version": "new@2", "thresholds": {}, "fitted": False},
        "figures": [
            {
                "category": "all", "figure": "f1", "objects": 31,
                "before": figure(0.71, 0.6, 0.8), "after": figure(0.83, 0.7, 0.9),
                "difference": figure(0.12, 0.04, 0.2),
            },
            {
                "category": "stop_sign", "figure": "mean_iou", "objects": 5,
                "before": figure(None, None, None, "fewer than 10 images"),
                "after": figure(None, None, None, "fewer than 10 images"),
                "difference": figure(None, None, None, "fewer than 10 images"),
            },
        ],
    }  # fmt: skip


def put(root: Path, document: dict[str, Any]) -> None:
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics/model_comparison.json").write_text(json.dumps(document))


def test_figures_and_where_they_come_from(tmp_path: Path, document: dict[str, Any]) -> None:
    builders.small_project(tmp_path)
    assert "Two detectors on known answers" not in written(tmp_path)
    put(tmp_path, document)
    text = written(tmp_path)
    assert "Before old@1 , after new@2 , on the same 14 images with known answers (31 objects)" in text
    assert "all f1 31 0.71 0.60 to 0.80 n = 14 0.83 0.70 to 0.90 n = 14 0.12 0.04 to 0.20 n = 14" in text
    assert "stop sign mean iou 5 undefined fewer than 10 images" in text
    assert "Left out: 2 that a detector was trained on." in text
    assert "The thresholds were fitted for another model." in text
    assert "Today's suggestions are not those of the second one." in text
    plain = json.loads((tmp_path / "data/report/index.json").read_text())
    assert plain["detectors"]["rows"][0]["difference"]["value"] == 0.12


def test_thresholds_that_changed_since_are_said_to_have(tmp_path: Path, document: dict[str, Any]) -> None:
    builders.small_project(tmp_path)
    today = {one.name: one.threshold for one in taxonomy.load(tmp_path / "taxonomy.yaml")}
    document["after"]["thresholds"] = today
    put(tmp_path, document)
    assert "other thresholds than today's" not in written(tmp_path)
    document["after"]["thresholds"] = {**today, "stop_sign": 0.77}
    put(tmp_path, document)
    assert "The second one was compared with other thresholds than today's." in written(tmp_path)


def test_without_gold_the_page_says_so(tmp_path: Path, document: dict[str, Any]) -> None:
    builders.small_project(tmp_path)
    put(tmp_path, document | {"reason": "no image has known answers (qa.gold)", "figures": []})
    text = written(tmp_path)
    assert "old@1 and new@2 is better is not known: no image has known answers (qa.gold)." in text
