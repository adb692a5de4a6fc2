"""Stretches of folders in which every file is as it was when it was read: nothing has to be done about them.

The digest of a stretch (`walk.Files`) covers the name, size, time and inode of each of its files, whose they
are and the settings that they were read with. The ledger remembers the digests of the last run that came to
its end. So a digest that is there tells that `places` says of all these files what a listing would say. That
holds as long as nothing else is written about them: whoever changes places forgets first.
"""

from __future__ import annotations

import hashlib
import marshal
import sqlite3

from curate.ingest import ledger
from curate.ingest.walk import Files


class Stretches:
    """Those of a run.

    Attributes:
        files: How many files were passed over, as nothing changed in their stretches.
    """

    def __init__(self, db: sqlite3.Connection, settings: tuple[int, ...] | None) -> None:
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
        self._failed: set[tuple[int, bytes]] = set()
        self._passed: set[bytes] = set()
        self._listed: set[bytes] = set()
        if settings is not None:
            self._known = {digest for (digest,) in db.execute("SELECT digest FROM stretches")}
            # Those are tried again, whatever their files are like.
            failed = db.execute("SELECT source, name FROM places WHERE failed = 1 AND gone = 0")
            self._failed = set(failed)

    def passes(self, source: int, start: bytes, some: Files) -> bool:
        """Whether a stretch can be passed over; if not, it will be remembered with what the run makes of it.

        Args:
            source: Whose its files are.
            start: What the source's names of them begin with.
            some: The files.
        """
        if self._settings is None or some.dangling:
            return False
        # Version 2 of the format has the same bytes for the same values, whoever else refers to them.
        content = marshal.dumps((*self._settings, source, start, some.found), 2)
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if digest not in self._known or self._has_failed(source, start, some):
            self._listed.add(digest)
            return False
        self._passed.add(digest)
        self.files += len(some.found)
        return True

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

    def _has_failed(self, source: int, start: bytes, some: Files) -> bool:
        return bool(self._failed) and any((source, start + name) in self._failed for name, *_ in some.found)
