"""Vectors of the images of a shard and of crops of them, kept under the key of what made them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import embeddings
from curate.labeling.run.shard_files import ShardFiles
from curate.records import FloatArray

# content_id of an `ImageFile`, and the box of the crop (`shard_files.box_key`); b"" = the whole image.
VectorKey = tuple[str, bytes]
_COLUMNS = pa.schema([("content_id", pa.string()), ("box", pa.binary()), ("vector", embeddings.VECTOR)])


def read(files: ShardFiles, key: str, *, whole_only: bool = False) -> dict[VectorKey, FloatArray]:
    """What is known; `whole_only`: of whole images, not of their crops."""
    found: dict[VectorKey, FloatArray] = {}
    for table in files.tables(f"vectors-{key}", _COLUMNS):
        rows = table.filter(pc.equal(table["box"], b"")) if whole_only else table
        if rows.num_rows:
            made = embeddings.matrix(rows["vector"], files.folder)
            names = zip(rows["content_id"].to_pylist(), rows["box"].to_pylist(), strict=True)
            found.update(zip(names, made, strict=True))
    return found


def add(files: ShardFiles, key: str, found: Mapping[VectorKey, FloatArray]) -> None:
    """Keep more vectors, in a file of their own.

    Raises:
        StorageError: The disk is full or refuses.
    """
    if not found:
        return
    names = [image for image, _ in found], [box for _, box in found]
    columns = [pa.array(names[0], pa.string()), pa.array(names[1], pa.binary())]
    table = pa.table([*columns, embeddings.column(np.stack(list(found.values())))], schema=_COLUMNS)
    files.add(f"vectors-{key}", table, *names[0], *(box.hex() for box in names[1]))
