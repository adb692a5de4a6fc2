"""What we write, read by the programs that people use."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.formats import datasets

TRAPS = datasets.by_name(datasets.traps())


def test_pycocotools_reads_boxes_masks_and_empty_images(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    datasets.written("coco", tmp_path, datasets.traps())
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "annotations/instances_train.json")
    found = {one["file_name"]: one for one in coco.loadImgs(coco.getImgIds())}
    assert found.keys() == {"a.jpg", "b c é.jpg", "nothing.jpg"}
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    assert tuple(names.values()) == datasets.CATEGORIES
    (one,) = coco.loadAnns(coco.getAnnIds(found["b c é.jpg"]["id"]))
    assert np.array_equal(coco.annToMask(one).astype(bool), datasets.with_holes_and_parts())
    assert one["area"] == datasets.with_holes_and_parts().sum()
    drawn = coco.loadAnns(coco.getAnnIds(found["a.jpg"]["id"]))
    assert [entry["bbox"] for entry in drawn] == [[0, 0, 1, 1], [23, 17, 1, 1], [0, 0, 24, 18]]
    assert coco.getAnnIds(found["nothing.jpg"]["id"]) == []


def test_torchvision_reads_coco(tmp_path: Path) -> None:
    from torchvision.datasets import CocoDetection

    datasets.written("coco", tmp_path, datasets.traps())
    with contextlib.redirect_stdout(io.StringIO()):
        found = CocoDetection(
            str(tmp_path / "images/train"), str(tmp_path / "annotations/instances_train.json")
        )
    assert [(image.size, len(target)) for image, target in found] == [
        (datasets.SIZE, 3),
        (datasets.SIZE, 1),
        (datasets.SIZE, 0),
    ]


def test_torchvision_reads_voc(tmp_path: Path) -> None:
    from torchvision.datasets import VOCDetection

    datasets.written("voc", tmp_path, datasets.traps())
    found = VOCDetection(str(tmp_path), year="2012", image_set="train", download=False)
    targets = {target["annotation"]["filename"]: target["annotation"] for _, target in found}
    assert targets.keys() == {"a.jpg", "b c é.jpg", "nothing.jpg"}
    boxes = [one["bndbox"] for one in targets["a.jpg"]["object"]]
    assert [tuple(map(int, box.values())) for box in boxes] == [
        (1, 1, 1, 1),
        (24, 18, 24, 18),
        (1, 1, 24, 18),
    ]
    assert len(VOCDetection(str(tmp_path), year="2012", image_set="val", download=False)) == 1


@pytest.mark.parametrize("format", ["yolo", "yolo-seg"])
def test_ultralytics_rules_hold(tmp_path: Path, format: str) -> None:
    """By rule, because the package is AGPL: names, folders side by side, numbers within bounds."""
    datasets.written(format, tmp_path, datasets.traps())
    content = yaml.safe_load((tmp_path / "data.yaml").read_text(encoding="utf-8"))
    assert list(content["names"]) == list(range(len(datasets.CATEGORIES)))
    assert set(content) == {
        "train",
        "val",
        "test",
        "names",
    }  # a `path` would be relative to the caller's folder
    for split in ("train", "val", "test"):
        folder = tmp_path / content[split]
        for image in folder.iterdir():
            labels = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt")
            for line in labels.read_text().splitlines():
                number, *values = map(float, line.split())
                assert number in range(len(datasets.CATEGORIES))
                assert all(0 <= value <= 1 for value in values)
                assert len(values) == 4 if format == "yolo" else len(values) >= 6 and len(values) % 2 == 0


def test_opencv_fills_a_yolo_outline_to_the_mask_but_for_the_cuts(tmp_path: Path) -> None:
    """Trainers fill polygons with OpenCV, which draws the outline too, and so the cuts between the rings."""
    import cv2

    one_ring = np.zeros((datasets.SIZE[1], datasets.SIZE[0]), dtype=bool)
    one_ring[2:9, 2:9] = one_ring[5:16, 8:20] = True
    for name, mask, max_wrong in (
        ("one.png", one_ring, 0),
        ("many.png", datasets.with_holes_and_parts(), 14),
    ):
        folder = tmp_path / name
        datasets.written("yolo-seg", folder, [datasets.image(name, datasets.masked("stop sign", mask))])
        (line,) = (folder / "labels/train" / name).with_suffix(".txt").read_text().splitlines()
        corners = np.reshape([float(word) for word in line.split()[1:]], (-1, 2)) * datasets.SIZE
        large = np.zeros((datasets.SIZE[1] * 16, datasets.SIZE[0] * 16), np.uint8)
        cv2.fillPoly(large, [np.round(corners * 16 - 0.5).astype(np.int32)], 1)
        middles = large[8::16, 8::16].astype(bool)  # of the pixels: 16 times larger, lines are thin
        assert (middles != mask).sum() <= max_wrong


def test_labelformat_reads_coco_yolo_and_voc(tmp_path: Path) -> None:
    from labelformat.formats.coco import COCOObjectDetectionInput
    from labelformat.formats.pascalvoc import PascalVOCObjectDetectionInput
    from labelformat.formats.yolov8 import YOLOv8ObjectDetectionInput

    for format in ("coco", "yolo", "voc"):
        datasets.written(format, tmp_path / format, datasets.traps())
    root = tmp_path / "voc/VOCdevkit/VOC2012/Annotations"
    names = ",".join(datasets.CATEGORIES)
    for reader, shift in (
        (COCOObjectDetectionInput(tmp_path / "coco/annotations/instances_train.json"), 0.0),
        (YOLOv8ObjectDetectionInput(tmp_path / "yolo/data.yaml", "train"), 0.0),
        (PascalVOCObjectDetectionInput(root, names), 1.0),  # it takes the numbers as they stand
    ):
        found = {}
        for label in reader.get_labels():
            found[label.image.filename] = [
                (one.category.name, (one.box.xmin + 0.0, one.box.ymin, one.box.xmax, one.box.ymax))
                for one in label.objects
            ]
        for name in ("a.jpg", "b c é.jpg"):
            expected = [
                (category, (x1 + shift, y1 + shift, x2, y2))
                for category, (x1, y1, x2, y2) in datasets.shapes(TRAPS[name])
            ]
            got = [(category, tuple(np.round(box, 3))) for category, box in found[name]]
            assert got == expected
