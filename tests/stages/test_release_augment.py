"""Augmented copies in a release: train only, each with parent and seed, the same for the same seed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from curate.errors import ReleaseError
from curate.file_identity import sha256_of
from curate.geometry import masks
from curate.records import StageReport
from curate.release import augmented_copies, manifest
from tests import builders
from tests.builders import image_id
from tests.stages.test_release import FOLDER, run

pytest.importorskip("albumentations")
FLIP = {"__class_fullname__": "HorizontalFlip", "p": 1.0}
NOISE = {"__class_fullname__": "GaussNoise", "p": 1.0}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    write_pipeline(FLIP, NOISE)
    return builders.small_project(tmp_path)


def write_pipeline(*nodes: dict[str, Any]) -> None:
    document = {"transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(nodes)}}
    Path("augment.yaml").write_text(yaml.safe_dump(document))


def release(*, copies: int = 1, seed: int = 0, **params: Any) -> StageReport:
    return run(augment={"pipeline": "augment.yaml", "copies": copies, "seed": seed}, **params)


def rows(part: str) -> list[dict[str, Any]]:
    return [row for path in sorted(FOLDER.glob(part)) for row in pq.read_table(path).to_pylist()]


def copies_on_disk() -> dict[str, str]:
    return {path.name.partition("-of-")[0][-5:]: sha256_of(path) for path in FOLDER.glob("augmented/*")}


def test_each_training_image_has_its_copies_and_no_other_image_has() -> None:
    report = release(copies=2)
    train = {row["image_id"] for row in rows("data/train-*")}
    others = {row["image_id"] for part in ("validation", "test") for row in rows(f"data/{part}-*")}
    made = rows("augmented/*.parquet")
    assert others
    assert sorted(row["parent_id"] for row in made) == sorted(2 * list(train))
    assert not others & {row["parent_id"] for row in made}
    assert {row["split"] for row in made} == {"train"}
    assert len({row["image_id"] for row in made}) == len({row["replay_seed"] for row in made}) == len(made)
    assert not train & {row["image_id"] for row in made}
    assert ("augmented copies", len(made)) in report.counts
    assert manifest.trusted(FOLDER).augmented == len(made)


def test_objects_move_with_their_pictures() -> None:
    write_pipeline(FLIP)
    release()
    parents = {row["image_id"]: row for row in rows("data/train-*")}
    seen = 0
    for row in rows("augmented/*.parquet"):
        parent, found = parents[row["parent_id"]], row["objects"]
        assert found["id"] == parent["objects"]["id"]
        assert found["category_name"] == parent["objects"]["category_name"]
        size = {"width": row["width"], "height": row["height"]}
        for box, rle, area, before in zip(
            found["bbox"],
            found["segmentation"],
            found["area"],
            parent["objects"]["segmentation"],
            strict=True,
        ):
            shape = masks.decode(rle["counts"], **size)
            assert np.array_equal(shape, masks.decode(before["counts"], **size)[:, ::-1])
            x, y, w, h = masks.bbox(rle["counts"], **size) or (0, 0, 0, 0)
            assert box == [x, y, w - x, h - y]
            assert area == shape.sum()
            seen += 1
        picture = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])), np.int16)
        mirror = np.asarray(Image.open(io.BytesIO(parent["image"]["bytes"])).convert("RGB"), np.int16)[
            :, ::-1
        ]
        assert np.abs(picture - mirror).mean() < 2  # one more JPEG
        assert row["license"] == parent["license"]
    assert seen


def test_what_people_said_of_objects_stands_in_the_copies_too(project: builders.SmallProject) -> None:
    said = (("worn", ("dirty",)),)
    settled = [
        replace(row, attributes=said) if row.category else row for row in project.annotations["consensus"]
    ]
    builders.write_annotations(project.root / "data/agreement/consensus.parquet", settled)
    release()
    parents = {row["image_id"]: row["objects"] for row in rows("data/train-*")}
    made = rows("augmented/*.parquet")
    assert any(row["objects"]["attributes"] for row in made)
    for row in made:
        assert row["objects"]["attributes"] == parents[row["parent_id"]]["attributes"]
    layouts = [
        pq.read_schema(next(FOLDER.glob(part))).field("objects").type
        for part in ("data/train-*", "augmented/*.parquet")
    ]
    assert layouts[0] == layouts[1]


def test_the_same_seed_gives_the_same_digest_and_bytes_and_another_seed_others() -> None:
    first = release(copies=2).metrics["digest"]
    before = copies_on_disk()
    assert release(copies=2, row_group_size=3).metrics["digest"] == first
    assert release(copies=2).metrics["digest"] == first
    assert copies_on_disk() == before
    assert release(copies=2, seed=1).metrics["digest"] != first
    after = copies_on_disk()
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())


def test_copies_of_an_image_do_not_depend_on_other_images() -> None:
    release()
    before = {row["parent_id"]: row["image"]["bytes"] for row in rows("augmented/*.parquet")}
    release(validation_share=0.3, test_share=0.3, keep_splits=False)
    after = {row["parent_id"]: row["image"]["bytes"] for row in rows("augmented/*.parquet")}
    assert 0 < len(after) < len(before)
    assert all(before[key] == picture for key, picture in after.items() if key in before)


def test_without_a_pipeline_nothing_is_augmented_and_the_digest_is_as_it_was() -> None:
    plain = run()
    assert not (FOLDER / "augmented").exists()
    assert "augmented" not in (FOLDER / "release.json").read_text()
    assert release().metrics["digest"] != plain.metrics["digest"]
    assert run().metrics["digest"] == plain.metrics["digest"]


def test_a_copy_of_an_image_that_is_not_for_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last guard, with the first one taken away: every image gets copies."""

    def every_image(content: Any, splits: list[str], *, digest: str) -> Any:
        return plan_shards(content, ["train"] * len(splits), digest=digest)

    plan_shards = augmented_copies.parquet.plan_shards
    release()
    kept = copies_on_disk()
    monkeypatch.setattr(
        augmented_copies.parquet, "plan_shards", plan_for_copies_only(plan_shards, every_image)
    )
    with pytest.raises(
        ReleaseError, match=r"^2 augmented copies are not of training images, the first is of"
    ):
        release(seed=5)
    assert copies_on_disk() == kept


def plan_for_copies_only(plan: Any, every_image: Any) -> Any:
    calls = []

    def planned(content: Any, splits: list[str], *, digest: str) -> Any:
        calls.append(digest)
        return (plan if len(calls) == 1 else every_image)(content, splits, digest=digest)

    return planned


def test_a_wrong_pipeline_stops_the_release_before_anything_is_written() -> None:
    write_pipeline({"__class_fullname__": "CoarseDropout", "p": 1.0})
    with pytest.raises(
        ReleaseError, match=r"release\.augment\.pipeline = augment\.yaml: transforms\[0\]: Coarse"
    ):
        release()
    assert not FOLDER.exists()


def test_the_card_shows_16_copies_at_most_and_says_how_they_were_made() -> None:
    release(copies=5)
    with Image.open(FOLDER / "card/augmented.jpg") as sheet:
        assert sheet.size == (4 * 262 - 6, 4 * 262 - 6)
    text = (FOLDER / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert [config["config_name"] for config in front["configs"]] == ["default", "augmented"]
    (files,) = front["configs"][1]["data_files"]
    assert files["split"] == "train"
    assert sorted(FOLDER.glob(files["path"])) == sorted(FOLDER.glob("augmented/*"))
    info = front["dataset_info"][1]
    assert info["splits"][0]["num_examples"] == len(rows("augmented/*.parquet")) == 20
    assert "5 of each training image and of no other" in text
    assert "```yaml\n" + (FOLDER / "augmentation.yaml").read_text() in text


def test_a_changed_pipeline_is_a_new_version_and_the_changelog_says_so() -> None:
    from curate.release import changelog, diff, diff_columns

    run()
    sides = [diff_columns.load(FOLDER)]
    release(copies=2)
    sides.append(diff_columns.load(FOLDER))
    release(copies=2, seed=9)
    sides.append(diff_columns.load(FOLDER))
    told = [
        changelog.section(diff.compare(*pair)) for pair in zip(sides, [*sides[1:], sides[0]], strict=True)
    ]
    assert told == [
        "- 8 augmented copies of training images, new.\n",
        "- 8 augmented copies of training images, made another way.\n",
        "- The 8 augmented copies left.\n",
    ]


def test_the_answers_of_a_copy_are_its_parents() -> None:
    release()
    parents = {row["image_id"]: row for row in rows("data/train-*")}
    for row in rows("augmented/*.parquet"):
        for name in ("answers", "confidence", "review", "attribution", "file_name", "source"):
            assert row[name] == parents[row["parent_id"]][name]
    assert image_id("copy") not in parents
