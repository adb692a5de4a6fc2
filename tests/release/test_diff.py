"""Changes are planted, and found as what they are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from curate.errors import ReleaseError
from curate.geometry.boxes import box_iou
from curate.records import Box
from curate.release import changelog, diff, diff_columns, manifest, parquet, versions
from curate.release.diff import Diff
from curate.release.diff_columns import Snapshot
from curate.release.digest import content_digest
from curate.release.release_content import Content
from tests.builders import image, image_id, scene, write_jpeg
from tests.release.contents import NAMES, content

BOX, FAR, THIRD = (10.0, 10.0, 50.0, 50.0), (60.0, 10.0, 90.0, 50.0), (100.0, 60.0, 150.0, 110.0)
WORK: dict[str, list[tuple[str, Box]]] = {
    "one": [("stop_sign", BOX), ("parking_sign", FAR)],
    "two": [("stop_sign", THIRD)],
    "three": [],
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*WORK, "four"):
        write_jpeg(Path(image(name).path or ""), scene([]))


def written(
    folder: str, made: Content, splits: Mapping[str, str] | None = None, *, license: str = "cc0-1.0"
) -> Snapshot:
    shutil.rmtree(folder, ignore_errors=True)
    split_of = [(splits or {}).get(key, "train") for key in made.ids]
    digest = content_digest(made, split_of, license=license)
    for shard in parquet.plan_shards(made, split_of, digest=digest):
        list(parquet.write_shard(Path(folder) / shard.name, shard, made, row_group_size=2))
    facts = manifest.Manifest(
        name="unit", version="1.2.3", digest=digest, images={}, objects={}, license=license, columns=2
    )
    manifest.write(Path(folder), facts)
    return diff_columns.load(Path(folder))


def changed(
    work: Mapping[str, Sequence[tuple[str, Box]]] = WORK, *, names: Sequence[str] = NAMES, **more: object
) -> Diff:
    splits = more.pop("splits", None)
    license = more.pop("license", "cc0-1.0")
    after = written("after", content(work, names=names, **more), splits, license=license)  # type: ignore[arg-type]
    return diff.compare(written("before", content(WORK)), after)


def objects(found: Diff) -> list[tuple[str, str | None, str | None]]:
    names = ("change", "category_before", "category_after")
    return sorted(zip(*(found.objects[name].to_pylist() for name in names), strict=True), key=str)


def test_nothing_changed() -> None:
    found = changed()
    assert (found.images.num_rows, found.objects.num_rows) == (0, 0)
    assert versions.step(found) == "patch"
    assert changelog.section(found) == "- No data changed.\n"


def test_images_that_came_went_moved_and_are_described_differently() -> None:
    work = {"one": WORK["one"], "three": [], "four": [("stop_sign", BOX), ("stop_sign", FAR)]}
    found = changed(work, splits={image_id("three"): "test"}, attribution="somebody else")
    rows = {
        (row["change"], row["image_id"]): (row["before"], row["after"]) for row in found.images.to_pylist()
    }
    assert rows["added", image_id("four")] == (None, "train")
    assert rows["removed", image_id("two")] == ("train", None)
    assert rows["moved", image_id("three")] == ("train", "test")
    assert {key for change, key in rows if change == "described"} == {image_id("one"), image_id("three")}
    assert found.counts() == {
        "images": {"added": 1, "removed": 1, "moved": 1, "described": 2},
        "objects": {"added": 0, "removed": 0, "relabelled": 0, "moved": 0, "described": 0,
                    "with added images": 2, "with removed images": 1},
    }  # fmt: skip
    text = changelog.section(found)
    assert "- 1 image added, with 2 objects.\n- 1 image removed, with 1 object.\n" in text
    assert "- **1 image moved to another split** (train to test).\n" in text
    assert versions.step(found) == "minor"


def test_objects_that_came_went_were_relabelled_and_moved() -> None:
    near = (12.0, 10.0, 52.0, 50.0)
    work = {
        "one": [("parking_sign", near), ("parking_sign", (61.0, 10.0, 91.0, 50.0))],
        "two": [("stop_sign", BOX)],
        "three": [("stop_sign", near)],
    }
    found = changed(work)
    assert objects(found) == [
        ("added", None, "stop_sign"), ("added", None, "stop_sign"),
        ("moved", "parking_sign", "parking_sign"), ("relabelled, moved", "stop_sign", "parking_sign"),
        ("removed", "stop_sign", None),
    ]  # fmt: skip
    row = next(row for row in found.objects.to_pylist() if row["change"] == "moved")
    assert row["iou"] == pytest.approx(box_iou([row["bbox_before"]], [row["bbox_after"]])[0, 0], abs=1e-6)
    by_category = {row["category"]: row for row in found.by_category()}
    assert by_category["stop_sign"] == {
        "category": "stop_sign", "before": 2, "after": 2, "added": 2, "removed": 1,
        "relabelled from": 1, "relabelled to": 0, "moved": 0, "described": 0,
    }  # fmt: skip
    assert by_category["parking_sign"]["moved"] == 2


def test_an_id_goes_before_overlap() -> None:
    """An object that kept its id and moved far away is that object; without ids it is another one."""
    made = content(WORK)
    ids = made.objects["annotation_id"].to_pylist()
    far = content({**WORK, "two": [("stop_sign", BOX)]})
    position = far.objects.column_names.index("annotation_id")
    rows = far.objects.set_column(position, "annotation_id", [ids])
    from dataclasses import replace

    before = written("before", made)
    assert objects(diff.compare(before, written("after", far))) == [
        ("added", None, "stop_sign"), ("removed", "stop_sign", None),
    ]  # fmt: skip
    with_ids = written("kept", replace(far, objects=rows))
    assert objects(diff.compare(before, with_ids)) == [("moved", "stop_sign", "stop_sign")]


def test_the_same_category_goes_before_a_better_overlap() -> None:
    both = [("stop_sign", (11.0, 10.0, 51.0, 50.0)), ("parking_sign", (10.5, 10.0, 50.5, 50.0)),
            ("parking_sign", FAR)]  # fmt: skip
    found = changed({**WORK, "one": both})
    assert objects(found) == [("added", None, "parking_sign"), ("moved", "stop_sign", "stop_sign")]


def test_categories_and_columns_are_major_and_a_license_is_minor() -> None:
    more = changed(names=(*NAMES, "tram"))
    assert more.categories == {"added": ["tram"], "removed": []}
    assert versions.step(more) == "major"
    turned = changed(names=NAMES[::-1])
    assert turned.categories["renumbered"] == list(NAMES[::-1])
    assert versions.step(turned) == "major"
    attributes = changed(attributes=(("scene", "7"),))
    assert attributes.columns["added"] == ["attributes", "attributes.scene"]
    assert versions.step(attributes) == "major"
    licensed = changed(license="cc-by-4.0")
    assert versions.step(licensed) == "minor"
    assert "License of the annotations: `cc-by-4.0`, before `cc0-1.0`." in changelog.section(licensed)


def test_what_is_kept_of_a_release_is_compared_as_the_release_itself(tmp_path: Path) -> None:
    whole = written("before", content(WORK))
    (tmp_path / "kept").mkdir()
    diff_columns.keep(Path("before"), tmp_path / "kept")
    found = diff.compare(diff_columns.load(tmp_path / "kept"), whole)
    assert (found.images.num_rows, found.objects.num_rows, any(found.columns.values())) == (0, 0, False)
    pictures = sum(path.stat().st_size for path in Path("before/data").iterdir())
    assert sum(path.stat().st_size for path in (tmp_path / "kept/data").iterdir()) < pictures


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    written("before", content(WORK))
    (path,) = Path("before/data").iterdir()
    path.write_bytes(b"PAR1")
    with pytest.raises(ReleaseError, match="before is damaged, or no release"):
        diff_columns.load(Path("before"))
    with pytest.raises(ReleaseError, match=r"release\.json does not exist"):
        diff_columns.load(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_as_many_pairs_as_the_best_matching_has(seed: int) -> None:
    """Against scipy's optimum on crowded images: best first finds as many pairs, or one fewer."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 100, (12, 2))
    old = [tuple(map(float, (x, y, x + 30, y + 30))) for x, y in corners]
    new = [tuple(v + d for v, d in zip(box, rng.uniform(-6, 6, 2).tolist() * 2, strict=True)) for box in old]
    before = written("before", content({"one": [("stop_sign", box) for box in old]}))
    after = written("after", content({"one": [("stop_sign", box) for box in new]}))
    found = diff.compare(before, after)
    iou = box_iou(old, new)
    rows, columns = linear_sum_assignment(-np.where(iou >= diff.MIN_IOU, iou, 0))
    best = int((iou[rows, columns] >= diff.MIN_IOU).sum())
    assert best - 1 <= found.counts()["objects"]["moved"] <= best
