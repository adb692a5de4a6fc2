"""Stage autolabel with fake models: thresholds, suppression, masks, shards that survive a kill."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import InputError, ParamsError, StorageError, TableError
from curate.geometry import masks
from curate.labeling import fitted_precision, taxonomy
from curate.labeling.fitted_precision import Promise
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.records import Annotation, BoolArray, Category, Detections, FloatArray, StageReport, UInt8Image
from curate.stages import autolabel
from tests import builders
from tests.fakes import FakeDetector, FakeSegmenter

IMAGES, TABLE, SHARDS, PLOT, FAILURES = (
    Path("images.parquet"),
    Path("out/annotations.parquet"),
    Path("cache"),
    Path("plot.csv"),
    Path("out/failures.csv"),
)
NAMES = [f"image-{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten kept images and a dropped one."""
    monkeypatch.chdir(tmp_path)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY)
    make_images(NAMES)
    return tmp_path


def make_images(names: list[str]) -> None:
    records = [builders.image(name) for name in names]
    for seed, record in enumerate(records):
        builders.write_jpeg(Path(str(record.path)), builders.scene([], seed=seed))
    dropped = builders.image("dropped", path=None, drop_reason="truncated")
    builders.write_images(IMAGES, [*records, dropped])


def in_this_process(detector: Any, segmenter: Any) -> autolabel.Ports:
    return autolabel.Ports(lambda: Models(detector, segmenter), LocalEngine(in_process=True))


def run(detector: Any = None, segmenter: Any = None, **params: Any) -> StageReport:
    return autolabel.run(
        AutolabelParams(shard_size=3, **params),
        inputs=autolabel.Inputs(images=IMAGES, taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(table=TABLE, shards=SHARDS, plot=PLOT, failures=FAILURES),
        ports=in_this_process(detector or FakeDetector(), segmenter),
    )


def rows() -> list[Annotation]:
    return [Annotation.from_row(row) for row in tables.read(TABLE, schema.ANNOTATIONS).to_pylist()]


class ByHand:
    """Always the same detections."""

    model_version = "by-hand"

    def __init__(self, *found: tuple[str, float, tuple[float, float, float, float]]) -> None:
        self.found = found

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        del categories
        boxes = np.array([box for _, _, box in self.found], dtype=np.float32).reshape(-1, 4)
        scores = np.array([score for _, score, _ in self.found], dtype=np.float32)
        names = tuple(name for name, _, _ in self.found)
        prompts = tuple(name.replace("_", " ") for name in names)
        return [Detections(boxes, scores, names, prompts)] * len(images)


def test_every_box_is_a_row_of_its_image() -> None:
    report = run(segmenter=FakeSegmenter())
    assert report.line() == "autolabel: 10 images, 20 boxes, 0 images without a box, 0 failed"
    found = rows()
    assert {row.image_id for row in found} == {builders.image_id(name) for name in NAMES}
    for row in found:
        assert row.origin == "model"
        assert row.model_version == "fake-detector+fake-segmenter"
        assert row.bbox_xyxy is not None
        assert row.rle is not None
        assert masks.bbox(row.rle, width=builders.WIDTH, height=builders.HEIGHT) == row.bbox_xyxy
    assert {(row.category, row.prompt, round(row.score or 0, 3)) for row in found} == {
        ("stop_sign", "stop sign", 0.9),
        ("parking_sign", "parking sign", 0.7),
    }
    assert report.metrics["boxes_by_category"] == {"stop_sign": 10, "parking_sign": 10}
    assert report.metrics["mean_score"] == pytest.approx(0.8)


def test_threshold_then_nms_then_the_best_so_many() -> None:
    detector = ByHand(
        ("stop_sign", 0.9, (0, 0, 20, 20)),
        ("stop_sign", 0.8, (1, 0, 21, 20)),  # repeats the first
        ("parking_sign", 0.7, (0, 1, 20, 21)),  # another category on the same object
        ("parking_sign", 0.6, (50, 0, 70, 20)),
        ("parking_sign", 0.5, (80, 0, 99, 20)),  # one too many
        ("stop_sign", 0.39, (50, 50, 70, 70)),  # under its threshold
    )
    run(detector, max_boxes=2)
    assert (
        sorted((row.category, round(row.score or 0, 2)) for row in rows())
        == [("parking_sign", 0.6)] * 10 + [("stop_sign", 0.9)] * 10
    )


def test_rejects_keep_a_row_with_the_reason() -> None:
    detector = ByHand(
        ("stop_sign", 0.9, (0, 0, 20, 20)),
        ("stop_sign", 0.8, (1, 0, 21, 20)),
        ("stop_sign", 0.75, (2, 2, 9, 9)),
        ("parking_sign", 0.7, (0, 1, 20, 21)),
        ("parking_sign", 0.6, (50, 0, 70, 20)),
        ("parking_sign", 0.5, (80, 0, 99, 20)),
        ("stop_sign", 0.49, (50, 50, 54, 70)),
        ("stop_sign", 0.39, (50, 50, 70, 70)),
        ("stop_sign", 0.38, (50, 50, 70, 70)),
    )
    lower = builders.TAXONOMY.replace("[parking sign], threshold: 0.4", "[parking sign], threshold: 0.3")
    Path("taxonomy.yaml").write_text(lower)
    plain = run(detector, FakeSegmenter(), max_boxes=2, containment=0.9, min_side=5.0)
    suggested = rows()
    report = run(detector, FakeSegmenter(), max_boxes=2, containment=0.9, min_side=5.0, keep_rejects=True)
    assert [row for row in rows() if row.outcome == "object"] == suggested
    rejected = [row for row in rows() if row.outcome == "rejected"]
    assert all(row.rle is None and row.origin == "model" for row in rejected)
    of_one = [row for row in rejected if row.image_id == rejected[0].image_id]
    assert sorted((round(row.score or 0, 2), row.reject_reason) for row in of_one) == [
        (0.39, "under_threshold"),  # and the same box again is the same row
        (0.49, "too_small"),
        (0.5, "surplus"),
        (0.7, "other_category"),
        (0.75, "inside"),
        (0.8, "repeats"),
    ]
    assert len(rejected) == 60
    assert report.counts == plain.counts
    assert report.metrics["rejected"] == dict.fromkeys(
        ("inside", "other_category", "repeats", "surplus", "too_small", "under_threshold"), 10
    )
    assert "rejected" not in plain.metrics
    assert {name: value for name, value in report.metrics.items() if name != "rejected"} == plain.metrics


def test_categories_may_overlap() -> None:
    detector = ByHand(("stop_sign", 0.9, (0, 0, 20, 20)), ("parking_sign", 0.7, (0, 0, 20, 20)))
    assert dict(run(detector).counts)["boxes"] == 10
    assert dict(run(detector, across="keep_both").counts)["boxes"] == 20


def test_masks_are_cleaned_and_held_against_their_box() -> None:
    class Ragged(FakeSegmenter):
        """A hole of 4 pixels, an island of 2, and nothing in the lower half."""

        def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
            found, quality = super().segment(image, boxes)
            found[:, 20:] = False
            found[:, 4:6, 4:6] = False
            found[:, 30, 60:62] = True
            return found, quality

    detector = ByHand(("stop_sign", 0.9, (0, 0, 40, 40)))

    def area(**limits: float) -> int | None:
        run(detector, Ragged(), masks={"max_hole": 0.0, "max_island": 0.0, **limits})
        (rle,) = {row.rle for row in rows()}
        return None if rle is None else masks.area(rle, width=builders.WIDTH, height=builders.HEIGHT)

    assert area() == 40 * 20 - 4 + 2
    assert area(max_hole=0.01) == 40 * 20 + 2
    assert area(max_island=0.01) == 40 * 20 - 4
    assert area(max_island=0.01, min_box_iou=0.5) == 40 * 20 - 4
    assert area(max_island=0.01, min_box_iou=0.51) is None


def test_every_row_names_its_taxonomy() -> None:
    run()
    categories = taxonomy.load(Path("taxonomy.yaml"))
    assert {row.taxonomy_digest for row in rows()} == {taxonomy.digest(categories)}


def test_images_without_a_box_have_no_row() -> None:
    report = run(ByHand())
    assert dict(report.counts) == {"images": 10, "boxes": 0, "images without a box": 10, "failed": 0}
    assert rows() == []
    assert report.metrics["mean_score"] is None


def test_without_a_segmenter_there_are_boxes_only() -> None:
    run()
    assert {row.rle for row in rows()} == {None}
    assert {row.model_version for row in rows()} == {"fake-detector"}


def test_an_empty_mask_is_no_mask() -> None:
    class Nothing(FakeSegmenter):
        def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
            found, quality = super().segment(image, boxes)
            return np.zeros_like(found), quality

    run(segmenter=Nothing())
    assert {row.rle for row in rows()} == {None}


def test_the_plot_counts_every_box() -> None:
    run()
    with PLOT.open(newline="") as file:
        bins = list(csv.DictReader(file))
    counted = {row["bin"]: row for row in bins if row["count"] != "0"}
    assert counted.keys() == {"0.70", "0.90"}
    assert [counted["0.90"][name] for name in ("count", "stop_sign", "parking_sign")] == ["10", "10", "0"]
    assert [counted["0.70"][name] for name in ("count", "stop_sign", "parking_sign")] == ["10", "0", "10"]
    assert len(bins) == 20


def test_bad_input_is_one_line() -> None:
    builders.write_images(IMAGES, [builders.image("dropped", path=None, drop_reason="truncated")])
    with pytest.raises(InputError, match="keeps no image"):
        run()
    Path("taxonomy.yaml").write_text(builders.TAXONOMY.replace("[stop sign]", "[]"))
    with pytest.raises(ParamsError, match=r"taxonomy\.yaml:2: category 'stop_sign' has no prompt"):
        run()
    Path("taxonomy.yaml").write_text(builders.TAXONOMY)
    IMAGES.unlink()
    with pytest.raises(TableError, match="does not exist"):
        run()


def test_a_full_disk_is_one_line_and_the_next_run_goes_on() -> None:
    TABLE.parent.mkdir()
    tables.partial_of(TABLE).symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"^no space left while writing out/annotations\.parquet: free"):
        run()
    detector = FakeDetector()
    run(detector)
    assert detector.seen == 0


def test_thresholds_that_were_fitted_for_another_model_are_said_to_be() -> None:
    def fitted(version: str) -> None:
        kept = Promise(
            precision=0.9, confidence=0.95, together=False, model_versions=(version,),
            thresholds={"stop_sign": 0.4},
        )  # fmt: skip
        path = Path("taxonomy.yaml")
        path.write_text(fitted_precision.written(builders.TAXONOMY, kept, path))

    assert "fitted for another model" not in run().line()
    fitted("older-detector")
    report = run()
    assert report.line().endswith("1 thresholds that were fitted for another model")
    assert report.metrics["thresholds_fitted_for"] == ["older-detector"]
    fitted("fake-detector")
    report = run()
    assert "fitted for another model" not in report.line()
    assert "thresholds_fitted_for" not in report.metrics
