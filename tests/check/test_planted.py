"""Every kind of fault is planted and found, with its rows and nothing beside them; a clean set has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.check.finding import KINDS, Checked, Row
from curate.engines.local import LocalEngine
from curate.stages import check
from tests.check import planted
from tests.check.planted import Planted
from tests.formats.release import write_release

ENGINE = LocalEngine(in_process=True)


def checked(path: Path, scratch: Path, **more: object) -> Checked:
    return check.run(check.Inputs(path, **more), scratch=scratch, engine=ENGINE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, Checked]:
    root = tmp_path_factory.mktemp("planted")
    made = planted.plant(root / "set")
    other = root / "other"
    other.mkdir()
    seen = planted.picture(500)
    place = made.image("elsewhere.jpg", planted.encoded(seen))
    made.save()
    (other / "theirs.jpg").write_bytes(planted.encoded(seen.resize((200, 150)), quality=70))
    (other / "own.jpg").write_bytes(planted.encoded(planted.picture(501)))
    made.expected["leak_against"] = {(place, "theirs.jpg")}
    predictions = planted.predict(made, root / "predictions")
    return made, checked(made.folder, root / "scratch", against=other, predictions=predictions)


def key(kind: str, row: Row) -> tuple[str, ...]:
    """What tells a case of its kind."""
    if kind in {"class_missing", "class_rare"}:
        return (row.category, *row.splits)
    if kind in {"box_outside", "tiny_box", "giant_box", "duplicate_box", "crossing_box"}:
        return (*row.images, row.entry)
    if kind == "label_error":
        return (*row.images, row.detail)
    if kind == "missing_image":
        return (row.detail.partition(":")[0],)
    if not row.images:
        return (row.entry,)
    if kind == "near_duplicate":  # which of the two is the original is what tests/dedupe asks
        return tuple(sorted(row.images, reverse=True))
    return row.images


OTHER_SETS = {"license_unknown", "class_conflict"}  # kinds that this data set cannot have


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OTHER_SETS])
def test_what_is_planted_is_found_and_nothing_else(faulty: tuple[Planted, Checked], kind: str) -> None:
    made, found = faulty
    rows = [row for finding in found.findings if finding.name == kind for row in finding.rows]
    assert made.expected[kind], "every kind is planted"
    assert sorted(key(kind, row) for row in rows) == sorted(made.expected[kind])


def test_rows_say_where_it_is(faulty: tuple[Planted, Checked]) -> None:
    made, found = faulty
    by_kind = {finding.name: finding for finding in found.findings}
    (outside,) = by_kind["box_outside"].rows
    assert outside.file == made.folder / "annotations/instances_train.json"
    assert outside.line == 1
    assert outside.splits == ("train",)
    assert outside.detail == "(220, 100, 280, 130) leaves the image of 256 x 192 pixels"
    assert outside.marks[0].box == (220.0, 100.0, 280.0, 130.0)
    (crossing,) = by_kind["crossing_box"].rows
    assert [mark.category for mark in crossing.marks] == ["car", "bus"]
    assert set(found.looked_for) == set(KINDS) - {"class_conflict"}  # of classes of images
    assert found.pictures[outside.images[0]].exists()


@pytest.mark.parametrize("format", ["coco", "yolo", "yolo-seg", "voc"])
def test_a_clean_set_has_no_finding(tmp_path: Path, format: str) -> None:
    found = checked(planted.write(format, tmp_path / "set"), tmp_path / "scratch")
    assert found.findings == ()
    assert (found.format, found.images, found.objects) == (format.partition("-")[0], 20, 40)
    assert found.splits == {"test": 6, "train": 8, "validation": 6}


def test_a_clean_release_has_no_finding(tmp_path: Path) -> None:
    write_release(tmp_path / "set", planted.clean(), planted.CATEGORIES, raw=tmp_path / "raw")
    (tmp_path / "set/images").mkdir()
    (tmp_path / "set/images/example.jpg").write_bytes(planted.encoded(planted.picture(7)))  # of the card
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert found.findings == ()
    assert (found.format, found.images, found.objects) == ("huggingface", 20, 40)
    assert found.splits == {"test": 6, "train": 8, "validation": 6}


def test_a_data_set_that_was_saved_to_disk(tmp_path: Path) -> None:
    """By the `datasets` library itself; the same picture is in both of its splits."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "objects": {
                "bbox": datasets.Sequence(datasets.Sequence(datasets.Value("float32"), length=4)),
                "category": datasets.Sequence(datasets.ClassLabel(names=["car", "bus"])),
            },
        }
    )

    def part(seeds: range) -> object:
        objects = {"bbox": [[20, 30, 70, 70], [120, 60, 200, 110]], "category": [0, 1]}
        images = [{"bytes": planted.encoded(planted.picture(one)), "path": None} for one in seeds]
        rows = {"image": images, "objects": [objects] * len(images)}
        return datasets.Dataset.from_dict(rows, features=features)

    saved = datasets.DatasetDict({"train": part(range(6)), "test": part(range(5, 11))})
    saved.save_to_disk(str(tmp_path / "set"))
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert (found.format, found.images, found.objects) == ("huggingface", 12, 24)
    assert [(one.name, len(one.rows)) for one in found.findings] == [
        ("split_leak", 1), ("box_outside", 12), ("license_unknown", 1),
    ]  # fmt: skip
    assert found.splits == {"test": 6, "train": 6}


def test_a_leak_inside_of_a_release_is_found(tmp_path: Path) -> None:
    images = planted.clean()
    first, last = images[0], images[-1]
    copy = planted.encoded(planted.picture(0), quality=40)
    write_release(tmp_path / "set", [*images[:-1], type(last)(
        last.name, last.objects, *planted.SIZE, split="test", license="CC0-1.0", content=copy,
    )], planted.CATEGORIES, raw=tmp_path / "raw")  # fmt: skip
    found = checked(tmp_path / "set", tmp_path / "scratch")
    assert [finding.name for finding in found.findings] == ["split_leak"]
    (row,) = found.findings[0].rows
    assert row.splits == ("test", "train")
    assert first.split == "train"


def test_a_folder_of_images_needs_no_labels(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "valid").mkdir(parents=True)
    (folder / "train").mkdir()
    for at in range(3):
        (folder / f"train/{at}.jpg").write_bytes(planted.encoded(planted.picture(at)))
    (folder / "valid/0.png").write_bytes(planted.encoded(planted.picture(0), "PNG"))
    (folder / "notes.txt").write_text("no image")
    found = checked(folder, tmp_path / "scratch")
    assert [(finding.name, len(finding.rows)) for finding in found.findings] == [
        ("split_leak", 1), ("license_unknown", 1),
    ]  # fmt: skip
    assert found.splits == {"train": 3, "validation": 1}
    assert "box_outside" not in found.looked_for
