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
import pyarrow.compute as pc

from curate import fingerprint, schema, tables
from curate.file_identity import sha256_of
from curate.images import quality_figures
from curate.ingest import image_store, ledger, table_counts
from curate.ingest.sources import Source
from curate.system import printable

_PIECE = 16_384  # rows
_COLUMNS = (
    "image_id", "digest", "frame", "upright_sha256", "extension", "format", "width", "height", "bytes",
    "exif_orientation", "captured_at", "brightness", "contrast", "sharpness", "quality", "drop_reason",
    "drop_detail", "failed", "stale", "live",
)  # fmt: skip
_PLAIN = (
    "format", "width", "height", "bytes", "exif_orientation", "captured_at", "brightness", "contrast",
    "sharpness",
)  # fmt: skip
_QUERY = (
    f"SELECT {', '.join(f'i.{name}' for name in _COLUMNS)}, p.source, p.name, p.given, p.sidecar, p.gone "
    "FROM {rows} LEFT JOIN places p ON p.digest = COALESCE(i.digest, i.image_id) "
    "WHERE i.live = 1 OR i.failed = 0 ORDER BY i.image_id"
)
_ALL = "images i"
_AMENDED = "scratch.amended a CROSS JOIN images i ON i.image_id = a.image_id"
# Above this share of amended rows the whole table is made anew: a row that is kept is not free.
_FEW = 0.2
_Place = tuple[int, bytes, str | None, str | None]


def write(
    db: sqlite3.Connection, path: Path, images: Path, sources: Sequence[Source]
) -> table_counts.Tally | None:
    """Bring the table up to date.

    License and attribution of an image come from its first place, in the order of the list of sources, that
    has a license; each attribute from the first that gives it. A sidecar goes before a list, and a list
    before its source.

    Args:
        db: The settled ledger.
        path: The table.
        images: Folder of the upright files, as it shall stand in the table.
        sources: In the order of the list.

    Returns:
        Counts of its rows; None where nothing had to be written.
    """
    context = _context(images, sources)
    ours = _is_ours(db, path, context)
    if ours and db.execute("SELECT 1 FROM touched LIMIT 1").fetchone() is None:
        return None
    numbers = {ledger.source_id(db, source.name): source for source in sources}
    few = ours and _note_amended(db)
    rows = _rows(db, _AMENDED if few else _ALL, images, numbers)
    tally = table_counts.Tally()
    with tables.stream(path, schema.IMAGES) as stream:
        for piece in _amended(db, path, rows) if few else map(_table, _pieces(rows)):
            stream.write(piece)
            tally.add(piece)
    state = [*_stamp(path), sha256_of(path), context]
    with ledger.transaction(db):
        db.execute("DELETE FROM touched")
        ledger.put(db, "table", json.dumps(state))
    return tally


def _is_ours(db: sqlite3.Connection, path: Path, context: str) -> bool:
    """Whether the table on disk is the one that was written last, and says what it would say now."""
    known = ledger.get(db, "table")
    if known is None:
        return False
    size, mtime_ns, sha256, before = json.loads(known)
    try:
        now = _stamp(path)
    except OSError:
        return False
    if before != context or now[0] != size:
        return False
    return bool(now[1] == mtime_ns) or sha256_of(path) == sha256  # DVC may have put a copy in its place


def _note_amended(db: sqlite3.Connection) -> bool:
    """Fill `scratch.amended` with the image_id of all rows that may have changed; False if they are many.

    Those of images that are no longer there are among them: a digest is the image_id of all but frames.
    """
    db.execute("INSERT OR IGNORE INTO scratch.amended SELECT digest FROM touched")
    db.execute(
        "INSERT OR IGNORE INTO scratch.amended "
        "SELECT i.image_id FROM touched t CROSS JOIN images i ON i.digest = t.digest"
    )
    amended, known = (
        db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("scratch.amended", "images")
    )
    return bool(amended <= _FEW * known)


def _amended(db: sqlite3.Connection, path: Path, rows: Iterator[dict[str, Any]]) -> Iterator[pa.Table]:
    """The table as it is on disk, in pieces, with its amended rows replaced by `rows`."""
    row = next(rows, None)
    for piece in tables.pieces(path, schema.IMAGES, rows=_PIECE):
        ids = piece["image_id"]
        last = ids[-1].as_py()
        some = []
        while row is not None and row["image_id"] <= last:
            some.append(row)
            row = next(rows, None)
        old = db.execute(
            "SELECT image_id FROM scratch.amended WHERE image_id BETWEEN ? AND ?",
            (bytes.fromhex(ids[0].as_py()), bytes.fromhex(last)),
        )
        if replaced := [image_id.hex() for (image_id,) in old]:
            stays = pc.invert(pc.is_in(ids, value_set=pa.array(replaced, type=ids.type)))
            kept = piece.filter(stays)
        else:
            kept = piece
        yield pa.concat_tables([kept, _table(some)]).sort_by("image_id") if some else kept
    if row is not None:
        yield from map(_table, _pieces(itertools.chain([row], rows)))


def _context(images: Path, sources: Sequence[Source]) -> str:
    """What the table's rows follow from besides what stands in the ledger: this code too."""
    listed = [[source.name, source.license, source.attribution] for source in sources]
    content = json.dumps([schema.SCHEMA_VERSION, images.as_posix(), listed])
    return hashlib.sha256(f"{content}\n{fingerprint.digest(__name__)}".encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _rows(
    db: sqlite3.Connection, table: str, images: Path, sources: Mapping[int, Source]
) -> Iterator[dict[str, Any]]:
    """Rows of `_ALL` images or of the `_AMENDED` ones, in order of image_id."""
    ranks = {number: rank for rank, number in enumerate(sources)}
    width = len(_COLUMNS)
    for _, group in itertools.groupby(db.execute(_QUERY.format(rows=table)), key=lambda found: found[0]):
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
        listed, nearer = json.loads(given) if given else {}, json.loads(own) if own else {}
        inner = {**listed.get("attributes", {}), **nearer.get("attributes", {})}
        attributes = {**inner, **attributes}
        listed = {**listed, **nearer}
        terms = (listed.get("license", source.license), listed.get("attribution", source.attribution))
        first = first or terms
        licensed = licensed or (terms if terms[0] is not None else None)
    license_, attribution = licensed or first or (None, None)
    image_id = image["image_id"].hex()
    kept, upright = image["drop_reason"] is None, image["upright_sha256"]
    return {
        **{name: image[name] for name in _PLAIN},
        "quality": quality_figures.unpacked(image["quality"]),
        "image_id": image_id,
        "path": image_store.path_in(images, image_id, image["extension"] or "") if kept else None,
        "upright_sha256": upright.hex() if kept and upright is not None else None,
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
        "quality": quality_figures.unpacked(image["quality"]),
        "image_id": image["image_id"].hex(),
        "path": None,
        "upright_sha256": None,
        "sources": [],
        "license": None,
        "attribution": None,
        "attributes": [],
        "drop_reason": table_counts.REMOVED,
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
