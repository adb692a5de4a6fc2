"""Read and write the Parquet tables: sorted by key, unique, atomic, schema-checked."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import StorageError, TableError
from curate.schema import SCHEMA_VERSION, TableSchema

_VERSION_KEY = b"curate.schema_version"
_NAME_KEY = b"curate.table"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a partial path next to `path`; on success it takes the place of `path` in one step.

    A crash or an error leaves `path` as it was. The partial file is removed on an error.

    Raises:
        StorageError: The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with suppress(OSError):  # there may be no such folder; the error that matters is on its way
            partial.unlink(missing_ok=True)


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
    _refuse_repeated_keys(checked, schema, path)
    checked = checked.replace_schema_metadata(
        {_VERSION_KEY: SCHEMA_VERSION.encode(), _NAME_KEY: schema.name.encode()}
    )
    with replacing(path) as partial:
        pq.write_table(checked, partial, compression="zstd")


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, schema: TableSchema) -> None:
    """Write dictionaries as a table; see `write`."""
    try:
        table = pa.Table.from_pylist(list(rows), schema=schema.arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"{path}: rows do not fit the {schema.name} table: {error}") from error
    write(table, path, schema)


def read(path: Path, schema: TableSchema, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table that `write` wrote.

    Args:
        path: The Parquet file.
        schema: What it must hold.
        columns: Only these, in this order; all by default.

    Raises:
        TableError: Missing, damaged, another table, or another schema version.
    """
    if not path.exists():
        raise TableError(f"{path} does not exist: run the stage {schema.written_by} first")
    try:
        metadata = pq.read_schema(path).metadata or {}
        name = metadata.get(_NAME_KEY, b"none").decode()
        version = metadata.get(_VERSION_KEY, b"none").decode()
        if name != schema.name:
            raise TableError(f"{path} holds the table {name!r}, expected {schema.name!r}")
        if version != SCHEMA_VERSION:
            raise TableError(
                f"{path} has schema version {version}, this curate reads {SCHEMA_VERSION}: "
                f"run the stage {schema.written_by} again (dvc repro --force {path.parent.name})"
            )
        return pq.read_table(path, columns=list(columns) if columns is not None else None)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path} is damaged ({error}): run the stage {schema.written_by} again") from error


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


def _refuse_repeated_keys(table: pa.Table, schema: TableSchema, path: Path) -> None:
    if table.num_rows < 2:
        return
    same: pa.ChunkedArray | pa.Array | None = None
    for name in schema.key:
        column = table.column(name).combine_chunks()
        equal = pc.equal(column[1:], column[:-1])
        same = equal if same is None else pc.and_(same, equal)
    if pc.any(same).as_py():
        row = pc.index(same, True).as_py()
        key = {name: table.column(name)[row].as_py() for name in schema.key}
        raise TableError(f"{path}: key {key} occurs twice in the {schema.name} table")
