"""Rows of the user's tables, one at a time: CSV, Parquet and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.ingest.place_names import holds_positions

_BATCH = 4096


class Row(NamedTuple):
    """One row.

    Attributes:
        line: From 1; of a Parquet file the row's number, from 1.
        path: As it stands there; may be empty.
        attributes: Filled cells of the wanted columns, as text.
    """

    line: int
    path: str
    attributes: dict[str, str]


def read(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row]:
    """The rows of a table; its name's ending says what it is.

    Args:
        file: Seekable for Parquet.
        name: For messages, and its ending: .csv, .parquet, .jsonl or .ndjson.
        column: Holds the paths.
        columns: Those that become attributes; None = all others.

    Raises:
        InputError: With file and line.
    """
    ending = name.lower().rpartition(".")[2]
    readers = {"csv": _csv, "parquet": _parquet, "jsonl": _json_lines, "ndjson": _json_lines}
    if ending not in readers:
        raise InputError(f"{name}: a table is a .csv, .parquet or .jsonl file, not .{ending}")
    try:
        yield from readers[ending](file, name, column, columns)
    except (UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        raise InputError(f"{name} cannot be read: {' '.join(str(error).split())}") from error


def as_text(value: Any) -> str | None:
    """An attribute's value as text; None where there is none. Positions inside it are left out."""
    if value is None or value == "" or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(_without_positions(value), ensure_ascii=False, sort_keys=True, default=str)
    return str(value)


def _without_positions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _without_positions(inner)
            for key, inner in value.items()
            if not holds_positions(str(key))
        }
    return [_without_positions(inner) for inner in value] if isinstance(value, list | tuple) else value


def _csv(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    names = next(reader, [])
    taken = [(names.index(title), title) for title in _wanted(names, name, column, columns)]
    at = names.index(column)
    for cells in reader:
        if len(cells) != len(names):
            if not cells:  # an empty line, as csv.DictReader does
                continue
            raise InputError(f"{name}:{reader.line_num}: expected {len(names)} fields, as in line 1")
        yield Row(reader.line_num, cells[at], {title: cells[index] for index, title in taken if cells[index]})


def _json_lines(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row]:
    for line, content in enumerate(file, start=1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except ValueError as error:
            raise InputError(f"{name}:{line}: not JSON: {error}") from error
        if not isinstance(values, dict) or not isinstance(values.get(column), str):
            raise InputError(f"{name}:{line}: expected an object with a text {column!r}")
        wanted = [key for key in values if key != column and (columns is None or key in columns)]
        _refuse_positions(wanted, f"{name}:{line}")
        yield Row(line, values[column], _filled((key, values[key]) for key in wanted))


def _parquet(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row]:
    table = pq.ParquetFile(file)
    wanted = _wanted(table.schema_arrow.names, name, column, columns)
    kind = table.schema_arrow.field(column).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"{name}:1: column {column!r} holds {kind}, expected text: paths or URLs")
    line = 0
    for batch in table.iter_batches(batch_size=_BATCH, columns=[column, *wanted]):
        paths = batch.column(column).to_pylist()
        cells = [batch.column(title).to_pylist() for title in wanted]
        for index, path in enumerate(paths):
            line += 1
            yield Row(line, path or "", _filled(zip(wanted, (c[index] for c in cells), strict=True)))


def _filled(cells: Any) -> dict[str, str]:
    return {title: text for title, value in cells if (text := as_text(value)) is not None}


def _wanted(names: Sequence[str], table: str, column: str, columns: Sequence[str] | None) -> list[str]:
    listed = ", ".join(map(repr, names)) or "none"
    if column not in names:
        raise InputError(f"{table}:1: no column {column!r}; columns are {listed}")
    if len(set(names)) != len(names):
        raise InputError(f"{table}:1: a column is named twice: {', '.join(names)}")
    unknown = [title for title in columns or () if title not in names]
    if unknown:
        raise InputError(f"{table}:1: no column {unknown[0]!r}; columns are {listed}")
    wanted = [title for title in names if title != column and (columns is None or title in columns)]
    _refuse_positions(wanted, f"{table}:1")
    return wanted


def _refuse_positions(names: Sequence[str], where: str) -> None:
    for title in names:
        if holds_positions(title):
            raise InputError(
                f"{where}: column {title!r} holds positions, which are never taken in: remove it"
            )
