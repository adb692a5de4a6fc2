"""Vectors of images, as the stage embed keeps them: a table, read in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import tables
from curate.errors import TableError
from curate.records import FloatArray
from curate.schema import TableSchema, columns

PATH: Final = Path("data/embeddings/embeddings.parquet")  # in a project
VECTOR: Final = pa.list_(pa.float32())
# No row for an image that has no vector: embeddings' failures.csv names those.
EMBEDDINGS = TableSchema(
    name="embeddings",
    key=("image_id",),
    written_by="embed",
    arrow=columns(
        ("image_id", pa.string(), False),
        ("model_version", pa.string(), False),  # the same in all rows
        ("vector", VECTOR, False),  # of unit length and one dimension in all rows
    ),
)
OBJECT_EMBEDDINGS = TableSchema(
    name="object_embeddings",
    key=("annotation_id",),
    written_by="embed",
    arrow=columns(
        ("annotation_id", pa.string(), False),
        ("image_id", pa.string(), False),
        ("category", pa.string(), False),
        ("model_version", pa.string(), False),
        ("vector", VECTOR, False),
    ),
)
# What the vectors say of an image among all others: `curate.vectors` (neighborhood_scores, projection).
EMBEDDING_FIGURES = TableSchema(
    name="embedding_figures",
    key=("image_id",),
    written_by="embed",
    arrow=columns(
        ("image_id", pa.string(), False),
        ("map_x", pa.float32(), False),
        ("map_y", pa.float32(), False),
        ("uniqueness", pa.float32(), True),  # null where there is no other image
        ("representativeness", pa.float32(), True),
        ("outlier", pa.float32(), True),
    ),
)
_UNIT = 1e-3  # how far a length may be from 1


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of images, by image_id.

    Attributes:
        image_ids: N, sorted.
        vectors: (N, D) float32, of unit length: a product of two is their cosine.
        model_version: Of the encoder; "" where there is no vector.
        absent: Why there is no vector, and what to do; None where there are some.
    """

    image_ids: tuple[str, ...]
    vectors: FloatArray
    model_version: str
    absent: str | None = None

    def __len__(self) -> int:
        return len(self.image_ids)

    def rows(self, image_ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of these images; -1 = it has no vector.

        Example:
            >>> found = Embeddings(("a", "b"), np.eye(2, dtype=np.float32), "m")
            >>> found.rows(["b", "c"]).tolist()
            [1, -1]
        """
        known = pa.array(self.image_ids, pa.string())
        place = pc.index_in(pa.array(image_ids, pa.string()), value_set=known)
        found: NDArray[np.int64] = place.fill_null(-1).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return found


def load_embeddings(path: Path = PATH) -> Embeddings:
    """The vectors of a project; none, and why, where the stage did not run or was not asked for any.

    Raises:
        TableError: The table is damaged, of another version, or its vectors are not what they should be.
    """
    if not path.exists():
        return _none(f"no vectors: {path} does not exist; set embeddings.model and run `dvc repro`")
    rows = tables.read(path, EMBEDDINGS)
    if not rows.num_rows:
        return _none(f"no vectors: {path} is empty; set embeddings.model and run `dvc repro`")
    versions = pc.unique(rows["model_version"]).to_pylist()
    if len(versions) > 1:
        raise TableError(f"{path} has vectors of {len(versions)} models: run the stage embed again")
    return Embeddings(tuple(rows["image_id"].to_pylist()), matrix(rows["vector"], path), versions[0])


def matrix(vectors: pa.ChunkedArray, path: Path) -> FloatArray:
    """(N, D) float32 of a column of vectors; N must not be 0.

    Args:
        vectors: Lists of float32.
        path: Of the table, for messages.

    Raises:
        TableError: Vectors of several dimensions, or not of unit length.
    """
    widths = pc.unique(pc.list_value_length(vectors)).to_pylist()
    if len(widths) != 1 or not widths[0]:
        raise TableError(f"{path} has vectors of {sorted(widths)} values: run the stage embed again")
    made = np.empty((len(vectors), widths[0]), dtype=np.float32)
    start = 0
    for chunk in vectors.chunks:  # never a second copy of all of them
        made[start : start + len(chunk)] = chunk.flatten().to_numpy().reshape(len(chunk), -1)
        start += len(chunk)
    off = np.abs(np.linalg.norm(made, axis=1) - 1)
    if not (off <= _UNIT).all():  # a NaN is not either
        raise TableError(f"{path} has a vector that is not of unit length: run the stage embed again")
    return made


def directions(vectors: FloatArray) -> FloatArray:
    """(N, D) float32 of unit length; a row of NaN where there is no direction: zero, or not finite."""
    made: FloatArray = vectors.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        made /= np.linalg.norm(made, axis=1, keepdims=True)
    made[~(np.abs(np.linalg.norm(made, axis=1) - 1) <= _UNIT)] = np.nan
    return made


def column(vectors: FloatArray) -> pa.Array:
    """The rows of (N, D) float32 as lists."""
    count, width = vectors.shape
    offsets = np.arange(0, (count + 1) * width, width or 1, dtype=np.int32)[: count + 1]
    flat = np.ascontiguousarray(vectors, dtype=np.float32).ravel()
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def _none(why: str) -> Embeddings:
    return Embeddings((), np.zeros((0, 0), dtype=np.float32), "", why)
