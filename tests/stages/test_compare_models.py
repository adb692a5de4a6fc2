"""Two detectors on gold, through the stage that suggests: known figures, and what is unknown in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.engines.local import LocalEngine
from curate.labeling import fitted_precision, taxonomy
from curate.labeling.fitted_precision import Promise
from curate.labeling.run.models import Models
from curate.labeling.training_record import TrainingRecord
from curate.params import AutolabelParams, DetectorParams, QualityParams
from curate.records import Category, Detections, UInt8Image
from curate.stages import compare_models
from curate.stages.compare_models import Inputs, Ports, Side
from tests import builders

BOX = (20.0, 20.0, 80.0, 80.0)
NAMES = [f"image-{number:02d}" for number in range(14)]
IMAGES, TAXONOMY, GOLD, OUT = (
    Path("images.parquet"), Path("taxonomy.yaml"), Path("gold.parquet"), Path("metrics/compared.json")
)  # fmt: skip
TODAY = {"stop_sign": 0.4, "parking_sign": 0.4}


class Bright:
    """Finds a stop sign in the middle with a score that its name says, in images of a bright first pixel."""

    def __init__(self, name: str) -> None:
        self.model_version = name
        self.score = float(name.rpartition("-")[2])
        self.all = name.startswith("all")

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        del categories
        found = []
        for image in images:
            boxes = [BOX] if self.all or image[0, 0, 0] > 127 else []
            found.append(
                Detections(
                    np.array(boxes, dtype=np.float32).reshape(-1, 4),
                    np.full(len(boxes), self.score, dtype=np.float32),
                    ("stop_sign",) * len(boxes),
                    ("stop sign",) * len(boxes),
                )
            )
        return found


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """14 images with a stop sign each; the first pixel of half of them is bright."""
    monkeypatch.chdir(tmp_path)
    records = [builders.image(name) for name in NAMES]
    for number, record in enumerate(records):
        pixels = np.full((builders.HEIGHT, builders.WIDTH, 3), 220 if number % 2 else 30, dtype=np.uint8)
        builders.write_jpeg(Path(str(record.path)), pixels)
    builders.write_images(IMAGES, records)
    TAXONOMY.write_text(builders.TAXONOMY)
    builders.write_annotations(
        GOLD, [builders.annotation(name, "stop_sign", BOX, origin="gold", rle=None) for name in NAMES]
    )


def side(name: str, thresholds: dict[str, float] | None = None) -> Side:
    return Side(DetectorParams(model=name), thresholds or TODAY)


def run(before: Side, after: Side, gold: Path | None = GOLD) -> dict[str, Any]:
    return compare_models.run(
        AutolabelParams(),
        QualityParams(bootstrap=200),
        before=before,
        after=after,
        inputs=Inputs(IMAGES, TAXONOMY, gold),
        out=OUT,
        ports=Ports(lambda params: Models(Bright(params.detector.model)), LocalEngine(in_process=True)),
    )


def figure(document: dict[str, Any], name: str, category: str = "all") -> dict[str, Any]:
    return next(row for row in document["figures"] if (row["category"], row["figure"]) == (category, name))


def test_each_with_its_own_thresholds_on_the_same_images() -> None:
    document = run(side("half-0.9"), side("all-0.5"))
    assert json.loads(OUT.read_text()) == document
    recall = figure(document, "recall")
    assert (recall["before"]["value"], recall["after"]["value"]) == (0.5, 1.0)
    assert recall["difference"]["value"] == 0.5
    assert 0 < recall["difference"]["low"] < 0.5 < recall["difference"]["high"]
    assert figure(document, "precision", "stop_sign")["after"]["value"] == 1.0
    assert figure(document, "recall", "parking_sign")["after"]["reason"] == "nothing to measure"
    assert (document["images"], document["objects"]) == (14, 14)
    assert (document["before"]["model_version"], document["after"]["model_version"]) == (
        "half-0.9",
        "all-0.5",
    )
    *_, last = compare_models.lines(document)
    assert last.startswith("F1 0.667 -> 1.000, better: 0.333 [")
    assert last.endswith("(on 14 images with known answers, 14 objects, at IoU 0.5)")
    raised = run(side("half-0.9"), side("all-0.5", {"stop_sign": 0.6, "parking_sign": 0.4}))
    assert figure(raised, "recall")["after"]["value"] == 0.0
    assert "worse" in compare_models.headline(raised)


def test_what_may_be_chance_is_said_to_be() -> None:
    document = run(side("half-0.9"), side("half-0.8"))
    assert "F1 0.667 -> 0.667, the difference may be chance: 0.000 [-" in compare_models.headline(document)


def test_without_gold_it_is_not_known_which_is_better() -> None:
    document = run(side("half-0.9"), side("all-0.5"), gold=None)
    assert document["after"]["model_version"] is None
    assert {row["difference"]["reason"] for row in document["figures"]} == {compare_models.NO_GOLD}
    assert compare_models.headline(document).startswith(
        "which detector is better is not known: no image has known answers (qa.gold)"
    )


def test_few_gold_images_are_too_few() -> None:
    builders.write_annotations(
        GOLD, [builders.annotation(name, "stop_sign", BOX, origin="gold", rle=None) for name in NAMES[:9]]
    )
    headline = compare_models.headline(run(side("half-0.9"), side("all-0.5")))
    assert headline.startswith("which detector is better is not known: fewer than 10 images (on 9 images")


def test_images_that_a_detector_was_trained_on_do_not_count() -> None:
    folder = Path("all-0.5")
    folder.mkdir()
    folder.joinpath("training.json").write_text(trained().model_dump_json())
    lines = [f"{builders.image_id(name)},train" for name in NAMES[:3]]
    folder.joinpath("trained_on.csv").write_text("\n".join(["image_id,split", *lines]) + "\n")
    document = run(side("half-0.9"), side("all-0.5"))
    assert document["images"] == 11
    assert document["left_out"] == {"that a detector was trained on": 3}
    assert "left out: 3 that a detector was trained on" in compare_models.headline(document)


def test_scenes_that_a_detector_was_trained_on_do_not_count() -> None:
    """It learned image-00, whose variant image-01 is, and a copy of image-02, which was dropped for that."""
    copy, keeper = builders.image("copy"), builders.image_id(NAMES[2])
    ties: dict[str, Any] = {key: {"dup_group": builders.image_id(NAMES[0])} for key in NAMES[:2]}
    records = [builders.image(name, **ties.get(name, {})) for name in NAMES]
    builders.write_images(
        IMAGES, [*records, dataclasses.replace(copy, drop_reason="near_duplicate", duplicate_of=keeper)]
    )
    folder = Path("all-0.5")
    folder.mkdir()
    folder.joinpath("training.json").write_text(trained().model_dump_json())
    lines = [f"{builders.image_id(name)},train" for name in (NAMES[0], "copy")]
    folder.joinpath("trained_on.csv").write_text("\n".join(["image_id,split", *lines]) + "\n")
    document = run(side("half-0.9"), side("all-0.5"))
    assert document["images"] == 11
    assert document["left_out"] == {
        "that a detector was trained on": 1, "of a scene that a detector was trained on": 2
    }  # fmt: skip


def trained() -> TrainingRecord:
    return TrainingRecord(
        name="unit", version="1.0.0", digest="a", format="coco", command="x", files={}, seed=0,
        images={"train": 3}, held_back={}, image_licenses={}, data_license="cc0-1.0", license=None,
        git_commit=None, git_changed=False, started_at="2026-01-01T00:00:00+00:00", seconds=1.0, weights={},
        detector=True, before=None,
    )  # fmt: skip


@pytest.mark.parametrize(("version", "told"), [("half-0.9+sam@1", True), ("all-0.5", False), (None, False)])
def test_thresholds_of_another_model_are_said_to_be(version: str | None, *, told: bool) -> None:
    if version is not None:
        kept = Promise(
            precision=0.9, confidence=0.95, together=False, model_versions=(version,), thresholds=TODAY
        )
        TAXONOMY.write_text(fitted_precision.written(builders.TAXONOMY, kept, TAXONOMY))
    text = "\n".join(compare_models.lines(run(side("half-0.9"), side("all-0.5"))))
    assert ("after: all-0.5; its thresholds were fitted for another model" in text) is told
    assert taxonomy.load(TAXONOMY)[0].threshold == 0.4


def test_an_image_that_cannot_be_looked_at_is_left_out_and_counted() -> None:
    Path(str(builders.image(NAMES[0]).path)).unlink()
    document = run(side("half-0.9"), side("all-0.5"))
    assert (document["images"], document["left_out"]) == (13, {"that a detector could not look at": 1})
