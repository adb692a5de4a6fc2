"""Read and write the Parquet tables: sorted by key, unique, atomic, schema-checked."""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import system
from curate.errors import StorageError, TableError
from curate.schema import SCHEMA_VERSION, TableSchema

_VERSION_KEY = b"curate.schema_version"
_NAME_KEY = b"curate.table"
_OWNER = re.compile(r"\.(?P<space>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.partial$")
_DAY_S = 86_400.0
_LOOKED_AT: set[Path] = set()  # folders, for what killed runs have left there
_ROW_GROUP = 65_536  # rows; columns of a group fit the memory of anything that reads tables


def partial_of(path: Path) -> Path:
    """Path at which this thread of this process writes what is to become `path`."""
    owner = f"{system.process_space()}-{os.getpid()}-{threading.get_native_id()}"
    return path.with_name(f".{path.name}.{owner}.partial")


def _remove_left_over(folder: Path) -> None:
    """Remove what killed runs have left in a folder; asked once a folder, because listing it takes long.

    What a process of another machine writes, or one before this machine's last start wrote, is left alone for
    a day.
    """
    if (known := folder.absolute()) in _LOOKED_AT:
        return
    _LOOKED_AT.add(known)
    for left in folder.glob(".*.partial"):
        owner = _OWNER.search(left.name)
        if owner is None:
            continue
        with suppress(OSError):  # gone by now, or not ours to remove
            here = owner["space"] == system.process_space()
            old = time.time() - left.lstat().st_mtime > _DAY_S
            if system.has_ended(int(owner["pid"])) if here else old:
                left.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a partial path next to `path`; on success it takes the place of `path` in one step.

    A crash or an error leaves `path` as it was. The partial file is removed on an error; that of a run that
    was killed by a later one. Two processes that write the same file do not share it: the last one wins.

    Raises:
        StorageError: The disk is full, or the folder cannot be written.
    """
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path.parent)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with suppress(OSError):  # there may be no such folder; the error that matters is on its way
            partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`; on success it becomes `path`, which must be empty if it is there.

    A crash or an error leaves `path` as it was.

    Raises:
        StorageError: The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def storage_error(error: OSError, path: Path) -> StorageError:
    """Put an `OSError` while writing `path` into one line that says what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"no space left while writing {path}: free some disk and run the stage again")
    return StorageError(f"cannot write {path}: {error.strerror or error}")


def write(table: pa.Table, path: Path, schema: TableSchema) -> None:
    """Write `table` to `path`, sorted by the schema's key.

    Args:
        table: Columns of the schema in any order and with castable types.
        path: Target file; replaced in one step.
        schema: One of `curate.schema`.

    Raises:
        TableError: A column is missing or unknown, a required value is null, or a key repeats.
        StorageError: The file cannot be written.
    """
    checked = _conform(table, schema, path)
    checked = checked.sort_by([(name, "ascending") for name in schema.key])
    with stream(path, schema) as writer:
        writer.write(checked)


class Stream:
    """Takes a table piece by piece, in the order of its key; see `stream`.

    Attributes:
        num_rows: Rows taken so far.
    """

    def __init__(
        self, writer: pq.ParquetWriter, thread: ThreadPoolExecutor, schema: TableSchema, path: Path
    ) -> None:
        self.num_rows = 0
        self._writer, self._thread, self._schema, self._path = writer, thread, schema, path
        self._writing: Future[None] | None = None  # a row group, while the next one comes together
        self._last: pa.Table | None = None  # the key of the last row
        self._waiting: list[pa.Table] = []  # less than a row group
        self._rows_waiting = 0

    def write(self, piece: pa.Table) -> None:
        """Add rows to the table.

        Args:
            piece: Columns of the schema in any order and with castable types; its rows follow those
                before, by the schema's key.

        Raises:
            TableError: Columns do not fit, a key repeats, or the order is broken.
        """
        checked = _conform(piece, self._schema, self._path)
        if not checked.num_rows:
            return
        keys = checked.select(self._schema.key)
        _check_order(
            keys if self._last is None else pa.concat_tables([self._last, keys]), self._schema, self._path
        )
        self._last = keys.slice(keys.num_rows - 1)
        self.num_rows += checked.num_rows
        while checked.num_rows:
            part = checked.slice(0, _ROW_GROUP - self._rows_waiting)
            checked = checked.slice(part.num_rows)
            self._waiting.append(part)
            self._rows_waiting += part.num_rows
            if self._rows_waiting == _ROW_GROUP:
                self._flush()

    def _flush(self) -> None:
        self._wait()
        if self._waiting:
            self._writing = self._thread.submit(self._write_group, self._waiting)
        self._waiting, self._rows_waiting = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write_group(self, rows: list[pa.Table]) -> None:
        self._writer.write_table(pa.concat_tables(rows).combine_chunks(), row_group_size=_ROW_GROUP)

    def _finish(self) -> None:
        self._flush()
        self._wait()


@contextmanager
def stream(path: Path, schema: TableSchema) -> Iterator[Stream]:
    """A table written piece by piece, so that memory does not grow with its rows.

    The file's bytes do not depend on how the rows were cut into pieces; `path` is replaced in one step at
    the end, and stays as it was if anything is raised. Two row groups of 65,536 rows are held at most: one is
    written while the next comes together.

    Raises:
        TableError: From `Stream.write`.
        StorageError: The file cannot be written.
    """
    arrow = schema.arrow.with_metadata(
        {_VERSION_KEY: SCHEMA_VERSION.encode(), _NAME_KEY: schema.name.encode()}
    )
    with (
        replacing(path) as partial,
        pq.ParquetWriter(partial, arrow, compression="zstd") as writer,
        ThreadPoolExecutor(1, thread_name_prefix="parquet") as thread,
    ):
        taken = Stream(writer, thread, schema, path)
        yield taken
        taken._finish()


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, schema: TableSchema) -> None:
    """Write dictionaries as a table; see `write`."""
    try:
        table = pa.Table.from_pylist(list(rows), schema=schema.arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"{path}: rows do not fit the {schema.name} table: {error}") from error
    write(table, path, schema)


def read(
    path: Path, schema: TableSchema, *, columns: Sequence[str] | None = None, earlier: bool = False
) -> pa.Table:
    """Read a table that `write` wrote.

    Args:
        path: The Parquet file.
        schema: What it must hold.
        columns: Only these, in this order; all by default.
        earlier: An earlier round left it, and the stage that writes it runs only after this one: another
            schema version will do where the columns are the same in it.

    Raises:
        TableError: Missing, damaged, another table, or another schema version.
    """
    with _readable(path, schema, earlier=(columns or schema.arrow.names) if earlier else None):
        return pq.read_table(path, columns=list(columns) if columns is not None else None)


def pieces(
    path: Path,
    schema: TableSchema,
    *,
    columns: Sequence[str] | None = None,
    rows: int = _ROW_GROUP,
    earlier: bool = False,
) -> Iterator[pa.Table]:
    """Read a table in pieces of at most `rows` rows, in its order: memory does not grow with it.

    Raises:
        TableError: As `read`.
    """
    same = (columns or schema.arrow.names) if earlier else None
    with _readable(path, schema, earlier=same), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(rows, columns=list(columns) if columns is not None else None):
            yield pa.Table.from_batches([batch])


def check(path: Path, schema: TableSchema) -> None:
    """Whether a file is that table, without reading its rows.

    Raises:
        TableError: Missing, damaged at its end, another table, or another schema version.
    """
    with _readable(path, schema):
        pass


def count(path: Path, schema: TableSchema) -> int:
    """How many rows a table has, without reading them.

    Raises:
        TableError: As `check`.
    """
    with _readable(path, schema):
        return int(pq.read_metadata(path).num_rows)


@contextmanager
def _readable(path: Path, schema: TableSchema, *, earlier: Sequence[str] | None = None) -> Iterator[None]:
    """Refuse what is not that table, and put the errors of reading it into one line.

    `earlier` are columns of which any version will do that has them as they are today.
    """
    if not path.exists():
        raise TableError(f"{path} does not exist: run the stage {schema.written_by} first")
    try:
        found = pq.read_schema(path)
        metadata = found.metadata or {}
        name = metadata.get(_NAME_KEY, b"none").decode()
        version = metadata.get(_VERSION_KEY, b"none").decode()
        if name != schema.name:
            raise TableError(f"{path} holds the table {name!r}, expected {schema.name!r}")
        if version != SCHEMA_VERSION and not (earlier and _has(found, schema.arrow, earlier)):
            raise TableError(
                f"{path} has schema version {version}, this curate reads {SCHEMA_VERSION}: "
                f"run the stage {schema.written_by} again (dvc repro --force {path.parent.name})"
            )
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path} is damaged ({error}): run the stage {schema.written_by} again") from error


def _has(found: pa.Schema, wanted: pa.Schema, columns: Sequence[str]) -> bool:
    return all(name in found.names and found.field(name).equals(wanted.field(name)) for name in columns)


def _conform(table: pa.Table, schema: TableSchema, path: Path) -> pa.Table:
    expected, got = set(schema.arrow.names), set(table.column_names)
    if expected != got:
        raise TableError(
            f"{path}: the {schema.name} table misses {sorted(expected - got)} "
            f"and has unknown {sorted(got - expected)}"
        )
    for field in schema.arrow:
        if not field.nullable and table.column(field.name).null_count:
            raise TableError(f"{path}: column {field.name} of {schema.name} must not be null")
    try:
        return table.select(schema.arrow.names).cast(schema.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise TableError(f"{path}: columns do not fit the {schema.name} table: {error}") from error


def _check_order(keys: pa.Table, schema: TableSchema, path: Path) -> None:
    """Rows must follow each other by key, none twice."""
    if keys.num_rows < 2:
        return
    same: Any = pa.scalar(True)
    rising: Any = pa.scalar(False)
    for name in schema.key:
        column = keys.column(name).combine_chunks()
        before, after = column[:-1], column[1:]
        rising = pc.or_(rising, pc.and_(same, pc.less(before, after)))
        same = pc.and_(same, pc.equal(before, after))
    if pc.all(rising).as_py():
        return
    repeated = pc.index(same, True).as_py()
    row = (repeated if repeated >= 0 else pc.index(rising, False).as_py()) + 1
    key = {name: keys.column(name)[row].as_py() for name in schema.key}
    if repeated >= 0:
        raise TableError(f"{path}: key {key} occurs twice in the {schema.name} table")
    raise TableError(f"{path}: key {key} is out of order in the {schema.name} table")
