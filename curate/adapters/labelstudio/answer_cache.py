"""What was pulled, kept between pulls: a SQLite file that may be lost or damaged at any time.

It holds, read and decoded, what the server said when a task last changed. Nothing in it is a truth of its
own: whatever makes it doubtful (damage, other code, another server, another taxonomy) empties it, and the
next pull reads everything again and gives the same tables.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import fingerprint, tables
from curate.errors import StorageError
from curate.schema import SCHEMA_VERSION

_CODE = ("curate.adapters.labelstudio.answer_cache", "curate.adapters.labelstudio.answers")
_BUSY_S = 300.0  # another pull of the same project may be running
_NOT_DAMAGE = ("locked", "full", "readonly", "unable to open", "disk I/O")
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    project INTEGER, number INTEGER, updated_at TEXT, answers INTEGER, PRIMARY KEY (project, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    project INTEGER, task INTEGER, number INTEGER, task_key TEXT, user INTEGER, person TEXT, updated_at TEXT,
    skipped INTEGER, answer_id TEXT, content BLOB, PRIMARY KEY (project, task, number)
);
CREATE INDEX IF NOT EXISTS people ON answers (task_key, person, updated_at);
CREATE TABLE IF NOT EXISTS rows (
    project INTEGER, task INTEGER, answer INTEGER, annotation_id TEXT, content BLOB
);
CREATE INDEX IF NOT EXISTS row_tasks ON rows (project, task);
CREATE INDEX IF NOT EXISTS row_ids ON rows (annotation_id);
"""
# The last answer of each person to each task, over all projects; the number decides between equal times.
_LATEST = """
CREATE TEMP TABLE latest AS
SELECT project, task, number FROM (
    SELECT project, task, number, row_number() OVER (
        PARTITION BY task_key, person ORDER BY updated_at DESC, project DESC, number DESC
    ) AS place FROM answers
) WHERE place = 1
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One annotation of the server, decoded.

    Attributes:
        number: The server's.
        task_key: Our key of the task.
        user: The server's number of the person; None if the account is gone.
        person: Name of the person.
        created_at: UTC, as `codec.utc` writes it.
        updated_at: UTC, as `codec.utc` writes it.
        skipped: The person declined.
        answer_id: Key in the `answers` table.
        content: The rest of that row.
        rows: Rows of `annotations`, by annotation_id.
    """

    number: int
    task_key: str
    user: int | None
    person: str
    created_at: str | None
    updated_at: str
    skipped: bool
    answer_id: str
    content: Mapping[str, Any]
    rows: Sequence[tuple[str, Mapping[str, Any]]]


class DamagedError(Exception):
    """The file cannot be trusted."""


@contextmanager
def opened(path: Path | None, *, state: str) -> Iterator[Cache]:
    """The cache of `path`, emptied if it was made for another state; None = one that is gone afterwards.

    One process at a time: another waits.

    Raises:
        DamagedError: What is in the file cannot be read; the file is gone.
        StorageError: The file cannot be written, or is in use for long.
    """
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise tables.storage_error(error, path or Path()) from error
    try:
        with closing(sqlite3.connect(path or "", timeout=_BUSY_S)) as base:
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            base.execute("PRAGMA synchronous = OFF")  # a power cut may damage it: it is a cache
            base.execute("PRAGMA temp_store = FILE")
            base.execute("BEGIN EXCLUSIVE")
            base.commit()
            base.executescript(_TABLES)
            yield Cache(base, state)
            base.commit()
    except sqlite3.DatabaseError as error:
        if any(word in str(error) for word in _NOT_DAMAGE):
            raise StorageError(
                f"cannot use {path} ({error}): is another pull running, or the disk full?"
            ) from error
        _forget(path)
        raise DamagedError(str(error)) from error
    except DamagedError:
        _forget(path)
        raise


def _forget(path: Path | None) -> None:
    if path is None:
        return
    for name in (path.name, f"{path.name}-journal"):
        with suppress(FileNotFoundError):
            path.with_name(name).unlink()


def state_of(url: str, projects: Iterable[int], categories: Sequence[str]) -> str:
    """A digest of what decoded answers depend on besides the server: other code reads differently."""
    code = fingerprint.digest(*_CODE, without=fingerprint.DECIDES_NOTHING)
    whole = [url, sorted(projects), list(categories), SCHEMA_VERSION, code]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


class Cache:
    """An open cache; see `opened`."""

    def __init__(self, base: sqlite3.Connection, state: str) -> None:
        self._base = base
        if self.get("state") != state:
            self.clear()
            self.set("state", state)

    def get(self, name: str) -> str | None:
        """A value that `set` kept."""
        found = self._base.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set(self, name: str, value: str | None) -> None:
        """Keep a value; None forgets it."""
        self._base.execute("DELETE FROM meta WHERE name = ?", (name,))
        if value is not None:
            self._base.execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    def save(self) -> None:
        """Keep what was stored so far, whatever happens next."""
        self._base.commit()

    def clear(self) -> None:
        """Forget everything but the state."""
        state = self.get("state")
        for name in ("meta", "tasks", "answers", "rows"):
            self._base.execute(f"DELETE FROM {name}")  # noqa: S608 - names of ours
        self.set("state", state)

    def store(
        self, project: int, number: int, updated_at: str, there: int, answers: Sequence[Answer]
    ) -> None:
        """What a task holds now, instead of what it held; `there` counts its answers on the server."""
        self.remove(project, [number])
        self._base.execute("INSERT INTO tasks VALUES (?, ?, ?, ?)", (project, number, updated_at, there))
        self._base.executemany(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(project, number, one.number, one.task_key, one.user, one.person, one.updated_at),
                    *(one.skipped, one.answer_id, _packed(one.content)),
                )
                for one in answers
            ],
        )
        self._base.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
            [
                (project, number, one.number, identity, _packed(row))
                for one in answers
                for identity, row in one.rows
            ],
        )

    def remove(self, project: int, numbers: Iterable[int]) -> None:
        """Tasks that are gone."""
        keys = [(project, number) for number in numbers]
        for statement in (
            "DELETE FROM tasks WHERE project = ? AND number = ?",
            "DELETE FROM answers WHERE project = ? AND task = ?",
            "DELETE FROM rows WHERE project = ? AND task = ?",
        ):
            self._base.executemany(statement, keys)

    def index(self, project: int) -> dict[int, tuple[str, int]]:
        """When each task changed last, and its number of answers."""
        asked = "SELECT number, updated_at, answers FROM tasks WHERE project = ?"
        return {number: (at, count) for number, at, count in self._base.execute(asked, (project,))}

    def counts(self, project: int) -> tuple[int, int]:
        """Tasks and answers."""
        asked = "SELECT count(*), coalesce(sum(answers), 0) FROM tasks WHERE project = ?"
        tasks, answers = self._base.execute(asked, (project,)).fetchone()
        return int(tasks), int(answers)

    def users(self) -> dict[int, str]:
        """Names by the server's number of the people whose answers are here."""
        asked = "SELECT DISTINCT user, person FROM answers WHERE user IS NOT NULL"
        return {int(user): str(person) for user, person in self._base.execute(asked)}

    def people(self) -> Iterator[tuple[str, str]]:
        """Every task key with every person who submitted or skipped it, once."""
        yield from self._base.execute(
            "SELECT DISTINCT task_key, person FROM answers ORDER BY task_key, person"
        )

    def mark_latest(self) -> None:
        """Find the last answer of each person to each task, for `answers` and `rows`."""
        self._base.execute("DROP TABLE IF EXISTS latest")
        self._base.execute(_LATEST)
        self._base.execute("CREATE INDEX temp.latest_tasks ON latest (project, task, number)")

    def answers(self) -> Iterator[tuple[int, bool, dict[str, Any]]]:
        """Project, whether superseded, and the row of `answers`; by answer_id."""
        asked = (
            "SELECT project, latest.number IS NULL, content FROM answers LEFT JOIN latest USING "
            "(project, task, number) ORDER BY answer_id"
        )
        for project, superseded, content in self._base.execute(asked):
            yield int(project), bool(superseded), _unpacked(content)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Project and row of `annotations` of the last answers; by annotation_id."""
        asked = (
            "SELECT rows.project, content FROM rows INDEXED BY row_ids CROSS JOIN latest ON "
            "latest.project = rows.project AND latest.task = rows.task AND latest.number = rows.answer "
            "ORDER BY annotation_id"
        )
        for project, content in self._base.execute(asked):
            yield int(project), _unpacked(content)


def _packed(content: Mapping[str, Any]) -> bytes:
    """With a checksum inside."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 1)


def _unpacked(content: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(zlib.decompress(content))
    except (zlib.error, ValueError, TypeError) as error:
        raise DamagedError(str(error)) from error
    return found
