"""People on the server: signing up through the invitation link, and logging in as a browser does."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Sequence
from typing import Any

from curate.adapters.labelstudio import client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.retry import Pauses, TransientError
from curate.errors import AnnotationToolError, AuthenticationError

_REDIRECT = 302  # the forms answer success with a redirect, and failure with the form again
TIMEOUT_S = 60.0  # of a request
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PASSWORD_BYTES = 12  # 96 bits, 16 characters


class Session:
    """One person's browser session: a cookie, no token."""

    def __init__(self, url: str, email: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.email = email
        self._connection = Connection(url, "", f"the session of {email}")
        self._http = client.http_client(url, timeout_s=timeout_s)

    def log_in(self, password: str) -> None:
        """Log in through the form.

        Raises:
            AuthenticationError: Unknown user or wrong password.
        """
        if not self._submit("/user/login/", {"password": password}, {}):
            raise AuthenticationError(
                f"Label Studio at {self._connection.url} does not let {self.email} in: "
                "wrong password, or no such user"
            )

    def sign_up(self, password: str, invite_token: str) -> None:
        """Make the account and log in, through the form behind an invitation link.

        Raises:
            AnnotationToolError: The form is refused, for instance because the user exists.
        """
        if not self._submit("/user/signup/", {"password": password}, {"token": invite_token}):
            raise AnnotationToolError(
                f"Label Studio at {self._connection.url} refused to sign up {self.email}: "
                "the user exists with another password, or the password is too weak"
            )

    def get(self, path: str, *, action: str, **parameters: str | int) -> Any:
        """The JSON that `path` answers to this person."""
        with client.translated(self._connection, action):
            response = self._http.get(self._connection.url + path, params=parameters)
        return client.answer(self._connection, action, response)

    def post(self, path: str, body: object, *, action: str) -> Any:
        """Send JSON as this person."""
        return self._send("POST", path, body, action)

    def patch(self, path: str, body: object, *, action: str) -> Any:
        """Change fields as this person."""
        return self._send("PATCH", path, body, action)

    def delete(self, path: str, *, action: str) -> Any:
        """Delete as this person."""
        return self._send("DELETE", path, None, action)

    def _send(self, method: str, path: str, body: object, action: str) -> Any:
        with client.translated(self._connection, action):
            url, headers = self._connection.url + path, self._form_headers()
            response = self._http.request(method, url, json=body, headers=headers)
        return client.answer(self._connection, action, response)

    def _submit(self, path: str, fields: dict[str, str], parameters: dict[str, str]) -> bool:
        url = self._connection.url + path
        with client.translated(self._connection, f"opening {path}"):
            self._http.get(url, params=parameters)
            form = {"email": self.email, "csrfmiddlewaretoken": self._cookie("csrftoken"), **fields}
            response = self._http.post(url, params=parameters, data=form, headers=self._form_headers())
        return response.status_code == _REDIRECT

    def _form_headers(self) -> dict[str, str]:
        return {"X-CSRFToken": self._cookie("csrftoken"), "Referer": self._connection.url}

    def _cookie(self, name: str) -> str:
        return self._http.cookies.get(name) or ""


def ensure_user(connection: Connection, email: str, password: str) -> Session:
    """A logged-in session of that user, who is invited and signed up if there is no such account.

    Args:
        connection: An administrator's connection, which may read the invitation link.
        email: The user's name on the server.
        password: At least eight characters.

    Raises:
        AnnotationToolError: The account exists with another password, or the server refuses the sign-up.
    """
    session = Session(connection.url, email)
    try:
        session.log_in(password)
    except AuthenticationError:
        session.sign_up(password, _invitation(connection))
    return session


def invitation_link(connection: Connection) -> str:
    """The address where whoever has it makes an account. Everybody gets the same; the server can renew it."""
    return f"{connection.url}/user/signup/?token={_invitation(connection)}"


def invite(connection: Connection, emails: Sequence[str]) -> dict[str, str | None]:
    """An account for each that has none.

    Returns:
        The generated password by address, to be handed on and not kept; None = the account was there.

    Raises:
        AnnotationToolError: Not an address, or refused.
    """
    for email in emails:
        if not _ADDRESS.fullmatch(email):
            raise AnnotationToolError(f"{email!r} is no e-mail address: nobody was invited")
    known = known_addresses(connection)
    passwords: dict[str, str | None] = {}
    for email in dict.fromkeys(email.lower() for email in emails):
        passwords[email] = None
        if email not in known:
            passwords[email] = new_password()
            _sign_up(connection, email, str(passwords[email]))
    return passwords


def known_addresses(connection: Connection) -> frozenset[str]:
    """Addresses of everybody who has an account, in lower case."""
    users = client.Client(connection, timeout_s=TIMEOUT_S).get("/api/users/", action="reading who is there")
    return frozenset(str(user["email"]).lower() for user in users)


def new_password() -> str:
    """A password that nobody guesses."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _sign_up(connection: Connection, email: str, password: str) -> None:
    """Make an account; where the answer was lost, look first whether it is there."""
    pauses, lost = Pauses(), False
    pauses.reached = True

    def make() -> None:
        nonlocal lost
        session = Session(connection.url, email)
        try:
            if lost:
                with contextlib.suppress(AuthenticationError):
                    return session.log_in(password)
            session.sign_up(password, _invitation(connection))
        except TransientError:
            lost = True
            raise

    pauses.until_done(make)


def _invitation(connection: Connection) -> str:
    administrator = client.Client(connection, timeout_s=TIMEOUT_S)
    return str(administrator.get("/api/invite", action="reading the invitation link")["token"])
