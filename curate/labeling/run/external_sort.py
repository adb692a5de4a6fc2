"""Many small tables into one that is ordered by its key, in memory that does not grow with the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from curate import tables
from curate.schema import ANNOTATIONS, TableSchema

_ROWS = 65_536  # of a bucket, about
_BUFFER = 65_536  # rows that wait before they go to their buckets
_MAX_BUCKETS = 512  # files that are open at a time
_HEX = 16


def gather(
    parts: Iterable[pa.Table],
    rows: int,
    path: Path,
    *,
    kind: TableSchema = ANNOTATIONS,
    seen: Callable[[pa.Table], None] = lambda _: None,
    row_target: int = _ROWS,
) -> None:
    """Write a table from parts whose keys mix.

    Ids are digests, hence evenly spread: rows are dealt to files by the beginning of their id, each small
    enough to be sorted in memory, and the files are written one after the other.

    Args:
        parts: Read one at a time.
        rows: Of all parts together.
        path: The table; replaced in one step. Files in between stand in its folder, about as large as it.
        kind: Which table; its key is one column of digests.
        seen: Called with each piece of the table, in order; how it is cut depends on `rows` alone.
        row_target: Rows of a file in between.

    Raises:
        TableError: An id occurs twice, or a part is damaged.
        StorageError: The disk is full or refuses.
    """
    buckets = min(_MAX_BUCKETS, -(-rows // row_target) or 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".gathering-") as folder:
            pieces = _spilled(parts, buckets, Path(folder), kind) if buckets > 1 else _together(parts, kind)
            with tables.stream(path, kind) as writer:
                for piece in pieces:
                    ordered = piece.sort_by([(name, "ascending") for name in kind.key])
                    writer.write(ordered)
                    seen(ordered)
    except OSError as error:
        raise tables.storage_error(error, path) from error


def _together(parts: Iterable[pa.Table], kind: TableSchema) -> Iterator[pa.Table]:
    found = [part.replace_schema_metadata() for part in parts]
    yield pa.concat_tables(found) if found else kind.arrow.empty_table()


def _spilled(parts: Iterable[pa.Table], buckets: int, folder: Path, kind: TableSchema) -> Iterator[pa.Table]:
    """The rows of all parts, bucket by bucket."""
    files = [folder / f"{number}.arrow" for number in range(buckets)]
    with ExitStack() as stack:
        options = ipc.IpcWriteOptions(compression="zstd")
        writers = [
            stack.enter_context(ipc.new_file(str(file), kind.arrow, options=options)) for file in files
        ]
        waiting: list[pa.Table] = []
        for part in parts:
            waiting.append(part.replace_schema_metadata())
            if sum(table.num_rows for table in waiting) >= _BUFFER:
                _deal(waiting, writers, kind.key[0])
                waiting = []
        _deal(waiting, writers, kind.key[0])
    for file in files:
        with pa.OSFile(str(file)) as source:
            yield ipc.open_file(source).read_all()
        file.unlink()


def _deal(waiting: Sequence[pa.Table], writers: Sequence[ipc.RecordBatchFileWriter], key: str) -> None:
    if not waiting:
        return
    table = pa.concat_tables(waiting)
    beginnings = [value[:4] for value in table[key].to_pylist()]
    places = np.array([int(text, _HEX) for text in beginnings], dtype=np.int64) * len(writers) // _HEX**4
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(len(writers) + 1))
    ordered = table.take(order)
    for writer, start, stop in zip(writers, ends[:-1], ends[1:], strict=True):
        if stop > start:
            writer.write_table(ordered.slice(start, stop - start))
