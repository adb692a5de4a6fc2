"""Leaks and conflicts of one picture at several places: each place is compared, not the first alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import formats
from curate.check.finding import Checked
from curate.engines.local import LocalEngine
from curate.stages import check
from tests.check import planted

ENGINE = LocalEngine(in_process=True)


def checked(path: Path, scratch: Path, **more: object) -> Checked:
    return check.run(check.Inputs(path, **more), scratch=scratch, engine=ENGINE)  # type: ignore[arg-type]


def told(found: Checked, kind: str) -> list[tuple[str, ...]]:
    return sorted(row.images for one in found.findings if one.name == kind for row in one.rows)


def put(folder: Path, seed: int, *places: str, **options: object) -> None:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(planted.encoded(planted.picture(seed), **options))


def test_a_copy_outside_of_the_splits_hides_no_leak(tmp_path: Path) -> None:
    put(tmp_path / "set", 0, "a.jpg", "train/a.jpg", "test/a.jpg", "test/b.jpg")
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert told(found, "split_leak") == [("test/a.jpg", "train/a.jpg"), ("test/b.jpg", "train/a.jpg")]
    assert told(found, "exact_duplicate") == [
        ("test/a.jpg", "a.jpg"), ("test/b.jpg", "a.jpg"), ("train/a.jpg", "a.jpg"),
    ]  # fmt: skip


def test_nor_does_it_hide_that_of_a_copy_of_other_bytes(tmp_path: Path) -> None:
    put(tmp_path / "set", 0, "a.jpg", "train/a.jpg")
    put(tmp_path / "set", 0, "0.jpg", "test/a.jpg", quality=40)
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert told(found, "split_leak") == [("test/a.jpg", "train/a.jpg")]
    (leak,) = [row for one in found.findings if one.name == "split_leak" for row in one.rows]
    assert set(leak.splits) == {"test", "train"}


def test_every_place_of_a_leak_against_another_set_is_told(tmp_path: Path) -> None:
    put(tmp_path / "set", 0, "train/a.jpg", "train/b.jpg")
    put(tmp_path / "other", 0, "theirs.jpg", quality=60)
    found = checked(tmp_path / "set", tmp_path / "scratch", against=tmp_path / "other")
    assert told(found, "leak_against") == [("train/a.jpg", "theirs.jpg"), ("train/b.jpg", "theirs.jpg")]


@pytest.mark.parametrize("kind", ["voc", "kitti"])
@pytest.mark.parametrize("copied", [False, True])
def test_an_image_that_two_lists_name_is_a_leak(tmp_path: Path, kind: str, copied: bool) -> None:
    folder = planted.write(kind, tmp_path / "set")
    val = next(folder.rglob("val.txt"))
    first = (val.parent / "train.txt").read_text().split()[0]
    val.write_text(val.read_text() + f"{first}\n")
    (image,) = folder.rglob(f"{first}.jpg")
    if copied:  # of no split
        shutil.copy(image, folder / "copy.jpg")
    found = checked(folder, tmp_path / "scratch")
    assert told(found, "split_leak") == [(image.relative_to(folder).as_posix(),)]
    assert found.splits == {"test": 6, "train": 8, "validation": 7}


@pytest.mark.parametrize("kind", ["voc", "kitti"])
def test_lists_by_any_usual_name_are_splits(tmp_path: Path, kind: str) -> None:
    folder = planted.write(kind, tmp_path / "set")
    val = next(folder.rglob("val.txt"))
    val.rename(val.with_name("valid.txt"))
    assert checked(folder, tmp_path / "scratch").splits == {"test": 6, "train": 8, "validation": 6}


def parquet(path: Path, *seeds: int, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = {"bbox": [[20.0, 30.0, 70.0, 70.0]], "category": ["car"]}
    pictures = [planted.encoded(planted.picture(seed), **options) for seed in seeds]
    rows = [{"image": {"bytes": one, "path": None}, "objects": objects} for one in pictures]
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("places", "splits"),
    [
        (("train/0000.parquet", "test/0000.parquet"), {"train": 1, "test": 1}),
        (("default/train/0000.parquet", "default/test/0000.parquet"), {"train": 1, "test": 1}),
        (("train.parquet", "test_1.parquet"), {"train": 1, "test": 1}),
        (("train-00000-of-00001.parquet", "holdout-00000-of-00001.parquet"), {"train": 1, "holdout": 1}),
        (("part_1.parquet", "part_2.parquet"), {}),
        (("0000.parquet", "0001.parquet"), {}),
    ],
)
def test_splits_of_parquet(tmp_path: Path, places: tuple[str, str], splits: dict[str, int]) -> None:
    """The folder around all of it is named test, which says nothing."""
    root = tmp_path / "test"
    parquet(root / places[0], 0)
    parquet(root / places[1], 0, quality=50)
    found = checked(root, tmp_path / "scratch", format="huggingface")
    assert found.splits == splits
    assert len(told(found, "split_leak")) == bool(splits)


def labelme(file: Path, image: str) -> None:
    file.write_text(json.dumps({"imagePath": image, "imageWidth": 256, "imageHeight": 192, "shapes": []}))


@pytest.mark.parametrize(("folders", "leaks"), [(("cam1", "cam2"), 0), (("train/cam1", "val2017/cam1"), 1)])
def test_folders_of_cameras_are_no_splits(tmp_path: Path, folders: tuple[str, str], leaks: int) -> None:
    for at, folder in enumerate(folders):
        put(tmp_path / "set", 0, f"{folder}/{at}.jpg")
        labelme(tmp_path / f"set/{folder}/{at}.json", f"{at}.jpg")
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert (found.format, len(told(found, "split_leak"))) == ("labelme", leaks)
    assert len(found.splits) == 2 * leaks


def written(kind: str, folder: Path, train: str) -> Path:
    """The clean set of a format with another name in place of train."""
    planted.write(kind, folder)
    (folder / "train").rename(folder / train)
    return folder


@pytest.mark.parametrize("kind", ["createml", "imagefolder", "roboflow"])
@pytest.mark.parametrize(("name", "split"), [("cam1", None), ("Train2017", "train")])
def test_a_folder_is_a_split_by_its_name_only(tmp_path: Path, kind: str, name: str, split: str) -> None:
    labels = formats.read(written(kind, tmp_path / "set", name), kind)
    assert {one.split for one in labels.images} == {split, "validation", "test"}


@pytest.mark.parametrize(("name", "split"), [("cam1", None), ("val", "validation"), ("day/train", None)])
def test_folders_of_darwin_and_manifests(tmp_path: Path, name: str, split: str | None) -> None:
    planted.write("darwin", tmp_path / "set")
    file = sorted((tmp_path / "set/annotations").glob("*.json"))[0]
    content = json.loads(file.read_text())
    content["item"]["path"] = f"/{name}"
    file.write_text(json.dumps(content))
    (image,) = formats.read(file, "darwin").images
    assert image.split == ("train" if name == "day/train" else split)


def test_classes_are_compared_at_every_place(tmp_path: Path) -> None:
    """The first place has no class; two copies of a third picture that has none contradict each other."""
    root = tmp_path / "set"
    for at, name in enumerate(("cat", "dog")):
        put(root, 10 + at, f"train/{name}/own.jpg")
    put(root, 0, "a.jpg", "train/cat/a.jpg", "train/dog/a.jpg")
    (root / "train/b.jpg").write_bytes(planted.encoded(planted.picture(1, (512, 384))))
    for name, quality in (("cat", 90), ("dog", 80)):
        put(root, 0, f"train/{name}/b.jpg")
        small = planted.picture(1, (512, 384)).resize(planted.SIZE)
        (root / f"train/{name}/b.jpg").write_bytes(planted.encoded(small, quality=quality))
    found = checked(root, tmp_path / "scratch", format="classes")
    conflicts = told(found, "class_conflict")
    assert {tuple(sorted(one)) for one in conflicts} == {
        ("train/cat/a.jpg", "train/dog/a.jpg"), ("train/cat/b.jpg", "train/dog/b.jpg"),
    }  # fmt: skip


def test_another_set_is_what_it_holds_now(tmp_path: Path) -> None:
    """One cache, set after set: neither those before nor files that are gone count."""
    own, cache = tmp_path / "set", tmp_path / "cache"
    put(own, 0, "a.jpg")
    put(own, 1, "b.jpg")
    put(tmp_path / "one", 0, "theirs.jpg", "deep/again.jpg")
    put(tmp_path / "one", 5, "other.jpg")
    put(tmp_path / "two", 1, "copy.jpg", quality=60)
    put(tmp_path / "two", 6, "other.jpg")

    def leaks(other: str) -> list[tuple[str, ...]]:
        return told(checked(own, cache, against=tmp_path / other), "leak_against")

    assert leaks("one") == [("a.jpg", "deep/again.jpg")]
    assert leaks("two") == [("b.jpg", "copy.jpg")]
    put(tmp_path / "two", 0, "of one.jpg")
    assert leaks("two") == [("a.jpg", "of one.jpg"), ("b.jpg", "copy.jpg")]
    (tmp_path / "two/of one.jpg").unlink()
    (tmp_path / "two/copy.jpg").unlink()
    assert leaks("two") == []
