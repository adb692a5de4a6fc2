"""Further programs that read what we write: datasets, webdataset, boto3 against an emulator, labelformat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate import formats
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.geometry import masks
from tests.formats import datasets

TRAPS = datasets.by_name(datasets.traps())


def test_datasets_reads_an_image_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets as hf

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets.written("imagefolder", tmp_path / "signs", datasets.traps())
    found = hf.load_dataset(str(tmp_path / "signs"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 3, "validation": 1, "test": 1}
    rows = {Path(row["image"].filename).name: row for row in found["train"]}
    assert rows["a.jpg"]["image"].size == datasets.SIZE
    assert rows["a.jpg"]["objects"]["bbox"] == [[0, 0, 1, 1], [23, 17, 1, 1], [0, 0, 24, 18]]
    assert rows["a.jpg"]["objects"]["categories"] == list(datasets.CATEGORIES)
    assert rows["nothing.jpg"]["objects"]["bbox"] == []
    (mask,) = rows["b c é.jpg"]["objects"]["segmentation"]
    assert masks.area(mask["counts"], width=24, height=18) == datasets.with_holes_and_parts().sum()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library closes no file
def test_webdatasets_own_library_reads_the_shards(tmp_path: Path) -> None:
    import webdataset

    datasets.written("webdataset", tmp_path, [*datasets.traps(), datasets.image("with.dots.in.it.png")])
    read = webdataset.WebDataset(str(tmp_path / "train-000000.tar"), shardshuffle=False).decode("rgb8")
    found = {sample["__key__"]: sample for sample in read}
    assert found.keys() == {"a", "b c é", "nothing", "with_dots_in_it"}
    described = found["b c é"]["json"]
    assert found["b c é"]["jpg"].shape == (18, 24, 3)
    (one,) = described["objects"]
    plane = masks.decode(one["segmentation"]["counts"], width=24, height=18)
    assert np.array_equal(plane, datasets.with_holes_and_parts())
    assert one["category_name"] == json.loads((tmp_path / "classes.json").read_text())[one["category"]]
    assert found["nothing"]["json"]["objects"] == []
    assert (tmp_path / "validation-000000.tar").exists()


def test_sagemakers_manifest_and_images_lie_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unit")
    images = [*datasets.traps(), datasets.image("seen.png", human=True)]
    files = ImageFiles(tmp_path)
    losses = formats.WRITERS["sagemaker"](
        tmp_path, images, About(datasets.CATEGORIES, "signs", url="s3://signs/one"), files
    )
    assert losses.counts["images of which it is not known whether a human looked: said to be no"] == 5
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="signs")
        for parent, _, names in os.walk(tmp_path):
            for name in names:
                path = Path(parent, name)
                s3.upload_file(str(path), "signs", f"one/{path.relative_to(tmp_path).as_posix()}")
        body = s3.get_object(Bucket="signs", Key="one/train.manifest")["Body"].read().decode()
        rows = [json.loads(line) for line in body.splitlines()]
        for row in rows:
            bucket, _, key = row["source-ref"].removeprefix("s3://").partition("/")
            size = row["bounding-box"]["image_size"][0]
            with Image.open(s3.get_object(Bucket=bucket, Key=key)["Body"]) as picture:
                assert picture.size == (size["width"], size["height"])
    facts = [row["bounding-box-metadata"] for row in rows]
    assert [fact["human-annotated"] for fact in facts] == ["no", "no", "no", "yes"]
    assert facts[0]["class-map"] == {str(at): name for at, name in enumerate(datasets.CATEGORIES)}
    assert rows[0]["bounding-box"]["annotations"][0] == {
        "class_id": 0, "left": 0, "top": 0, "width": 1, "height": 1
    }  # fmt: skip
    assert all(
        len(row["bounding-box"]["annotations"]) == len(fact["objects"])
        for row, fact in zip(rows, facts, strict=True)
    )


def test_labelformat_reads_kitti_and_cvat(tmp_path: Path) -> None:
    from labelformat.formats.cvat import CVATObjectDetectionInput
    from labelformat.formats.kitti import KittiObjectDetectionInput

    boxes = [TRAPS["a.jpg"], TRAPS["other.jpg"]]
    for format in ("kitti", "cvat"):
        datasets.written(format, tmp_path / format, boxes)
    names = ",".join(name.replace(" ", "_") for name in datasets.CATEGORIES)
    kitti = KittiObjectDetectionInput(tmp_path / "kitti/label_2", names, "../image_2")
    cvat = CVATObjectDetectionInput(tmp_path / "cvat/annotations.xml")
    for reader, spelt in ((kitti, lambda name: name.replace(" ", "_")), (cvat, str)):
        found = {
            Path(label.image.filename).name: [
                (one.category.name, (one.box.xmin, one.box.ymin, one.box.xmax, one.box.ymax))
                for one in label.objects
            ]
            for label in reader.get_labels()
        }
        assert found == {
            one.name: [(spelt(category), box) for category, box in datasets.shapes(one)] for one in boxes
        }


def test_supervisions_rules_for_roboflow_hold(tmp_path: Path) -> None:
    """Trainers look for <split>/_annotations.coco.json with the images beside it."""
    datasets.written("roboflow", tmp_path, datasets.traps())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test", "train", "valid"]
    for split in ("train", "valid", "test"):
        content = json.loads((tmp_path / split / "_annotations.coco.json").read_text(encoding="utf-8"))
        assert all((tmp_path / split / image["file_name"]).is_file() for image in content["images"])
