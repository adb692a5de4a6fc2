"""Every place where a file lies now, streamed into the table `scratch.listed`; kinds of their own modules."""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from curate.ingest import ledger, sidecar
from curate.ingest.sources import Source
from curate.ingest.url_access import Access, Network

# What the rows of one place say, in their order: the first stands in the listing.
_REPEATED = """
SELECT given FROM scratch.listed WHERE source = ? AND name = ?
UNION ALL
SELECT given FROM (SELECT given FROM scratch.repeated WHERE source = ? AND name = ? ORDER BY rowid)
"""
_GIVE = "UPDATE scratch.listed SET given = ? WHERE source = ? AND name = ?"
_ROWS = 5000  # that are held before they go to the database
UNKNOWN = -1  # the size of what no listing describes


class Listed(NamedTuple):
    """A row of `scratch.listed`.

    Attributes:
        source: `sources.id`.
        name: Bytes; what the source calls it.
        size: Bytes, or UNKNOWN.
        mtime_ns: Of the file; 0 where nothing tells it.
        tag: Inode, etag or whatever else changes with the content; and the same of its sidecar.
        archive: `archives.id` of a member.
        position: Of a member or row.
        locator: Path or URL where it cannot be built from the name.
        given: JSON as `sidecar.to_json` makes it.
        side1: Name that a sidecar would have; looked for only where the source has sidecars.
        side2: The other one.
        side: The sidecar that is there.
        reason: Why it will not be read: its `drop_reason`.
        detail: Its `drop_detail`.
    """

    source: int
    name: bytes
    size: int = UNKNOWN
    mtime_ns: int = 0
    tag: str = ""
    archive: int | None = None
    position: int | None = None
    locator: bytes | None = None
    given: str | None = None
    side1: bytes | None = None
    side2: bytes | None = None
    side: bytes | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What the listings share.

    Attributes:
        db: The ledger, its scratch attached.
        ids: `sources.id` by name.
        own: Absolute paths, bytes, of lists, tables and archives: no images.
        cache: Folder for bytes from elsewhere.
        network: How URLs are reached.
    """

    db: sqlite3.Connection
    ids: Mapping[str, int]
    own: set[bytes]
    cache: Path
    network: Network
    archives: dict[int, str] = field(default_factory=dict)  # id -> tag, listed to the end in this run

    def access(self, source: Source) -> Access:
        """How to reach the URLs of a source."""
        return Access.of(source, self.network)


# The first fields of a `Listed`, of files of which there is no more to say: in a third of the time.
File = tuple[int, bytes, int, int, str]


def put(db: sqlite3.Connection, rows: Iterable[Listed], *, again: str = "IGNORE") -> None:
    """Add rows in batches; of two with one name the first stays, or the last with `again="REPLACE"`."""
    statement = _insert(len(Listed._fields), again)
    for batch in _batches(rows):
        with ledger.transaction(db):
            db.executemany(statement, batch)


def put_files(db: sqlite3.Connection, rows: Iterable[Listed | File]) -> None:
    """Add rows with names of their own in batches."""
    every = len(Listed._fields)
    for batch in _batches(rows):
        with ledger.transaction(db):
            described = [row for row in batch if len(row) == every]
            db.executemany(_insert(5), batch if not described else [row for row in batch if len(row) == 5])
            db.executemany(_insert(every), described)


def _insert(values: int, again: str = "IGNORE") -> str:
    names, marks = ", ".join(Listed._fields[:values]), ", ".join("?" * values)
    return f"INSERT OR {again} INTO scratch.listed ({names}) VALUES ({marks})"


def put_merged(db: sqlite3.Connection, rows: Iterable[Listed]) -> None:
    """Add the rows of a table, which may name a place in several, as one row per box does.

    Attributes that all of them give alike stay; of others the texts of all rows become a JSON list, in order.
    """
    insert = _insert(len(Listed._fields))
    for batch in _batches(rows):
        with ledger.transaction(db):
            for row in batch:
                if db.execute(insert, row).rowcount == 0:
                    db.execute(
                        "INSERT INTO scratch.repeated VALUES (?, ?, ?)", (row.source, row.name, row.given)
                    )
    for source, name in db.execute("SELECT DISTINCT source, name FROM scratch.repeated").fetchall():
        given = [text for (text,) in db.execute(_REPEATED, (source, name, source, name))]
        db.execute(_GIVE, (sidecar.merged(given), source, name))
    db.execute("DELETE FROM scratch.repeated")


def carry_over(db: sqlite3.Connection, source: int, prefix: bytes = b"") -> None:
    """What was known below a prefix counts as still there: it cannot be listed now, which proves nothing."""
    end = prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None
    db.execute(
        "INSERT OR IGNORE INTO scratch.listed "
        "SELECT source, name, size, mtime_ns, tag, archive, position, NULL, given, "
        "NULL, NULL, NULL, NULL, NULL FROM places WHERE source = ? AND gone = 0 AND failed = 0 "
        "AND name >= ? AND (? IS NULL OR name < ?)",
        (source, prefix, end, end),
    )


def local(
    source: int, name: bytes, path: bytes, *, sidecar: bool = False, given: str | None = None
) -> Listed:
    """A file that a list names: described by what is there now."""
    try:
        status = os.stat(path)  # noqa: PTH116 - bytes, a million times
    except (OSError, ValueError) as error:
        gone = not isinstance(error, ValueError)
        reason = None if gone else "name_not_representable"  # a NUL byte
        return Listed(
            source, name, locator=path, given=given, reason=reason, detail=None if gone else str(error)
        )
    side, tag = _sidecar(path) if sidecar else (None, "")
    return Listed(
        source, name, status.st_size, ledger.int64(status.st_mtime_ns), f"{status.st_ino}{tag}",
        locator=path, given=given, side=side,
    )  # fmt: skip


def side_names(name: bytes) -> tuple[bytes, bytes]:
    """What a sidecar of this file may be called: `photo.jpg.json` first, else `photo.json`."""
    folder, slash, last = name.rpartition(b"/")
    stem = last.rpartition(b".")[0] or last
    return name + b".json", folder + slash + stem + b".json"


def match_sidecars(db: sqlite3.Connection, source: int) -> None:
    """Give files of a source their sidecars, which then are no files of their own."""
    for column in ("side2", "side1"):  # the second wins
        db.execute(
            "CREATE TABLE scratch.sides AS SELECT l.name, s.name AS side, s.size, s.mtime_ns, s.tag "
            "FROM scratch.listed l JOIN scratch.listed s ON s.source = l.source "
            f"AND s.name = l.{column} AND s.name <> l.name WHERE l.source = ?",
            (source,),
        )
        db.execute(
            "UPDATE scratch.listed SET side = m.side FROM scratch.sides m "
            "WHERE listed.source = ? AND listed.name = m.name",
            (source,),
        )
        db.execute("DROP TABLE scratch.sides")
    db.execute(
        "UPDATE scratch.listed SET tag = tag || (SELECT '|' || s.size || ':' || s.mtime_ns || ':' || s.tag "
        "FROM scratch.listed s WHERE s.source = listed.source AND s.name = listed.side) "
        "WHERE source = ? AND side IS NOT NULL",
        (source,),
    )
    db.execute(
        "DELETE FROM scratch.listed WHERE source = ? AND name IN "
        "(SELECT side FROM scratch.listed WHERE source = ? AND side IS NOT NULL)",
        (source, source),
    )


def _sidecar(path: bytes) -> tuple[bytes | None, str]:
    for candidate in side_names(path):
        try:
            status = os.stat(candidate)  # noqa: PTH116 - bytes
        except OSError:
            continue
        if candidate != path:
            return candidate, f"|{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
    return None, ""


def _batches(rows: Iterable[object]) -> Iterator[list]:  # type: ignore[type-arg]
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
