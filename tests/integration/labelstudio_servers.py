"""The session's Label Studio servers, on demand: one on SQLite, one with several workers on PostgreSQL."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from curate.adapters.labelstudio import connection, server
from tests import builders
from tests.integration.postgres import Postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_WORKERS = 3


@dataclass
class Servers:
    """Small projects up to their plan, each with its embedded server running.

    Attributes:
        folder: Where projects, states and the database are.
    """

    folder: Path
    _roots: dict[str, Path] = field(default_factory=dict)
    _states: dict[str, Path] = field(default_factory=dict)
    _postgres: Postgres | None = None

    def root(self, database: str) -> Path:
        """The project whose server keeps its labels in that kind of database."""
        if database not in self._roots:
            root = self.folder / database
            root.mkdir()
            builders.small_project(root, stage="select")
            self._roots[database] = root
            url = self.address(database) if database == POSTGRESQL else None
            server.up(root, database_url=url, workers=_WORKERS if url else None)
        return self._roots[database]

    def address(self, name: str) -> str:
        """A new database's address, with its password."""
        url = self.postgres.database(name)
        return url.replace("@", f":{quote(self.postgres.password, safe='')}@", 1)

    def state(self) -> Path:
        """A migrated `.labelstudio` folder on SQLite that a test can copy."""
        if SQLITE not in self._states:
            state = self.folder / "state" / connection.STATE_FOLDER
            shutil.copytree(self.root(SQLITE) / connection.STATE_FOLDER, state)
            for name in ("server.json", "lock"):
                (state / name).unlink(missing_ok=True)
            self._states[SQLITE] = state
        return self._states[SQLITE]

    @property
    def postgres(self) -> Postgres:
        """The session's PostgreSQL, started when it is first asked for."""
        if self._postgres is None:
            self._postgres = Postgres().__enter__()
        return self._postgres

    def stop(self) -> None:
        """End all that was started."""
        for root in self._roots.values():
            server.down(root)
        if self._postgres is not None:
            self._postgres.__exit__(None, None, None)
