"""What cannot be read is an error and never nothing: label files, folders, names that are no UTF-8."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from curate import formats
from curate.check import json_and_junit
from curate.check.finding import Checked
from curate.engines.local import LocalEngine
from curate.errors import InputError
from curate.report import check_page
from curate.stages import check
from tests.check import planted
from tests.permissions import permissions_count

ENGINE = LocalEngine(in_process=True)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


def checked(path: Path, scratch: Path, **more: object) -> Checked:
    return check.run(check.Inputs(path, **more), scratch=scratch, engine=ENGINE)  # type: ignore[arg-type]


def told(found: Checked, kind: str) -> list[tuple[str, str]]:
    """Name of the file or place, and what is said of it."""
    rows = [row for one in found.findings if one.name == kind for row in one.rows]
    return [(row.file.name if row.file else "=".join(row.images), row.detail) for row in rows]


def images(folder: Path, *places: str) -> Path:
    for at, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(planted.encoded(planted.picture(at)))
    return folder


def test_a_label_file_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    folder = planted.write("coco", tmp_path / "set")
    file = folder / "annotations/instances_validation.json"
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    found = checked(folder, tmp_path / "scratch")
    ((name, said),) = told(found, "damaged")
    assert name == "instances_validation.json"
    assert said.startswith("is no JSON: ")
    assert "damaged" in found.looked_for
    assert found.objects == 28


@pytest.mark.parametrize("place", ["instances.json", "annotations/all.json", "labels/deep/all.json"])
@pytest.mark.parametrize("text", [POINTER, "", '{"images": [{"id": 1, "file_name": "0.jpg"}, '])
def test_the_only_label_file_is_no_json(tmp_path: Path, place: str, text: str) -> None:
    folder = images(tmp_path / "set", "0.jpg", "1.jpg")
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(text)
    if place.startswith("labels") and "images" in text:  # seen to be COCO before its end
        with pytest.raises(InputError, match="name the file itself"):
            checked(folder, tmp_path / "scratch")
        return
    found = checked(folder, tmp_path / "scratch")
    ((name, said),) = told(found, "damaged")
    assert name == Path(place).name
    assert ("git lfs pull" in said) == (text == POINTER)
    assert found.counts()["error"] == 1
    assert "damaged" in found.looked_for


def test_class_folders_beside_a_damaged_label_file(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "train/cat/0.jpg", "train/dog/1.jpg")
    (folder / "labels.json").write_text(POINTER)
    found = checked(folder, tmp_path / "scratch")
    assert (found.format, [name for name, _ in told(found, "damaged")]) == ("classes", ["labels.json"])


def test_json_that_nobody_knows_is_told(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "0.jpg")
    for name in ("a.json", "deep/b.json", ".hidden/c.json", ".d.json", "export.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text('{"boxes": []}')
    (folder / "instances.json").write_text("{}")
    found = checked(folder, tmp_path / "scratch")
    assert told(found, "not_read") == [
        ("a.json", "2 JSON files of no known format: name it with --format if they are labels")
    ]
    assert [name for name, _ in told(found, "damaged")] == ["instances.json"]


def test_other_sorts_of_json_are_no_labels(tmp_path: Path) -> None:
    """Captions have no categories; what is named as COCO's instances must be COCO."""
    folder = planted.write("coco", tmp_path / "set")
    captions = {"info": {}, "images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 1}]}
    (folder / "annotations/captions_train.json").write_text(json.dumps(captions))
    (folder / "package.json").write_text("[1, 2]")
    assert checked(folder, tmp_path / "scratch").findings == ()
    (folder / "annotations/instances_test.json").write_text("{}")
    found = checked(folder, tmp_path / "scratch")
    assert told(found, "damaged") == [
        ("instances_test.json", "is no COCO file: it has no list images and no list categories")
    ]


def test_a_reader_that_tells_of_its_own_files_is_not_repeated(tmp_path: Path) -> None:
    folder = planted.write("labelme", tmp_path / "set")
    inner = folder / "train"
    last = sorted(inner.glob("*.json"))[-1]
    last.write_text("{")
    found = checked(inner, tmp_path / "scratch")
    assert found.format == "labelme"
    assert [name for name, _ in told(found, "damaged")] == [last.name]


def test_predictions_that_are_damaged_are_refused(tmp_path: Path) -> None:
    folder = planted.write("coco", tmp_path / "set")
    (tmp_path / "said").mkdir()
    good = folder / "annotations/instances_train.json"
    (tmp_path / "said/instances_train.json").write_text(good.read_text())
    (tmp_path / "said/instances_test.json").write_text(POINTER)
    with pytest.raises(InputError, match=r"instances_test\.json cannot be read: a pointer of Git LFS"):
        checked(folder, tmp_path / "scratch", predictions=tmp_path / "said")


def samples(folder: Path, **fields: list[dict[str, object]]) -> Path:
    """An export of FiftyOne with one image and some fields of labels."""
    images(folder, "data/0.jpg")
    sample = {"filepath": "data/0.jpg", "metadata": {"width": 640, "height": 480}}
    drawn = {name: {"_cls": "Detections", "detections": labels} for name, labels in fields.items()}
    (folder / "samples.json").write_text(json.dumps({"samples": [{**sample, **drawn}]}))
    return folder


def test_of_fiftyone_s_fields_the_labels_are_people_s_and_predictions_a_model_s(tmp_path: Path) -> None:
    box = {"label": "car", "bounding_box": [0.1, 0.1, 0.3, 0.3]}
    made = {**box, "label": "bus", "confidence": 0.9}
    both = samples(tmp_path / "both", ground_truth=[box], predictions=[made])
    model = samples(tmp_path / "model", predictions=[made])
    (model / "data/0.jpg").unlink()  # a model's file of labels has no pictures
    for said in (both, model):
        found = checked(both, tmp_path / "scratch", predictions=said)
        assert told(found, "label_error"), said
    several = samples(tmp_path / "several", anna=[box], ben=[box, box])
    with pytest.raises(InputError, match="say which with --field"):
        checked(several, tmp_path / "scratch")
    assert checked(several, tmp_path / "scratch", field="ben").objects == 2
    assert formats.read_categories(both) == {"car": 1, "bus": 1}
    assert formats.read_categories(model) == {"bus": 1}


def test_another_broken_file_does_not_hide_where_the_labels_are(tmp_path: Path) -> None:
    folder = planted.write("coco", tmp_path / "set")
    (folder / "annotations").rename(folder / "deep")
    (folder / "z").mkdir()
    (folder / "deep").rename(folder / "z/deep")
    for content in (None, "{"):
        if content is not None:
            (folder / "zz-config.json").write_text(content)
        with pytest.raises(InputError, match="COCO files below its first folders: name the file itself"):
            checked(folder, tmp_path / "scratch")


@pytest.mark.parametrize("name", ["signs.v3", "name.v3i.coco", "2026.11.30", "test"])
def test_a_link_to_a_folder_that_is_not_mounted_is_told_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = images(tmp_path / "set", "0.jpg")
    (folder / name).symlink_to(tmp_path / "not mounted")
    (folder / "notes.txt").symlink_to(tmp_path / "gone.txt")
    assert [place for place, _ in told(checked(folder, tmp_path / "scratch"), "not_decoded")] == [name]


def test_a_linked_folder_is_looked_at_under_each_of_its_names(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "train/0.jpg", "train/1.jpg")
    elsewhere = images(tmp_path / "elsewhere", "0.jpg")
    (folder / "test").symlink_to(elsewhere, target_is_directory=True)
    (folder / "valid").symlink_to(elsewhere, target_is_directory=True)
    (folder / "train/again").symlink_to(folder, target_is_directory=True)  # a circle
    found = checked(folder, tmp_path / "scratch")
    assert found.splits == {"test": 1, "train": 2, "validation": 1}
    assert sorted(name for name, _ in told(found, "split_leak")) == [
        "test/0.jpg=train/0.jpg", "test/0.jpg=valid/0.jpg", "train/0.jpg=valid/0.jpg",
    ]  # fmt: skip


def test_classes_in_a_linked_folder_are_read(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "train/cat/0.jpg", "train/dog/1.jpg")
    (folder / "test").symlink_to(images(tmp_path / "test", "cat/2.jpg", "dog/3.jpg"))
    found = checked(folder, tmp_path / "scratch")
    assert (found.format, found.objects, told(found, "unlabeled_image")) == ("classes", 4, [])


def test_names_that_are_no_utf8_are_looked_at(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "train/0.jpg", "test/1.jpg")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/test/caf\xe9.jpg"))
    odd.write_bytes((folder / "train/0.jpg").read_bytes())
    Path(os.fsdecode(os.fsencode(folder) + b"/test/cut\xe9.jpg")).write_bytes(b"no image")
    found = checked(folder, tmp_path / "scratch", against=images(tmp_path / "other", "0.jpg"))
    assert [name for name, _ in told(found, "split_leak")] == [r"test/caf\xe9.jpg=train/0.jpg"]
    assert [name for name, _ in told(found, "not_decoded")] == [r"test/cut\xe9.jpg"]
    assert sorted(name for name, _ in told(found, "leak_against")) == [
        r"test/caf\xe9.jpg=0.jpg", "train/0.jpg=0.jpg",
    ]  # fmt: skip


def test_a_label_file_whose_name_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    folder = planted.write("yolo", tmp_path / "set")
    odd = os.fsencode(folder) + b"/%s/train/caf\xe9.%s"
    Path(os.fsdecode(odd % (b"images", b"jpg"))).write_bytes(planted.encoded(planted.picture(90)))
    Path(os.fsdecode(odd % (b"labels", b"txt"))).write_text("0 0.5\n")
    found = checked(folder, tmp_path / "scratch")
    ((row,),) = [one.rows for one in found.findings if one.name == "damaged"]
    assert "caf\\udce9" in json_and_junit.line(row)
    "\n".join(json_and_junit.summary(found, [])).encode()
    assert check_page.write(found, tmp_path / "page.html").exists()


def test_what_of_the_other_set_is_not_compared_is_told(tmp_path: Path) -> None:
    folder, other = images(tmp_path / "set", "0.jpg"), images(tmp_path / "other", "1.jpg", "own.jpg")
    (other / "cut.jpg").write_bytes(b"no image")
    (other / "more").symlink_to("nowhere")
    found = checked(folder, tmp_path / "scratch", against=other)
    assert [name for name, _ in told(found, "not_decoded")] == [f"{other}/more"]
    ((_, said),) = told(found, "not_read")
    assert said == f"{other}: 1 images do not decode, such as cut.jpg, and were not compared"


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "train/0.jpg", "test/1.jpg")
    (folder / "valid").symlink_to(tmp_path / "not mounted")
    (folder / "test").chmod(0)
    try:
        with permissions_count():
            found = checked(folder, tmp_path / "scratch")
    finally:
        (folder / "test").chmod(0o755)
    assert sorted(told(found, "not_decoded")) == [
        ("test", "the folder cannot be listed: Permission denied"),
        ("valid", "the folder cannot be listed: No such file or directory"),
    ]
