"""A supervision of today reads what we write, in an environment of its own: our lock has an old one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats import datasets, own_environment
from tests.formats.test_outlines import SQUARE, TRIANGLE, drawn

WANTED = ("supervision==0.31.2", "opencv-python-headless==4.12.0.88")  # as benchmarks/peer_runners
PROGRAM = """\
import json, sys
from pathlib import Path
from supervision import DetectionDataset

root = Path(sys.argv[1])
read = {
    "coco": DetectionDataset.from_coco(
        f"{root}/coco/images/train", f"{root}/coco/annotations/instances_train.json", force_masks=True),
    "yolo": DetectionDataset.from_yolo(
        f"{root}/yolo/images/train", f"{root}/yolo/labels/train", f"{root}/yolo/data.yaml"),
    "voc": DetectionDataset.from_pascal_voc(
        f"{root}/voc/VOCdevkit/VOC2012/JPEGImages", f"{root}/voc/VOCdevkit/VOC2012/Annotations"),
}
print(json.dumps({
    format: {
        Path(path).name: [
            [found.classes[number], [round(float(edge), 3) for edge in box],
             None if one.mask is None else int(one.mask[at].sum())]
            for at, (number, box) in enumerate(zip(one.class_id, one.xyxy))
        ]
        for path, one in found.annotations.items()
    }
    for format, found in read.items()
}))
"""
pytestmark = pytest.mark.integration
IMAGES = [
    *(one for one in datasets.traps() if one.split == "train"),
    datasets.image("drawn.png", drawn((TRIANGLE,)), drawn((SQUARE,))),
]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Any]]]:
    folder = tmp_path_factory.mktemp("supervision")
    for format in ("coco", "yolo", "voc"):
        datasets.written(format, folder / format, IMAGES)
    found: dict[str, dict[str, list[Any]]] = own_environment.ask(
        own_environment.make(folder, *WANTED), PROGRAM, str(folder)
    )
    return found


@pytest.mark.parametrize("format", ["coco", "yolo", "voc"])
def test_boxes_categories_and_empty_images(read: dict[str, dict[str, list[Any]]], format: str) -> None:
    assert {
        name: sorted((category, tuple(box)) for category, box, _ in found)
        for name, found in read[format].items()
    } == {one.name: sorted(datasets.shapes(one)) for one in IMAGES}


def test_masks_and_outlines_of_coco(read: dict[str, dict[str, list[Any]]]) -> None:
    """Run lengths it decodes exactly; outlines it fills with OpenCV, which draws their edges too."""
    ((_, _, pixels),) = read["coco"]["b c é.jpg"]
    assert pixels == datasets.with_holes_and_parts().sum()
    triangle, square = (pixels for _, _, pixels in read["coco"]["drawn.png"])
    assert 61 <= triangle <= 61 + 36  # the pixels that pycocotools fills, and those along the edges
    assert 238 <= square <= 238 + 62
