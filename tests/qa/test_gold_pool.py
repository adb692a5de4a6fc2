"""Known answers from files of the user."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate import schema, tables
from curate.errors import InputError, TableError
from curate.geometry import masks
from curate.qa import gold_pool
from curate.records import Annotation
from tests import builders

NAMES = ("stop_sign", "parking_sign")
BOX = (10.0, 20.0, 50.0, 80.0)
WIDTH, HEIGHT = builders.WIDTH, builders.HEIGHT


@pytest.fixture
def images(tmp_path: Path) -> pa.Table:
    """Kept: one, two, and three under two names; dropped: copy."""
    records = [
        builders.image("one"),
        builders.image("two", sources=("cam/a/0001.jpg",)),
        builders.image("three", sources=("cam/b/0001.jpg", "web/three.jpg")),
        builders.image("copy", drop_reason="near_duplicate", duplicate_of=builders.image_id("one")),
    ]
    path = builders.write_images(tmp_path / "images.parquet", records)
    return tables.read(path, schema.IMAGES, columns=gold_pool.IMAGE_COLUMNS)


def gold(name: str, category: str | None = "stop_sign", **changes: Any) -> Annotation:
    box = BOX if category else None
    return builders.annotation(name, category, box, origin="gold", **changes)


def coco(*images: dict[str, Any], annotations: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "info": {"about": "anything"},
        "images": [{"id": number, **image} for number, image in enumerate(images)],
        "categories": [{"id": 7, "name": "stop_sign"}, {"id": 9, "name": "parking_sign"}],
        "annotations": annotations or [],
    }


def entry(number: int = 1, image: int = 0, **changes: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = BOX
    box = [x1, y1, x2 - x1, y2 - y1]
    return {"id": number, "image_id": image, "category_id": 7, "bbox": box, "area": 1, **changes}


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def load(path: Path | None, images: pa.Table) -> list[Annotation]:
    return [Annotation.from_row(row) for row in gold_pool.load(path, images, NAMES).to_pylist()]


def test_no_gold(tmp_path: Path, images: pa.Table) -> None:
    assert load(None, images) == []
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold/README.md").write_text("what this is")
    (tmp_path / "gold/.gitignore").write_text("*")
    assert load(tmp_path / "gold", images) == []
    with pytest.raises(InputError, match=r"qa\.gold = .*nowhere does not exist"):
        load(tmp_path / "nowhere", images)


def test_a_table_comes_back_without_images_that_are_not_kept(tmp_path: Path, images: pa.Table) -> None:
    rows = [gold("one"), gold("two", None), gold("copy")]
    path = builders.write_annotations(tmp_path / "gold.parquet", rows)
    assert set(load(path, images)) == set(rows[:2])


def test_a_folder_of_both_kinds(tmp_path: Path, images: pa.Table) -> None:
    folder = tmp_path / "gold"
    builders.write_annotations(folder / "a.parquet", [gold("one")])
    write(
        folder / "b.json",
        coco({"file_name": "a/0001.jpg"}, {"file_name": "three.jpg"}, annotations=[entry()]),
    )
    found = load(folder, images)
    assert [(row.image_id, row.outcome) for row in sorted(found, key=lambda row: row.image_id)] == sorted(
        [
            (builders.image_id("one"), "object"),
            (builders.image_id("two"), "object"),
            (builders.image_id("three"), "empty"),
        ]
    )
    drawn = next(row for row in found if row.image_id == builders.image_id("two"))
    assert (drawn.category, drawn.bbox_xyxy, drawn.origin, drawn.rle) == ("stop_sign", BOX, "gold", None)
    write(folder / "c.json", coco({"file_name": "two/../a/0001.jpg"}))
    write(folder / "c.json", coco({"file_name": "one.jpg"}))
    with pytest.raises(InputError, match=r"c\.json: image .* has known answers in .*a\.parquet too"):
        load(folder, images)


def test_masks_of_every_form_are_the_same_raster(tmp_path: Path, images: pa.Table) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    mask[20:80, 10:50] = True
    rle = masks.encode(mask)
    runs = masks.run_lengths(rle).tolist()
    size = [HEIGHT, WIDTH]
    ring = [10, 20, 50, 20, 50, 80, 10, 80]
    for form in ({"size": size, "counts": rle}, {"size": size, "counts": runs}, [ring]):
        path = write(
            tmp_path / "g.json", coco({"file_name": "one.jpg"}, annotations=[entry(segmentation=form)])
        )
        (row,) = load(path, images)
        assert row.rle == rle
    path = write(tmp_path / "g.json", coco({"file_name": "one.jpg"}, annotations=[entry(segmentation=[])]))
    assert load(path, images)[0].rle is None


@pytest.mark.parametrize(
    ("image", "annotation", "message"),
    [
        ({"file_name": "0001.jpg"}, None, r"image 0, '0001\.jpg', is the end of 2 images' sources"),
        ({"file_name": "gone.jpg"}, None, r"image 0, 'gone\.jpg', is the end of no image's source"),
        ({"file_name": "ne.jpg"}, None, r"'ne\.jpg', is the end of no"),
        (
            {"file_name": "one.jpg", "width": HEIGHT, "height": WIDTH},
            None,
            "is 120 x 160 there, and upright 160 x",
        ),
        ({"file_name": "one.jpg"}, entry(category_id=1), r"annotation 1 has an image_id or category_id that"),
        ({"file_name": "one.jpg"}, entry(image=5), r"annotation 1 has an image_id or category_id that"),
        ({"file_name": "one.jpg"}, entry(iscrowd=1), "annotation 1 is a crowd"),
        ({"file_name": "one.jpg"}, entry(bbox=[1, 1, 0, 5]), "annotation 1: .*expected x1 < x2"),
        ({"file_name": "one.jpg"}, entry(bbox=[1, 1, 5]), r"annotations\.0\.bbox.* is not COCO's"),
        (
            {"file_name": "one.jpg"},
            entry(segmentation=[[1, 2, 3]]),
            "annotation 1: expected a ring of at least 3",
        ),
        (
            {"file_name": "one.jpg"},
            entry(segmentation={"size": [1, 1], "counts": "01"}),
            r"annotation 1: a mask of size \[1, 1\]",
        ),
        (
            {"file_name": "one.jpg"},
            entry(segmentation={"size": [HEIGHT, WIDTH], "counts": [5]}),
            "annotation 1: mask counts cover 5 pixels",
        ),
    ],
)
def test_mistakes_in_coco_are_named(
    tmp_path: Path, images: pa.Table, image: dict[str, Any], annotation: dict[str, Any] | None, message: str
) -> None:
    path = write(tmp_path / "g.json", coco(image, annotations=[annotation] if annotation else []))
    with pytest.raises(InputError, match=message) as raised:
        load(path, images)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_an_image_or_object_twice_is_named(tmp_path: Path, images: pa.Table) -> None:
    twice = coco({"file_name": "three.jpg"}, {"file_name": "b/0001.jpg"})
    with pytest.raises(InputError, match=r"image 1, 'b/0001\.jpg', is named twice, first as 'three\.jpg'"):
        load(write(tmp_path / "g.json", twice), images)
    again = coco({"file_name": "one.jpg"}, annotations=[entry(1), entry(2)])
    with pytest.raises(InputError, match="annotation 2 is the same object as an earlier one"):
        load(write(tmp_path / "g.json", again), images)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (gold("elsewhere"), r"row 0 has '.*' as image, which"),
        (gold("one", "yield_sign"), "row 0 has 'yield_sign' as category, which the taxonomy does not name"),
        (replace(gold("one", None), outcome="skipped"), "row 0 has 'skipped' as outcome"),
        (replace(gold("one"), origin="human"), "row 0 has the origin 'human', expected 'gold'"),
    ],
)
def test_mistakes_in_a_table_are_named(
    tmp_path: Path, images: pa.Table, row: Annotation, message: str
) -> None:
    path = builders.write_annotations(tmp_path / "g.parquet", [row])
    with pytest.raises(InputError, match=message):
        load(path, images)


def test_files_of_other_kinds_are_refused(tmp_path: Path, images: pa.Table) -> None:
    (tmp_path / "gold.csv").write_text("image,x1\n")
    with pytest.raises(InputError, match=r"gold\.csv is no gold: expected a table"):
        load(tmp_path / "gold.csv", images)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json cannot be read as JSON"):
        load(tmp_path / "broken.json", images)
    (tmp_path / "broken.parquet").write_text("PAR1")
    with pytest.raises(TableError, match="is damaged"):
        load(tmp_path / "broken.parquet", images)
