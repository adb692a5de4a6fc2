"""Rows of the user's tables, one at a time: CSV, Parquet and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.ingest.place_names import holds_positions

_BATCH = 4096
_TOLD = 10  # lines of one kind of fault


class Row(NamedTuple):
    """Row of a table, with its place.

    Attributes:
        line: From 1; of a Parquet file the row's number, from 1.
        path: As it stands there.
        attributes: Filled cells of the wanted columns, as text.
    """

    line: int
    path: str
    attributes: dict[str, str]


class Fault(NamedTuple):
    """A row that cannot be used.

    Attributes:
        line: As of a `Row`.
        what: What is wrong with it; the same words for every row of which the same is wrong.
        advice: What to do about it.
    """

    line: int
    what: str
    advice: str


class Faults:
    """Collects all faulty rows of a file, so that the user mends them at once and not one per run."""

    def __init__(self, name: str) -> None:
        """Begin without faults; `name` is the file's."""
        self._name = name
        self._lines: dict[tuple[str, str], list[int]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, fault: Fault) -> None:
        """Note a row; of many with the same fault the first lines are told and all are counted."""
        kind = (fault.what, fault.advice)
        self._counts[kind] += 1
        lines = self._lines.setdefault(kind, [])
        if len(lines) < _TOLD:
            lines.append(fault.line)

    def refuse(self) -> None:
        """End the run if there was any.

        Raises:
            InputError: In one line: each kind of fault with its rows and what to do.
        """
        if not self._lines:
            return
        told = []
        for (what, advice), (first, *others) in self._lines.items():
            rest = self._counts[what, advice] - 1 - len(others)
            lines = "lines" if len(others) > 1 else "line"
            more = f" (also {lines} {', '.join(map(str, others))}" if others else ""
            more += (f" and {rest} more" if rest else "") + (")" if others else "")
            told.append(f"{self._name}:{first}: {what}{more}: {advice}")
        raise InputError("; ".join(told))


def read(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row | Fault]:
    """The rows of a table; its name's ending says what it is.

    Args:
        file: Seekable for Parquet.
        name: For messages, and its ending: .csv, .parquet, .jsonl or .ndjson.
        column: Holds the paths.
        columns: Those that become attributes; None = all others.

    Raises:
        InputError: The table as a whole cannot be read, with file and line.
    """
    ending = name.lower().rpartition(".")[2]
    readers = {"csv": _csv, "parquet": _parquet, "jsonl": _json_lines, "ndjson": _json_lines}
    if ending not in readers:
        raise InputError(f"{name}: a table is a .csv, .parquet or .jsonl file, not .{ending}")
    try:
        yield from readers[ending](file, name, column, columns)
    except UnicodeError as error:
        raise InputError(f"{name} cannot be read: {encoding_advice(error)}") from error
    except (csv.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{name} cannot be read: {' '.join(str(error).split())}") from error


def encoding_advice(error: UnicodeError | None = None, *, start: bytes = b"") -> str | None:
    """What to tell about a text that is not UTF-8; None for a `start` that looks like UTF-8.

    Args:
        error: Of decoding it.
        start: Its first bytes, where it was not decoded.
    """
    if isinstance(error, UnicodeDecodeError):
        start = start or error.object[:4]
        if not _is_utf16(start):
            found = error.object[error.start : error.start + 1].hex()
            return f"it is not UTF-8 (byte {found}), perhaps Windows-1252: save it as UTF-8"
    return "it is UTF-16: save it as UTF-8" if error is not None or _is_utf16(start) else None


def _is_utf16(start: bytes) -> bool:
    return start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:2]


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


def _csv(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row | Fault]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from _csv_rows(csv.reader(text, strict=True), name, column, columns)
    finally:
        text.detach()  # the file is its opener's


def _csv_rows(reader: Any, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row | Fault]:
    names: list[str] = next(reader, [])
    taken = [(names.index(title), title) for title in _wanted(names, name, column, columns)]
    at = names.index(column)
    for cells in reader:
        if not cells:  # an empty line, as csv.DictReader does
            continue
        line = reader.line_num
        if len(cells) != len(names):
            yield Fault(line, f"expected {len(names)} fields, as in line 1", "correct its commas and quotes")
        else:
            values = {title: cells[index] for index, title in taken if cells[index]}
            yield Row(line, cells[at], values) if cells[at] else _empty(line, column)


def _json_lines(
    file: BinaryIO, name: str, column: str, columns: Sequence[str] | None
) -> Iterator[Row | Fault]:
    for line, content in enumerate(file, start=1):
        if not content.strip():
            continue
        if line == 1 and (advice := encoding_advice(start=content[:4])) is not None:
            raise InputError(f"{name} cannot be read: {advice}")
        try:
            values = json.loads(content)
        except UnicodeError:
            raise
        except (ValueError, RecursionError) as error:
            yield Fault(line, f"not JSON: {error}", "correct or remove the line")
            continue
        if not isinstance(values, dict) or not isinstance(values.get(column), str | None):
            yield Fault(line, f"expected an object with a text {column!r}", "correct or remove the line")
            continue
        wanted = [key for key in values if key != column and (columns is None or key in columns)]
        _refuse_positions(wanted, f"{name}:{line}")
        path = values.get(column)
        if path is None and column not in values:
            yield Fault(line, f"expected an object with a text {column!r}", "correct or remove the line")
        elif not path:
            yield _empty(line, column)
        else:
            yield Row(line, path, _filled((key, values[key]) for key in wanted))


def _parquet(file: BinaryIO, name: str, column: str, columns: Sequence[str] | None) -> Iterator[Row | Fault]:
    table = pq.ParquetFile(file)
    wanted = _wanted(table.schema_arrow.names, name, column, columns)
    kind = table.schema_arrow.field(column).type
    if not _is_text(kind):
        raise InputError(f"{name}:1: column {column!r} holds {kind}, expected text: paths or URLs")
    line = 0
    for batch in table.iter_batches(batch_size=_BATCH, columns=[column, *wanted]):
        paths = batch.column(column).to_pylist()
        cells = [batch.column(title).to_pylist() for title in wanted]
        for index, path in enumerate(paths):
            line += 1
            if path:
                yield Row(line, path, _filled(zip(wanted, (c[index] for c in cells), strict=True)))
            else:
                yield _empty(line, column)


def _is_text(kind: pa.DataType) -> bool:
    """Text in any of Arrow's layouts; a column of nothing but nulls holds empty ones."""
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    is_view = getattr(pa.types, "is_string_view", lambda _: False)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or is_view(kind) or pa.types.is_null(kind)
    )


def _empty(line: int, column: str) -> Fault:
    return Fault(line, f"{column} is empty", "give a path or remove the row")


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
