"""What a reader cannot take is listed or counted; an image is empty only where the file says so."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate import formats
from curate.errors import InputError
from curate.formats import huggingface, image_classes
from curate.formats.record import LabeledImage, Problem
from tests.formats import datasets
from tests.formats.test_more_traps import only, region, task
from tests.formats.test_traps import annotation, coco_file


def opened(path: Path, format: str | None = None, **how: Any) -> tuple[list[LabeledImage], list[Problem]]:
    labels = formats.read(path, format, **how)
    return list(labels.images), labels.problems


def as_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


# Whose image is it?


def test_labelme_problems_name_the_image_as_the_labels_do(tmp_path: Path) -> None:
    (tmp_path / "cam1").mkdir()
    shapes = [{"label": "a", "points": [[1, 1], [2, 2]], "shape_type": "line"}]
    as_json(tmp_path / "cam1/1.json", {"shapes": shapes, "imagePath": "1.jpg"})
    (image,), (problem,) = opened(tmp_path, "labelme")
    assert (image.name, problem.image) == ("cam1/1.jpg", "cam1/1.jpg")


@pytest.mark.parametrize("stray", [annotation(image_id="9"), annotation(image_id=None), 3])
def test_coco_annotations_of_no_image_make_every_image_doubtful(tmp_path: Path, stray: Any) -> None:
    path = coco_file(tmp_path / "a.json", annotations=[annotation(id=5), stray])
    labels = formats.read(path)
    assert labels.incomplete.startswith("1 annotations are of none of its images, the first in line ")
    assert formats.read(coco_file(path, annotations=[annotation()])).incomplete == ""


def test_coco_categories_of_one_id_make_every_image_doubtful(tmp_path: Path) -> None:
    names = [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]
    labels = formats.read(coco_file(tmp_path / "a.json", categories=names, annotations=[annotation()]))
    assert labels.incomplete == "category 3 is 'a' and 'b'"
    labels = formats.read(coco_file(tmp_path / "a.json", categories=[names[0]] * 2))
    assert labels.incomplete == ""  # said twice, which is listed


def test_roboflow_says_in_which_split(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    coco_file(tmp_path / "train/_annotations.coco.json", annotations=[annotation(image_id=7)])
    assert "train/_annotations.coco.json: 1 annotations" in formats.read(tmp_path).incomplete


def test_a_coco_file_without_the_list_of_annotations_says_nothing_of_its_images(tmp_path: Path) -> None:
    path = coco_file(tmp_path / "a.json")
    assert [image.labeled for image in formats.read(path).images] == [True]  # an empty list says something
    assert formats.read(coco_file(path, annotations=[[]])).incomplete
    coco_file(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["annotations"]
    (image,), _ = opened(as_json(path, content), "coco")
    assert not image.labeled


def test_coco_images_of_one_id_are_both_in_doubt(tmp_path: Path) -> None:
    images = [{"id": 9, "file_name": name} for name in ("a.jpg", "b.jpg")]
    _, problems = opened(coco_file(tmp_path / "a.json", images=images, annotations=[annotation()]))
    assert [(one.kind, one.image) for one in problems] == [
        ("duplicate_id", "b.jpg"),
        ("duplicate_id", "a.jpg"),
    ]


# Of a model, or of a person?


def test_label_studio_predictions_are_no_answers(tmp_path: Path) -> None:
    drawn = region("rectangle", x=0, y=0, width=50, height=50)
    only_proposed = {**task(), "annotations": [], "predictions": [{"result": [drawn]}]}
    both = {**task(), "predictions": [{"result": [drawn, drawn]}], "id": 4}
    ids = {**task(), "annotations": [], "predictions": [12], "id": 5}
    images, problems = opened(as_json(tmp_path / "a.json", [only_proposed, both, ids]))
    assert [(one.suggested, one.labeled, len(one.objects)) for one in images] == [
        (True, True, 1), (False, True, 0), (False, False, 0),
    ]  # fmt: skip
    assert problems == []


@pytest.mark.parametrize(
    "kind", ["bitmasklabels", "ellipselabels", "videorectangle", "keypoint", "labels", None]
)
def test_label_studio_regions_of_an_unknown_type_hold_their_image_back(tmp_path: Path, kind: Any) -> None:
    strange = {"id": "r", "type": kind, "value": {"labels": ["a"]}}
    _, (problem,) = opened(as_json(tmp_path / "a.json", [task(strange)]))
    expected = "damaged" if kind is None else "unsupported_shape"
    assert (problem.kind, problem.image) == (expected, "cam 1/a.jpg")


def test_label_studio_results_that_draw_nothing_are_counted(tmp_path: Path) -> None:
    others = [{"type": kind, "value": {}} for kind in ("textarea", "textarea", "rating", "relation")]
    (image,), problems = opened(as_json(tmp_path / "a.json", [task(*others)]))
    assert image.objects == ()
    assert [(one.kind, one.detail.partition(",")[0]) for one in problems] == [
        ("not_read", "1 results of the type rating"),
        ("not_read", "1 results of the type relation"),
        ("not_read", "2 results of the type textarea"),
    ]


def test_label_studio_labels_beside_a_rectangle_are_its_own(tmp_path: Path) -> None:
    sides = {"x": 0, "y": 0, "width": 50, "height": 50}
    regions = [
        {"id": "r", "type": "rectangle", "value": sides},
        {"id": "r", "type": "labels", "value": {**sides, "labels": ["sign"]}},
    ]
    image, problems = only(as_json(tmp_path / "a.json", [task(*regions)]))
    assert ([one.category for one in image.objects], problems) == (["sign"], [])


def fiftyone(path: Path, **fields: Any) -> Path:
    sample = {"filepath": "data/a.jpg", "metadata": {"width": 8, "height": 6}, **fields}
    return as_json(path / "samples.json", {"samples": [sample]})


def detections(*labels: str, **more: Any) -> dict[str, Any]:
    drawn = [{"label": label, "bounding_box": [0, 0, 0.5, 0.5], **more} for label in labels]
    return {"_cls": "Detections", "detections": drawn}


def test_fiftyone_people_and_models_are_never_mixed(tmp_path: Path) -> None:
    path = fiftyone(tmp_path, ground_truth=detections("a"), predictions=detections("b", "c", confidence=0.5))
    (image,), (problem,) = opened(path)
    assert [one.category for one in image.objects] == ["a"]
    assert (problem.kind, problem.detail.partition(",")[0]) == (
        "not_read", "1 samples' labels in the field 'predictions'",
    )  # fmt: skip
    (image,), _ = opened(path, suggestions=True)
    assert [one.category for one in image.objects] == ["b", "c"]
    (image,), _ = opened(path, field="predictions")
    assert len(image.objects) == 2
    with pytest.raises(InputError, match="in a field 'pred': it has ground_truth, predictions"):
        formats.read(path, field="pred")


def test_fiftyone_asks_where_a_field_is_not_clear(tmp_path: Path) -> None:
    path = fiftyone(tmp_path, anna=detections("a"), yolo=detections("b"))
    with pytest.raises(InputError, match="fields anna, yolo: say which with --field"):
        formats.read(path)
    path = fiftyone(tmp_path, yolo=detections("b", confidence=0.5))
    with pytest.raises(InputError, match="look like a model's"):
        formats.read(path)
    assert len(opened(path, suggestions=True)[0][0].objects) == 1
    path = fiftyone(tmp_path, anna=detections("b", iscrowd=1.0, supercategory="x"), ground_truth=None)
    (one,) = opened(path)[0][0].objects
    assert (one.is_crowd, dict(one.attributes)) == (True, {"supercategory": "x"})
    with pytest.raises(InputError, match="--field a is for FiftyOne"):
        formats.read(coco_file(tmp_path / "a.json"), field="a")


def test_fiftyone_samples_without_the_field_are_not_empty(tmp_path: Path) -> None:
    samples = [{"filepath": "data/a.jpg", "ground_truth": detections()}, {"filepath": "data/b.jpg"}]
    images, _ = opened(as_json(tmp_path / "samples.json", {"samples": samples}))
    assert [(one.name, one.labeled) for one in images] == [("a.jpg", True), ("b.jpg", False)]


# Numbers of classes


def test_minus_one_is_not_the_last_class(tmp_path: Path) -> None:
    import datasets as hf

    objects = {"bbox": [[1.0, 1.0, 2.0, 2.0]] * 3, "category": [-1, 1, None]}
    features = hf.Features(
        {
            "image": hf.Image(),
            "objects": {
                "bbox": hf.List(hf.List(hf.Value("float32"))),
                "category": hf.List(hf.ClassLabel(names=["a", "b"])),
            },
        }
    )
    rows = {"image": [datasets.png()], "objects": [objects]}
    hf.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train-0.parquet")
    (image,), problems = opened(tmp_path)
    assert [one.category for one in image.objects] == ["b"]
    assert [one.kind for one in problems] == ["unknown_category"] * 2
    assert {one.image for one in problems} == {image.name}


def datumaro(path: Path, *annotations: dict[str, Any]) -> Path:
    item = {"id": "a", "annotations": list(annotations), "image": {"path": "a.jpg", "size": [6, 8]}}
    labels = {"label": {"labels": [{"name": "a"}, {"name": "b"}]}}
    return as_json(path / "a.json", {"categories": labels, "items": [item]})


def member(kind: str, group: int = 3, label: int = 0, **more: Any) -> dict[str, Any]:
    shape = {"bbox": [0, 0, 2, 2]} if kind == "bbox" else {"points": [0, 0, 2, 0, 2, 2]}
    return {"type": kind, "label_id": label, "group": group, **shape, **more}


@pytest.mark.parametrize("label", [-1, 2, None, True])
def test_datumaro_numbers_of_classes_are_checked(tmp_path: Path, label: Any) -> None:
    path = datumaro(tmp_path, member("bbox", label=label), {"type": "label", "label_id": label})
    (image,), problems = opened(path)
    assert (image.objects, image.tags) == ((), ())
    assert [(one.kind, one.image) for one in problems] == [("unknown_category", "a.jpg")] * 2


def test_datumaro_boxes_of_one_group_stay_two(tmp_path: Path) -> None:
    second = member("bbox", bbox=[4, 4, 2, 2])
    (image,), problems = opened(datumaro(tmp_path, member("bbox"), second))
    assert [one.bbox_xyxy for one in image.objects] == [(0, 0, 2, 2), (4, 4, 6, 6)]
    assert problems == []
    (image,), problems = opened(datumaro(tmp_path, member("bbox"), member("polygon"), member("bbox", 4)))
    assert [(one.bbox_xyxy is not None, len(one.polygons)) for one in image.objects] == [(True, 1), (True, 0)]
    (image,), (problem,) = opened(datumaro(tmp_path, member("bbox"), second, member("polygon")))
    assert (image.objects, problem.kind, problem.image) == ((), "damaged", "a.jpg")
    assert "2 boxes and 1 outlines" in problem.detail


# Key points, parts, tracks


def yolo_pose(folder: Path, text: str, shape: Any) -> Path:
    datasets.written("yolo", folder, [datasets.image("a.jpg")])
    (folder / "labels/train/a.txt").write_text(text)
    with (folder / "data.yaml").open("a") as file:
        file.write(f"kpt_shape: {json.dumps(shape)}\n")
    return folder


def test_yolo_poses_are_boxes_and_their_key_points_are_counted(tmp_path: Path) -> None:
    rows = "0 0.5 0.5 0.2 0.4 0.1 0.1 0.9 0.9 0.5 0.5\n0 0.5 0.5 0.2 0.4\n0 0.5 0.5 0.2 0.4 0.1 0.1 0.9\n"
    (image,), problems = opened(yolo_pose(tmp_path, rows, [3, 2]))
    assert [one.polygons for one in image.objects] == [(), ()]
    assert [one.box() for one in image.objects] == [pytest.approx((0.4, 0.3, 0.6, 0.7))] * 2
    assert [(one.kind, one.line) for one in problems] == [("damaged", 3), ("not_read", 0)]
    assert problems[1].detail.startswith("1 objects' key points")


@pytest.mark.parametrize("shape", [3, [3], [0, 2], ["a", 2]])
def test_yolo_kpt_shape_of_another_form_is_one_line(tmp_path: Path, shape: Any) -> None:
    with pytest.raises(InputError, match=r"data\.yaml: kpt_shape"):
        formats.read(yolo_pose(tmp_path, "", shape))


def test_cvat_tracks_of_a_video_are_counted_and_no_image_is_empty_for_it(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(
        '<annotations><image id="0" name="a.jpg" width="8" height="6"><tag label="x"><attribute name="y">z'
        '</attribute></tag><blob label="x"/></image><track id="0" label="x"/>'
        '<track id="1" label="x"/></annotations>'
    )
    labels = formats.read(tmp_path)
    (image,) = labels.images
    assert (image.tags, image.objects) == (("x",), ())
    assert [(one.kind, one.detail.partition(",")[0]) for one in labels.problems] == [
        ("not_read", "2 tracks of a video"),
        ("unsupported_shape", "a blob"),
        ("not_read", "1 attributes of labels of images"),
    ]
    assert "2 tracks of a video" in labels.incomplete


def test_voc_counts_parts_and_says_difficult_but_not_unspecified(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><object><name>x</name><pose>Unspecified</pose>"
        "<difficult>1</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
        "<part><name>head</name></part></object></annotation>"
    )
    (image,), (problem,) = opened(tmp_path)
    assert dict(image.objects[0].attributes) == {"difficult": "1"}
    assert (problem.kind, problem.detail.partition(",")[0]) == ("not_read", "1 parts of objects")


def test_darwin_annotations_of_other_slots_and_other_shapes(tmp_path: Path) -> None:
    sides = {"x": 1, "y": 1, "w": 2, "h": 2}
    content = {
        "item": {"name": "a.jpg", "slots": [{"slot_name": "0", "width": 8, "height": 6}, {"slot_name": "1"}]},
        "annotations": [
            {"name": "x", "bounding_box": sides, "slot_names": ["0"], "text": {"text": "A"}},
            {"name": "x", "bounding_box": sides, "slot_names": ["1"]},
            {"name": "x", "bounding_box": sides, "ellipse": {}},
        ],
    }
    (image,), problems = opened(as_json(tmp_path / "a.json", content))
    assert len(image.objects) == 1
    assert [(one.kind, one.detail.partition(",")[0]) for one in problems] == [
        ("unsupported_shape", "a ellipse"),
        ("not_read", "1 annotations of other images of an item"),
        ("not_read", "1 annotations' text"),
    ]


@pytest.mark.parametrize("change", [{"item_index": 1}, {"to_name": "second"}])
def test_label_studio_regions_of_another_image_of_the_task(tmp_path: Path, change: dict[str, Any]) -> None:
    drawn = {**region("rectangle", x=0, y=0, width=50, height=50), "to_name": "image"}
    _, problems = opened(as_json(tmp_path / "a.json", [task(drawn, {**drawn, **change})]))
    assert {(one.kind, one.image) for one in problems} == {("unsupported_shape", "cam 1/a.jpg")}


def test_kitti_counts_what_it_says_of_three_dimensions(tmp_path: Path) -> None:
    (tmp_path / "label_2").mkdir()
    (tmp_path / "label_2/000.txt").write_text(
        "Car 0.5 2 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\n"
        "Van -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n"
    )
    (image,), (problem,) = opened(tmp_path)
    assert [dict(one.attributes) for one in image.objects] == [{"truncated": "0.5", "occluded": "2"}, {}]
    assert (problem.kind, problem.detail.partition(",")[0]) == (
        "not_read",
        "1 sizes and places in three dimensions",
    )


@pytest.mark.parametrize(("word", "human"), [("yes", True), ("no", False), (None, None)])
def test_sagemaker_says_whether_a_human_looked(tmp_path: Path, word: str | None, human: bool | None) -> None:
    datasets.written("sagemaker", tmp_path, [datasets.image("a.jpg", human=True)])
    file = tmp_path / "train.manifest"
    text = file.read_text().replace('"human-annotated": "yes"', f'"human-annotated": {json.dumps(word)}')
    file.write_text(text)
    assert [image.human for image in opened(tmp_path)[0]] == [human]


def test_sagemaker_counts_labels_of_other_jobs(tmp_path: Path) -> None:
    datasets.written("sagemaker", tmp_path, [datasets.image("a.jpg"), datasets.image("b.jpg")])
    file = tmp_path / "train.manifest"
    rows = [{**json.loads(line), "kind": 1, "kind-metadata": {}} for line in file.read_text().splitlines()]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    images, (problem,) = opened(tmp_path)
    assert (len(images), problem.detail.partition(",")[0]) == (2, "2 labels of the attribute kind")


# Files


def test_createml_reads_roboflows_file_once(tmp_path: Path) -> None:
    middle = {"x": 2, "y": 3, "width": 2, "height": 4}
    rows = [{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": middle}]}]
    as_json(tmp_path / "_annotations.createml.json", rows)
    images, problems = opened(tmp_path, "createml")
    assert ([one.name for one in images], problems) == (["a.jpg"], [])


@pytest.mark.parametrize("row", [{"id": 1, "label": [{"x": 1}]}, {"annotations": None}])  # JSON_MIN; null
def test_createml_without_the_list_is_no_empty_image(tmp_path: Path, row: dict[str, Any]) -> None:
    path = as_json(tmp_path / "a.json", [{"image": "a.jpg", **row}])
    images, (problem,) = opened(path, "createml")
    assert (images, problem.kind) == ([], "damaged")


BAD = b"no picture at all"


@pytest.mark.parametrize("picture", [{"bytes": BAD, "path": "a.jpg"}, BAD, "a.jpg"])
def test_a_damaged_picture_or_a_plain_column_of_them_is_no_accident(tmp_path: Path, picture: Any) -> None:
    objects = {"bbox": [[1.0, 1.0, 2.0, 2.0]], "category": ["a"]}
    pq.write_table(pa.table({"image": [picture], "objects": [objects]}), tmp_path / "train.parquet")
    (image,), problems = opened(tmp_path)
    assert len(image.objects) == 1
    name = "train-1" if picture is BAD else "a.jpg"
    listed = [] if isinstance(picture, str) else [("damaged", name)]
    assert [(one.kind, one.image) for one in problems] == listed
    (again,) = huggingface.read(tmp_path, content=False).images
    assert (again.name, again.content) == (name, None)


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("picture", [{"bytes": BAD, "path": "a.jpg"}, BAD, "a.jpg", None])
def test_classes_beside_a_plain_column_of_images(tmp_path: Path, picture: Any, content: bool) -> None:
    pq.write_table(pa.table({"image": [picture], "label": ["a"]}), tmp_path / "train.parquet")
    (image,) = image_classes.read(tmp_path, content=content).images
    named = isinstance(picture, (dict, str))
    assert (image.name, image.tags) == ("a.jpg" if named else "train-1", ("a",))


@pytest.mark.parametrize("objects", [3, 0, "", False, {"bbox": ""}, {"bbox": {}, "category": {}}])
def test_a_row_of_another_form_is_listed(tmp_path: Path, objects: Any) -> None:
    rows = [{"file_name": "a.jpg", "objects": objects}, {"file_name": "b.jpg", "objects": {"bbox": []}}]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (image,), (problem,) = opened(tmp_path)
    assert (image.name, problem.kind, problem.image) == ("b.jpg", "damaged", "a.jpg")


def test_pictures_and_arrays_within_labels_may_be_damaged(tmp_path: Path) -> None:
    text = base64.b64encode(BAD).decode()
    shape = {"label": "c", "points": [[2, 1], [3, 2]], "shape_type": "mask", "mask": text}
    content = {"shapes": [shape], "imagePath": "a.jpg", "imageWidth": 8, "imageHeight": 6}
    _, (problem,) = opened(as_json(tmp_path / "a.json", content))
    assert (problem.kind, problem.image) == ("damaged", "a.jpg")
    (tmp_path / "five").mkdir()
    (tmp_path / "five/data").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "five/data/a.jpg")
    _, (problem,) = opened(fiftyone(tmp_path / "five", ground_truth=detections("a", mask=text)))
    assert (problem.kind, problem.image) == ("damaged", "a.jpg")


def test_a_row_without_fields_of_objects_says_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "a.jpg", "objects": {}}))
    (image,), problems = opened(tmp_path)
    assert (image.labeled, problems) == (False, [])


def test_a_list_of_objects_that_is_null_is_not_empty(tmp_path: Path) -> None:
    lists = [{"bbox": None, "category": None}, None, {"bbox": [], "category": []}]
    kind = pa.struct([("bbox", pa.list_(pa.list_(pa.float32()))), ("category", pa.list_(pa.string()))])
    rows = pa.table({"file_name": ["a.jpg", "b.jpg", "c.jpg"], "objects": pa.array(lists, kind)})
    pq.write_table(rows, tmp_path / "train.parquet")
    assert [image.labeled for image in formats.read(tmp_path).images] == [False, False, True]
    pq.write_table(rows, tmp_path / "metadata.parquet")
    images = formats.read(tmp_path / "metadata.parquet", "imagefolder").images
    assert [image.labeled for image in images] == [False, False, True]
    datumaro(tmp_path)
    content = json.loads((tmp_path / "a.json").read_text())
    content["items"][0]["annotations"] = None
    assert [one.labeled for one in opened(as_json(tmp_path / "a.json", content))[0]] == [False]


@pytest.mark.parametrize("format", ["createml", "darwin", "datumaro", "label-studio", "sagemaker"])
@pytest.mark.parametrize("instead", [{}, "", 0])
def test_what_is_no_list_of_labels_does_not_say_that_there_are_none(
    tmp_path: Path, format: str, instead: Any
) -> None:
    datasets.written(format, tmp_path, [datasets.image("a.jpg")])
    (file,) = [one for one in tmp_path.rglob("*") if one.suffix in (".json", ".manifest")]
    key = "result" if format == "label-studio" else "annotations"
    changed = re.sub(rf'("{key}":\s*)\[\]', rf"\g<1>{json.dumps(instead)}", file.read_text())
    file.write_text(changed)
    images, (problem,) = opened(file, format)
    assert (images, problem.kind) == ([], "damaged")


@pytest.mark.parametrize(("slots", "images"), [(["1"], 1), (["5"], 0)])
def test_darwin_slots_that_the_item_lacks(tmp_path: Path, slots: list[str], images: int) -> None:
    sides = {"x": 1, "y": 1, "w": 2, "h": 2}
    item = {"name": "a.jpg", "slots": [{"slot_name": "0"}, {"slot_name": "1"}]}
    content = {"item": item, "annotations": [{"name": "x", "bounding_box": sides, "slot_names": slots}]}
    assert len(opened(as_json(tmp_path / "a.json", content))[0]) == images
    item["slots"] = [{"slot_name": "0"}]  # of one image all are of it
    assert len(opened(as_json(tmp_path / "a.json", content))[0][0].objects) == 1


def test_a_label_studio_answer_without_a_result_is_damaged(tmp_path: Path) -> None:
    content = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": None}]}]
    images, (problem,) = opened(as_json(tmp_path / "a.json", content))
    assert (images, problem.kind, problem.image) == ([], "damaged", "a.jpg")


@pytest.mark.parametrize("format", ["createml", "kitti", "sagemaker", "voc", "yolo", "imagefolder"])
def test_files_that_are_no_text_are_one_line(format: str, tmp_path: Path) -> None:
    datasets.written(format, tmp_path, datasets.traps())
    for file in tmp_path.rglob("*"):
        if file.suffix in (".txt", ".json", ".manifest", ".parquet"):
            file.write_bytes(b"\xff\xfe\xff" + file.read_bytes())
    try:
        _, problems = opened(tmp_path, format)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some name each file
        assert str(tmp_path) in str(error)  # noqa: PT017
    else:
        assert {one.kind for one in problems} == {"damaged"}
