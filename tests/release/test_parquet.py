from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate import schema
from curate.errors import InputError, ReleaseError
from curate.geometry import masks
from curate.release import parquet
from curate.release.digest import content_digest
from curate.release.object_support import Support
from curate.release.release_content import Content, collect
from tests.builders import HEIGHT, WIDTH, annotation, image, image_id, scene, write_jpeg
from tests.release.contents import NAMES, annotations_table, content, images_table

BOX, FAR = (10.0, 10.0, 50.0, 50.0), (60.5, 10.25, 90.0, 50.0)
DIGEST = "5" * 64
WORK = {"one": [("stop_sign", BOX), ("parking_sign", FAR)], **{f"empty {i}": [] for i in range(6)}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Content:
    monkeypatch.chdir(tmp_path)
    for name in WORK:
        path = image(name).path
        assert path is not None
        write_jpeg(Path(path), scene([]))
    return content(WORK)


def with_masks(made: Content, rles: list[str | None]) -> Content:
    position = made.objects.column_names.index("rle")
    column = pa.array(rles, pa.string())
    return replace(made, objects=made.objects.set_column(position, "rle", column))


def written(made: Content, splits: list[str], *, row_group_size: int = 100) -> dict[str, pq.ParquetFile]:
    shards = parquet.plan_shards(made, splits, digest=DIGEST)
    counts = {}
    for shard in shards:
        counts[shard.name] = sum(
            parquet.write_shard(Path(shard.name), shard, made, row_group_size=row_group_size)
        )
    assert sum(counts.values()) == len(splits)
    return {name: pq.ParquetFile(name) for name in counts}


def test_rows_hold_the_image_and_its_objects(project: Content) -> None:
    files = written(project, ["train"] * 7)
    rows = files[f"data/train-{DIGEST[:12]}-00000-of-00001.parquet"].read().to_pylist()
    assert len(rows) == 7
    assert [row["image_id"] for row in rows] == sorted(image_id(name) for name in WORK)
    row = next(row for row in rows if row["image_id"] == image_id("one"))
    assert row["image"]["bytes"] == Path(image("one").path or "").read_bytes()
    assert row["image"]["path"] == f"{row['image_id']}.jpg"
    assert (row["width"], row["height"]) == (WIDTH, HEIGHT)
    objects = row["objects"]
    assert objects["bbox"] == [[10.0, 10.0, 40.0, 40.0], [60.5, 10.25, 29.5, 39.75]]
    assert objects["category"] == [0, 1]
    assert objects["category_name"] == ["stop_sign", "parking_sign"]
    assert objects["iscrowd"] == [0, 0]
    for segmentation, area in zip(objects["segmentation"], objects["area"], strict=True):
        assert segmentation["size"] == [HEIGHT, WIDTH]
        assert masks.decode(segmentation["counts"], width=WIDTH, height=HEIGHT).sum() == area
    assert all(value == [] for other in rows if other is not row for value in other["objects"].values())
    assert {key: row[key] for key in ("file_name", "source", "split", "license", "attribution")} == {
        "file_name": "one.jpg", "source": "unit", "split": "train", "license": "cc-by-4.0",
        "attribution": "unit tests",
    }  # fmt: skip


@pytest.mark.usefixtures("project")
def test_each_object_says_how_it_came_about() -> None:
    rows = [
        annotation("one", "stop_sign", BOX, origin="consensus", score=0.75, polygon="[[1, 1, 9, 1, 9, 9.5]]"),
        annotation("one", "parking_sign", FAR, origin="consensus", score=0.5, model_version="dino@1"),
    ]
    known = [
        {"annotation_id": row.annotation_id, "image_id": row.image_id, "outcome": "object", "confidence": 0.9,
         "votes": votes, "annotators": people, "made_from": ["a", "b"]}
        for row, votes, people in zip(rows, (3, 0), (4, 0), strict=True)
    ]  # fmt: skip
    support = Support(
        pa.Table.from_pylist(known, schema=schema.CONSENSUS_OBJECTS.arrow), Support.none().images
    )
    made = collect(images_table([image("one")]), annotations_table(rows), NAMES, support)
    (file,) = written(made, ["train"]).values()
    objects = file.read().to_pylist()[0]["objects"]
    assert objects["polygon"] == [[[1.0, 1.0, 9.0, 1.0, 9.0, 9.5]], None]
    assert objects["origin"] == ["consensus", "model"]
    assert objects["model_version"] == [None, "dino@1"]
    assert (objects["votes"], objects["n_annotators"]) == ([3, 0], [4, 0])
    assert objects["agreement"] == [0.75, None]  # nobody looked: a model's score is no agreement of people
    assert objects["made_from"] == [["a", "b"]] * 2


@pytest.mark.usefixtures("project")
def test_what_people_said_of_objects_and_who_decided_stand_in_the_rows() -> None:
    said = (("worn", ("dirty", "bent")),)
    rows = [
        annotation("one", "stop_sign", BOX, origin="consensus", attributes=said),
        annotation("one", "parking_sign", FAR, origin="consensus"),
    ]
    support = Support(
        pa.Table.from_pylist(
            [{"annotation_id": rows[0].annotation_id, "image_id": rows[0].image_id, "outcome": "object",
              "votes": 2, "annotators": 2, "made_from": [], "attributes_confidence": [("worn", 0.75)]}],
            schema=schema.CONSENSUS_OBJECTS.arrow,
        ),
        pa.Table.from_pylist(
            [{"image_id": rows[0].image_id, "annotators": 1, "decided": True}],
            schema=schema.CONSENSUS_IMAGES.arrow,
        ),
    )  # fmt: skip
    made = collect(images_table([image("one")]), annotations_table(rows), NAMES, support)
    (file,) = written(made, ["train"]).values()
    (row,) = file.read().to_pylist()
    assert row["objects"]["attributes"] == [
        [{"question": "worn", "answers": ["dirty", "bent"], "confidence": 0.75}], [],
    ]  # fmt: skip
    assert row["decided"] is True
    assert (made.decided(), made.object_attributes()) == (
        (1, len(row["objects"]["id"])),
        {"worn": {"dirty": 1, "bent": 1}},
    )
    plain = collect(
        images_table([image("one")]), annotations_table([replace(one, attributes=()) for one in rows]), NAMES
    )
    assert content_digest(made, ["train"], license="x") != content_digest(plain, ["train"], license="x")
    assert "attributes" not in plain.columns()[8].kind.names  # a release without any has no such column


@pytest.mark.usefixtures("project")
def test_attributes_have_the_type_that_all_their_values_have() -> None:
    first = (("indoor", "True"), ("lens", "1.8"), ("number", "7"), ("code", "007"), ("scene", "a"))
    records = [image("one", attributes=first), image("two", attributes=(("lens", "2"), ("number", "-3")))]
    write_jpeg(Path(records[1].path or ""), scene([]))
    rows = [annotation(name, None, None, origin="consensus") for name in ("one", "two")]
    made = collect(images_table([*records]), annotations_table(rows), NAMES)
    (file,) = written(made, ["train"] * 2).values()
    found = {row["file_name"]: row["attributes"] for row in file.read().to_pylist()}
    assert found == {
        "one.jpg": {"code": "007", "indoor": True, "lens": 1.8, "number": 7, "scene": "a"},
        "two.jpg": {"code": None, "indoor": None, "lens": 2.0, "number": -3, "scene": None},
    }


@pytest.mark.usefixtures("project")
def test_the_time_of_a_picture_is_released_only_if_wanted() -> None:
    record = image("one", captured_at="2026-05-01T10:00:00")
    rows = annotations_table([annotation("one", None, None, origin="consensus")])
    for wanted in (False, True):
        made = collect(images_table([record]), rows, NAMES, captured_at=wanted)
        (file,) = written(made, ["train"]).values()
        row = file.read().to_pylist()[0]
        assert row.get("captured_at") == ("2026-05-01T10:00:00" if wanted else None)
        assert ("captured_at" in row) is wanted


def test_readers_can_skip_pages_and_columns(project: Content) -> None:
    (file,) = written(project, ["train"] * 7, row_group_size=3).values()
    for group in range(file.num_row_groups):
        column = file.metadata.row_group(group).column(file.schema_arrow.names.index("image_id") + 1)
        assert column.path_in_schema == "image_id"
        assert column.has_column_index
        assert column.has_offset_index
        assert column.statistics.min <= column.statistics.max
    assert file.read(columns=["image_id"]).nbytes < 1000


def test_an_image_that_does_not_decode_or_is_another_one_is_named(project: Content) -> None:
    path = Path(image("one").path or "")
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000])
    with pytest.raises(
        InputError, match=rf"{path} \(image {image_id('one')[:12]}\) is damaged: .*run dvc repro"
    ):
        written(project, ["train"] * 7)
    write_jpeg(path, scene([], size=(64, 48)))
    with pytest.raises(InputError, match="is 64 x 48 pixels, its table says 160 x 120"):
        written(project, ["train"] * 7)


def test_an_object_without_mask_has_the_area_of_its_box(project: Content) -> None:
    made = with_masks(project, [None, None])
    objects = (
        written(made, ["train"] * 7)[f"data/train-{DIGEST[:12]}-00000-of-00001.parquet"].read().to_pylist()
    )
    objects = next(row["objects"] for row in objects if row["objects"]["id"])
    assert objects["segmentation"] == [None, None]
    np.testing.assert_allclose(objects["area"], [1600, 29.5 * 39.75])


def test_class_names_stand_in_the_metadata(project: Content) -> None:
    (file,) = written(project, ["train"] * 7).values()
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["objects"]["category"]["feature"]["names"] == ["stop_sign", "parking_sign"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == file.schema_arrow.names
    assert list(features["objects"]) == [field.name for field in file.schema_arrow.field("objects").type]


def test_row_groups_have_the_size_asked_for(project: Content) -> None:
    (file,) = written(project, ["train"] * 7, row_group_size=3).values()
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [3, 3, 1]


def test_row_groups_and_files_are_bounded_in_bytes(project: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    size = Path(image("one").path or "").stat().st_size
    monkeypatch.setattr(parquet, "_GROUP_BYTES", int(1.5 * size))
    monkeypatch.setattr(parquet, "_SHARD_BYTES", int(2.5 * size))
    files = written(project, ["train"] * 7)
    assert list(files) == [f"data/train-{DIGEST[:12]}-{i:05d}-of-00003.parquet" for i in range(3)]
    rows = [row["image_id"] for file in files.values() for row in file.read().to_pylist()]
    assert sorted(rows) == project.images.column("image_id").to_pylist()
    for file in files.values():
        assert all(file.metadata.row_group(i).num_rows <= 2 for i in range(file.num_row_groups))


def test_each_split_has_its_files(project: Content) -> None:
    files = written(project, ["train", "test", "train", "validation", "train", "train", "train"])
    assert {name: file.metadata.num_rows for name, file in files.items()} == {
        f"data/test-{DIGEST[:12]}-00000-of-00001.parquet": 1,
        f"data/train-{DIGEST[:12]}-00000-of-00001.parquet": 5,
        f"data/validation-{DIGEST[:12]}-00000-of-00001.parquet": 1,
    }


def test_the_same_content_gives_the_same_bytes(project: Content) -> None:
    name = f"data/train-{DIGEST[:12]}-00000-of-00001.parquet"
    written(project, ["train"] * 7)
    first = Path(name).read_bytes()
    written(project, ["train"] * 7)
    assert Path(name).read_bytes() == first


def test_a_vanished_image_is_named(project: Content) -> None:
    path = Path(image("one").path or "")
    (shard,) = parquet.plan_shards(project, ["train"] * 7, digest=DIGEST)
    path.unlink()
    expected = f"{path} .* has disappeared: run dvc repro"
    with pytest.raises(InputError, match=expected):
        list(parquet.write_shard(Path(shard.name), shard, project, row_group_size=10))
    with pytest.raises(InputError, match=expected):
        parquet.plan_shards(project, ["train"] * 7, digest=DIGEST)


def test_a_damaged_mask_is_named(project: Content) -> None:
    made = with_masks(project, ["P", "P"])
    key = made.objects.column("annotation_id")[0].as_py()
    with pytest.raises(ReleaseError, match=f"annotation {key} of the consensus: mask counts 'P' are damaged"):
        written(made, ["train"] * 7)


@pytest.mark.parametrize(("extension", "kind"), [(".jpg", "JPEG"), (".png", "PNG"), (".webp", "WEBP")])
def test_no_position_and_no_name_leaves_with_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, kind: str
) -> None:
    """What ingest linked is the photographer's own file; every kind of upright file is looked at."""
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[0x010E] = "Secret Street 7"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPS latitude
    path = Path((image("one").path or "").replace(".jpg", extension))
    path.parent.mkdir(parents=True)
    Image.fromarray(scene([])).save(path, kind, exif=exif)
    assert b"Secret Street 7" in path.read_bytes()
    made = content({"one": WORK["one"]}, path=path.as_posix(), format=kind)
    (file,) = written(made, ["train"]).values()
    (row,) = file.read().to_pylist()
    assert row["image"]["path"].endswith(extension)
    assert b"Secret Street 7" not in row["image"]["bytes"]
    released = Image.open(io.BytesIO(row["image"]["bytes"]))
    assert dict(released.getexif()) == {}
    assert np.array_equal(np.asarray(released), np.asarray(Image.open(path)))
    assert b"Secret Street 7" not in next(Path("data").glob("train-*.parquet")).read_bytes()
