"""Images of scenes that a detector was trained on: found by hand, left out of what it is judged by."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curate import schema, tables
from curate.errors import ModelError
from curate.params import AgreementParams
from curate.records import ImageRecord, StageReport
from curate.stages import agreement, seen_scenes
from curate.stages.seen_scenes import Seen
from tests import builders
from tests.builders import annotation, image_id
from tests.stages import test_agreement
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS
from tests.stages.test_compare_models import trained

DETECTOR = Path("models/own")
A, B = (10.0, 10.0, 60.0, 60.0), (100.0, 20.0, 150.0, 80.0)


def ids(*names: str) -> frozenset[str]:
    return frozenset(image_id(name) for name in names)


def write_training(**split: str) -> None:
    DETECTOR.mkdir(parents=True, exist_ok=True)
    (DETECTOR / "training.json").write_text(trained().model_dump_json())
    lines = [f"{image_id(name)},{of}" for name, of in split.items()]
    (DETECTOR / "trained_on.csv").write_text("\n".join(["image_id,split", *lines]) + "\n")


def related() -> list[ImageRecord]:
    """`kept` and `variant` show one scene, as does `copy`, which was dropped; `night` shares a camera."""
    group, camera = image_id("kept"), (("camera", "7"),)
    return [
        builders.image("kept", dup_group=group, attributes=camera),
        builders.image("copy", dup_group=group, drop_reason="near_duplicate", duplicate_of=image_id("kept")),
        builders.image("variant", dup_group=group),
        builders.image("night", attributes=camera),
        builders.image("other"),
    ]


@pytest.mark.parametrize("of", ["kept", "copy", "variant"])
def test_copies_and_variants_of_an_image_show_its_scene(of: str) -> None:
    images = pa.Table.from_pylist([one.row() for one in related()], schema=schema.IMAGES.arrow)
    scene = ids("kept", "copy", "variant")
    assert seen_scenes.find(ids(of), images, ()) == Seen(ids(of), scene - ids(of))
    by_camera = seen_scenes.find(ids(of), images, ("camera",))
    assert by_camera.all == scene | ids("night")
    assert seen_scenes.find((), images, ("no such attribute",)) == Seen()


def test_what_a_detector_has_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("images.parquet")
    assert seen_scenes.learned(None, table, ()) == Seen()
    assert seen_scenes.learned(DETECTOR, table, ()) == Seen()  # no record: no table is needed
    write_training(copy="train", other="validation", gone="train")
    builders.write_images(table, related())
    assert seen_scenes.learned(DETECTOR, table, ()) == Seen(ids("copy", "gone"), ids("kept", "variant"))
    (DETECTOR / "trained_on.csv").unlink()
    with pytest.raises(ModelError, match="restore it, or train again"):
        seen_scenes.learned(DETECTOR, table, ())


def agreed(detector: Path | None) -> StageReport:
    inputs = replace(INPUTS, detector=detector)
    return agreement.run(AgreementParams(), inputs=inputs, outputs=OUTPUTS, ports=PORTS)


def test_label_errors_are_not_judged_by_a_detector_that_learned_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="pull")
    builders.write_images(INPUTS.images, related())
    kept = ("kept", "variant", "night", "other")
    suggested = [annotation(name, "stop_sign", B, origin="model", score=0.9) for name in kept]
    builders.write_annotations(INPUTS.suggestions, suggested)
    tables.write_rows([builders.plan_row(name) for name in kept], INPUTS.plan, schema.PLAN)
    shutil.rmtree(INPUTS.shown)
    builders.show(Path())
    test_agreement.only(
        [annotation(name, "stop_sign", A, annotator_id=builders.ANNOTATORS[0]) for name in kept]
    )

    def contradicted() -> set[str]:
        return {row["image_id"] for row in test_agreement.read_csv(OUTPUTS.label_errors)}

    agreed(None)
    assert contradicted() == ids(*kept)
    write_training(copy="train", other="validation")
    report = agreed(DETECTOR)
    assert contradicted() == ids("night", "other")
    why = "the detector was trained on them or their scene"
    assert dict(report.counts)[f"not searched for label errors, {why}"] == 2
    assert report.metrics["label_errors_left_out"] == {why: 2}
