"""The table of vectors: what was written is what is read; none is said, and what is wrong is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate import embeddings, tables
from curate.embeddings import EMBEDDINGS, load_embeddings
from curate.errors import TableError
from curate.records import FloatArray


def unit(count: int, width: int = 5) -> FloatArray:
    made = np.random.default_rng(count).normal(size=(count, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def write(path: Path, image_ids: Sequence[str], vectors: FloatArray, version: str = "m@1") -> None:
    columns = [list(image_ids), [version] * len(image_ids), embeddings.column(vectors)]
    tables.write(pa.table(columns, schema=EMBEDDINGS.arrow), path, EMBEDDINGS)


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    vectors = unit(3)
    write(tmp_path / "e.parquet", ["a", "b", "d"], vectors)
    found = load_embeddings(tmp_path / "e.parquet")
    assert found.image_ids == ("a", "b", "d")
    assert np.array_equal(found.vectors, vectors)
    assert (found.vectors.dtype, found.model_version, found.absent) == (np.float32, "m@1", None)
    assert found.rows(["d", "c", "a"]).tolist() == [2, -1, 0]
    assert found.rows([]).tolist() == []
    names = [(field.name, field.type) for field in tables.read(tmp_path / "e.parquet", EMBEDDINGS).schema]
    assert [name for name, _ in names] == ["image_id", "model_version", "vector"]
    assert names[2][1] == pa.list_(pa.float32())


def test_pieces_of_several_row_groups_are_one_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROW_GROUP", 4)
    vectors = unit(11)
    ids = [f"{number:02}" for number in range(11)]
    write(tmp_path / "e.parquet", ids, vectors)
    assert np.array_equal(load_embeddings(tmp_path / "e.parquet").vectors, vectors)


def test_no_table_and_an_empty_one_are_said_and_no_error(tmp_path: Path) -> None:
    missing = load_embeddings(tmp_path / "e.parquet")
    write(tmp_path / "e.parquet", [], unit(0))
    empty = load_embeddings(tmp_path / "e.parquet")
    assert len(missing) == len(empty) == 0
    assert "does not exist; set embeddings.model" in str(missing.absent)
    assert "is empty; set embeddings.model" in str(empty.absent)
    assert empty.rows(["a"]).tolist() == [-1]


@pytest.mark.parametrize(
    ("vectors", "versions", "fault"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], ["m", "m"], "not of unit length"),
        ([[1.0, 0.0], [float("nan"), 0.0]], ["m", "m"], "not of unit length"),
        ([[1.0, 0.0], [1.0]], ["m", "m"], r"vectors of \[1, 2\] values"),
        ([[], []], ["m", "m"], r"vectors of \[0\] values"),
        ([[1.0, 0.0], [0.0, 1.0]], ["m", "n"], "vectors of 2 models"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(
    vectors: list[list[float]], versions: list[str], fault: str, tmp_path: Path
) -> None:
    rows = pa.table([["a", "b"], versions, vectors], schema=EMBEDDINGS.arrow)
    tables.write(rows, tmp_path / "e.parquet", EMBEDDINGS)
    with pytest.raises(TableError, match=fault):
        load_embeddings(tmp_path / "e.parquet")
