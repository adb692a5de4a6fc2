"""Stage embed with a fake encoder: rows, failures, what is kept, what is asked for."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import tables
from curate.embeddings import EMBEDDING_FIGURES, OBJECT_EMBEDDINGS, load_embeddings
from curate.engines.local import LocalEngine
from curate.errors import DeviceMemoryError, InputError, TableError
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams
from curate.records import FloatArray, StageReport, UInt8Image
from curate.stages import embed
from tests import builders
from tests.fakes import FakeEmbedder

RED, BLUE, BLACK, DROPPED = "red", "blue", "black", "dropped"
COLORS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 200, 30), "dropped": (221, 30, 30)}
NAMES = [*COLORS, *(f"gray-{number}" for number in range(6))]
OUT = Path("out")


def picture(name: str) -> UInt8Image:
    pixels = np.zeros((60, 80, 3), dtype=np.uint8)
    level = NAMES.index(name) * 20 + 10
    pixels[:] = COLORS.get(name, (level, level, 140))
    return pixels


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine kept images and a dropped one; two objects on the red one, one on the blue one."""
    monkeypatch.chdir(tmp_path)
    records = [builders.image(name, width=80, height=60) for name in NAMES if name != DROPPED]
    dropped = builders.image(DROPPED, width=80, height=60, drop_reason="near_duplicate")
    records.append(dropped)
    for name in NAMES:
        path = Path(str(builders.image(name).path)).with_suffix(".jpg")
        builders.write_jpeg(path, picture(name))
    builders.write_images(Path("images.parquet"), records)
    rows = [
        builders.annotation("red", "stop_sign", (4.0, 4.0, 20.0, 30.0), origin="model", size=(80, 60)),
        builders.annotation("red", "yield_sign", (40.0, 4.0, 70.0, 30.0), origin="model", size=(80, 60)),
        builders.annotation("blue", "parking_sign", (4.0, 4.0, 20.0, 30.0), origin="model", size=(80, 60)),
        builders.annotation("green", None, None, origin="model"),
    ]
    builders.write_annotations(Path("annotations.parquet"), rows)


def whole(embedder: Any = None) -> Encoder:
    return Encoder(embedder or FakeEmbedder())


def run(encoder: Callable[[], Encoder] = whole, engine: Any = None, **params: Any) -> StageReport:
    return embed.run(
        EmbeddingsParams.model_validate({"model": "own", "shard_size": 4, **params}),
        inputs=embed.Inputs(
            Path("images.parquet"), Path("annotations.parquet"), Path("missing/consensus.parquet")
        ),
        outputs=embed.Outputs(
            table=OUT / "embeddings.parquet",
            objects=OUT / "objects.parquet",
            figures=OUT / "figures.parquet",
            look_alikes=OUT / "look_alikes.csv",
            failures=OUT / "failures.csv",
            vectors=Path("cache"),
        ),
        ports=embed.Ports(encoder, engine or LocalEngine(in_process=True)),
    )


def rows(name: str) -> list[dict[str, str]]:
    with (OUT / name).open(newline="") as file:
        return list(csv.DictReader(file))


def written() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(OUT.iterdir())}


def test_each_kept_image_has_its_vector() -> None:
    report = run()
    assert report.line() == "embed: 9 images, 9 vectors, 0 failed"
    assert report.metrics == {"model_version": "fake-encoder@1", "map": "pca"}
    found = load_embeddings(OUT / "embeddings.parquet")
    assert found.image_ids == tuple(sorted(builders.image_id(name) for name in NAMES if name != DROPPED))
    assert found.model_version == "fake-encoder@1"
    at = found.rows([builders.image_id(name) for name in ("red", DROPPED)])
    assert at[1] == -1
    assert found.vectors[at[0]] == pytest.approx(FakeEmbedder().embed([picture("red")])[0], abs=0.05)
    figures = tables.read(OUT / "figures.parquet", EMBEDDING_FIGURES).to_pylist()
    assert [row["image_id"] for row in figures] == list(found.image_ids)
    assert all(row["uniqueness"] > 0 and row["outlier"] > 0 for row in figures)
    assert tables.read(OUT / "objects.parquet", OBJECT_EMBEDDINGS).num_rows == 0


def test_dropped_images_too_where_all_are_asked_for() -> None:
    assert run(images="all").counts[:2] == (("images", 10), ("vectors", 10))
    found = load_embeddings(OUT / "embeddings.parquet")
    red, dropped = found.rows([builders.image_id("red"), builders.image_id(DROPPED)])
    assert found.vectors[red] @ found.vectors[dropped] > 0.999


def test_nothing_is_asked_for_without_a_model() -> None:
    def never() -> Encoder:
        raise AssertionError

    report = run(never, model=None)
    assert report.line() == "embed: 0 vectors, 9 images not asked for"
    assert "is empty; set embeddings.model" in str(load_embeddings(OUT / "embeddings.parquet").absent)
    assert tables.read(OUT / "figures.parquet", EMBEDDING_FIGURES).num_rows == 0
    assert (rows("failures.csv"), rows("look_alikes.csv")) == ([], [])
    assert not Path("cache").exists()


def test_only_what_is_missing_is_computed_again() -> None:
    first = FakeEmbedder()
    run(lambda: whole(first))
    before = written()
    assert first.seen == 9
    again = FakeEmbedder()
    run(lambda: whole(again))
    assert (again.seen, written()) == (0, before)
    with_objects = FakeEmbedder()
    run(lambda: whole(with_objects), objects="suggestions")
    assert with_objects.seen == 3  # the crops
    other = FakeEmbedder(version="fake-encoder@2")
    run(lambda: whole(other))
    assert other.seen == 9
    assert load_embeddings(OUT / "embeddings.parquet").model_version == "fake-encoder@2"
    added = builders.image("red", width=80, height=60)
    path = builders.write_jpeg(Path("new.jpg"), picture("green"))
    more = builders.image("new", path=str(path), width=80, height=60)
    builders.write_images(Path("images.parquet"), [added, more])
    few = FakeEmbedder(version="fake-encoder@2")
    assert run(lambda: whole(few)).counts[1] == ("vectors", 2)
    assert few.seen == 1


def test_an_image_without_a_vector_is_named_and_has_no_row() -> None:
    path = {name: Path(str(builders.image(name).path)) for name in ("red", "blue", "green")}
    path["red"].unlink()
    path["blue"].write_bytes(b"\xff\xd8 not a picture")
    builders.write_jpeg(path["green"], np.zeros((60, 80, 3), dtype=np.uint8))
    report = run(objects="suggestions")
    assert report.line() == (
        "embed: 9 images, 6 vectors, 3 failed, 0 objects, 3 objects without a vector, "
        "0 look-alikes labelled differently"
    )
    assert report.metrics["failed_by_reason"] == {"disappeared": 1, "no_vector": 1, "unreadable": 1}
    listed = {(row["image_id"], row["annotation_id"] != ""): row["reason"] for row in rows("failures.csv")}
    assert listed == {
        (builders.image_id("red"), False): "disappeared",
        (builders.image_id("blue"), False): "unreadable",
        (builders.image_id("green"), False): "no_vector",
        (builders.image_id("red"), True): "no_vector",
        (builders.image_id("blue"), True): "no_vector",
    }
    found = load_embeddings(OUT / "embeddings.parquet")
    assert len(found) == 6
    assert (np.linalg.norm(found.vectors, axis=1) > 0.99).all()
    with pytest.raises(InputError, match=r"more than embeddings\.max_failures = 1 images failed"):
        run(max_failures=1)


def test_too_large_and_out_of_memory() -> None:
    class Short(FakeEmbedder):
        def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
            if len(images) > 1 or images[0].mean() < 100:
                raise DeviceMemoryError("no memory")
            return super().embed(images)

    report = run(lambda: Encoder(Short(), batch_size=4))
    assert set(report.metrics["failed_by_reason"]) == {"out_of_memory"}
    assert 0 < report.counts[1][1] < 9
    assert run(max_pixels=100).metrics["failed_by_reason"] == {"too_large": 9}
    assert "embeddings.max_pixels" in rows("failures.csv")[0]["detail"]


class _Killer(FakeEmbedder):
    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        if images[0].mean(axis=(0, 1))[2] > 200:  # the blue one
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(images)


def _killing() -> Encoder:
    return Encoder(_Killer())


def test_an_image_that_kills_its_worker_is_a_row_and_the_others_have_the_same_vectors() -> None:
    run()
    here = load_embeddings(OUT / "embeddings.parquet")
    Path("cache").rename("first")
    report = run(_killing, LocalEngine(1, retries=0))
    assert report.metrics["failed_by_reason"] == {"killed_worker": 1}
    there = load_embeddings(OUT / "embeddings.parquet")
    assert len(there) == len(here) - 1
    assert np.array_equal(there.vectors, here.vectors[here.rows(there.image_ids)])


def test_objects_of_two_images_whose_nearest_has_another_label_are_listed() -> None:
    report = run(objects="suggestions", neighbors=1)
    assert dict(report.counts) == {
        "images": 9, "vectors": 9, "failed": 0, "objects": 3, "objects without a vector": 0,
        "look-alikes labelled differently": 3,
    }  # fmt: skip
    listed = rows("look_alikes.csv")
    # Two objects of the red image look the same; they are not held against each other.
    pairs = {(row["category"], row["neighbor_category"]) for row in listed}
    assert len(pairs) == 3
    assert {("stop_sign", "parking_sign"), ("yield_sign", "parking_sign")} < pairs
    objects = tables.read(OUT / "objects.parquet", OBJECT_EMBEDDINGS).to_pylist()
    assert {row["category"] for row in objects} == {"stop_sign", "yield_sign", "parking_sign"}


def test_the_consensus_of_the_last_run_need_not_be_there_and_the_line_says_so() -> None:
    report = run(objects="consensus")
    assert report.counts[3] == ("objects", 0)
    assert report.line().endswith("0 rounds of agreement, which objects need")
    Path("annotations.parquet").unlink()
    with pytest.raises(TableError, match=r"annotations\.parquet does not exist"):
        run(objects="suggestions")


def test_vectors_stay_where_no_image_can_be_read_for_once() -> None:
    run()
    Path("data").rename("away")
    assert run().counts[1:3] == (("vectors", 0), ("failed", 9))
    Path("away").rename("data")
    again = FakeEmbedder()
    run(lambda: whole(again))
    assert again.seen == 0
