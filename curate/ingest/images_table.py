"""The table of images from the ledger, in pieces: memory does not grow with the number of images."""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import schema, tables
from curate.ingest import ledger, store
from curate.ingest.names import printable
from curate.ingest.sources import Source

REMOVED = "removed"
_PIECE = 16_384  # rows
_COLUMNS = (
    "image_id", "digest", "frame", "extension", "format", "width", "height", "bytes", "exif_orientation",
    "captured_at", "brightness", "contrast", "sharpness", "drop_reason", "drop_detail", "failed", "stale",
    "live",
)  # fmt: skip
_PLAIN = (
    "format", "width", "height", "bytes", "exif_orientation", "captured_at", "brightness", "contrast",
    "sharpness",
)  # fmt: skip
_QUERY = (
    f"SELECT {', '.join(f'i.{name}' for name in _COLUMNS)}, p.source, p.name, p.given, p.sidecar, p.gone "
    "FROM images i LEFT JOIN places p ON p.digest = COALESCE(i.digest, i.image_id) "
    "WHERE i.live = 1 OR i.failed = 0 ORDER BY i.image_id"
)
_Place = tuple[int, bytes, str | None, str | None]


def write(db: sqlite3.Connection, path: Path, images: Path, sources: Sequence[Source]) -> bool:
    """Bring the table up to date.

    Licence and attribution of an image come from its first place, in the order of the list of sources, that
    has a licence; each attribute from the first that gives it. A sidecar goes before a list, and a list
    before its source.

    Args:
        db: The settled ledger.
        path: The table.
        images: Folder of the upright files, as it shall stand in the table.
        sources: In the order of the list.

    Returns:
        Whether anything had to be written.
    """
    said = _said(images, sources)
    if _up_to_date(db, path, said):
        return False
    numbers = {ledger.source_id(db, source.name): source for source in sources}
    ranks = {number: rank for rank, number in enumerate(numbers)}
    with tables.stream(path, schema.IMAGES) as stream:
        for rows in _pieces(_rows(db, images, numbers, ranks)):
            stream.write(_table(rows))
    state = [*_stamp(path), _sha256(path), said]
    with ledger.transaction(db):
        db.execute("DELETE FROM touched")
        ledger.put(db, "table", json.dumps(state))
    return True


def _up_to_date(db: sqlite3.Connection, path: Path, said: str) -> bool:
    """Whether the table on disk is the one that was written last, and nothing changed since."""
    known = ledger.get(db, "table")
    if known is None or db.execute("SELECT 1 FROM touched LIMIT 1").fetchone() is not None:
        return False
    size, mtime_ns, sha256, before = json.loads(known)
    try:
        now = _stamp(path)
    except OSError:
        return False
    if before != said or now[0] != size:
        return False
    return bool(now[1] == mtime_ns) or _sha256(path) == sha256  # DVC may have put a copy in its place


def _said(images: Path, sources: Sequence[Source]) -> str:
    """What the table holds besides what stands in the ledger."""
    listed = [[source.name, source.license, source.attribution] for source in sources]
    content = json.dumps([schema.SCHEMA_VERSION, images.as_posix(), listed])
    return hashlib.sha256(content.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(
    db: sqlite3.Connection, images: Path, sources: Mapping[int, Source], ranks: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    width = len(_COLUMNS)
    for _, group in itertools.groupby(db.execute(_QUERY), key=lambda found: found[0]):
        found = list(group)
        image = dict(zip(_COLUMNS, found[0][:width], strict=True))
        places = [row[width : width + 4] for row in found if row[width] in ranks and not row[width + 4]]
        if image["live"] and places:
            yield _live(image, sorted(places, key=lambda place: (ranks[place[0]], place[1])), images, sources)
        elif not image["failed"]:
            yield _tombstone(image, [row[width : width + 2] for row in found if row[width] is not None], db)


def _live(
    image: Mapping[str, Any], places: Sequence[_Place], images: Path, sources: Mapping[int, Source]
) -> dict[str, Any]:
    frame = "" if image["digest"] is None else f"#{image['frame']}"
    attributes: dict[str, str] = {}
    licensed: tuple[str | None, str | None] | None = None
    first: tuple[str | None, str | None] | None = None
    for number, _, given, own in places:
        source = sources[number]
        said, nearer = json.loads(given) if given else {}, json.loads(own) if own else {}
        inner = {**said.get("attributes", {}), **nearer.get("attributes", {})}
        attributes = {**inner, **attributes}
        said = {**said, **nearer}
        terms = (said.get("license", source.license), said.get("attribution", source.attribution))
        first = first or terms
        licensed = licensed or (terms if terms[0] is not None else None)
    license_, attribution = licensed or first or (None, None)
    image_id = image["image_id"].hex()
    kept = image["drop_reason"] is None
    return {
        **{name: image[name] for name in _PLAIN},
        "image_id": image_id,
        "path": store.path_in(images, image_id, image["extension"] or "") if kept else None,
        "sources": sorted(
            {f"{sources[number].name}/{printable(name)}{frame}" for number, name, _, _ in places}
        ),
        "license": license_,
        "attribution": attribution,
        "attributes": sorted(attributes.items()),
        "drop_reason": image["drop_reason"],
        "drop_detail": image["drop_detail"],
    }


def _tombstone(
    image: Mapping[str, Any], places: Sequence[tuple[int, bytes]], db: sqlite3.Connection
) -> dict[str, Any]:
    """The row of an image whose last file is gone: what was measured stays."""
    if places and not image["stale"]:
        number, name = min(places)
        row = db.execute("SELECT name FROM sources WHERE id = ?", (number,)).fetchone()
        detail = f"no longer at {row[0]}/{printable(name)}"
    else:
        detail = (
            "its file now holds something else" if not image["stale"] else "no longer a picture of its file"
        )
    return {
        **{name: image[name] for name in _PLAIN},
        "image_id": image["image_id"].hex(),
        "path": None,
        "sources": [],
        "license": None,
        "attribution": None,
        "attributes": [],
        "drop_reason": REMOVED,
        "drop_detail": detail,
    }


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while piece := list(itertools.islice(rows, _PIECE)):
        yield piece


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    arrays = [
        pa.array([row[field.name] for row in rows], type=field.type)
        if field.name in rows[0]
        else pa.nulls(len(rows), field.type)  # of later stages
        for field in schema.IMAGES.arrow
    ]
    return pa.Table.from_arrays(arrays, schema=schema.IMAGES.arrow)
