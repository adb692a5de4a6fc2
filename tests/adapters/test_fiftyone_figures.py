"""Figures of images and labels that the app shows, against the stage's own and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate import project_tables
from curate.adapters import fiftyone_figures
from curate.params import AgreementParams
from curate.project_tables import ProjectTables
from curate.review_lists import Doubt
from curate.stages import agreement
from tests import builders
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS


def test_images_have_the_figures_of_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="pull")
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    whole = project_tables.load(tmp_path)
    assert whole.queue
    found = fiftyone_figures.of_images(whole.pairs or ())
    for entry in whole.queue:
        f1, iou = found[entry.image_id]
        assert (f1, iou) == (pytest.approx(entry.f1, abs=1e-5), pytest.approx(entry.mean_iou, abs=1e-5))
    assert found[builders.image_id("one")] == (1.0, pytest.approx(58 * 58 / (2 * 3600 - 58 * 58)))


def _pair(a: str | None, b: str | None, iou: float | None) -> dict[str, Any]:
    return {"image_id": "x", "annotation_a": a, "annotation_b": b, "category_a": "car", "category_b": "car",
            "box_iou": iou}  # fmt: skip


def test_labels_have_the_agreement_of_what_they_were_made_from_and_the_surest_doubt() -> None:
    doubts = (Doubt("spurious", 0.2, "agreed", ""), Doubt("location", 0.75, "agreed", "proposed"))
    tables = ProjectTables(
        Path(), (),
        pairs=(_pair("a1", "b1", 0.5), _pair("a1", "c1", 0.75), _pair("b1", "c1", 1.0),
               _pair("a2", None, None)),
        objects=({"annotation_id": "agreed", "made_from": ["a1", "b1"]},
                 {"annotation_id": "alone", "made_from": ["a2"]}),
        label_errors={"x": doubts},
    )  # fmt: skip
    found = fiftyone_figures.of_objects(tables)
    assert {key: one.get("agreement_iou") for key, one in found.items()} == {
        "a1": 0.625, "b1": 0.75, "c1": 0.875, "agreed": 0.6875, "proposed": None,
    }  # fmt: skip
    for key in ("agreed", "proposed"):
        assert (found[key]["label_error"], found[key]["label_error_kind"]) == (0.75, "location")
