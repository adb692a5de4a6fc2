"""Lists the sources of kind path: one walk over every tree, each folder given to its innermost source."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import InputError
from curate.ingest import listing, sidecar, table_rows, walk
from curate.ingest.listing import Context, File, Listed
from curate.ingest.sources import UNLISTED, Source, absolute
from curate.ingest.table_rows import Fault, Faults, Row


def put(context: Context, sources: Sequence[Source], tables: Sequence[Path]) -> None:
    """List the files of all folders, with what the CSV files say about them.

    Args:
        context: Shared.
        sources: Of kind path, in the order of the list.
        tables: CSV files with a column `path`.

    Raises:
        InputError: The folder of a source cannot be listed; a CSV does not fit, with its line.
    """
    owners: dict[bytes, Source] = {}
    for source in sources:
        owners.setdefault(os.fsencode(source.where), source)
    roots = [folder for folder in owners if not _inside(folder, owners)]
    for root in roots:
        listing.put_files(context.db, _files(context, root, owners))
    for source in sources:
        if source.sidecar:
            listing.match_sidecars(context.db, context.ids[source.name])
    if tables:
        _put_attributes(context, owners, tables)


def drop_named_elsewhere(context: Context, sources: Sequence[Source]) -> None:
    """What another source names is not `unlisted`."""
    unlisted = next((source for source in sources if source.name == UNLISTED), None)
    if unlisted is None or all(source.kind not in ("list", "table") for source in sources):
        return
    context.db.execute(
        "DELETE FROM scratch.listed WHERE source = ? AND CAST(? || name AS BLOB) IN "
        "(SELECT locator FROM scratch.listed WHERE locator IS NOT NULL AND archive IS NULL)",
        (context.ids[UNLISTED], os.fsencode(unlisted.where) + b"/"),
    )


def _inside(folder: bytes, owners: Mapping[bytes, Source]) -> bool:
    parent = folder
    while (up := os.path.dirname(parent)) != parent:  # noqa: PTH120 - bytes
        if up in owners:
            return True
        parent = up
    return False


class _Whose(NamedTuple):
    """Whose the files of a folder are.

    Attributes:
        source: `sources.id`.
        start: What the source's names of them begin with.
        sidecar: Some may describe others.
        own: Names of those that are no images: lists, tables, archives.
    """

    source: int
    start: bytes
    sidecar: bool
    own: Container[bytes]


def _files(context: Context, root: bytes, owners: Mapping[bytes, Source]) -> Iterator[Listed | File]:
    own: dict[bytes, set[bytes]] = {}
    for path in context.own:
        folder, name = os.path.split(path)
        own.setdefault(folder, set()).add(name)

    @functools.lru_cache(maxsize=1)
    def whose(folder: bytes) -> _Whose:
        base = _owner(folder, owners)
        start = folder[len(base) + 1 :] + b"/" if len(folder) > len(base) else b""
        return _Whose(context.ids[owners[base].name], start, owners[base].sidecar, own.get(folder, ()))

    for some in walk.files_below(root):
        if isinstance(some, walk.Files):
            yield from _listed(some, whose(some.folder))
        elif some.folder == root:
            raise InputError(f"raw folder {os.fsdecode(root)} cannot be listed: {some.error.strerror}")
        else:
            source, start, *_ = whose(some.folder)
            listing.carry_over(context.db, source, start)
            detail = f"folder cannot be listed: {some.error.strerror}"
            yield Listed(source, start, reason="unreadable", detail=detail)


def _listed(some: walk.Files, whose: _Whose) -> Iterator[Listed | File]:
    source, start, sidecar, own = whose
    for name in some.dangling:
        yield _with_sides(source, start + name) if sidecar else Listed(source, start + name)
    found = [file for file in some.found if file[0] not in own] if own else some.found
    for name, size, mtime_ns, inode in found:
        if sidecar:
            yield _with_sides(source, start + name, size, mtime_ns, inode)
        else:
            yield source, start + name, size, mtime_ns, str(inode)


def _with_sides(
    source_id: int, name: bytes, size: int = listing.UNKNOWN, mtime_ns: int = 0, inode: int | None = None
) -> Listed:
    side1, side2 = listing.side_names(name)
    tag = "" if inode is None else str(inode)
    return Listed(source_id, name, size, mtime_ns, tag, side1=side1, side2=side2)


def _owner(folder: bytes, owners: Mapping[bytes, Source]) -> bytes:
    """The innermost source's folder that holds this one."""
    while folder not in owners:
        folder = os.path.dirname(folder)  # noqa: PTH120 - bytes
    return folder


def _put_attributes(context: Context, owners: Mapping[bytes, Source], tables: Sequence[Path]) -> None:
    db = context.db
    for table in tables:
        faults = Faults(str(table))
        try:
            with table.open("rb") as file:
                for row in table_rows.read(file, str(table), "path", None):
                    fault = row if isinstance(row, Fault) else _give(context, owners, table, row)
                    if fault is not None:
                        faults.add(fault)
        except FileNotFoundError as error:
            raise InputError(
                f"{table} does not exist: correct `attributes` in the list of sources"
            ) from error
        except OSError as error:
            raise InputError(f"{table} cannot be read: {error}") from error
        faults.refuse()
    lost = db.execute(
        "SELECT g.origin FROM scratch.given g LEFT JOIN scratch.listed l USING (source, name) "
        "WHERE l.name IS NULL"
    )
    missing: dict[str, Faults] = {}
    for table_name, line, path, target in sorted(json.loads(origin) for (origin,) in lost):
        if not os.path.isfile(os.fsencode(target)):  # noqa: PTH113 - bytes
            fault = Fault(line, f"{path!r} is no file", "correct the path or remove the row")
            missing.setdefault(table_name, Faults(table_name)).add(fault)
    for faults in missing.values():
        faults.refuse()
    db.execute(
        "UPDATE scratch.listed SET given = g.attributes FROM scratch.given g "
        "WHERE listed.source = g.source AND listed.name = g.name"
    )


def _give(context: Context, owners: Mapping[bytes, Source], table: Path, row: Row) -> Fault | None:
    """Note what a row says of its file; what is wrong with it."""
    target = absolute(table.parent / row.path) if "\0" not in row.path else None
    path = os.fsencode(target) if target is not None else b""
    if target is None or not _inside(path, owners):
        what = f"{row.path!r} is no file of a source of kind path"
        return Fault(row.line, what, "correct or remove the row")
    base = _owner(os.path.dirname(path), owners)  # noqa: PTH120 - bytes
    key = (context.ids[owners[base].name], path[len(base) + 1 :])
    known = context.db.execute(
        "SELECT attributes FROM scratch.given WHERE source = ? AND name = ?", key
    ).fetchone()
    before = json.loads(known[0])["attributes"] if known and known[0] else {}
    clash = next((name for name in row.attributes if name in before), None)
    if clash is not None:
        return Fault(row.line, f"{clash} of {row.path!r} is given twice", "remove a row")
    origin = json.dumps([str(table), row.line, row.path, str(target)])
    _store(context.db, key, sidecar.to_json({**before, **row.attributes}), origin)
    return None


def _store(db: sqlite3.Connection, key: tuple[int, bytes], attributes: str | None, origin: str) -> None:
    db.execute("INSERT OR REPLACE INTO scratch.given VALUES (?, ?, ?, ?)", (*key, attributes, origin))
