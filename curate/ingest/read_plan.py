"""What has to be read: the listing held against the ledger, by SQL."""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from curate.images.upright_srgb import Limits
from curate.ingest import ledger
from curate.ingest.reader import VerdictError, Work
from curate.ingest.sources import Source
from curate.system import printable

_PAGE = (
    "SELECT l.source, l.name, l.size, l.archive, l.position, l.locator, l.side, p.digest, p.etag, "
    "l.reason, l.detail, p.settings, p.limits FROM scratch.{table} t "
    "JOIN scratch.listed l ON l.source = t.source AND l.name = t.name "
    "LEFT JOIN places p ON p.source = l.source AND p.name = l.name "
    "WHERE (t.source, t.name) > (?, ?) ORDER BY t.source, t.name LIMIT ?"
)
_FIND_TODO = """
INSERT INTO scratch.todo
SELECT l.source, l.name FROM scratch.listed l
LEFT JOIN places p ON p.source = l.source AND p.name = l.name
WHERE p.name IS NULL                                                    -- it is new
  OR p.failed = 1                                                       -- it could not be read
  OR :verify
  OR p.settings <> :settings                                            -- it was read in another way
  OR p.size <> l.size OR p.mtime_ns <> l.mtime_ns OR p.tag <> l.tag     -- it was changed
  OR (l.archive IS NOT NULL AND (p.archive IS NOT l.archive OR p.position IS NOT l.position))
  OR (l.locator IS NOT NULL AND l.size < 0 AND l.archive IS NULL AND l.source IN scratch.asked)
  OR (p.limits <> :limits AND EXISTS (                                  -- today's limits may judge otherwise
    SELECT 1 FROM images i WHERE (i.image_id = p.digest OR i.digest = p.digest) AND (
      i.drop_reason IS NOT NULL OR i.bytes > :max_bytes OR i.width * i.height > :max_pixels
      OR MIN(i.width, i.height) < :min_side OR MAX(i.width, i.height) > :max_aspect * MIN(i.width, i.height)
    )))
"""
_FIND_TOLD = """
INSERT INTO scratch.told
SELECT p.source, p.name FROM scratch.listed l JOIN places p ON p.source = l.source AND p.name = l.name
WHERE p.gone = 1 OR l.given IS NOT p.given
"""
_FIND_GONE = """
INSERT INTO scratch.gone
SELECT p.source, p.name FROM places p
LEFT JOIN scratch.listed l ON l.source = p.source AND l.name = p.name
WHERE p.gone = 0 AND l.name IS NULL
"""
_TOUCH = """
INSERT OR IGNORE INTO touched
SELECT digest FROM places WHERE (source, name) IN scratch.gone OR (source, name) IN scratch.told
"""
_MARK_GONE = "UPDATE places SET gone = 1 WHERE (source, name) IN scratch.gone"
_MARK_TOLD = """
UPDATE places SET gone = 0, given = (
  SELECT l.given FROM scratch.listed l WHERE l.source = places.source AND l.name = places.name
)
WHERE (source, name) IN scratch.told
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a place was read with.

    Attributes:
        settings: Digest of all that changes an upright file or a verdict, but for the limits.
        limits: Digest of the limits.
        values: The limits.
        max_bytes: Of a file.
        verify: Read everything again.
    """

    settings: int
    limits: int
    values: Limits
    max_bytes: int
    verify: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The places to be read, in the order of their names.

    Attributes:
        db: The ledger.
        rules: Of this run.
        sources: By `sources.id`.
        again: Those of `scratch.again`, whose upright files are missing or doubtful; else of `scratch.todo`.
    """

    db: sqlite3.Connection
    rules: Rules
    sources: Mapping[int, Source]
    again: bool = False

    def count(self) -> int:
        """How many places there are."""
        return int(self.db.execute(f"SELECT COUNT(*) FROM scratch.{self._table()}").fetchone()[0])

    def batches(self, size: int) -> Iterator[list[tuple[Work, VerdictError | None]]]:
        """Places to be read, `size` at a time; what is written to the ledger meanwhile does not disturb.

        A place that the listing itself could not make out comes with its verdict.
        """
        last: tuple[int, bytes] = (-1, b"")
        query = _PAGE.format(table=self._table())
        while rows := self.db.execute(query, (*last, size)).fetchall():
            last = (rows[-1][0], rows[-1][1])
            yield [(self._work(row), VerdictError(row[9], row[10] or "") if row[9] else None) for row in rows]

    def _table(self) -> str:
        return "again" if self.again else "todo"

    def _work(self, row: tuple) -> Work:  # type: ignore[type-arg]
        source = self.sources[row[0]]
        # Asked whether it changed rather than fetched: known, unlisted, and its source wants that.
        ask = source.recheck and row[2] < 0 and not self.again and not self.rules.verify
        digest = None if self.rules.verify and not self.again else row[7]
        label = f"{source.name}/{printable(row[1])}"
        number, name, size, archive, position, locator, side = row[:7]
        as_then = row[11:13] == (self.rules.settings, self.rules.limits)
        return Work(number, name, size, archive, position, locator, side, digest, row[8], ask, as_then, label)


def compare(db: sqlite3.Connection, rules: Rules, sources: Mapping[int, Source]) -> None:
    """Hold the listing against the ledger.

        scratch.listed, now              places, as they were read
        name   size  mtime_ns  given     name   size  mtime_ns  given  gone
        a.jpg    10         7            a.jpg    10         7            0   as it was
        b.jpg    12         9            b.jpg    10         7            0   -> scratch.todo: changed
        c.jpg    10         7                                                 -> scratch.todo: new
                                         d.jpg    10         7            0   -> scratch.gone: gone = 1
        e.jpg    10         7            e.jpg    10         7            1   -> scratch.told: gone = 0
        f.jpg    10         7  {"x":1}   f.jpg    10         7            0   -> scratch.told: given = {"x":1}

    `scratch.todo` is what must be read. `touched` gets the digests of all places that were gone or told, so
    that `settle_images` and the table look at their images again.
    """
    asked = [(number,) for number, source in sources.items() if source.recheck]
    db.executemany("INSERT INTO scratch.asked VALUES (?)", asked)
    values = {
        "settings": rules.settings,
        "limits": rules.limits,
        "verify": rules.verify,
        "max_bytes": rules.max_bytes,
        "max_pixels": rules.values.max_pixels,
        "min_side": rules.values.min_side,
        "max_aspect": rules.values.max_aspect,
    }
    db.execute(_FIND_TODO, values)
    db.execute(_FIND_TOLD)
    db.execute(_FIND_GONE)
    with ledger.transaction(db):
        db.execute(_TOUCH)
        db.execute(_MARK_GONE)
        db.execute(_MARK_TOLD)


def settle_images(db: sqlite3.Connection) -> None:
    """Work out which images still have a place; rows of failures without one go."""
    if db.execute("SELECT 1 FROM touched LIMIT 1").fetchone() is None:
        return
    live = (
        "UPDATE images SET live = stale = 0 AND EXISTS (SELECT 1 FROM places p "
        "WHERE p.digest = COALESCE(images.digest, images.image_id) AND p.gone = 0) "
    )
    with ledger.transaction(db):
        db.execute(
            "DELETE FROM images WHERE failed = 1 AND NOT EXISTS "
            "(SELECT 1 FROM places p WHERE p.digest = images.image_id AND p.gone = 0)"
        )
        for column in ("image_id", "digest"):
            db.execute(f"{live} WHERE {column} IN (SELECT digest FROM touched)")


def find_doubtful(db: sqlite3.Connection) -> None:
    """Where a file was written to in place, an upright file that is a link to it may have changed with it."""
    db.execute(
        "INSERT OR IGNORE INTO scratch.again SELECT p.source, p.name FROM suspects s "
        "JOIN places p ON p.digest = s.digest WHERE p.gone = 0 AND p.failed = 0"
    )


def expected(db: sqlite3.Connection, byte: int) -> set[str]:
    """The name of every upright file whose image_id begins with this byte."""
    first, after = bytes([byte]), bytes([byte + 1]) if byte < 255 else b"\xff" * 33
    # One text of all names takes half the time of a row per name.
    (names,) = db.execute(
        "SELECT group_concat(lower(hex(image_id)) || extension, '/') FROM images "
        "WHERE image_id >= ? AND image_id < ? AND live = 1 AND drop_reason IS NULL",
        (first, after),
    ).fetchone()
    return set(names.split("/")) if names else set()


def lost(db: sqlite3.Connection, image_id: str) -> None:
    """Have a place of this image read again."""
    db.execute(
        "INSERT OR IGNORE INTO scratch.again SELECT source, name FROM places WHERE gone = 0 AND digest = "
        "(SELECT COALESCE(digest, image_id) FROM images WHERE image_id = ?) LIMIT 1",
        (bytes.fromhex(image_id),),
    )


def settle(db: sqlite3.Connection, rules: Rules, archives: Mapping[int, str]) -> None:
    """After every place has been read: remember that, so that the next run starts from here."""
    with ledger.transaction(db):
        if ledger.get(db, "limits") != str(rules.limits):
            db.execute("UPDATE places SET limits = ? WHERE limits <> ?", (rules.limits, rules.limits))
            ledger.put(db, "limits", str(rules.limits))
        db.executemany(
            "UPDATE archives SET tag = ? WHERE id = ? AND tag IS NOT ?",
            [(tag, number, tag) for number, tag in archives.items()],
        )
        db.execute("DELETE FROM suspects")
