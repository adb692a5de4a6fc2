"""Leaks by vectors: alike images in two splits, and images of which nobody knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate import embeddings, tables
from curate.embeddings import EMBEDDINGS
from curate.engines.local import LocalEngine
from curate.errors import ReleaseError
from curate.params import DedupeParams
from curate.stages.split_leaks import Search
from curate.stages.vector_leaks import Vectors
from tests import builders

pytest.importorskip("faiss")
NAMES = ("one", "two", "three", "four")
IDS = {name: builders.image_id(name) for name in NAMES}
TABLE, IMAGES = Path("embeddings.parquet"), Path("images.parquet")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pictures that look different; the vectors of the first two are nearly one."""
    monkeypatch.chdir(tmp_path)
    records = [builders.image(name) for name in NAMES]
    for seed, record in enumerate(records):
        box = (5.0 + 20 * seed, 5.0, 45.0 + 20 * seed, 60.0)
        builders.write_jpeg(Path(str(record.path)), builders.scene([("stop_sign", box)], seed=seed))
    builders.write_images(IMAGES, records)
    write({"one": (1.0, 0.1), "two": (1.0, 0.11), "three": (0.0, 1.0), "four": (-1.0, 0.0)})


def write(vectors: dict[str, tuple[float, float]]) -> None:
    made = embeddings.directions(np.array(list(vectors.values())))
    columns = [[IDS[name] for name in vectors], ["m"] * len(vectors), embeddings.column(made)]
    tables.write(pa.table(columns, schema=EMBEDDINGS.arrow), TABLE, EMBEDDINGS)


def refuse(splits: dict[str, str], *, bound: float | None = 0.98, decisions: Path | None = None) -> None:
    vectors = Vectors(TABLE, bound) if bound is not None else None
    search = Search(
        DedupeParams(decisions=decisions), Path("index"), LocalEngine(in_process=True), vectors=vectors
    )
    search.refuse_leaks(IMAGES, {IDS[name]: split for name, split in splits.items()})


APART = {"one": "train", "two": "test", "three": "test", "four": "train"}


def test_alike_by_vectors_in_two_splits_is_a_leak() -> None:
    refuse(APART, bound=None)  # their pixels have nothing in common
    with pytest.raises(ReleaseError, match=r"1 pairs of images in different splits .*semantic") as caught:
        refuse(APART)
    assert IDS["one"][:12] in str(caught.value)
    assert IDS["two"][:12] in str(caught.value)
    refuse({**APART, "two": "train"})
    refuse(APART, bound=0.99999)


def test_a_person_may_call_them_different() -> None:
    decisions = Path("decisions.csv")
    decisions.write_text(f"image,other,decision\n{IDS['one']},{IDS['two']},different\n")
    refuse(APART, decisions=decisions)


def test_an_image_without_a_vector_is_not_known() -> None:
    write({"one": (1.0, 0.0), "three": (0.0, 1.0)})
    with pytest.raises(ReleaseError, match="2 released images have no vector") as caught:
        refuse(APART)
    assert "failures.csv" in str(caught.value)
    TABLE.unlink()
    with pytest.raises(
        ReleaseError, match=r"4 released images have no vector \(no vectors: .* run `dvc repro`"
    ):
        refuse(APART)
