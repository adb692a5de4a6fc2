"""Where the server is and who we are there: from the environment, or from the embedded server's file."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from curate import tables
from curate.errors import AnnotationToolError

STATE_FOLDER = Path(".labelstudio")
URL_VARIABLE, KEY_VARIABLE = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
KEY_FILE_VARIABLE = "LABEL_STUDIO_API_KEY_FILE"
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Connection:
    """A server and a token for it.

    Attributes:
        url: Address without a slash at the end.
        api_key: Legacy token or personal access token; kept out of `repr`.
        source: Where the token came from (a variable or a file), to be named in messages.
    """

    url: str
    api_key: str = field(repr=False)
    source: str

    @property
    def loopback(self) -> bool:
        """True if the server is on this machine."""
        return urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What `.labelstudio/credentials.json` holds: the embedded server's administrator and its database.

    Attributes:
        url: Address of the server; empty before the first start.
        username: The administrator's name.
        password: The administrator's password.
        api_key: A token of the administrator.
        database: Address of the PostgreSQL database with its password; None = SQLite in the same folder.
        workers: Processes that answer requests; one on SQLite.
    """

    url: str
    username: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    database: str | None = field(default=None, repr=False)
    workers: int = 1


def resolve(root: Path) -> Connection:
    """The server to talk to: LABEL_STUDIO_URL with a token, else the embedded one of `root`.

    The token stands in LABEL_STUDIO_API_KEY, or in the file that LABEL_STUDIO_API_KEY_FILE names.

    Args:
        root: The project's folder.

    Raises:
        AnnotationToolError: Neither is there, only one of the variables is set, or a file is not private.
    """
    url, (api_key, source) = os.environ.get(URL_VARIABLE, "").strip(), _token()
    if bool(url) != bool(api_key):
        there, missing = (URL_VARIABLE, KEY_VARIABLE) if url else (source, URL_VARIABLE)
        raise AnnotationToolError(
            f"{there} is set but {missing} is not: set both, or none for the embedded server"
        )
    if url:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise AnnotationToolError(f"{URL_VARIABLE} must begin with http:// or https://, got {url!r}")
        return Connection(url.rstrip("/"), api_key, source)
    path = credentials_path(root)
    if not path.exists():
        raise AnnotationToolError(
            f"no Label Studio: run `curate labelstudio up`, or set {URL_VARIABLE} and {KEY_VARIABLE}"
        )
    credentials = read_credentials(path)
    return Connection(credentials.url, credentials.api_key, str(path))


def _token() -> tuple[str, str]:
    """The token of the environment, empty if there is none, and where it came from."""
    named = os.environ.get(KEY_FILE_VARIABLE, "").strip()
    api_key = os.environ.get(KEY_VARIABLE, "").strip()
    if not named:
        return api_key, KEY_VARIABLE
    if api_key:
        raise AnnotationToolError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set: unset one of them")
    path = Path(named)
    try:
        _refuse_open_file(path)
        api_key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationToolError(f"{KEY_FILE_VARIABLE} names {path}, which cannot be read") from error
    if not api_key or len(api_key.split()) != 1:
        raise AnnotationToolError(f"{path} must hold the token and nothing else")
    return api_key, str(path)


def _refuse_open_file(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise AnnotationToolError(f"{path} can be read by others: run chmod 600 {path}")


def credentials_path(root: Path) -> Path:
    """The file with the embedded server's address, user name, password and token."""
    return root / STATE_FOLDER / "credentials.json"


def read_credentials(path: Path) -> Credentials:
    """Read what `write_credentials` wrote.

    Raises:
        AnnotationToolError: Damaged, or others may read it.
    """
    _refuse_open_file(path)
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise AnnotationToolError(
            f"{path} is damaged: run `curate labelstudio down`, remove {path.parent}, "
            "and run `curate labelstudio up`"
        ) from error


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Write the file so that only its owner can ever read it.

    Raises:
        StorageError: The file cannot be written.
    """
    text = json.dumps({name: getattr(credentials, name) for name in Credentials.__slots__}, indent=2)
    with tables.replacing(path) as partial:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "w") as file:
            file.write(text + "\n")
        partial.chmod(OWNER_ONLY)
