"""Stretches of folders in which every file is as it was when it was read: nothing has to be done about them.

The digest of a stretch (`walk.Files`) covers the name, size, time and inode of each of its files, whose they
are and the settings that they were read with. The ledger remembers the digests of the last run that came to
its end. So a digest that is there tells that `places` says of all these files what a listing would say. That
holds as long as nothing else is written about them: whoever changes places forgets first.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import marshal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from curate.ingest import ledger, walk
from curate.ingest.walk import Files, Inside, Look, Passed
from curate.ports import Casualty, Engine

_TOGETHER = 64  # folders a worker looks into at a time, at most
_LEAST_BATCHES = 16
_MOST_TOLD = 50_000  # files of one folder: a message of some megabytes
Settings = tuple[int, ...]


class Task(NamedTuple):
    """A folder to look into.

    Attributes:
        folder: Absolute bytes.
        source: Whose its files are.
        start: What the source's names of them begin with.
        plain: Stretches of it may be passed over.
    """

    folder: bytes
    source: int
    start: bytes
    plain: bool


class Stretches:
    """Those of a run.

    Attributes:
        files: How many files were passed over, as nothing changed in their stretches.
    """

    def __init__(self, db: sqlite3.Connection, settings: Settings | None) -> None:
        """Recall those of the last run.

        Args:
            db: The ledger.
            settings: Change with all that decides whether a file that is the same is read again; None where
                more than that decides: then no stretch is passed over, nor remembered.
        """
        self.files = 0
        self._db = db
        self._settings = settings
        self._known: set[bytes] = set()
        self._failed: set[tuple[int, bytes]] = set()  # folders
        self._passed: set[bytes] = set()
        self._listed: set[bytes] = set()
        if settings is not None:
            self._known = {digest for (digest,) in db.execute("SELECT digest FROM stretches")}
            # What failed is tried again, whatever its file is like.
            failed = db.execute("SELECT source, name FROM places WHERE failed = 1 AND gone = 0")
            self._failed = {(source, name[: name.rfind(b"/") + 1]) for source, name in failed}

    def passes(self, source: int, start: bytes, some: Files) -> bool:
        """Whether a stretch can be passed over; if not, it will be remembered with what the run makes of it.

        Args:
            source: Whose its files are.
            start: What the source's names of them begin with.
            some: The files.
        """
        if self._settings is None or some.dangling:
            return False
        digest = _digest(self._settings, source, start, some)
        if digest not in self._known or (source, start) in self._failed:
            self._listed.add(digest)
            return False
        self.passed(Passed(some.folder, digest, len(some.found)))
        return True

    def passed(self, some: Passed) -> None:
        """Note that a stretch was passed over."""
        self._passed.add(some.digest)
        self.files += some.files

    def looker(self, task: Callable[[bytes], Task], engine: Engine) -> Look:
        """Looks into folders with all workers of an engine, which tell of no stretch that can be passed over.

        Args:
            task: Of a folder.
            engine: Runs it.
        """

        def look(folders: Sequence[bytes]) -> Iterator[Inside | None]:
            setup = functools.partial(_setup, self._settings, frozenset(self._known))
            tasks = [self._checked(task(folder)) for folder in folders]
            size = max(1, min(_TOGETHER, len(tasks) // _LEAST_BATCHES))
            batches = (tasks[start : start + size] for start in range(0, len(tasks), size))
            results = engine.map_batches(setup, batches, label="ingest: folders", total=len(tasks))
            for found in itertools.chain.from_iterable(results):
                yield None if isinstance(found, Casualty) else found

        return look

    def _checked(self, task: Task) -> Task:
        return task._replace(plain=False) if (task.source, task.start) in self._failed else task

    def pass_none(self) -> None:
        """For another listing, of every file."""
        self.files = 0
        for digests in (self._known, self._passed, self._listed):
            digests.clear()

    def forget(self) -> None:
        """Before anything is written about places: what was passed over still holds, the rest may not."""
        with ledger.transaction(self._db):
            every = {digest for (digest,) in self._db.execute("SELECT digest FROM stretches")}
            others = [(digest,) for digest in every - self._passed]
            self._db.executemany("DELETE FROM stretches WHERE digest = ?", others)

    def remember(self) -> None:
        """After every place has been read: what was listed holds too."""
        with ledger.transaction(self._db):
            listed = [(digest,) for digest in self._listed]
            self._db.executemany("INSERT OR IGNORE INTO stretches VALUES (?)", listed)


def _setup(
    settings: Settings | None, known: frozenset[bytes]
) -> Callable[[Sequence[Task]], list[Inside | None]]:
    """What a worker does with a batch of folders."""
    return functools.partial(_inside_all, settings, known)


def _inside_all(
    settings: Settings | None, known: frozenset[bytes], tasks: Sequence[Task]
) -> list[Inside | None]:
    return [_inside(settings, known, task) for task in tasks]


def _inside(settings: Settings | None, known: frozenset[bytes], task: Task) -> Inside | None:
    """What a folder holds; None where that is too much for a message."""
    inside, told = Inside([], [], [], None), 0
    try:
        for some in walk.files_in(task.folder, inside.folders, inside.links):
            if settings is not None and task.plain and not some.dangling:
                digest = _digest(settings, task.source, task.start, some)
                if digest in known:
                    inside.parts.append(Passed(task.folder, digest, len(some.found)))
                    continue
            told += len(some.found) + len(some.dangling)
            if told > _MOST_TOLD:
                return None
            inside.parts.append(some)
    except OSError as error:
        return inside._replace(error=error)
    return inside


def _digest(settings: Settings, source: int, start: bytes, some: Files) -> bytes:
    # Version 2 of the format has the same bytes for the same values, whoever else refers to them.
    content = marshal.dumps((*settings, source, start, some.found), 2)
    return hashlib.blake2b(content, digest_size=16).digest()
