"""Which images make one shard: written down once, so that new images never move old ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import tables
from curate.records import derived_id

_COLUMNS = pa.schema([("image_id", pa.string()), ("shard", pa.string())])


def assign(kept: pa.Table, path: Path, size: int) -> pa.Table:
    """Give each image its shard.

    Images that are known stay where they are. New ones make new shards of `size` images, those of one width
    and height together, so that a forward pass finds images that need no padding. A shard whose images have
    all gone is forgotten.

    Args:
        kept: image_id, path, width and height of the images, no id twice.
        path: Where the assignment is kept; read and replaced.
        size: Images of a new shard; old ones keep theirs.

    Returns:
        `kept` with a column `shard`, the images of a shard one after the other, by width, height and id.

    Raises:
        StorageError: The disk is full or refuses.
    """
    known = _read(path)
    place = pc.index_in(kept["image_id"], value_set=known["image_id"])
    new = kept.filter(pc.is_null(place)).sort_by(
        [("width", "ascending"), ("height", "ascending"), ("image_id", "ascending")]
    )
    live = pc.unique(known["shard"].take(place.drop_null()))
    known = known.filter(pc.is_in(known["shard"], value_set=live))
    assignments = pa.concat_tables([known, _shards(new["image_id"], size)])
    _write(assignments, path)
    place = pc.index_in(kept["image_id"], value_set=assignments["image_id"])
    shards = assignments["shard"].take(place)
    return kept.append_column("shard", shards).sort_by(
        [(name, "ascending") for name in ("shard", "width", "height", "image_id")]
    )


def _shards(image_ids: pa.ChunkedArray, size: int) -> pa.Table:
    """New shards of images that are in order."""
    parts = []
    for start in range(0, len(image_ids), size):
        members = image_ids.slice(start, size).combine_chunks()
        shard = derived_id("shard", *members.to_pylist())
        parts.append(pa.table([members, pa.repeat(shard, len(members))], schema=_COLUMNS))
    return pa.concat_tables(parts) if parts else _COLUMNS.empty_table()


def _read(path: Path) -> pa.Table:
    """What is known; nothing where there is no file, or a damaged one: then all is computed again."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return _COLUMNS.empty_table()
    return table if table.schema.equals(_COLUMNS) else _COLUMNS.empty_table()


def _write(assignments: pa.Table, path: Path) -> None:
    with tables.replacing(path) as partial:
        pq.write_table(assignments, partial, compression="zstd")
