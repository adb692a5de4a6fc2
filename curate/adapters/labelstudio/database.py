"""The PostgreSQL database of a team's server, read from its address.

Label Studio takes the parts one by one from its environment, which only its own user can read; a password
never becomes a part of a command line, a message or a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from curate.errors import AnnotationToolError

PASSWORD_VARIABLE = "PGPASSWORD"  # noqa: S105 - the name of a variable that PostgreSQL's own tools read
_SCHEMES = {"postgresql", "postgres"}
_PORT = 5432
_FORM = "postgresql://user@host:5432/name"


@dataclass(frozen=True, slots=True)
class Database:
    """Database that holds the labels.

    Attributes:
        host: Name or address of the machine, or the folder of a Unix socket.
        port: TCP port, or the number in the socket's name.
        name: Of the database, which must exist.
        user: Who owns it.
        password: Empty where the server asks for none, or a password file holds it.
        sslmode: How the connection is encrypted, in PostgreSQL's words; None = as it decides.
    """

    host: str
    port: int
    name: str
    user: str
    password: str = field(default="", repr=False)
    sslmode: str | None = None

    @property
    def url(self) -> str:
        """The whole address, with the password: for the owner's file alone."""
        return self._address(f":{quote(self.password, safe='')}" if self.password else "")

    @property
    def shown(self) -> str:
        """The address without the password, for messages."""
        return self._address("")

    def same_place(self, other: Database) -> bool:
        """Whether both hold the same labels; the way in may differ."""
        return (self.host, self.port, self.name) == (other.host, other.port, other.name)

    def settings(self) -> dict[str, str]:
        """What Label Studio reads, as variables without the prefix LABEL_STUDIO_."""
        return {
            "DJANGO_DB": "default",
            "POSTGRE_HOST": self.host,
            "POSTGRE_PORT": str(self.port),
            "POSTGRE_NAME": self.name,
            "POSTGRE_USER": self.user,
            "POSTGRE_PASSWORD": self.password,
        }

    def environment(self) -> dict[str, str]:
        """What PostgreSQL's client library reads."""
        variables = {"PGSSLMODE": self.sslmode} if self.sslmode else {}
        passwords = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
        if not self.password and passwords.is_file():
            variables["PGPASSFILE"] = str(passwords)
        return variables

    def _address(self, password: str) -> str:
        socket = self.host.startswith("/")
        place = "" if socket else f"[{self.host}]" if ":" in self.host else self.host
        query = {"host": self.host if socket else None, "sslmode": self.sslmode}
        options = urlencode({name: value for name, value in query.items() if value}, safe="/")
        user, name = quote(self.user, safe=""), quote(self.name, safe="")
        whole = f"postgresql://{user}{password}@{place}:{self.port}/{name}"
        return f"{whole}?{options}" if options else whole


def parse(url: str, environment: Mapping[str, str] = os.environ) -> Database:
    """Read an address such as postgresql://user@host:5432/name?sslmode=require.

    Args:
        url: The address; a password in it may be percent-encoded.
        environment: Where PGPASSWORD is looked up if the address has no password.

    Raises:
        AnnotationToolError: Another kind of address, no user or name, or an option that is not known. The
            message never shows the address, because a password may stand in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise _refused(
            "its port is no number, or a special character of the password is not encoded"
        ) from None
    if parts.scheme not in _SCHEMES:
        raise _refused("it does not begin with postgresql://")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - {"host", "sslmode"})
    if unknown:
        raise _refused(f"only host and sslmode may follow the question mark, got {', '.join(unknown)}")
    name, user = unquote(parts.path.lstrip("/")), unquote(parts.username or "")
    if not name or "/" in name or not user:
        raise _refused("it must name a user and a database")
    return Database(
        host=parts.hostname or options.get("host", "localhost"),
        port=port,
        name=name,
        user=user,
        password=unquote(parts.password or "") or environment.get(PASSWORD_VARIABLE, ""),
        sslmode=options.get("sslmode"),
    )


def _refused(reason: str) -> AnnotationToolError:
    return AnnotationToolError(f"the database's address cannot be used: {reason}; write it as {_FORM}")
