"""Labels of one format written as another: what a codec writes, and nothing that nobody knows."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import curate
from curate import formats
from curate.errors import InputError
from curate.formats import LabeledImage, LabeledObject, Labels, Problem
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from tests.formats import datasets

CAR = LabeledObject("car", (10.0, 6.0, 30.0, 18.0))
SIZE = (40, 30)


def photo(orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation:
        exif[274] = orientation
    out = io.BytesIO()
    Image.new("RGB", SIZE).save(out, "JPEG", exif=exif)
    return out.getvalue()


def of(*images: LabeledImage) -> Labels:
    return Labels("mine", Path("mine.json"), ("car",), list(images))


def car(name: str = "a.jpg", *, orientation: int | None = None, **more: object) -> LabeledImage:
    return replace(LabeledImage(name, (CAR,), content=photo(orientation)), **more)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    """Files by place, but for the time that SageMaker's manifests want."""
    time = re.compile(rb'"creation-date": "[^"]*"')
    return {
        str(one.relative_to(folder)): time.sub(b"", one.read_bytes())
        for one in folder.rglob("*")
        if one.is_file()
    }


@pytest.mark.parametrize("format", sorted(set(formats.WRITERS) - {"webdataset"}))
def test_each_format_is_written_as_its_codec_writes_it(format: str, tmp_path: Path) -> None:
    images = datasets.traps()
    (tmp_path / "codec/set").mkdir(parents=True)
    about = About(datasets.CATEGORIES, "set")
    losses = formats.WRITERS[format](
        tmp_path / "codec/set", images, about, ImageFiles(tmp_path / "codec/set")
    )
    labels = Labels("mine", tmp_path, datasets.CATEGORIES, iter(images))
    lost = curate.write_labels(labels, tmp_path / "set", format)
    assert tree(tmp_path / "set") == tree(tmp_path / "codec/set") != {}
    assert lost == dict(losses.counts)
    assert labels.images == images  # which were read once; they can be written again
    assert list(tmp_path.glob(".*")) == []


def test_webdataset_too(tmp_path: Path) -> None:
    curate.write_labels(of(car()), tmp_path / "set", "webdataset")
    assert (tmp_path / "set/train-000000.tar").is_file()


def test_a_file_of_one_tool_becomes_a_folder_of_another(tmp_path: Path) -> None:
    """COCO names pixels, YOLO shares: by hand."""
    (tmp_path / "photos/day").mkdir(parents=True)
    (tmp_path / "photos/day/a.jpg").write_bytes(photo())
    coco = {
        "images": [{"id": 7, "file_name": "day/a.jpg", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 6, 20, 12]}],
        "categories": [{"id": 2, "name": "bus"}, {"id": 3, "name": "car"}],
    }
    (tmp_path / "cars.json").write_text(json.dumps(coco))
    labels = curate.read_labels(str(tmp_path / "cars.json"))
    with pytest.raises(InputError, match=r"day/a\.jpg comes without its file: say images=FOLDER"):
        curate.write_labels(labels, tmp_path / "yolo", "yolo")
    lost = curate.write_labels(labels, tmp_path / "yolo", "yolo", images=tmp_path / "photos")
    assert lost["ids of objects"] == 1
    assert (tmp_path / "yolo/labels/train/a.txt").read_text() == "1 0.5 0.4 0.5 0.4\n"
    copy = tmp_path / "yolo/images/train/a.jpg"
    assert copy.read_bytes() == photo()
    assert copy.stat().st_nlink == 1  # whoever edits it does not edit the user's own
    back = curate.read_labels(tmp_path / "yolo")
    curate.write_labels(back, tmp_path / "voc", "voc")  # whose pixels need a size, which YOLO does not state
    (image,) = curate.read_labels(tmp_path / "voc").images
    assert (image.size, [one.bbox_xyxy for one in image.objects]) == (SIZE, [CAR.bbox_xyxy])


def test_problems_are_known_at_once_and_stop_the_writing(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [10, 6, "wide", 12]}],
        "categories": [{"id": 1, "name": "car"}],
    }
    (tmp_path / "cars.json").write_text(json.dumps(coco))
    (tmp_path / "a.jpg").write_bytes(photo())
    labels = curate.read_labels(tmp_path / "cars.json")
    assert labels.counts() == {"damaged": 1}
    with pytest.raises(InputError, match=r"cars\.json:1: damaged: a\.jpg annotation 5 .*; 1 such: correct"):
        curate.write_labels(labels, tmp_path / "out", "coco", images=tmp_path)
    assert not (tmp_path / "out").exists()
    labels.problems = [Problem("not_read", tmp_path, detail="2 attributes")]  # holds nothing back
    curate.write_labels(labels, tmp_path / "out", "coco", images=tmp_path)
    labels.incomplete = "1 annotation names no image"
    with pytest.raises(InputError, match="names no image: nothing is written"):
        curate.write_labels(labels, tmp_path / "more", "coco", images=tmp_path)


def test_what_nobody_looked_at_is_no_image_without_objects(tmp_path: Path) -> None:
    images = [
        car("drawn.jpg"),
        car("empty.jpg", objects=()),
        car("open.jpg", objects=(), labeled=False),
        car("proposed.jpg", suggested=True),
        car("untouched.jpg", human=False),
    ]
    lost = curate.write_labels(of(*images), tmp_path / "people", "coco")
    assert lost == {"images that nobody labeled": 3}
    names = {file.name for file in (tmp_path / "people").rglob("*.jpg")}
    assert names == {"drawn.jpg", "empty.jpg"}
    lost = curate.write_labels(of(*images), tmp_path / "all", "coco", suggestions=True)
    assert lost == {"images that nobody labeled": 1}


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([car(annotator="ann"), car(annotator="bob")], r"a\.jpg has 2 sets of labels: keep one"),
        ([car(width=41, height=30)], r"a\.jpg is 41 x 30 by its labels, and its file 40 x 30"),
        ([car(orientation=6)], r"a\.jpg is turned by EXIF, and its labels do not say"),
        ([car(content=b"nothing")], r"a\.jpg cannot be read as an image"),
        ([car(content=None, path=Path("gone.jpg"))], r"gone\.jpg cannot be read"),
        ([car(objects=(LabeledObject("car", entry="row 3"),))], r"a\.jpg: row 3 has no area"),
        ([car(objects=(LabeledObject("car", rle="11", rle_size=(2, 1)),))], r"a\.jpg: car: a mask of 2 x 1"),
    ],
)  # fmt: skip
def test_what_would_be_wrong_is_refused_and_nothing_written(
    images: list[LabeledImage], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says):
        curate.write_labels(of(car("first.jpg"), *images), tmp_path / "out", "yolo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(40, 30), (30, 40)])
def test_a_turned_image_keeps_the_frame_that_its_labels_state(size: tuple[int, int], tmp_path: Path) -> None:
    turned = car(orientation=6, width=size[0], height=size[1])
    curate.write_labels(of(turned), tmp_path / "out", "voc")
    (image,) = curate.read_labels(tmp_path / "out").images
    assert (image.size, image.objects[0].bbox_xyxy) == (size, CAR.bbox_xyxy)


def test_images_of_one_name_in_two_folders_are_both_written(tmp_path: Path) -> None:
    lost = curate.write_labels(of(car("one/a.jpg"), car("two/a.jpg")), tmp_path / "out", "coco")
    assert lost == {"file names, which another image had": 1}
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 2


def test_a_full_folder_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        curate.write_labels(of(car()), tmp_path, "coco")
    with pytest.raises(InputError, match="format 'cocoo' is not known: choose coco, "):
        curate.write_labels(of(car()), tmp_path / "out", "cocoo")
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_a_folder_of_files_that_are_read_one_by_one_says_so(tmp_path: Path) -> None:
    curate.write_labels(of(car()), tmp_path / "out", "coco")
    with pytest.raises(InputError, match=r"out is a folder: name one of the JSON files in it"):
        curate.read_labels(tmp_path / "out")


def test_the_core_alone_reads_and_writes(tmp_path: Path) -> None:
    """Without any package of an extra."""
    (tmp_path / "a.jpg").write_bytes(photo())
    program = """
import sys
for name in ("torch", "torchvision", "transformers", "datasets", "label_studio_sdk", "fiftyone", "cv2"):
    sys.modules[name] = None
import curate
from pathlib import Path
from curate.formats import LabeledImage, LabeledObject, Labels
names = ("coco", "yolo", "voc", "cvat", "labelme", "label-studio", "kitti", "imagefolder")
for number, format in enumerate(names):
    image = LabeledImage("a.jpg", (LabeledObject("car", (10, 6, 30, 18)),), path=Path("a.jpg"))
    curate.write_labels(Labels("mine", Path(), ("car",), [image]), f"out{number}", format)
    file = {"coco": "annotations/instances_all.json", "label-studio": "tasks.json"}.get(format, "")
    labels = curate.read_labels(f"out{number}/{file}")
    assert [one.category for image in labels.images for one in image.objects] == ["car"], format
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
