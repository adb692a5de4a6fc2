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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import fingerprint, tables
from curate.adapters.labelstudio import people
from curate.errors import StorageError
from curate.schema import SCHEMA_VERSION

_CODE = "curate.adapters.labelstudio.answers"
_BUSY_S = 300.0  # another pull of the same project may be running
_NOT_DAMAGE = ("locked", "full", "readonly", "unable to open", "disk I/O")
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    project INTEGER, number INTEGER, task_key TEXT, updated_at TEXT, there INTEGER, read_as TEXT,
    edited INTEGER, closed INTEGER, PRIMARY KEY (project, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    project INTEGER, task INTEGER, number INTEGER, task_key TEXT, user INTEGER, person TEXT, updated_at TEXT,
    look INTEGER, shown INTEGER, answer_id TEXT, content BLOB, PRIMARY KEY (project, task, number)
);
CREATE TABLE IF NOT EXISTS rows (
    project INTEGER, task INTEGER, answer INTEGER, annotation_id TEXT, content BLOB
);
CREATE INDEX IF NOT EXISTS row_tasks ON rows (project, task);
CREATE INDEX IF NOT EXISTS row_ids ON rows (annotation_id);
"""
# The last look of each person at each task, over all projects; the number decides between equal times. Those
# at another picture are superseded as soon as anybody has looked at ours. In a labeler's own project only the
# labeler's are looks.
_LATEST = """
DROP TABLE IF EXISTS temp.latest;
CREATE TEMP TABLE latest AS
SELECT project, task, number FROM (
    SELECT project, task, number, row_number() OVER (
        PARTITION BY task_key, person ORDER BY shown DESC, updated_at DESC, project DESC, number DESC
    ) AS place, shown = max(shown) OVER (PARTITION BY task_key) AS best
    FROM answers LEFT JOIN temp.own USING (project) WHERE look AND may_answer(labeler, person)
) WHERE place = 1 AND best;
CREATE INDEX temp.latest_tasks ON latest (project, task, number);
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One annotation of the server, decoded.

    Attributes:
        number: The server's.
        user: The server's number of the person; None if the account is gone.
        person: Name of the person.
        updated_at: UTC, as `encode_regions.utc` writes it.
        look: A person made it on the page.
        shown: The task shows the picture that our tables say.
        answer_id: Key in the `answers` table.
        content: The rest of that row, and what is counted of it.
        rows: Rows of `annotations`, by annotation_id.
    """

    number: int
    user: int | None
    person: str
    updated_at: str
    look: bool
    shown: bool
    answer_id: str
    content: Mapping[str, Any]
    rows: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class CachedTask:
    """A task of the server.

    Attributes:
        number: The server's.
        task_key: Our key; empty for a task that was not made here.
        updated_at: When anything of it changed last, as the server writes it.
        there: Its answers on the server.
        read_as: Image and size that its answers were read with; empty if our tables did not know it.
        edited: Somebody changed what push wrote into it.
        closed: Push has closed it.
        answers: Those answers; none where `read_as` is empty.
    """

    number: int
    task_key: str
    updated_at: str
    there: int
    read_as: str
    edited: bool
    closed: bool
    answers: Sequence[Answer]


class DamagedError(StorageError):
    """The file cannot be trusted; it is gone."""


@contextmanager
def opened(path: Path | None, *, state: object) -> Iterator[Cache]:
    """The cache of `path`, emptied if it was made for another state; None = one that is gone afterwards.

    One process at a time: another waits.

    Args:
        path: The file.
        state: What decoded answers depend on besides the server; JSON. The code is added to it.

    Raises:
        DamagedError: What is in the file cannot be read; the file is gone.
        StorageError: The file cannot be written, or is in use for long.
    """
    code = fingerprint.digest(_CODE, without=fingerprint.DECIDES_NOTHING)
    whole = hashlib.sha256(json.dumps([state, SCHEMA_VERSION, code]).encode()).hexdigest()
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path or "", timeout=_BUSY_S)) as base:
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            base.execute("PRAGMA synchronous = OFF")  # a power cut may damage it: it is a cache
            base.execute("PRAGMA temp_store = FILE")
            base.execute("BEGIN EXCLUSIVE")
            base.commit()
            base.executescript(_TABLES)
            yield Cache(base, whole)
            base.commit()
    except OSError as error:
        raise tables.storage_error(error, path or Path()) from error
    except (sqlite3.DatabaseError, zlib.error) as error:
        if any(word in str(error) for word in _NOT_DAMAGE):
            raise StorageError(
                f"cannot use {path} ({error}): is another pull running, or the disk full?"
            ) from error
        if path is not None:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        raise DamagedError(f"{path} was damaged ({error}) and is removed: run it again") from error


class Cache:
    """An open cache; see `opened`."""

    def __init__(self, base: sqlite3.Connection, state: str) -> None:
        self._base, self._state = base, state
        if self.get("state") != state:
            self.clear()

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
        for name in ("meta", "tasks", "answers", "rows"):
            self._base.execute(f"DELETE FROM {name}")  # noqa: S608 - names of ours
        self.set("state", self._state)

    def store(self, project: int, tasks: Sequence[CachedTask]) -> None:
        """What tasks hold now, instead of what they held."""
        self.remove(project, [task.number for task in tasks])
        for task in tasks:
            place = (project, task.number)
            state = (task.task_key, task.updated_at, task.there, task.read_as, task.edited, task.closed)
            self._base.execute("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*place, *state))
            for one in task.answers:
                whose = (one.number, task.task_key, one.user, one.person, one.updated_at, one.look, one.shown)
                values = (*place, *whose, one.answer_id, _packed(one.content))
                self._base.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
                rows = [(*place, one.number, identity, _packed(row)) for identity, row in one.rows]
                self._base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)

    def remove(self, project: int, numbers: Iterable[int]) -> None:
        """Tasks that are gone."""
        keys = [(project, number) for number in numbers]
        for table, column in (("tasks", "number"), ("answers", "task"), ("rows", "task")):
            statement = f"DELETE FROM {table} WHERE project = ? AND {column} = ?"  # noqa: S608 - names of ours
            self._base.executemany(statement, keys)

    def tasks(self, project: int) -> Iterator[tuple[int, str, str, int, str, bool]]:
        """Number, key, time of the last change, answers, what they were read with, and whether edited.

        A closed task is not edited any more: push has seen to it.
        """
        asked = (
            "SELECT number, task_key, updated_at, there, read_as, edited AND NOT closed FROM tasks "
            "WHERE project = ?"
        )
        yield from self._base.execute(asked, (project,))

    def counts(self, project: int) -> tuple[int, int]:
        """Count the tasks and answers in the cache."""
        asked = "SELECT count(*), coalesce(sum(there), 0) FROM tasks WHERE project = ?"
        tasks, answers = self._base.execute(asked, (project,)).fetchone()
        return int(tasks), int(answers)

    def people(self) -> Iterator[tuple[int, str]]:
        """Number of the account and name of everybody whose account was there."""
        yield from self._base.execute("SELECT DISTINCT user, person FROM answers WHERE user IS NOT NULL")

    def names(self, project: int) -> dict[int, str]:
        """Names of who gave a project's answers, by the answer's number, where the account was there."""
        asked = "SELECT number, person FROM answers WHERE project = ? AND user IS NOT NULL"
        return dict(self._base.execute(asked, (project,)))

    def looks(self) -> Iterator[tuple[int, str, str]]:
        """Project, task key and person of all that was submitted or skipped on the page, each once.

        Who saw another picture has not looked: push asks again.
        """
        asked = "SELECT DISTINCT project, task_key, person FROM answers WHERE look AND shown"
        yield from self._base.execute(asked)

    def mark_latest(self, labelers: Mapping[int, str]) -> None:
        """Find the last look of each person at each task, for `answers` and `rows`.

        Args:
            labelers: Whose answers alone count in a project, by its number; other projects are everybody's.

        Raises:
            zlib.error: A row's content is not what was stored.
        """
        self._base.execute("DROP TABLE IF EXISTS temp.own")
        self._base.execute("CREATE TEMP TABLE own (project INTEGER PRIMARY KEY, labeler TEXT)")
        self._base.executemany("INSERT INTO temp.own VALUES (?, ?)", labelers.items())
        self._base.create_function("may_answer", 2, people.may_answer, deterministic=True)
        self._base.executescript(_LATEST)
        for table in ("answers", "rows"):
            for (content,) in self._base.execute(f"SELECT content FROM {table}"):  # noqa: S608 - ours
                _unpacked(content)

    def answers(self) -> Iterator[tuple[int, bool, dict[str, Any]]]:
        """Project, whether superseded, and the row of `answers`; by answer_id.

        In a labeler's own project everybody else's is superseded.
        """
        asked = (
            "SELECT project, look AND latest.number IS NULL, content FROM answers LEFT JOIN latest USING "
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
    """Pack content as compressed JSON, which carries a checksum."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 1)


def _unpacked(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(content))
    return found
