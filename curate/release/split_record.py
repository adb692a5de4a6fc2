"""The split of every image that was ever released: the record, and the last release itself.

A release replaces its folder in one step and then adds to the record. A run that fails before loses
nothing; one that is killed between the two finds the splits in the folder. Images that left the data set
stay in the record, so that they come back to the split that they had. No other table's schema version
touches it: what was assigned cannot be computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate import tables
from curate.errors import TableError
from curate.release.splits import SPLITS

_COLUMNS = pa.schema([("image_id", pa.string()), ("split", pa.string())])


def load(record: Path, release: Path) -> dict[str, str]:
    """Split by image_id; empty before the first release.

    Args:
        record: The file that `save` wrote.
        release: The folder of the last release, which knows better than the record.

    Raises:
        TableError: One of the files is damaged.
    """
    known = _of_table(record) if record.exists() else {}
    for path in sorted((release / "data").glob("*.parquet")):
        ids = _read(path, ["image_id"]).column("image_id").to_pylist()
        known |= dict.fromkeys(ids, path.name.partition("-")[0])
    strange = next((split for split in set(known.values()) if split not in SPLITS), None)
    if strange is not None:
        raise TableError(f"{record} or {release} holds the split {strange!r}: known are {', '.join(SPLITS)}")
    return known


def save(record: Path, splits: Mapping[str, str]) -> None:
    """Write the record anew, ordered by image_id.

    Raises:
        StorageError: The file cannot be written.
    """
    ids = sorted(splits)
    table = pa.table({"image_id": ids, "split": [splits[key] for key in ids]}, schema=_COLUMNS)
    with tables.replacing(record) as partial:
        pq.write_table(table, partial, compression="zstd")


def _of_table(path: Path) -> dict[str, str]:
    table = _read(path, _COLUMNS.names)
    return dict(zip(table.column("image_id").to_pylist(), table.column("split").to_pylist(), strict=True))


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise TableError(
            f"{path} is damaged ({' '.join(str(error).split())}): bring it back with dvc checkout; without "
            "it images may change their split"
        ) from error
