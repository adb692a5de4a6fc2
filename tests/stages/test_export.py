"""A release goes out in each format, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import formats
from curate.cli import app
from curate.errors import InputError, ReleaseError
from curate.release import manifest
from curate.stages import export
from tests.formats import datasets
from tests.formats.release import write_release

WITHOUT_MASKS = {"createml", "kitti", "sagemaker", "voc", "yolo"}
WITH_ATTRIBUTION = {"coco", "datumaro", "imagefolder", "label-studio", "roboflow", "webdataset"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    images = [
        *datasets.traps(),
        datasets.image("licensed.jpg", license="cc-by-4.0", attribution="somebody", split="test"),
    ]
    write_release(tmp_path / "release", images, datasets.CATEGORIES, raw=tmp_path / "raw")
    return tmp_path / "release"


@pytest.mark.parametrize("format", sorted(formats.WRITERS))
def test_every_format_is_written_with_what_it_loses(release: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    done = export.run(format, release, out)
    document = json.loads((out / "export.json").read_text())
    assert (document["images"], document["objects"]) == (6, 5)
    assert document["format"] == format
    assert document["splits"] == ["train", "validation", "test"] or set(document["splits"]) == {
        "train",
        "validation",
        "test",
    }
    assert done.line().startswith(f"export to {format}: 6 images, 5 objects")
    lost = document["lost"]
    assert ("masks" in lost) == (format in WITHOUT_MASKS)
    assert ("attributions of images" in lost) == (format not in WITH_ATTRIBUTION)
    assert all(f"{number:,} {what}" in done.line() for what, number in lost.items())


def test_one_split_and_files_linked_from_an_earlier_export(release: Path, tmp_path: Path) -> None:
    export.run("coco", release, tmp_path / "first", splits=["test"])
    stored = tmp_path / "first/images/test"
    assert len(list(stored.iterdir())) == 2
    done = export.run("yolo", release, tmp_path / "second", images=stored)
    assert "2 linked" in done.line()
    for file in stored.iterdir():
        assert (tmp_path / "second/images/test" / file.name).stat().st_ino == file.stat().st_ino


def test_a_file_of_other_bytes_is_not_linked(release: Path, tmp_path: Path) -> None:
    export.run("coco", release, tmp_path / "first")
    for file in (tmp_path / "first/images/test").iterdir():
        file.write_bytes(b"another")
    done = export.run("yolo", release, tmp_path / "second", images=tmp_path / "first/images/test")
    assert "linked" not in done.line()


def test_a_folder_that_is_not_empty_is_refused(release: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        export.run("coco", release, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_what_fails_leaves_nothing(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.WRITERS["coco"].__globals__["ImageFiles"], "place", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export.run("coco", release, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "release"]


def test_mistakes_are_one_line(release: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format 'cocoa' is not known: choose"):
        export.run("cocoa", release, tmp_path / "out")
    with pytest.raises(InputError, match="no split 'dev'"):
        export.run("coco", release, tmp_path / "out", splits=["dev"])
    with pytest.raises(ReleaseError, match=r"release\.json does not exist"):
        export.run("coco", tmp_path / "raw", tmp_path / "out")
    (release / "README.md").write_text("edited")
    with pytest.raises(ReleaseError, match=r"README\.md is not what release\.json says"):
        export.run("coco", release, tmp_path / "out")


def test_the_command(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", str(release), "-f", "coco", "-o", str(out), "--split", "test"])
    assert done.exit_code == 0, done.output
    assert "export to coco: 2 images" in done.output
    assert (out / "annotations/instances_test.json").exists()


def test_augmented_copies_are_no_images_of_their_own_and_are_counted(release: Path, tmp_path: Path) -> None:
    (train,) = (release / "data").glob("train-*.parquet")
    (release / "augmented").mkdir()
    shutil.copy(train, release / "augmented" / train.name)
    manifest.write(release, manifest.read(release))
    done = export.run("coco", release, tmp_path / "out")
    assert done.line() == ("export to coco: 6 images, 5 objects; lost: 3 augmented copies of training images")
    assert json.loads((tmp_path / "out/export.json").read_text())["images"] == 6


def test_the_folder_for_kaggle_is_the_release_with_what_kaggle_asks(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export.run("kaggle", release, out, url="owner/unit-signs")
    assert done.line() == "export to kaggle: 6 images, 5 objects, 6 files; nothing is lost"
    assert json.loads((out / "dataset-metadata.json").read_text())["id"] == "owner/unit-signs"
    assert (out / "release.json").read_bytes() == (release / "release.json").read_bytes()
    with pytest.raises(InputError, match="'' is no data set of Kaggle: expected owner/name"):
        export.run("kaggle", release, tmp_path / "other")
    with pytest.raises(InputError, match="format kaggle is a whole release"):
        export.run("kaggle", release, tmp_path / "other", splits=["test"], url="owner/unit-signs")


def test_a_human_looked_where_every_object_is_of_people(release: Path, tmp_path: Path) -> None:
    export.run("sagemaker", release, tmp_path / "out", url="s3://signs/one")
    rows = [
        json.loads(line)
        for file in sorted((tmp_path / "out").glob("*.manifest"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    assert all(row["source-ref"].startswith("s3://signs/one/images/") for row in rows)
    said = {
        (bool(row["bounding-box"]["annotations"]), row["bounding-box-metadata"]["human-annotated"])
        for row in rows
    }
    assert said == {(True, "yes"), (False, "no")}  # of an image without objects a release does not say it


def test_what_a_release_says_besides_goes_out_as_attributes(release: Path, tmp_path: Path) -> None:
    export.run("coco", release, tmp_path / "out")
    content = json.loads((tmp_path / "out/annotations/instances_train.json").read_text(encoding="utf-8"))
    assert {one["attributes"]["origin"] for one in content["annotations"]} == {"consensus"}
    export.run("yolo", release, tmp_path / "yolo")
    lost = json.loads((tmp_path / "yolo/export.json").read_text())["lost"]
    assert lost["attributes of objects"] >= len(content["annotations"])
