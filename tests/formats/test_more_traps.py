"""Known answers for formats that are made by hand here, as their own tools write them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate import formats
from curate.errors import InputError
from curate.formats.labelstudio import image_name
from curate.formats.record import LabeledImage, LabeledObject
from curate.geometry import brush_rle, masks
from tests.formats import datasets


def only(path: Path, format: str | None = None) -> tuple[LabeledImage, list[tuple[str, str]]]:
    labels = formats.read(path, format)
    (image,) = labels.images
    return image, [(problem.kind, problem.entry) for problem in labels.problems]


def mask_of(one: LabeledObject, size: tuple[int, int]) -> list[list[int]]:
    plane = masks.decode(one.mask(size) or "", width=size[0], height=size[1])
    return [[int(x), int(y)] for y, x in np.argwhere(plane)]


def test_cvat_boxes_polygons_turned_boxes_and_masks(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(
        "<annotations><version>1.1</version><meta><task><labels><label><name>stop sign</name></label>"
        '</labels></task></meta>\n<image id="4" name="cam 1/a.jpg" width="8" height="6">\n'
        '<box label="stop sign" occluded="0" xtl="0" ytl="0" xbr="1" ybr="1">'
        '<attribute name="dirty">yes</attribute></box>\n'
        '<box label="stop sign" xtl="2" ytl="2" xbr="6" ybr="4" rotation="90"/>\n'
        '<polygon label="stop sign" points="1.0,1.0;3.0,1.0;3.0,2.0"/>\n'
        '<mask label="stop sign" rle="1, 2, 1" left="2" top="3" width="2" height="2"/>\n'
        '<polyline label="stop sign" points="0,0;1,1"/>\n'
        '<polygon label="stop sign" points="0,0;1,1"/>\n<tag label="night"/></image></annotations>'
    )
    image, problems = only(tmp_path)
    first, turned, polygon, mask = image.objects
    assert (image.name, image.size, image.tags) == ("cam 1/a.jpg", (8, 6), ("night",))
    assert (first.bbox_xyxy, dict(first.attributes), first.line) == ((0, 0, 1, 1), {"dirty": "yes"}, 3)
    assert [round(value, 6) for value in turned.box() or ()] == [3.0, 1.0, 5.0, 5.0]
    assert polygon.polygons == (((1.0, 1.0, 3.0, 1.0, 3.0, 2.0),),)
    assert mask_of(mask, (8, 6)) == [[3, 3], [2, 4]]
    assert problems == [("unsupported_shape", "polyline 5"), ("short_polygon", "polygon 6")]


def task(*regions: dict[str, Any], **annotation: Any) -> dict[str, Any]:
    data = {"image": "/data/local-files/?d=cam%201/a.jpg"}
    return {
        "id": 3,
        "data": data,
        "annotations": [{"completed_by": {"email": "eva@x"}, "result": list(regions), **annotation}],
    }


def region(kind: str, **value: Any) -> dict[str, Any]:
    key = f"{kind}labels"
    return {
        "id": "r",
        "type": key,
        "original_width": 8,
        "original_height": 6,
        "value": {**value, key: ["sign"]},
    }


def test_label_studio_percent_brushes_turned_rectangles_and_people(tmp_path: Path) -> None:
    plane = np.zeros((6, 8), dtype=bool)
    plane[2, 3] = True
    tasks = [
        task(
            region("rectangle", x=12.5, y=50, width=25, height=50, rotation=0),
            region("rectangle", x=50, y=0, width=25, height=50, rotation=90),
            region("polygon", points=[[0, 0], [50, 0], [50, 50]]),
            region("brush", format="rle", rle=brush_rle.encode(plane)),
            region("ellipse", x=1, y=1, radiusX=1, radiusY=1),
            {"type": "choices", "value": {"choices": ["night"]}},
        )
    ]
    (tmp_path / "a.json").write_text(json.dumps(tasks))
    image, problems = only(tmp_path / "a.json")
    image = image.in_pixels((8, 6))
    box, turned, polygon, brush = image.objects
    assert (image.name, image.annotator, image.tags) == ("cam 1/a.jpg", "eva@x", ("night",))
    assert box.bbox_xyxy == (1.0, 3.0, 3.0, 6.0)
    assert [round(value, 6) for value in turned.box() or ()] == [1.0, 0.0, 4.0, 2.0]
    assert polygon.polygons == (((0.0, 0.0, 4.0, 0.0, 4.0, 3.0),),)
    assert mask_of(brush, (8, 6)) == [[3, 2]]
    assert problems == [("unsupported_shape", "task 3, region r")]


def test_label_studio_skipped_and_unlabeled_tasks_are_no_empty_answers(tmp_path: Path) -> None:
    tasks = [task(was_cancelled=True), {"id": 4, "data": {"image": "/data/upload/1/0123abcd-b.jpg"}}]
    (tmp_path / "a.json").write_text(json.dumps(tasks))
    labels = formats.read(tmp_path / "a.json")
    assert [(one.name, one.labeled) for one in labels.images] == [("b.jpg", False)]
    assert [problem.kind for problem in labels.problems] == ["not_labeled"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/local-files/?d=data/raw/a%20b.jpg", "data/raw/a b.jpg"),
        ("/data/upload/7/89abcdef-x.png", "x.png"),
        ("s3://bucket/cam/a.jpg", "cam/a.jpg"),
        ("https://host/cam/%C3%A9.jpg", "cam/é.jpg"),
        ("images/a.jpg", "images/a.jpg"),
    ],
)
def test_an_address_names_a_path(url: str, name: str) -> None:
    assert image_name(url) == name


def test_labelme_rectangles_in_any_order_groups_and_masks(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.array([[255, 0], [0, 255]], np.uint8)).save(out, "PNG")
    shapes = [
        {"label": "a", "points": [[3, 4], [1, 2]], "shape_type": "rectangle"},
        {"label": "b", "points": [[0, 0], [1, 0], [1, 1]], "group_id": 1, "shape_type": "polygon"},
        {"label": "b", "points": [[4, 4], [5, 4], [5, 5]], "group_id": 1, "shape_type": "polygon"},
        {
            "label": "c",
            "points": [[2, 1], [3, 2]],
            "shape_type": "mask",
            "mask": base64.b64encode(out.getvalue()).decode(),
        },
        {"label": "d", "points": [[1, 1], [2, 2]], "shape_type": "line"},
    ]
    content = {"shapes": shapes, "imagePath": "..\\cam\\a.jpg", "imageWidth": 8, "imageHeight": 6}
    (tmp_path / "a.json").write_text(json.dumps(content))
    image, problems = only(tmp_path / "a.json")
    assert [one.category for one in image.objects] == ["a", "b", "c"]
    assert image.objects[0].bbox_xyxy == (1.0, 2.0, 3.0, 4.0)
    assert len(image.objects[1].polygons) == 2
    assert mask_of(image.objects[2], (8, 6)) == [[2, 1], [3, 2]]
    assert problems == [("unsupported_shape", "shape 5")]


def test_createml_gives_the_middle(tmp_path: Path) -> None:
    middle = {"x": 2, "y": 3, "width": 2, "height": 4}
    rows = [{"imagefilename": "a.jpg", "annotation": [{"label": "x", "coordinates": middle}, {"label": "x"}]}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    image, problems = only(tmp_path / "a.json")
    assert [one.bbox_xyxy for one in image.objects] == [(1.0, 1.0, 3.0, 5.0)]
    assert problems == [("damaged", "annotation 2")]


def test_openimages_names_classes_and_crowds(tmp_path: Path) -> None:
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/01,Traffic sign\n/m/02,Tree\n")
    (tmp_path / "boxes.csv").write_text(
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
        "0a,xclick,/m/01,1,0.25,0.5,0.5,1,1,0,0,0,0\n0a,xclick,/m/02,1,0,1,0,1,0,0,1,0,0\n0a,x,/m/02,1,b,1,0,1,0,0,1,0,0\n"
    )
    image, problems = only(tmp_path / "boxes.csv")
    first, crowd = image.in_pixels((8, 6)).objects
    assert (image.name, first.category, first.bbox_xyxy) == ("0a.jpg", "Traffic sign", (2.0, 3.0, 4.0, 6.0))
    assert (dict(first.attributes), crowd.is_crowd, crowd.score) == ({"IsOccluded": "yes"}, True, None)
    assert problems == [("damaged", "line 4")]
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column ImageID"):
        formats.read(tmp_path / "other.csv")


def test_kitti_dont_care_is_a_crowd(tmp_path: Path) -> None:
    (tmp_path / "label_2").mkdir()
    (tmp_path / "label_2/000.txt").write_text(
        "Car 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\n"
        "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\nCar 1 2\n"
    )
    image, problems = only(tmp_path)
    assert [(one.category, one.is_crowd) for one in image.objects] == [("Car", False), ("DontCare", True)]
    assert image.objects[0].bbox_xyxy == (599.41, 156.40, 629.75, 189.25)
    assert problems == [("damaged", "line 3"), ("not_read", "")]


def test_kitti_refuses_names_that_become_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are one type 'stop_sign' in KITTI"):
        datasets.written("kitti", tmp_path, [], ("stop sign", "stop_sign"))


def test_darwin_paths_within_paths_are_holes(tmp_path: Path) -> None:
    def square(at: float, side: float) -> list[dict[str, float]]:
        return [
            {"x": x, "y": y} for x, y in ((at, at), (at + side, at), (at + side, at + side), (at, at + side))
        ]

    content = {
        "item": {"name": "a.jpg", "path": "/cam", "slots": [{"width": 24, "height": 18}]},
        "annotations": [
            {"name": "x", "polygon": {"paths": [square(2, 3), square(1, 8), square(10, 2)]}},
            {"name": "night", "tag": {}},
            {"name": "x", "line": {"path": []}},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    image, problems = only(tmp_path / "a.json")
    assert (image.name, image.tags) == ("cam/a.jpg", ("night",))
    assert sorted(len(rings) for rings in image.objects[0].polygons) == [1, 2]
    assert len(mask_of(image.objects[0], (24, 18))) == 64 - 9 + 4
    assert problems == [("unsupported_shape", "annotation 3")]


def test_fiftyone_boxes_masks_and_polylines(tmp_path: Path) -> None:
    import zlib

    out = io.BytesIO()
    np.save(out, np.array([[True, False], [True, True]]))
    mask = {"$binary": {"base64": base64.b64encode(zlib.compress(out.getvalue())).decode(), "subType": "00"}}
    detections = [
        {"label": "a", "bounding_box": [0.25, 0.5, 0.25, 0.5], "confidence": 0.5},
        {"label": "b", "bounding_box": [0.25, 0.5, 0.25, 1 / 3], "mask": mask},
    ]
    lines = [{"label": "c", "points": [[[0, 0], [0.5, 0], [0.5, 0.5]]], "closed": True}]
    sample = {
        "filepath": "data/a.jpg",
        "metadata": {"width": 8, "height": 6},
        "ground_truth": {"_cls": "Detections", "detections": detections},
        "outlines": {"_cls": "Polylines", "polylines": lines},
        "weather": {"_cls": "Classification", "label": "rain"},
    }
    (tmp_path / "samples.json").write_text(json.dumps({"samples": [sample]}))
    image, problems = only(tmp_path)
    image = image.in_pixels((8, 6))
    assert (image.name, image.tags, problems) == ("a.jpg", ("rain",), [("not_read", "")])
    assert image.objects[0].bbox_xyxy == (2.0, 3.0, 4.0, 6.0)
    assert mask_of(image.objects[1], (8, 6)) == [[2, 3], [2, 4], [3, 4]]
    (image,) = formats.read(tmp_path, field="outlines").images
    assert image.in_pixels((8, 6)).objects[0].polygons == (((0.0, 0.0, 4.0, 0.0, 4.0, 3.0),),)


def test_a_huggingface_dataset_may_hold_a_list_of_objects(tmp_path: Path) -> None:
    import datasets as hf

    rows = {
        "image": [datasets.png()],
        "image_id": [7],
        "objects": [
            [{"bbox": [1.0, 2.0, 3.0, 4.0], "category": 1}, {"bbox": [1.0, 2.0, 0.0, 4.0], "category": 0}]
        ],
    }
    features = hf.Features(
        {
            "image": hf.Image(),
            "image_id": hf.Value("int64"),
            "objects": hf.List(
                {"bbox": hf.List(hf.Value("float32")), "category": hf.ClassLabel(names=["a", "b"])}
            ),
        }
    )
    hf.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train-00000-of-00001.parquet")
    labels = formats.read(tmp_path)
    (image,) = labels.images
    assert labels.categories == ("a", "b")
    assert (image.size, image.split, image.image_id) == (datasets.SIZE, "train", "7")
    assert [(one.category, one.bbox_xyxy) for one in image.objects] == [("b", (1.0, 2.0, 4.0, 6.0))]
    assert [problem.kind for problem in labels.problems] == ["empty_box"]


@pytest.mark.parametrize("format", sorted(set(formats.WRITERS) - {"webdataset"}))
def test_what_was_written_is_recognized(format: str, tmp_path: Path) -> None:
    datasets.written(format, tmp_path, datasets.traps())
    place = {
        "coco": tmp_path / "annotations/instances_train.json",
        "datumaro": tmp_path / "annotations/train.json",
        "label-studio": tmp_path / "tasks.json",
    }.get(format, tmp_path)
    assert formats.detect(place) == {"yolo-seg": "yolo"}.get(format, format)
    assert set(formats.read_categories(place)) <= {*datasets.CATEGORIES, "stop_sign"}
    (tmp_path / "export.json").write_text("{}")  # our own report is no label file
    labels = formats.read(place, formats.detect(place))
    assert len(list(labels.images)) >= 3
    assert labels.problems == []


@pytest.mark.parametrize("format", ["coco", "labelme", "darwin"])
def test_another_json_before_the_labels_hides_no_format(format: str, tmp_path: Path) -> None:
    datasets.written(format, tmp_path, datasets.traps())
    for number, content in enumerate(('{"camera": "north"}', "{", "[3]")):
        (tmp_path / f"_{number}.json").write_text(content)
    assert formats.detect(tmp_path) == format


def test_a_number_of_thousands_of_digits_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f'{{"images": [], "n": {"1" * 5000}}}')
    with pytest.raises(InputError, match=r"a\.json:1 is no JSON: a number has thousands of digits"):
        formats.detect(tmp_path)


def test_imagefolder_json_with_short_lists_and_rows_without_objects(tmp_path: Path) -> None:
    rows = [
        {"file_name": "a.jpg", "objects": {"bbox": [[0, 0, 1, 1], [1, 1, 2, 2]], "categories": ["x"]}},
        {"file_name": "b.jpg"},
        {"name": "c.jpg"},
    ]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    labels = formats.read(tmp_path)
    first, second = labels.images
    assert [one.bbox_xyxy for one in first.objects] == [(0.0, 0.0, 1.0, 1.0)]
    assert (second.name, second.labeled) == ("b.jpg", False)
    assert [(one.kind, one.line) for one in labels.problems] == [("damaged", 1), ("damaged", 3)]
