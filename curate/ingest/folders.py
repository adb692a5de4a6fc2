"""Lists the sources of kind path: one walk over every tree, each folder given to its innermost source."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from curate.errors import InputError
from curate.ingest import listing, rows, sidecar, walk
from curate.ingest.listing import Context, File, Listed
from curate.ingest.sources import UNLISTED, Source, absolute


def put(context: Context, sources: Sequence[Source], tables: Sequence[Path]) -> None:
    """List the files of all folders, with what the CSV files say about them.

    Files of sources without sidecars are left out where `context.stretches` passes them over.

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


def _files(context: Context, root: bytes, owners: Mapping[bytes, Source]) -> Iterator[Listed | File]:
    own = {os.path.split(path) for path in context.own}
    current, start, source_id, sidecar = None, b"", 0, False
    for some in walk.files_below(root):
        if some.folder != current:
            current = some.folder
            base = _owner(current, owners)
            source = owners[base]
            source_id, sidecar = context.ids[source.name], source.sidecar
            start = current[len(base) + 1 :] + b"/" if len(current) > len(base) else b""
        if isinstance(some, walk.Closed):
            if some.folder == root:
                raise InputError(f"raw folder {os.fsdecode(root)} cannot be listed: {some.error.strerror}")
            listing.carry_over(context.db, source_id, start)
            yield Listed(
                source_id,
                start,
                reason="unreadable",
                detail=f"folder cannot be listed: {some.error.strerror}",
            )
            continue
        found = [file for file in some.found if (current, file[0]) not in own] if own else some.found
        if sidecar:
            yield from (_with_sides(source_id, start + file[0], *file[1:]) for file in found)
        elif not context.stretches.passes(source_id, start, some._replace(found=found)):
            for name, size, mtime_ns, inode in found:
                yield source_id, start + name, size, mtime_ns, str(inode)
        for name in some.dangling:
            yield _with_sides(source_id, start + name) if sidecar else Listed(source_id, start + name)


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
        try:
            with table.open("rb") as file:
                for row in rows.read(file, str(table), "path", None):
                    _give(context, owners, table, row)
        except FileNotFoundError as error:
            raise InputError(
                f"{table} does not exist: correct `attributes` in the list of sources"
            ) from error
        except OSError as error:
            raise InputError(f"{table} cannot be read: {error}") from error
    lost = db.execute(
        "SELECT g.origin FROM scratch.given g LEFT JOIN scratch.listed l USING (source, name) "
        "WHERE l.name IS NULL"
    )
    for (origin,) in lost:
        table_line, path, target = json.loads(origin)
        if not os.path.isfile(os.fsencode(target)):  # noqa: PTH113 - bytes
            raise InputError(f"{table_line}: {path!r} is no file: correct the path or remove the row")
    db.execute(
        "UPDATE scratch.listed SET given = g.attributes FROM scratch.given g "
        "WHERE listed.source = g.source AND listed.name = g.name"
    )


def _give(context: Context, owners: Mapping[bytes, Source], table: Path, row: rows.Row) -> None:
    where = f"{table}:{row.line}"
    target = absolute(table.parent / row.path) if row.path and "\0" not in row.path else None
    path = os.fsencode(target) if target is not None else b""
    if target is None or not _inside(path, owners):
        raise InputError(
            f"{where}: {row.path!r} is no file of a source of kind path: correct or remove the row"
        )
    base = _owner(os.path.dirname(path), owners)  # noqa: PTH120 - bytes
    key = (context.ids[owners[base].name], path[len(base) + 1 :])
    known = context.db.execute(
        "SELECT attributes FROM scratch.given WHERE source = ? AND name = ?", key
    ).fetchone()
    before = json.loads(known[0])["attributes"] if known and known[0] else {}
    clash = next((name for name in row.attributes if name in before), None)
    if clash is not None:
        raise InputError(f"{where}: {clash} of {row.path!r} is given twice: remove a row")
    origin = json.dumps([where, row.path, str(target)])
    _store(context.db, key, sidecar.to_json({**before, **row.attributes}), origin)


def _store(db: sqlite3.Connection, key: tuple[int, bytes], attributes: str | None, origin: str) -> None:
    db.execute("INSERT OR REPLACE INTO scratch.given VALUES (?, ?, ?, ?)", (*key, attributes, origin))
