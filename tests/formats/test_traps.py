"""Conventions and traps of single formats, by hand-made files with known answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import formats
from curate.errors import InputError
from curate.formats import yolo
from curate.geometry import masks
from tests.formats import datasets

STOP = datasets.CATEGORIES[0]


def coco_file(path: Path, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "images": [{"id": 9, "file_name": "a.jpg", "width": 8, "height": 6}],
        "categories": [{"id": 90, "name": "stop sign"}, {"id": 3, "name": "駐車"}],
        "annotations": [],
    }
    path.write_text(json.dumps({**content, **changes}, indent=1), encoding="utf-8")
    return path


def annotation(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 9, "category_id": 3, "bbox": [0, 0, 1, 1], **changes}


def test_coco_category_ids_need_not_be_contiguous(tmp_path: Path) -> None:
    labels = formats.read(
        coco_file(tmp_path / "a.json", annotations=[annotation(category_id=90), annotation(id=2)])
    )
    (image,) = labels.images
    assert [one.category for one in image.objects] == ["stop sign", "駐車"]
    assert labels.categories == ("stop sign", "駐車")
    assert labels.problems == []


def test_coco_crowd_in_uncompressed_counts(tmp_path: Path) -> None:
    # down the columns: 6 off, then 2 on, the rest off
    crowd = annotation(iscrowd=1, segmentation={"size": [6, 8], "counts": [6, 2, 40]})
    (image,) = formats.read(coco_file(tmp_path / "a.json", annotations=[crowd])).images
    (one,) = image.objects
    assert one.is_crowd
    mask = masks.decode(one.mask((8, 6)) or "", width=8, height=6)
    assert np.argwhere(mask).tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("bad", "kind", "detail"),
    [
        (annotation(segmentation=[[1, 1, 3, 3]]), "short_polygon", "a polygon of 2 points"),
        (
            annotation(segmentation={"size": [8, 6], "counts": [48]}),
            "mask_size",
            "a mask of 6 x 8 in an image of 8 x 6",
        ),
        (annotation(segmentation={"size": [6, 8], "counts": [47]}), "damaged", "a mask whose runs are not"),
        (annotation(category_id=4), "unknown_category", "category_id 4"),
        (annotation(image_id=7), "label_without_image", "image_id 7"),
        (annotation(bbox=[1, 1, 0, 4]), "empty_box", "without area"),
        (annotation(bbox=[1, 1, 4]), "damaged", "of another form"),
        (annotation(bbox=[1, 1, "x", 4]), "damaged", "of another form"),
        (annotation(bbox=[1, 1, float("nan"), 4]), "damaged", "no finite number"),
        (annotation(bbox=None), "damaged", "neither bbox nor segmentation"),
    ],
)
def test_a_bad_annotation_is_listed_with_its_line(tmp_path: Path, bad: Any, kind: str, detail: str) -> None:
    good = annotation(id=5)
    path = coco_file(tmp_path / "a.json", annotations=[good, bad])
    labels = formats.read(path)
    (image,) = labels.images
    assert [one.object_id for one in image.objects] == ["5"]
    (problem,) = labels.problems
    assert (problem.kind, problem.file) == (kind, path)
    assert detail in problem.detail
    lines = path.read_text(encoding="utf-8").splitlines()
    assert '"id": 1' in lines[problem.line]  # the line after the brace that opens the entry


def test_coco_ids_that_are_used_twice_are_listed(tmp_path: Path) -> None:
    twice = [annotation(), annotation(bbox=[2, 2, 3, 3])]
    images = [{"id": 9, "file_name": name, "width": 8, "height": 6} for name in ("a.jpg", "b.jpg")]
    labels = formats.read(coco_file(tmp_path / "a.json", annotations=twice, images=images))
    assert [image.name for image in labels.images] == ["a.jpg"]
    assert [(one.kind, one.entry, one.image) for one in labels.problems] == [
        ("duplicate_id", "image 9", "b.jpg"),
        ("duplicate_id", "image 9", "a.jpg"),
        ("duplicate_id", "annotation 1", "a.jpg"),
    ]


def test_coco_annotations_may_stand_before_the_images(tmp_path: Path) -> None:
    content = json.loads(
        coco_file(tmp_path / "a.json", annotations=[annotation()]).read_text(encoding="utf-8")
    )
    turned = dict(reversed(content.items()))
    (tmp_path / "b.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(turned, ensure_ascii=False).encode())
    (image,) = formats.read(tmp_path / "b.json").images
    assert [one.category for one in image.objects] == ["駐車"]


@pytest.mark.parametrize(
    "text", ['{"images": []', "[1, 2]", '{"a": 1}', "", '{"images": [], "categories": 3} x']
)
def test_what_is_no_coco_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        formats.read(tmp_path / "a.json", "coco")


def test_the_first_pixel_of_voc_is_1_1(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>8</width><height>6</height></size><object>"
        "<name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></object>"
        "<object><name>x</name><bndbox><xmin>8</xmin><ymin>6</ymin><xmax>8</xmax><ymax>6</ymax></bndbox></object>"
        "</annotation>"
    )
    (image,) = formats.read(tmp_path / "a.xml", "voc").images
    assert [one.bbox_xyxy for one in image.objects] == [(0.0, 0.0, 1.0, 1.0), (7.0, 5.0, 8.0, 6.0)]


def test_voc_edges_between_pixels_are_rounded_and_counted(tmp_path: Path) -> None:
    image = datasets.image("a.jpg", datasets.boxed(STOP, (0.2, 0.4, 0.4, 0.6)))
    losses = datasets.written("voc", tmp_path, [image])
    assert losses.counts == {"boxes rounded to whole pixels": 1}
    (again,) = formats.read(tmp_path).images
    assert again.objects[0].bbox_xyxy == (0.0, 0.0, 1.0, 1.0)  # a pixel, never none


def test_entities_in_xml_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    labels = formats.read(tmp_path)
    assert list(labels.images) == []
    assert "entities" in labels.problems[0].detail


def test_yolo_numbers_are_shares_of_the_image(tmp_path: Path) -> None:
    image = datasets.image("a.jpg", datasets.boxed(datasets.CATEGORIES[2], (0.0, 0.0, 1.0, 1.0)), size=(8, 4))
    datasets.written("yolo", tmp_path, [image])
    assert (tmp_path / "labels/train/a.txt").read_text() == "2 0.0625 0.125 0.125 0.25\n"


def test_yolo_bad_lines_are_listed_and_labels_without_image_too(tmp_path: Path) -> None:
    datasets.written("yolo", tmp_path, [datasets.image("a.jpg")])
    file = tmp_path / "labels/train/a.txt"
    file.write_text("0 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1\n0 0.1 0.1 0.2 0.2 0.3\n0 a b c d\n")
    (tmp_path / "labels/train/gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    labels = formats.read(tmp_path)
    (image,) = labels.images
    assert [(one.line, one.kind) for one in labels.problems] == [
        (2, "unknown_category"),
        (3, "damaged"),
        (5, "damaged"),
        (0, "label_without_image"),
    ]
    assert [one.line for one in image.objects] == [1, 4]


def test_an_image_without_a_label_file_is_not_one_without_objects(tmp_path: Path) -> None:
    datasets.written("yolo", tmp_path, [datasets.image("a.jpg"), datasets.image("b.jpg")])
    (tmp_path / "labels/train/b.txt").unlink()
    assert [(one.name, one.labeled) for one in formats.read(tmp_path).images] == [
        ("a.jpg", True),
        ("b.jpg", False),
    ]


def test_only_the_last_folder_images_becomes_labels() -> None:
    assert yolo.label_file(Path("/images/set/images/a.jpg")) == Path("/images/set/labels/a.txt")


def test_yolo_outlines_count_what_was_joined(tmp_path: Path) -> None:
    image = datasets.image(
        "a.png",
        datasets.masked(STOP, datasets.with_holes_and_parts()),
        datasets.boxed(STOP, (1.0, 1.0, 2.0, 2.0)),
    )
    losses = datasets.written("yolo-seg", tmp_path, [image])
    assert losses.counts["objects of several rings, joined by cuts"] == 1
    assert losses.counts["boxes written as polygons"] == 1


def test_read_categories_counts_also_those_without_objects(tmp_path: Path) -> None:
    path = coco_file(tmp_path / "a.json", annotations=[annotation()])
    assert formats.read_categories(path) == {"stop sign": 0, "駐車": 1}


def test_a_path_that_no_format_knows_says_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.doc").touch()
    with pytest.raises(InputError, match="say one of coco"):
        formats.read(tmp_path / "a.doc")
    with pytest.raises(InputError, match="does not exist"):
        formats.read(tmp_path / "gone")
