"""A PostgreSQL server of the test's own: Debian's programs, on loopback, with a data folder that is removed.

    with Postgres() as postgres:
        url = postgres.database("labels")

PostgreSQL refuses to run as root; then it runs as the user `postgres`, which Debian's package makes.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from curate.adapters.labelstudio import process

LOOPBACK = "127.0.0.1"
USER = "curate"
_DEBIAN = Path("/usr/lib/postgresql")
_START_S = 60


def programs() -> Path:
    """The folder with initdb and pg_ctl: of the newest version that Debian installed, else of PATH."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    assert on_path, "PostgreSQL's server is missing: apt-get install postgresql"
    return Path(on_path).resolve().parent


class Postgres:
    """The server; every user needs a password, also on loopback."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="curate-postgres-"))
        self._bin = programs()
        self.port = process.free_port(None)
        self.password = secrets.token_urlsafe(12) + "@:/%"  # what an address must encode

    def __enter__(self) -> Postgres:
        secret = self._folder / "password"
        secret.write_text(self.password)
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (self._folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
        options = (
            f"-c listen_addresses={LOOPBACK} -c port={self.port} -c unix_socket_directories= -c fsync=off"
        )
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-t", str(_START_S), "-w", "start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL as the owner; the rows as lines."""
        command, environment = self._psql(database)
        done = subprocess.run(
            command, input=statement, env=environment, text=True, check=True, capture_output=True, timeout=300
        )
        return done.stdout

    def _psql(self, database: str) -> tuple[list[str], dict[str, str]]:
        command = ["psql", "-h", LOOPBACK, "-p", str(self.port), "-U", USER, "-d", database, "-qAtX"]
        return [*command, "-v", "ON_ERROR_STOP=1"], {**os.environ, "PGPASSWORD": self.password}

    def hold(self, table: str, seconds: float, held: threading.Event, *, database: str) -> None:
        """Lock a table against readers and writers for so long; `held` is set when nobody else can use it."""
        lock = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n"
        lock += f"SELECT pg_sleep({seconds});\nROLLBACK;\n"
        command, environment = self._psql(database)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(lock)
            child.stdin.close()
            assert child.stdout.readline() == "locked\n"
            held.set()

    def database(self, name: str, template: str = "template0") -> str:
        """Make a database; its address without the password."""
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as somebody who may not do everything."""
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [self._bin / program, *arguments], check=True, cwd="/", timeout=_START_S * 2, text=True,
            stdout=subprocess.DEVNULL, **user,
        )  # type: ignore[call-overload]  # fmt: skip
