"""Stage autolabel again: what is known is not asked for twice, whatever changed and whoever was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.params import AutolabelParams
from curate.records import BoolArray, Category, Detections, FloatArray, UInt8Image
from curate.stages import autolabel
from tests import builders
from tests.fakes import FakeDetector, FakeSegmenter
from tests.stages.test_autolabel import (
    FAILURES,
    IMAGES,
    NAMES,
    PLOT,
    SHARDS,
    TABLE,
    in_this_process,
    make_images,
    project,
    rows,
    run,
)

__all__ = ["project"]  # a fixture that every test here takes


def in_params(detector: Any, values: dict[str, Any]) -> None:
    """A run where `run`'s own name for a parameter is that of the model."""
    autolabel.run(
        AutolabelParams.model_validate({"shard_size": 3, **values}),
        inputs=autolabel.Inputs(images=IMAGES, taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(table=TABLE, shards=SHARDS, plot=PLOT, failures=FAILURES),
        ports=in_this_process(detector, None),
    )


def files() -> set[str]:
    """What is kept of the shards."""
    return {path.name for path in SHARDS.glob("shards/*/*")}


class CountingSegmenter(FakeSegmenter):
    """Counts the boxes that it sees."""

    def __init__(self) -> None:
        self.boxes = 0

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        self.boxes += len(boxes)
        return super().segment(image, boxes)


def test_finished_shards_are_not_computed_again() -> None:
    first = FakeDetector()
    run(first)
    before = TABLE.read_bytes()
    assert first.seen == 10
    again = FakeDetector()
    run(again)
    assert again.seen == 0
    assert TABLE.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"detector": FakeDetector(version="other")},
        {"precision": "bfloat16"},
        {"min_score": 0.01},
        {"taxonomy_text": builders.TAXONOMY.replace("threshold: 0.4", "threshold: 0.04")},
        {"taxonomy_text": builders.TAXONOMY.replace("[stop sign]", "[red octagon]")},
    ],
)
def test_what_changes_the_raw_boxes_asks_the_detector_again(change: dict[str, Any]) -> None:
    run()
    stale = files()
    Path("taxonomy.yaml").write_text(change.pop("taxonomy_text", builders.TAXONOMY))
    detector = change.pop("detector", FakeDetector())
    detector.seen = 0
    run(detector, **change)
    assert detector.seen == 10
    assert not stale & files()


@pytest.mark.parametrize(
    "change",
    [
        {"nms_iou": 0.5},
        {"max_boxes": 7},
        {"containment": 0.9},
        {"across": "keep_both"},
        {"min_side": 2.0},
        {"keep_rejects": True},
        {"masks": {"max_hole": 0.02}},
        {"taxonomy_text": builders.TAXONOMY.replace("threshold: 0.4", "threshold: 0.5")},
        {"taxonomy_text": builders.TAXONOMY.replace("name: stop_sign", "name: stop")},
        {"taxonomy_text": builders.TAXONOMY.replace("#4363d8", "#4363d9")},
    ],
)
def test_what_changes_the_choice_alone_needs_no_model(change: dict[str, Any]) -> None:
    run(segmenter=CountingSegmenter())
    before = {path for path in files() if "labels-" in path}
    Path("taxonomy.yaml").write_text(change.pop("taxonomy_text", builders.TAXONOMY))
    detector, segmenter = FakeDetector(), CountingSegmenter()
    run(detector, segmenter, **change)
    assert (detector.seen, segmenter.boxes) == (0, 0)
    again = {path for path in files() if "labels-" in path}
    assert len(again) == len(before) == 4
    assert not before & again
    resumed = TABLE.read_bytes()
    shutil.rmtree(SHARDS)
    run(segmenter=CountingSegmenter(), **change)
    assert TABLE.read_bytes() == resumed


def test_a_new_box_asks_the_segmenter_for_that_box() -> None:
    high = builders.TAXONOMY.replace("[parking sign], threshold: 0.4", "[parking sign], threshold: 0.8")
    Path("taxonomy.yaml").write_text(high)
    first = CountingSegmenter()
    run(segmenter=first)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY)
    detector, second = FakeDetector(), CountingSegmenter()
    run(detector, second)
    assert (first.boxes, detector.seen, second.boxes) == (10, 0, 10)
    resumed = TABLE.read_bytes()
    shutil.rmtree(SHARDS)
    run(segmenter=FakeSegmenter())
    assert TABLE.read_bytes() == resumed


def test_a_prompt_with_a_text_of_its_own_is_asked_alone() -> None:
    class Asked(FakeDetector):
        def __init__(self) -> None:
            super().__init__()
            self.prompts: set[tuple[str, ...]] = set()

        def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
            self.prompts.add(tuple(category.prompts[0] for category in categories))
            return super().detect(images, categories)

    apart = {"detector": {"texts": "per_category"}}
    first = Asked()
    again = Asked()
    in_params(first, apart)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY.replace("[parking sign]", "[blue sign]"))
    in_params(again, apart)
    assert first.prompts == {("stop sign", "parking sign")}
    assert again.prompts == {("blue sign",)}


def test_new_images_leave_all_others_alone() -> None:
    make_images(NAMES[:7])
    run(segmenter=FakeSegmenter())
    make_images(NAMES)
    detector = FakeDetector()
    run(detector, FakeSegmenter())
    assert detector.seen == 3
    grown = TABLE.read_bytes()
    shutil.rmtree(SHARDS)
    run(segmenter=FakeSegmenter())
    assert TABLE.read_bytes() == grown


def test_images_that_leave_take_nothing_with_them() -> None:
    run()
    make_images(NAMES[:-2])
    detector = FakeDetector()
    run(detector)
    assert detector.seen == 0
    assert {row.image_id for row in rows()} == {builders.image_id(name) for name in NAMES[:-2]}
    make_images(NAMES[:1])
    run(detector)
    assert detector.seen == 0
    assert len(list((SHARDS / "shards").iterdir())) == 1


@pytest.mark.parametrize("kind", ["boxes", "masks", "labels"])
def test_a_damaged_file_is_made_again(kind: str) -> None:
    run(segmenter=FakeSegmenter())
    before = TABLE.read_bytes()
    folder = next((SHARDS / "shards").iterdir())
    for path in folder.glob(f"{kind}-*"):
        path.write_bytes(b"PAR1 half a file")
    if kind != "labels":
        for path in folder.glob("labels-*"):
            path.unlink()
    (folder / ".left.parquet.partial").write_bytes(b"x")
    detector = FakeDetector()
    run(detector, FakeSegmenter())
    assert (0 < detector.seen <= 3) == (kind == "boxes")
    assert TABLE.read_bytes() == before
    assert not list(folder.glob("*.partial"))


def test_a_lost_roster_costs_time_alone() -> None:
    run()
    before = TABLE.read_bytes()
    (SHARDS / "roster.parquet").write_bytes(b"PAR1 half a file")
    run()
    assert TABLE.read_bytes() == before


def test_the_size_of_batches_and_shards_does_not_show() -> None:
    run(segmenter=FakeSegmenter())
    before = TABLE.read_bytes()
    shutil.rmtree(SHARDS)
    params = AutolabelParams.model_validate({"shard_size": 64, "detector": {"batch_size": 7}})
    autolabel.run(
        params,
        inputs=autolabel.Inputs(images=IMAGES, taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(table=TABLE, shards=SHARDS, plot=PLOT, failures=FAILURES),
        ports=in_this_process(FakeDetector(), FakeSegmenter()),
    )
    assert TABLE.read_bytes() == before


SLOW = """
from pathlib import Path
from tests.stages import test_autolabel as t
from tests.fakes import FakeDetector, FakeSegmenter
t.run(FakeDetector(log=Path("log"), delay_s=0.1), FakeSegmenter())
"""


def test_a_killed_run_repeats_at_most_one_shard() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", SLOW], env=environment) as process:
        deadline = time.monotonic() + 60
        while len(list(SHARDS.glob("shards/*/labels-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.15)  # into the third shard
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not TABLE.exists()
    done = len(Path("log").read_text().splitlines())
    known = sum(pq.read_metadata(path).num_rows for path in SHARDS.glob("shards/*/boxes-*"))
    assert 4 <= known <= done < 10
    detector = FakeDetector()
    run(detector, FakeSegmenter())
    assert detector.seen == 10 - known
    assert done + detector.seen <= 10 + 3
    resumed = (TABLE.read_bytes(), PLOT.read_bytes())
    shutil.rmtree(SHARDS)
    run(FakeDetector(), FakeSegmenter())
    assert (TABLE.read_bytes(), PLOT.read_bytes()) == resumed
