"""Data sets whose images have classes: folders of them, and Parquet of the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.check import json_and_junit
from curate.check.finding import KINDS, Checked
from curate.engines.local import LocalEngine
from curate.errors import InputError
from curate.formats import image_classes
from curate.stages import check
from tests.check import planted

ENGINE = LocalEngine(in_process=True)
CLASSES = {
    "train": {"cat": range(6), "dog": range(6, 12)},
    "val": {"cat": range(12, 17), "dog": range(17, 22)},
}


def checked(path: Path, scratch: Path, **more: object) -> Checked:
    return check.run(check.Inputs(path, **more), scratch=scratch, engine=ENGINE)  # type: ignore[arg-type]


def rows(found: Checked) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    return {one.name: [(row.images, row.detail) for row in one.rows] for one in found.findings}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes in two splits, nothing wrong."""
    root = tmp_path / "pets"
    for split, classes in CLASSES.items():
        for name, seeds in classes.items():
            (root / split / name).mkdir(parents=True)
            for seed in seeds:
                (root / split / name / f"{seed}.jpg").write_bytes(planted.encoded(planted.picture(seed)))
    (root / "LICENSE").write_text("CC0-1.0\n")
    return root


def test_a_clean_set_of_class_folders_has_no_finding(folder: Path, tmp_path: Path) -> None:
    found = checked(folder, tmp_path / "scratch")
    assert found.findings == ()
    assert (found.format, found.images, found.objects) == ("classes", 22, 22)
    assert found.splits == {"train": 12, "validation": 10}
    assert next(json_and_junit.summary(found, [])) == (
        "check: 22 images, 22 with a class (classes; train 12, validation 10)"
    )
    assert "box_outside" not in found.looked_for
    assert {"class_conflict", "class_rare", "class_missing", "unlabeled_image"} <= set(found.looked_for)


def test_every_fault_of_classes_is_found(folder: Path, tmp_path: Path) -> None:
    cat = (folder / "train/cat/0.jpg").read_bytes()
    (folder / "train/dog/same.jpg").write_bytes(cat)  # the same bytes, another class
    copy = planted.encoded(planted.picture(1), quality=40)
    (folder / "train/dog/near.jpg").write_bytes(copy)  # a copy of lower quality
    (folder / "train/cat/own.jpg").write_bytes(planted.encoded(planted.picture(2), quality=40))  # no conflict
    (folder / "val/dog/leaked.jpg").write_bytes(planted.encoded(planted.picture(6), quality=40))
    (folder / "train/bird").mkdir()
    for seed in (30, 31):
        (folder / f"train/bird/{seed}.jpg").write_bytes(planted.encoded(planted.picture(seed)))
    (folder / "train/fish").mkdir()  # declared, and empty
    (folder / "val/alone.jpg").write_bytes(planted.encoded(planted.picture(32)))
    found = rows(checked(folder, tmp_path / "scratch", format="classes"))
    assert sorted(found["class_conflict"]) == [
        (("train/dog/near.jpg", "train/cat/1.jpg"), "dog and cat: same"),
        (("train/dog/same.jpg", "train/cat/0.jpg"), "dog and cat: the same bytes"),
    ]
    assert [images for images, _ in found["split_leak"]] == [("train/dog/6.jpg", "val/dog/leaked.jpg")]
    assert [detail for _, detail in found["class_missing"]] == [
        "bird: 0 images in validation, 2 in all", "fish: declared, and no image has it",
    ]  # fmt: skip
    assert [detail for _, detail in found["class_rare"]] == ["bird: 2 images in train, 2 in all"]
    assert [images for images, _ in found["unlabeled_image"]] == [("val/alone.jpg",)]
    assert len(found["exact_duplicate"]) == 1
    assert KINDS["class_conflict"].severity == "error"


def test_folders_without_splits_are_classes_only_if_somebody_says_so(folder: Path, tmp_path: Path) -> None:
    """They may stand for cameras, or days."""
    inner = folder / "train"
    assert checked(inner, tmp_path / "one").format == "images"
    found = checked(inner, tmp_path / "two", format="classes")
    assert (found.format, found.objects, found.splits) == ("classes", 12, {})


def test_one_class_or_images_right_in_the_splits_are_no_classes(tmp_path: Path) -> None:
    for place in ("one/train/cat/1.jpg", "two/train/1.jpg", "three/train/images/1.jpg"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(planted.encoded(planted.picture(1)))
    assert not any(image_classes.in_folders(tmp_path / name) for name in ("one", "two", "three"))


def test_classes_of_the_hub(tmp_path: Path) -> None:
    """As `datasets` writes a classification set: numbers, their names in the metadata; -1 is not known."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    root = tmp_path / "set/data"
    root.mkdir(parents=True)
    pictures = [planted.encoded(planted.picture(seed)) for seed in range(12)]
    pictures[11] = planted.encoded(planted.picture(0), quality=40)
    labels = [0] * 5 + [1] * 5 + [-1, 1]
    rows_of = {"image": pictures, "label": labels}
    datasets.Dataset.from_dict(rows_of, features=features).to_parquet(root / "train-00000-of-00001.parquet")
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert (found.format, found.images, found.objects, found.splits) == ("classes", 12, 11, {"train": 12})
    told = rows(found)
    assert [detail for _, detail in told["class_conflict"]] == ["dog and cat: same"]
    assert len(told["unlabeled_image"]) == 1
    assert "class_rare" not in told


def test_a_column_of_names_needs_no_metadata(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = planted.encoded(planted.picture(1))
    rows_of = [{"image": {"bytes": picture, "path": "a.jpg"}, "labels": "cat"},
               {"image": {"bytes": picture, "path": "b.jpg"}, "labels": None}]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows_of), tmp_path / "test.parquet")
    first, second = image_classes.read(tmp_path / "test.parquet").images
    assert (first.name, first.tags, first.split, first.content) == ("a.jpg", ("cat",), "test", picture)
    assert (second.tags, second.labeled) == ((), False)


@pytest.mark.parametrize("labels", [[[0, 2], [1], []], [0.5, 1.0, None], [{"a": 1}, None, None]])
def test_a_column_that_does_not_hold_one_class_an_image_is_refused(labels: object, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = {"bytes": planted.encoded(planted.picture(1)), "path": "a.jpg"}
    pq.write_table(pa.table({"image": [picture] * 3, "labels": labels}), tmp_path / "test.parquet")
    with pytest.raises(InputError, match=r"test\.parquet: the column `labels` holds (list|double|struct)"):
        checked(tmp_path / "test.parquet", tmp_path / "scratch")


def test_a_number_that_no_class_has_is_a_problem_and_no_class(tmp_path: Path) -> None:
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    pictures = [{"bytes": planted.encoded(planted.picture(seed)), "path": f"{seed}.jpg"} for seed in range(3)]
    table = pa.table({"image": pictures, "label": [0, 7, -2]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, tmp_path / "test.parquet")
    labels = image_classes.read(tmp_path / "test.parquet")
    assert [(one.tags, one.labeled) for one in labels.images] == [(("cat",), True), ((), False), ((), False)]
    found = rows(checked(tmp_path / "test.parquet", tmp_path / "scratch"))
    assert [detail for _, detail in found["damaged"]] == [
        "1.jpg: class 7, where the file names 2 classes, from 0",
        "2.jpg: class -2, where the file names 2 classes, from 0",
    ]  # fmt: skip


def test_what_has_no_classes_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match=r"a\.json is no folder of classes, and no Parquet with a column"):
        checked(tmp_path / "a.json", tmp_path / "scratch", format="classes")
