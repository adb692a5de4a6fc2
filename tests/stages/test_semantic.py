"""The step by meaning: an encoder's pairs join what pixels do not, and embeddings are computed once."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from curate import schema, system, tables
from curate.embeddings import directions, load_embeddings
from curate.engines.local import LocalEngine
from curate.errors import DeviceMemoryError, InputError, StorageError
from curate.labeling.run import external_sort
from curate.labeling.run.embedding_worker import WHOLE, Encoder
from curate.labeling.run.failures import Failures
from curate.labeling.run.shard_dispatch import Dispatch
from curate.params import DedupeParams, EmbeddingsParams, SemanticParams
from curate.records import FloatArray, StageReport, UInt8Image
from curate.stages import dedupe, embed, vector_store
from curate.stages.vector_store import Vectors, VectorStore
from tests.stages.test_dedupe import INDEX, INGESTED, PLOT, TABLE, encoded, ingested, rows, scene

VECTORS = Path("cache")


@dataclass
class MeanColor:
    """Images of one mean color mean the same; gray has no direction."""

    model_version: str = "mean-1"

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        colors = np.array([image.reshape(-1, 3).mean(axis=0) - 128 for image in images], dtype=np.float32)
        return directions(colors)


def red(seed: int) -> Image.Image:
    """A scene whose every pixel is turned to red: pixels differ, the mean color does not."""
    gray = np.asarray(scene(seed).convert("L"), dtype=np.float64)
    gray = (gray - gray.mean()) * 0.4
    return Image.fromarray(
        np.stack([220 + gray * 0.3, 60 + gray, 60 + gray], axis=2).clip(0, 255).astype(np.uint8)
    )


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return ingested(
        {
            "a/red_0.png": encoded(red(0)),
            "a/red_1.png": encoded(red(1).resize((80, 60))),
            "a/blue.png": encoded(Image.merge("RGB", red(2).split()[::-1])),
            "a/blue small.png": encoded(Image.merge("RGB", red(2).split()[::-1]).resize((120, 90))),
        }
    )


def loaded(version: str) -> Encoder:
    return Encoder(MeanColor(version), batch_size=2)


def run(version: str = "mean-1", *, workers: int = 0, on: bool = True) -> StageReport:
    engine = LocalEngine(max(workers, 1), in_process=not workers)
    store = VectorStore(VECTORS, functools.partial(loaded, version), engine, shard_size=3)
    return dedupe.run(
        DedupeParams(semantic=SemanticParams(min_cosine=0.99)),
        inputs=dedupe.Inputs(images=INGESTED),
        outputs=dedupe.Outputs(table=TABLE, plot=PLOT, index=INDEX),
        ports=dedupe.Ports(engine=engine, vectors=store if on else None),
    )


def files() -> list[Path]:
    return [path for path in (VECTORS / "shards").rglob("*") if path.is_file()]


def run_embed(version: str = "mean-1", **params: object) -> StageReport:
    return embed.run(
        EmbeddingsParams.model_validate({"model": "own", "shard_size": 3, **params}),
        inputs=embed.Inputs(TABLE, Path("none.parquet"), Path("none.parquet")),
        outputs=embed.Outputs(
            *(Path("embed") / name for name in ("table", "objects", "figures", "look_alikes", "failures")),
            VECTORS,
        ),
        ports=embed.Ports(functools.partial(loaded, version), LocalEngine(in_process=True)),
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of the encoder was given."""
    counts: list[int] = []
    given = MeanColor.embed
    monkeypatch.setattr(
        MeanColor, "embed", lambda self, images: counts.append(len(images)) or given(self, images)
    )
    return counts


def test_pairs_by_meaning_join_and_say_so(project: dict[str, str]) -> None:
    report = run()
    found = rows()
    one = found["a/red_1.png"]
    assert one["duplicate_of"] == project["a/red_0.png"]
    assert one["dup_relation"] == "semantic"
    assert one["dup_correlation"] > 0.99
    assert one["drop_detail"] == (
        "alike by meaning, cosine 1.00 with keeper; nothing tells which is the original, "
        "keeper has more pixels (160x120 over 80x60)"
    )
    blue = [found["a/blue.png"], found["a/blue small.png"]]
    assert sorted(row["dup_relation"] or "" for row in blue) == ["", "same"]  # pixels go first
    assert report.metrics["duplicates_by_relation"] == {"same": 1, "semantic": 1}
    assert run(on=False).metrics["duplicates_by_relation"] == {"same": 1}


def test_vectors_are_kept_until_the_model_changes(seen: list[int]) -> None:
    run()
    before = TABLE.read_bytes()
    assert sum(seen) == 4
    run()
    assert sum(seen) == 4
    assert TABLE.read_bytes() == before
    run("mean-2")
    assert sum(seen) == 8
    run()
    assert sum(seen) == 12, "what no stage uses is removed"


def test_the_stage_embed_finds_what_dedupe_made_and_keeps_it(seen: list[int]) -> None:
    """Two of four images are kept by dedupe: these have a row each, and the vectors of all stay."""
    run()
    assert run_embed().counts == (("images", 2), ("vectors", 2), ("failed", 0))
    assert len(load_embeddings(Path("embed/table"))) == 2
    run()
    assert sum(seen) == 4, "each image once"
    run_embed("mean-2")
    assert sum(seen) == 6
    run()
    run_embed("mean-2")
    assert sum(seen) == 6, "two models beside each other"
    run_embed(model=None)
    assert len(files()) == 2, "of one model, in two shards"
    vector_store.forget(VECTORS, "dedupe")
    assert not files(), "what no stage uses is removed at once"
    run_embed("mean-2")
    assert sum(seen) == 8
    run()
    assert sum(seen) == 12


def test_what_a_killed_stage_computed_outlives_the_other_stage(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(on=False)
    counted = MeanColor.embed
    with monkeypatch.context() as patch:
        patch.setattr(MeanColor, "embed", killed_by_the_second_call(counted))
        with pytest.raises(KeyboardInterrupt):
            run()
    assert sum(seen) == 1, "the first shard of two"
    run_embed("mean-2")
    assert sum(seen) == 1 + 3
    run()
    assert sum(seen) == 1 + 3 + 3, "nothing is computed twice"


def killed_by_the_second_call(embed_images: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
    calls = iter(range(1, 10))

    def killed(self: MeanColor, images: Sequence[UInt8Image]) -> FloatArray:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return embed_images(self, images)

    return killed


def test_one_process_at_a_time_until_the_vectors_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """While dedupe reads its vectors, embed is told to wait, and nothing is removed under it."""
    run(on=False)
    reading = Vectors.of_images

    def meanwhile(made: Vectors) -> tuple[list[str], FloatArray]:
        with pytest.raises(StorageError, match="another process writes to cache: wait"):
            run_embed("mean-2")
        vector_store.forget(VECTORS, "dedupe")
        return reading(made)

    monkeypatch.setattr(Vectors, "of_images", meanwhile)
    assert run().metrics["by_meaning"] == {
        "images": 4, "pairs": 2, "compared": "all with all", "without_a_vector": {},
    }  # fmt: skip


def test_embed_keeps_others_out_while_it_writes_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    run(on=False)
    gather = external_sort.gather

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        with pytest.raises(StorageError), system.locked(VECTORS / "lock"):
            pass
        gather(*args, **kwargs)

    monkeypatch.setattr(external_sort, "gather", meanwhile)
    assert run_embed().counts[1] == ("vectors", 3)
    with system.locked(VECTORS / "lock"):
        pass


def test_a_full_device_ends_the_run_and_what_is_done_is_kept(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = MeanColor.embed
    with monkeypatch.context() as patch:
        patch.setattr(MeanColor, "embed", full_for_blue(counted))
        with pytest.raises(InputError) as error:
            run()
    assert "(2 out_of_memory); the first: " in str(error.value)
    assert not TABLE.exists()
    assert sum(seen) == 2
    run()
    assert sum(seen) == 4, "the other two are not computed again"
    assert rows()["a/red_1.png"]["dup_relation"] == "semantic"


def full_for_blue(embed_images: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
    def full(self: MeanColor, images: Sequence[UInt8Image]) -> FloatArray:
        if any(image[..., 2].mean() > image[..., 0].mean() for image in images):
            raise DeviceMemoryError("no memory for a blue image")
        return embed_images(self, images)

    return full


def test_vectors_of_whole_images_are_a_mapped_file_without_crops() -> None:
    """Objects of embed have vectors in the same shards, which the step by meaning does not read."""
    ids = [row["image_id"] for row in tables.read(INGESTED, schema.IMAGES).to_pylist()]
    store = VectorStore(VECTORS, functools.partial(loaded, "mean-1"), LocalEngine(in_process=True), 3)
    images, boxes = vector_store.with_files(INGESTED), np.array([[2, 2, 40, 40]], dtype=np.float32)
    dispatch = Dispatch(Failures(0))
    with store.make("embed", images, pa.array(ids), dispatch, boxes=lambda _: boxes) as made:
        everything = [key for _, found in made.by_shard() for key in found]
        found, vectors = made.of_images()
        alone = [key for _, found in made.by_shard(whole_only=True) for key in found]
        by_key = {key: row for _, part in made.by_shard() for key, row in part.items()}
    assert len(everything) == 8
    assert sorted(alone) == [(one, WHOLE) for one in sorted(ids)]
    assert isinstance(vectors, np.memmap)
    assert np.array_equal(vectors, np.stack([by_key[one, WHOLE] for one in found]))
    assert all(path.name.startswith("vectors-") for path in files()), "and it has no name"


def test_an_image_without_a_vector_is_compared_by_pixels_and_counted() -> None:
    gray = Image.fromarray(np.full((80, 60, 3), 128, dtype=np.uint8))
    ingested({"a/gray.png": encoded(gray), "a/red_0.png": encoded(red(0)), "a/red_1.png": encoded(red(1))})
    report = run()
    assert "1 without a vector, compared by pixels only" in report.line()
    assert report.metrics["by_meaning"] == {
        "images": 2, "pairs": 1, "compared": "all with all", "without_a_vector": {"no_vector": 1},
    }  # fmt: skip
    assert rows()["a/gray.png"]["duplicate_of"] is None


def test_workers_give_the_same_table() -> None:
    run()
    before = TABLE.read_bytes()
    shutil.rmtree(VECTORS)
    run(workers=2)
    assert TABLE.read_bytes() == before
    assert tables.read(TABLE, schema.IMAGES).num_rows == 4
