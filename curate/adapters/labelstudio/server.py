"""The embedded server: `curate labelstudio up | status | down`.

One server per project, on loopback. Its labels are in SQLite, or for a team in a PostgreSQL database, for
which several workers answer. Everything else that it writes is in `.labelstudio/`:

    credentials.json   address, user name, password, token, the database's address; mode 0600
    server.json        process number and time of start, while it runs
    data/              secret key of the server, and the database if it is SQLite
    server.log         what the server prints
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from curate import system, tables
from curate.adapters.labelstudio import accounts, client, database, launch, process
from curate.adapters.labelstudio.connection import (
    STATE_FOLDER,
    Connection,
    Credentials,
    credentials_path,
    read_credentials,
    write_credentials,
)
from curate.errors import AnnotationToolError, AuthenticationError

DOCUMENT_ROOT = Path("data/ingest")  # only folders below it that are a project's storage are served
SQLITE_FILE = "label_studio.sqlite3"  # in the data folder; the server's own name for it
USERNAME = "lead@curate.invalid"
# The one setting that is handed through: "false" lets the server talk to addresses of this network, which a
# bucket behind such an address needs.
PRIVATE_NETWORK_VARIABLE = "LABEL_STUDIO_SSRF_PROTECTION_ENABLED"
_PREPARED = "database-prepared"  # in the data folder: which installed server migrated PostgreSQL
START_TIMEOUT_S = 240.0  # the first start migrates the database: 23-52 s on two cores, longer on busy ones
PREPARE_TIMEOUT_S = 600.0  # PostgreSQL's first migration takes twice as long as SQLite's
_POLL_S = 0.25
_REQUEST_TIMEOUT_S = 30.0
_STARTING = "waiting for the server"
__all__ = ["ServerStatus", "credentials_path", "down", "log_path", "reset_password", "status", "up"]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Whether the embedded server runs; `url` is where it was last, None if it never was."""

    running: bool
    url: str | None
    pid: int | None


def log_path(root: Path) -> Path:
    """What the server prints."""
    return root / STATE_FOLDER / "server.log"


def up(
    root: Path,
    *,
    database_url: str | None = None,
    workers: int | None = None,
    timeout_s: float = START_TIMEOUT_S,
) -> Connection:
    """Start the server, or find it running; stale leftovers of a crash are healed.

    Args:
        root: The project's folder.
        database_url: PostgreSQL database that holds the labels, from the first start on; None = the one that
            the first start named, else SQLite.
        workers: Processes that answer requests, on PostgreSQL only; None = as at the last start.
        timeout_s: Seconds that a start may take.

    Returns:
        The address and the administrator's token.

    Raises:
        AnnotationToolError: Not installed, ended at once, or not ready in time; names the log. Or the labels
            of this project are in another database than the one that is asked for.
    """
    root = root.resolve()
    with _locked(root):
        before = _credentials(root)
        credentials = _with_database(root, before, database_url, workers)
        running = process.read(_record(root))
        if running is not None and credentials != before:
            process.stop(running)  # it runs with other settings than are wanted now
        if running is None or not process.alive(running):
            running = _start(root, credentials)
        credentials = _wait(root, running, credentials, timeout_s)
        credentials = _heal_token(credentials)
        write_credentials(credentials_path(root), credentials)
    return Connection(credentials.url, credentials.api_key, str(credentials_path(root)))


def status(root: Path) -> ServerStatus:
    """Whether the server of this project runs. Starts and changes nothing."""
    path = credentials_path(root)
    url = read_credentials(path).url if path.exists() else None
    running = process.read(_record(root))
    if running is None or not process.alive(running):
        return ServerStatus(running=False, url=url, pid=None)
    return ServerStatus(running=True, url=url, pid=running.pid)


def down(root: Path) -> bool:
    """Stop the server that `up` started, and no other process.

    Returns:
        False if it did not run.
    """
    running = process.read(_record(root))
    stopped = running is not None and process.stop(running)
    _record(root).unlink(missing_ok=True)
    return stopped


def reset_password(root: Path, connection: Connection, email: str, password: str) -> None:
    """Give somebody another password: the open edition has no request for that, only its own program.

    Args:
        root: The project's folder, whose embedded server has the account.
        connection: The server that is meant.
        email: The account.
        password: The new one; it is handed to the program on its standard input.

    Raises:
        AnnotationToolError: Another server is meant, or there is no such account; names the log.
    """
    own = connection.source == str(credentials_path(root))
    root = root.resolve()
    if not own:
        raise AnnotationToolError(
            f"passwords of another server are reset there: label-studio reset_password --username {email}"
        )
    credentials = read_credentials(credentials_path(root))
    data = root / STATE_FOLDER / "data"
    environment = {"PATH": os.environ.get("PATH", ""), **_environment(root, data, credentials)}
    command = [str(process.find_program(root)), "reset_password", "--username", email]
    done = subprocess.run(
        command,
        input=password + "\n",
        env=environment,
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # without a terminal it reads the password from its input
    )
    if "successfully changed" not in done.stdout:
        with log_path(root).open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        raise AnnotationToolError(f"the password of {email} was not changed: see the end of {log_path(root)}")
    if email == credentials.username:  # the next start logs in with what stands in the file
        write_credentials(credentials_path(root), replace(credentials, password=password))


def _record(root: Path) -> Path:
    return root / STATE_FOLDER / "server.json"


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Two `up` at once must not start two servers on one database."""
    path = root / STATE_FOLDER / "lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database below holds tokens
        path.touch()
    except OSError as error:
        raise tables.storage_error(error, path) from error
    with system.locked(path, wait=True):
        yield


def _credentials(root: Path) -> Credentials:
    path = credentials_path(root)
    if path.exists():
        return read_credentials(path)
    return Credentials(
        url="", username=USERNAME, password=secrets.token_urlsafe(18), api_key=secrets.token_hex(20)
    )


def _with_database(root: Path, credentials: Credentials, url: str | None, workers: int | None) -> Credentials:
    """The credentials with the database that holds the labels, and the number of workers.

    Raises:
        AnnotationToolError: The labels are somewhere else, or workers are asked for on SQLite.
    """
    known = database.parse(credentials.database) if credentials.database else None
    wanted = database.parse(url) if url else known
    if wanted is None:
        if workers not in {None, 1}:
            raise AnnotationToolError("several workers need PostgreSQL: name it with --database")
        return credentials
    sqlite = root / STATE_FOLDER / "data" / SQLITE_FILE
    there = known.shown if known else str(sqlite) if sqlite.exists() else None
    if there is not None and not (known and known.same_place(wanted)):
        raise AnnotationToolError(
            f"the labels of this project are in {there}, not in {wanted.shown}: go on with the one, or "
            f"move {root / STATE_FOLDER} away to begin anew"
        )
    usual = credentials.workers if known else launch.usual_workers()
    return replace(credentials, database=wanted.url, workers=workers or usual)


def _start(root: Path, credentials: Credentials) -> process.Running:
    program = process.find_program(root)
    port = process.free_port(urlsplit(credentials.url).port if credentials.url else None)
    # Written before the start: the database keeps the first password and token it is given.
    write_credentials(credentials_path(root), replace(credentials, url=f"http://{process.LOOPBACK}:{port}"))
    data = root / STATE_FOLDER / "data"
    data.mkdir(exist_ok=True)
    environment, log = _environment(root, data, credentials), log_path(root)
    if credentials.database is None:
        started = launch.single(program, port)
    else:
        started = launch.several(program, port, credentials.workers)
        _prepare(root, program, environment, credentials)
    environment |= started.environment
    running = process.start(started.command, environment=environment, folder=data, log=log)
    process.write(_record(root), running)
    return running


def _prepare(root: Path, program: Path, environment: dict[str, str], credentials: Credentials) -> None:
    """Prepare a team's database, once per installed server; one that cannot be used is not remembered."""
    folder, log = root / STATE_FOLDER / "data", log_path(root)
    mark, installed = folder / _PREPARED, f"{program.resolve()} {program.stat().st_mtime_ns}\n"
    if mark.exists() and mark.read_text(encoding="utf-8") == installed:
        return
    try:
        launch.prepare(program, environment=environment, folder=folder, log=log, timeout_s=PREPARE_TIMEOUT_S)
    except AnnotationToolError as error:
        if not mark.exists():
            write_credentials(credentials_path(root), replace(credentials, database=None, workers=1))
        shown = database.parse(str(credentials.database)).shown
        raise AnnotationToolError(f"{error} ({shown})") from error
    mark.write_text(installed, encoding="utf-8")


def _environment(root: Path, data: Path, credentials: Credentials) -> dict[str, str]:
    settings = {
        "BASE_DATA_DIR": str(data),
        "USERNAME": credentials.username,
        "PASSWORD": credentials.password,
        "USER_TOKEN": credentials.api_key,
        "ENABLE_LEGACY_API_TOKEN": "true",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(root / DOCUMENT_ROOT),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    if os.environ.get(PRIVATE_NETWORK_VARIABLE, "").lower() == "false":
        settings["SSRF_PROTECTION_ENABLED"] = "false"
    own = {"HOME": str(data)}  # the server keeps a config file of its own there
    if credentials.database is not None:
        postgres = database.parse(credentials.database)
        settings |= postgres.settings()
        own |= postgres.environment()
    return {**{f"LABEL_STUDIO_{name}": value for name, value in settings.items()}, **own}


def _wait(root: Path, running: process.Running, credentials: Credentials, timeout_s: float) -> Credentials:
    """Wait until our own process answers; it may have moved to another port than it was told."""
    deadline = time.monotonic() + timeout_s
    while process.alive(running):
        port = process.listening_port(running)
        if port is not None:
            url = f"http://{process.LOOPBACK}:{port}"
            if _healthy(url):
                return replace(credentials, url=url)
        if time.monotonic() > deadline:
            process.stop(running)
            raise AnnotationToolError(
                f"Label Studio was not ready after {timeout_s:.0f} s and was stopped: "
                f"see the end of {log_path(root)}"
            )
        time.sleep(_POLL_S)
    raise AnnotationToolError(f"Label Studio ended while it started: see the end of {log_path(root)}")


def _healthy(url: str) -> bool:
    http = client.http_client(url, timeout_s=_REQUEST_TIMEOUT_S)
    try:
        with client.translated(Connection(url, "", ""), _STARTING):
            return http.get(url + "/health").is_success
    except client.TransientError:
        return False


def _heal_token(credentials: Credentials) -> Credentials:
    """The credentials with a token that works: a first start that was killed leaves a random one behind."""
    connection = Connection(credentials.url, credentials.api_key, "the embedded server's file")
    try:
        client.Client(connection, timeout_s=_REQUEST_TIMEOUT_S).get(
            "/api/current-user/whoami", action=_STARTING
        )
    except AuthenticationError:
        session = accounts.Session(credentials.url, credentials.username)
        try:
            session.log_in(credentials.password)
        except AuthenticationError as error:
            if credentials.database is None:
                raise
            raise AnnotationToolError(
                f"{database.parse(credentials.database).shown} belongs to another project: its "
                f"{credentials.username} has another password. Name an empty database, or bring "
                f"that project's {STATE_FOLDER} here"
            ) from error
        session.post("/api/jwt/settings", {"legacy_api_tokens_enabled": True}, action="allowing tokens")
        token = session.get("/api/current-user/token", action="reading the token")["token"]
        return replace(credentials, api_key=str(token))
    return credentials
