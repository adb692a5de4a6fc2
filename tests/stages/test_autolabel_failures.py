"""Stage autolabel where images fail: each is a row with a reason, and never the end of the run."""

from __future__ import annotations

import csv
import functools
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import DeviceMemoryError, InputError, NotFiniteError
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.records import Annotation, BoolArray, Category, Detections, FloatArray, StageReport, UInt8Image
from curate.stages import autolabel
from tests import builders
from tests.fakes import FakeDetector, FakeSegmenter

NAMES = [f"image-{number}" for number in range(10)]
TABLE, FAILURES = Path("out/annotations.parquet"), Path("out/failures.csv")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten kept images."""
    monkeypatch.chdir(tmp_path)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY)
    records = [builders.image(name) for name in NAMES]
    for seed, record in enumerate(records):
        builders.write_jpeg(Path(str(record.path)), builders.scene([], seed=seed))
    builders.write_images(Path("images.parquet"), records)


def run(models: Any = None, engine: Any = None, **params: Any) -> StageReport:
    return autolabel.run(
        AutolabelParams.model_validate({"shard_size": 4, **params}),
        inputs=autolabel.Inputs(images=Path("images.parquet"), taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(
            table=TABLE, shards=Path("cache"), plot=Path("plot.csv"), failures=FAILURES
        ),
        ports=autolabel.Ports(models or whole, engine or LocalEngine(in_process=True)),
    )


def whole() -> Models:
    return Models(FakeDetector(), FakeSegmenter())


def failed() -> dict[str, str | None]:
    """Reason by image_id; each failed image has no other row."""
    rows = [Annotation.from_row(row) for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()]
    found = {row.image_id: row.reject_reason for row in rows if row.outcome == "failed"}
    assert not found.keys() & {row.image_id for row in rows if row.outcome != "failed"}
    return found


def path(name: str) -> Path:
    return Path(str(builders.image(name).path))


def test_damaged_and_disappeared_images_are_rows_and_come_back() -> None:
    run()
    good = TABLE.read_bytes()
    content = {name: path(name).read_bytes() for name in NAMES[:2]}
    path(NAMES[0]).unlink()
    path(NAMES[1]).write_bytes(b"\xff\xd8 not a picture")
    report = run(lambda: Models(FakeDetector(version="2"), FakeSegmenter()))
    assert failed() == {
        builders.image_id(NAMES[0]): "disappeared",
        builders.image_id(NAMES[1]): "unreadable",
    }
    assert report.line() == "autolabel: 10 images, 16 boxes, 0 images without a box, 2 failed"
    assert report.metrics["failed_by_reason"] == {"disappeared": 1, "unreadable": 1}
    with FAILURES.open(newline="") as file:
        listed = {row["image_id"]: row for row in csv.DictReader(file)}
    assert listed.keys() == failed().keys()
    assert "run `dvc repro" in listed[builders.image_id(NAMES[1])]["detail"]
    for name, pixels in content.items():
        path(name).write_bytes(pixels)
    detector = FakeDetector()
    run(lambda: Models(detector, FakeSegmenter()))
    assert failed() == {}
    assert TABLE.read_bytes() == good


def test_an_image_of_another_size_than_its_row_is_no_image() -> None:
    builders.write_jpeg(path(NAMES[4]), builders.scene([], size=(50, 40)))
    run()
    assert failed() == {builders.image_id(NAMES[4]): "unreadable"}


def test_a_large_image_is_not_read() -> None:
    records = [builders.image(name) for name in NAMES[:-1]]
    large = builders.image(NAMES[-1], width=20_000, height=5_001)
    builders.write_images(Path("images.parquet"), [*records, large])
    run()
    assert failed() == {large.image_id: "too_large"}
    assert "20000x5001 pixels, more than autolabel.max_pixels = 100,000,000" in FAILURES.read_text()


class Narrow(FakeDetector):
    """Holds two images at a time, and the bright ones not at all."""

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        if len(images) > 2 or any(image.mean() > 200 for image in images):
            raise DeviceMemoryError("no room")
        return super().detect(images, categories)


@pytest.mark.parametrize("batch_size", [0, 1, 7])
def test_out_of_memory_halves_the_batch_and_gives_up_on_one_image_alone(batch_size: int) -> None:
    builders.write_jpeg(path(NAMES[5]), builders.scene([], seed=5) // 8 + 220)
    run(lambda: Models(Narrow(), None, on_gpu=True), detector={"batch_size": batch_size})
    assert failed() == {builders.image_id(NAMES[5]): "out_of_memory"}
    assert dict(run(lambda: Models(Narrow())).counts)["boxes"] == 18


def test_a_segmenter_without_memory_fails_its_image() -> None:
    class Small(FakeSegmenter):
        def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
            if image.mean() > 200:
                raise DeviceMemoryError("no room")
            return super().segment(image, boxes)

    builders.write_jpeg(path(NAMES[5]), builders.scene([], seed=5) // 8 + 220)
    run(lambda: Models(FakeDetector(), Small(), on_gpu=True))
    assert failed() == {builders.image_id(NAMES[5]): "out_of_memory"}


def test_too_many_failures_stop_with_a_summary_and_keep_what_is_done() -> None:
    for name in NAMES[:4]:
        path(name).unlink()
    with pytest.raises(InputError) as caught:
        run(max_failures=3)
    assert str(caught.value).startswith(
        "more than autolabel.max_failures = 3 images failed (4 disappeared); the first: image data/ingest/"
    )
    assert not TABLE.exists()
    assert dict(run(max_failures=4).counts)["failed"] == 4


class Poisoned(FakeDetector):
    """A bright image ends the process."""

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        if any(image.mean() > 200 for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(images, categories)


def poisoned(log: Path) -> Models:
    with log.open("a") as file:
        file.write("loaded\n")
    return Models(Poisoned(), FakeSegmenter())


def test_an_image_that_kills_its_worker_is_a_row() -> None:
    run()
    expected = {row["annotation_id"] for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()}
    builders.write_jpeg(path(NAMES[5]), builders.scene([], seed=5) // 8 + 220)
    log = Path("loads")
    report = run(functools.partial(poisoned, log), LocalEngine(2, retries=1), precision="float32")
    assert failed() == {builders.image_id(NAMES[5]): "killed_worker"}
    assert "ended its worker 2 times (SIGKILL)" in FAILURES.read_text()
    found = {row["annotation_id"] for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()}
    assert len(found & expected) == 18
    assert dict(report.counts) == {"images": 10, "boxes": 18, "images without a box": 0, "failed": 1}
    # Once a worker: two at first, then one for each of the four that died.
    assert len(log.read_text().splitlines()) <= 2 + 4


def counted(log: Path) -> Models:
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return Models(FakeDetector(), FakeSegmenter())


def test_models_load_once_a_worker_and_any_engine_gives_the_same_table() -> None:
    run()
    expected = TABLE.read_bytes()
    for file in sorted(Path("cache").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    log = Path("loads")
    run(functools.partial(counted, log), LocalEngine(2))
    assert TABLE.read_bytes() == expected
    loads = log.read_text().split()
    assert 1 <= len(loads) <= 2
    assert len(set(loads)) == len(loads)
    assert str(os.getpid()) not in loads


class Overflowing(FakeDetector):
    """Answers with NaN where an image is bright: as an error, or in its boxes or scores."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        bright = [image.mean() > 200 for image in images]
        if self.how == "error" and any(bright):
            raise NotFiniteError
        found = super().detect(images, categories)
        for one, wrong in zip(found, bright, strict=True):
            if wrong:
                getattr(one, self.how)[:] = np.nan
        return found


@pytest.mark.parametrize("how", ["error", "boxes", "scores"])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_an_image_whose_boxes_are_no_numbers_failed_and_was_not_found_empty(
    how: str, batch_size: int
) -> None:
    builders.write_jpeg(path(NAMES[5]), builders.scene([], seed=5) // 8 + 220)
    report = run(lambda: Models(Overflowing(how), None), detector={"batch_size": batch_size})
    assert failed() == {builders.image_id(NAMES[5]): "not_finite"}
    assert report.line() == "autolabel: 10 images, 18 boxes, 0 images without a box, 1 failed"
    assert f"{path(NAMES[5])}: the model answers with values that are no numbers" in FAILURES.read_text()
    with pytest.raises(InputError, match="1 not_finite"):
        run(lambda: Models(Overflowing(how), None), max_failures=0)


class Blind(FakeSegmenter):
    """Says NaN of the quality of its masks where an image is bright."""

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        masks, quality = super().segment(image, boxes)
        return masks & (image.mean() <= 200), np.where(image.mean() > 200, np.nan, quality)


def test_an_image_whose_masks_are_no_numbers_failed_and_keeps_no_box_without_one() -> None:
    builders.write_jpeg(path(NAMES[5]), builders.scene([], seed=5) // 8 + 220)
    run(lambda: Models(FakeDetector(), Blind()))
    assert failed() == {builders.image_id(NAMES[5]): "not_finite"}
    run()  # a segmenter that can
    assert failed() == {}
