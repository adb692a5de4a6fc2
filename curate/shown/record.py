"""The record on disk: a folder of numbered parts, of which none is ever changed.

A push that shows anything new writes a part before it sends, and says in a second file what became of its
rows. So a push that dies in between leaves rows without an outcome. The next one asks the server: what it
shows was reached; what it does not show stays open, since people may have seen it. Older versions of the
tables stay readable: the record is as old as the project.

Files, N counting from 000001:

- `suggestions-N.parquet` (`shown_suggestions`): sets of suggestions, each once, named by their digests;
- `shown-N.parquet` (`shown`): what tasks show from then on; written after its suggestions;
- `outcomes-N.parquet` (`shown_outcomes`): which open rows of earlier parts reached the server;
- `renames-N.parquet` (`shown_renames`): what categories of earlier parts are called since a migration;
- `guideline-DIGEST.md`, `taxonomy-DIGEST.yaml`: the texts themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import schema, tables
from curate.errors import TableError
from curate.records import derived_id
from curate.schema import TableSchema
from curate.shown import rows as shown_rows
from curate.shown.renames import Renames, with_names_of_today

_PART = re.compile(r"(shown|suggestions|outcomes|renames)-(\d{6})\.parquet")
_NAME_KEY = b"curate.table"
_KINDS = {
    "shown": schema.SHOWN,
    "suggestions": schema.SHOWN_SUGGESTIONS,
    "outcomes": schema.SHOWN_OUTCOMES,
    "renames": schema.SHOWN_RENAMES,
}


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """Everything that was put before people.

    Attributes:
        shown: Rows of `shown` in the order of writing, with three more columns: `part`; `confirmed_at`, when
            a row was known to be on the server; `reached`, null = that is not known, false = it never was.
        suggestions: Rows of `shown_suggestions`, each set once.
        parts: Number of the last part; 0 = nothing was ever shown.
        renames: Migrations of the taxonomy since the first part; the tables above have the names of today.
    """

    shown: pa.Table
    suggestions: pa.Table
    parts: int
    renames: tuple[Renames, ...] = ()

    def open_rows(self) -> list[dict[str, Any]]:
        """Rows of which it is not known whether they reached the server."""
        return [row for row in self.shown.to_pylist() if row["reached"] is None]

    def latest(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """What each task shows now, by task and labeler; rows that never reached the server left out."""
        return {
            (row["task_id"], row["labeler"]): row
            for row in self.shown.to_pylist()
            if row["reached"] is not False
        }

    def tasks_with_errors(self) -> set[str]:
        """Tasks that ever showed a planted error."""
        return set(self.shown.filter(pc.is_valid(self.shown["seeded_kind"]))["task_id"].to_pylist())


def load(folder: Path, *, required: bool = True, as_shown: bool = False) -> ShownRecord:
    """Read the record of what was shown.

    Args:
        folder: `data/push/shown` of a project.
        required: False = a folder that is not there is an empty record: before the first push.
        as_shown: True = categories are called as they were on the page, whatever was renamed since.

    Raises:
        TableError: It is missing, a part is missing or damaged, or its suggestions are not there.
    """
    if not folder.is_dir():
        if required:
            raise TableError(f"{folder} does not exist: run the stage push first")
        return ShownRecord(_with_outcomes([], []), schema.SHOWN_SUGGESTIONS.arrow.empty_table(), 0)
    files = _files(folder)
    parts = {
        kind: {number: _read(path, _KINDS[kind]) for number, path in files[kind].items()} for kind in _KINDS
    }
    numbers = _numbers(files)
    renames = tuple(
        Renames.of_rows(number, table.to_pylist()) for number, table in sorted(parts["renames"].items())
    )
    before, sets = with_names_of_today(parts["shown"], parts["suggestions"], () if as_shown else renames)
    shown = [
        table.append_column("part", pa.array([number] * table.num_rows, pa.int32()))
        for number, table in before.items()
    ]
    outcomes = list(parts["outcomes"].values())
    suggestions = pa.concat_tables([schema.SHOWN_SUGGESTIONS.arrow.empty_table(), *sets.values()])
    if as_shown and renames:  # a set that was shown again after a rename stands in two parts alike
        once = {(row["suggestions_digest"], row["annotation_id"]): row for row in suggestions.to_pylist()}
        suggestions = pa.Table.from_pylist(list(once.values()), suggestions.schema)
    record = ShownRecord(_with_outcomes(shown, outcomes), suggestions, max(numbers, default=0), renames)
    gaps = sorted(set(range(1, record.parts + 1)) - numbers)
    if gaps:
        raise TableError(f"{folder}: part {gaps[0]:06d} is missing: {_RESTORE}")
    _check(record, pa.concat_tables(outcomes) if outcomes else None, folder)
    return record


def append(
    folder: Path,
    record: ShownRecord,
    rows: Sequence[Mapping[str, Any]],
    suggestions: Iterable[Mapping[str, Any]],
    *,
    since: str,
) -> None:
    """Add a part, before anything of it is shown.

    Args:
        folder: Of the record.
        record: As it was read.
        rows: Of `shown`, without `shown_id` and `since`.
        suggestions: Rows of `shown_suggestions` that the rows name; those of earlier parts are left out.
        since: The server's time.

    Raises:
        StorageError: It cannot be written; then nothing was added.
    """
    number = record.parts + 1
    if (folder / f"shown-{number:06d}.parquet").exists():  # before anything of the other push is overwritten
        raise TableError(f"{folder} was added to meanwhile: is another push running? Run this one again")
    known = set(record.suggestions["suggestions_digest"].unique().to_pylist())
    news = {
        (row["suggestions_digest"], row["annotation_id"]): dict(row)
        for row in suggestions
        if row["suggestions_digest"] not in known
    }
    if news:
        _write(folder, "suggestions", number, list(news.values()))
    whole = [
        {
            **row,
            "shown_id": derived_id("shown", number, row["task_id"], row["labeler"] or ""),
            "since": since,
        }
        for row in rows
    ]
    _write(folder, "shown", number, whole)


def settle(folder: Path, outcomes: Mapping[str, bool], *, at: str) -> None:
    """Say which of the open rows reached the server.

    Args:
        folder: Of the record.
        outcomes: By shown_id; without any nothing is written.
        at: The server's time.
    """
    if outcomes:
        rows = [{"shown_id": key, "reached": reached, "at": at} for key, reached in outcomes.items()]
        _write(folder, "outcomes", max(_numbers(_files(folder)), default=0) + 1, rows)


def rename(folder: Path, record: ShownRecord, renames: Renames) -> None:
    """Add what categories are called from now on; `renames.part` is the number of the new part.

    Raises:
        TableError: Something was added since the record was read.
        StorageError: It cannot be written.
    """
    if max(_numbers(_files(folder)), default=0) != record.parts or renames.part != record.parts + 1:
        raise TableError(f"{folder} was added to meanwhile: is a push running? Run this one again")
    _write(folder, "renames", renames.part, renames.rows())


def keep_text(folder: Path, kind: str, digest: str | None, text: str) -> None:
    """Keep a guideline or taxonomy as it was shown, by its digest."""
    path = folder / f"{kind}-{digest}.{'md' if kind == 'guideline' else 'yaml'}"
    if digest is not None and not path.exists():
        with tables.replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")


def rows_to_send(record: ShownRecord, wanted: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Choose the rows that a push wants shown and whose task does not show them already.

    Where a task went from projects of single labelers to everybody's or back (`blind: strict`), all of it is
    shown anew: what stood there before is not what people saw last.
    """
    latest = record.latest()
    places = _places(record.shown)
    wanted = list(wanted)
    now: dict[str, set[str | None]] = {}
    for row in wanted:
        now.setdefault(row["task_id"], set()).add(row["labeler"])

    def moved(task_id: str) -> bool:
        last = places.get(task_id)
        return last is not None and last != (None in now[task_id])

    return [
        row
        for row in wanted
        if (known := latest.get((row["task_id"], row["labeler"]))) is None
        or shown_rows.content_key(known) != shown_rows.content_key(row)
        or moved(row["task_id"])
    ]


def _places(shown: pa.Table) -> dict[str, bool]:
    """Whether what was recorded last of each task stands in everybody's project, by task_id."""
    rows = shown.select(["task_id", "labeler", "reached"]).to_pylist()
    return {row["task_id"]: row["labeler"] is None for row in rows if row["reached"] is not False}


def _files(folder: Path) -> dict[str, dict[int, Path]]:
    found: dict[str, dict[int, Path]] = {kind: {} for kind in _KINDS}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        named = _PART.fullmatch(path.name)
        if named is not None:
            found[named[1]][int(named[2])] = path
    return found


def _numbers(files: Mapping[str, Mapping[int, Path]]) -> set[int]:
    return {number for found in files.values() for number in found}


def _write(folder: Path, kind: str, number: int, rows: Sequence[Mapping[str, Any]]) -> None:
    tables.write_rows(rows, folder / f"{kind}-{number:06d}.parquet", _KINDS[kind])


def _read(path: Path, kind: TableSchema) -> pa.Table:
    """A part of this or an older version: columns that it lacks are null, others are left out."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path} is damaged ({error}): {_RESTORE}") from error
    name = (table.schema.metadata or {}).get(_NAME_KEY, b"none").decode()
    if name != kind.name:
        raise TableError(f"{path} holds the table {name!r}, expected {kind.name!r}: {_RESTORE}")
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in kind.arrow
    ]
    return pa.table(columns, schema=kind.arrow)


_RESTORE = (
    "restore it from your backup or by `dvc checkout`; what people were shown is known from nowhere else"
)


def _with_outcomes(shown: Sequence[pa.Table], outcomes: Sequence[pa.Table]) -> pa.Table:
    empty = schema.SHOWN.arrow.empty_table().append_column("part", pa.array([], pa.int32()))
    table = pa.concat_tables([empty, *shown])
    settled = pa.concat_tables([schema.SHOWN_OUTCOMES.arrow.empty_table(), *outcomes])
    known = {row["shown_id"]: row for row in settled.to_pylist()}
    found = [known.get(key) for key in table["shown_id"].to_pylist()]
    reached = [None if row is None else row["reached"] for row in found]
    at = [row["at"] if row is not None and row["reached"] else None for row in found]
    table = table.append_column("confirmed_at", pa.array(at, pa.string()))
    return table.append_column("reached", pa.array(reached, pa.bool_()))


def _check(record: ShownRecord, outcomes: pa.Table | None, folder: Path) -> None:
    """Every row that an outcome names, and every set of suggestions that a row names, is there."""
    rows = set(record.shown["shown_id"].to_pylist())
    strange = set() if outcomes is None else set(outcomes["shown_id"].to_pylist()) - rows
    if strange:
        raise TableError(f"{folder} lacks the part with the row {min(strange)}: {_RESTORE}")
    kept = set(record.suggestions["suggestions_digest"].unique().to_pylist())
    for column in ("suggestions_digest", "proposed_digest"):
        lost = {key for key in record.shown[column].unique().to_pylist() if key} - kept
        if lost:
            raise TableError(f"{folder} lacks the suggestions {min(lost)}: {_RESTORE}")
