"""The SQLite file that remembers what ingest has seen: so that a second run reads only what is new.

`places` has one row per file (or URL, member of an archive, row of a dataset), `images` one per distinct
image. They belong together by `digest`, the sha256 of the file's bytes: an image that is a frame of several
has another `image_id` than the file it is cut from. What the list of sources says about licenses is not here:
it is read anew each run. All work is done by SQL on disk, so memory does not grow with the number of files.
"""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from curate.errors import CurateError, StorageError

VERSION = "5"
# Without columns of `_ADDED`, version 2 with one table more; their curate must not write to this one.
_BEFORE = ("1", "2", "3", "4")
_ADDED = ("quality", "upright_sha256")  # columns of `images`: until a file is read again nobody knows them
_CACHE_KIB = 32_768  # of pages, for each of the two files
_GATHERED_S = 1.0
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE archives (
  id INTEGER PRIMARY KEY, source INT NOT NULL, name BLOB NOT NULL,
  tag TEXT,                 -- size, time and inode (or etag) when it was listed; null = not listed to the end
  UNIQUE (source, name)
);
CREATE TABLE places (
  source INT NOT NULL, name BLOB NOT NULL,
  size INT NOT NULL, mtime_ns INT NOT NULL, tag TEXT NOT NULL,  -- how it was when it was read
  archive INT, position INT,  -- member: archives.id and where in it
  given TEXT, sidecar TEXT,   -- JSON: license, attribution, attributes; from lists, and from its own file
  etag TEXT,                  -- of a URL that no listing describes
  digest BLOB NOT NULL,       -- sha256 of the bytes; derived from the place where there are none
  settings INT NOT NULL, limits INT NOT NULL,  -- digests of the parameters it was read with
  failed INT NOT NULL,        -- 1 = read again by the next run
  gone INT NOT NULL,          -- 1 = no longer there
  PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE INDEX places_digest ON places (digest);
CREATE INDEX places_failed ON places (failed) WHERE failed = 1;
CREATE TABLE images (
  image_id BLOB PRIMARY KEY,
  digest BLOB,                -- of the file it is a frame of; null = the file is the image
  frame INT NOT NULL,
  upright_sha256 BLOB,        -- of the upright file; null = it holds the source's bytes
  extension TEXT, format TEXT, width INT, height INT, bytes INT NOT NULL,
  exif_orientation INT, captured_at TEXT, brightness REAL, contrast REAL, sharpness REAL,
  quality BLOB,               -- curate.images.quality_figures, packed; null = not measured
  drop_reason TEXT, drop_detail TEXT,
  failed INT NOT NULL,        -- 1 = no bytes were read: the row lives only as long as its place
  stale INT NOT NULL,         -- 1 = its file is there, but is no longer read into this image
  live INT NOT NULL           -- 1 = it has a place; 0 = a tombstone
) WITHOUT ROWID;
CREATE INDEX images_digest ON images (digest) WHERE digest IS NOT NULL;
CREATE INDEX images_failed ON images (failed) WHERE failed = 1;
CREATE TABLE touched (digest BLOB PRIMARY KEY) WITHOUT ROWID;  -- `live` must be worked out again
CREATE TABLE suspects (digest BLOB PRIMARY KEY) WITHOUT ROWID;  -- a file of these bytes was written to
"""
_SCRATCH = """
CREATE TABLE scratch.listed (
  source INT NOT NULL, name BLOB NOT NULL, size INT NOT NULL, mtime_ns INT NOT NULL, tag TEXT NOT NULL,
  archive INT, position INT, locator BLOB, given TEXT,
  side1 BLOB, side2 BLOB, side BLOB, reason TEXT, detail TEXT,
  PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE TABLE scratch.given (source INT, name BLOB, attributes TEXT, origin TEXT, PRIMARY KEY (source, name))
  WITHOUT ROWID;
CREATE TABLE scratch.members (key BLOB, suffix BLOB, name BLOB, position INT, size INT, text TEXT, link BLOB);
CREATE TABLE scratch.repeated (source INT, name BLOB, given TEXT);  -- further rows of a place
CREATE TABLE scratch.asked (source INT PRIMARY KEY);  -- whose URLs are asked whether they changed
CREATE TABLE scratch.todo (source INT, name BLOB, PRIMARY KEY (source, name)) WITHOUT ROWID;
CREATE TABLE scratch.again (source INT, name BLOB, PRIMARY KEY (source, name)) WITHOUT ROWID;
CREATE TABLE scratch.gone (source INT, name BLOB, PRIMARY KEY (source, name)) WITHOUT ROWID;
CREATE TABLE scratch.amended (image_id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE scratch.told (source INT, name BLOB, PRIMARY KEY (source, name)) WITHOUT ROWID;
"""


class LedgerDamagedError(CurateError):
    """The file is no ledger of this version, or its pages are torn."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger, for one run at a time; a damaged or older one is set aside, with one line on stderr.

    Beside it, as `scratch`, stands a second file for what is listed now, removed at the end. The connection
    is in autocommit: use `with db:` around what belongs together (`BEGIN` first).

    Raises:
        LedgerDamagedError: Torn pages were met only later: call `set_aside` and begin again.
        StorageError: Another run uses the ledger, the disk is full, or it cannot be written.
    """
    listing = path.with_name(f"{path.name}-listing")
    db = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            db = _open(path)
        except LedgerDamagedError as error:
            set_aside(path, error)
            db = _open(path)
        listing.unlink(missing_ok=True)
        db.execute("ATTACH ? AS scratch", (str(listing),))
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            db.execute(f"PRAGMA scratch.{setting}")
        db.executescript(_SCRATCH)
        yield db
        if db.in_transaction:
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise _translated(error, path) from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()
        listing.unlink(missing_ok=True)


def set_aside(path: Path, error: BaseException) -> None:
    """Rename a ledger that cannot be used, so that the next `opened` makes a new one."""
    aside = path.with_name(f"{path.name}.unusable")
    path.replace(aside)
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    print(f"ingest: {error}: set aside as {aside}, every file is read again", file=sys.stderr)  # noqa: T201


def get(db: sqlite3.Connection, key: str) -> str | None:
    """A value of the table `meta`."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def put(db: sqlite3.Connection, key: str, value: str | None) -> None:
    """Set or remove a value of the table `meta`."""
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def source_id(db: sqlite3.Connection, name: str) -> int:
    """The number that stands for a source of this name in all runs."""
    db.execute("INSERT OR IGNORE INTO sources (name) VALUES (?)", (name,))
    return int(db.execute("SELECT id FROM sources WHERE name = ?", (name,)).fetchone()[0])


def int64(number: int) -> int:
    """A number from outside, such as a file's time, as SQLite can hold it: modulo 2^64, in [-2^63, 2^63).

    Times in nanoseconds leave that range after 2262-04-11 and before 1677-09-21. They are only compared for
    equality, so that it matters that different ones stay different, not what they are called.
    """
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Write everything in the block or nothing of it; `gathering` around it takes back both."""
    begin, undo, end = ("BEGIN", "ROLLBACK", "COMMIT")
    if db.in_transaction:
        begin, undo, end = ("SAVEPOINT one", "ROLLBACK TO one", "RELEASE one")
    db.execute(begin)
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute(undo)
        raise
    db.execute(end)


@contextmanager
def gathering(db: sqlite3.Connection) -> Iterator[Callable[[], None]]:
    """Transactions that follow each other are written together: each would write the same pages again.

    Yields:
        To be called between two of them: writes what was gathered for a second. An error that ends the block
        loses none of it, a kill what was gathered since.
    """
    began = time.monotonic()

    def between() -> None:
        nonlocal began
        if time.monotonic() - began >= _GATHERED_S:
            db.execute("COMMIT")
            db.execute("BEGIN")
            began = time.monotonic()

    db.execute("BEGIN")
    try:
        yield between
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("COMMIT")
        raise
    db.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    # No thread check: an engine may draw its batches from a thread of its own, one call at a time.
    db = sqlite3.connect(path, isolation_level=None, timeout=2.0, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # before WAL: then it needs no shared memory either
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.execute("PRAGMA wal_autocheckpoint = 16384")  # pages: a checkpoint waits for the disk
        db.execute("PRAGMA temp_store = FILE")
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            db.executescript(f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('version', '{VERSION}'); COMMIT;")
        _check_version(get(db, "version") if "meta" in tables or not tables else None, path)
        with transaction(db):  # the write lock, now rather than after an hour
            put(db, "version", VERSION)
            db.execute("DROP TABLE IF EXISTS stretches")
            there = {row[1] for row in db.execute("PRAGMA table_info(images)")}
            for column in (name for name in _ADDED if name not in there):
                db.execute(f"ALTER TABLE images ADD COLUMN {column} BLOB")
                db.execute("UPDATE places SET settings = 0")  # no digest of settings: all is read again
    except sqlite3.Error as error:
        db.close()
        raise _translated(error, path) from error
    except BaseException:
        db.close()
        raise
    return db


def _check_version(found: str | None, path: Path) -> None:
    if found not in (*_BEFORE, VERSION):
        raise LedgerDamagedError(f"{path} is a ledger of version {found}, this curate writes {VERSION}")


def _translated(error: sqlite3.Error, path: Path) -> Exception:
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError | sqlite3.InterfaceError):
        return error  # a defect of ours
    text = str(error)
    if "locked" in text:
        return StorageError(f"{path} is in use: another ingest runs; wait for it, or stop it")
    if "full" in text:
        return StorageError(f"no space left while writing {path}: free some disk and run the stage again")
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
        return LedgerDamagedError(f"{path} is damaged ({text})")
    return StorageError(f"cannot write {path}: {text}")
