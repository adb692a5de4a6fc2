"""Requests to a Label Studio server: one place for tokens, time-outs and foreign errors.

Project settings go through the SDK. Bulk reading and writing goes through plain JSON: the SDK's models cost
four times the server's own time on an index of tasks, and it repeats a POST on its own after a dropped
connection, which would import a batch twice.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curate.adapters.labelstudio.connection import URL_VARIABLE, Connection
from curate.adapters.labelstudio.retry import Pauses, Sleep
from curate.adapters.labelstudio.retry import TransientError as TransientError  # noqa: PLC0414
from curate.errors import AnnotationToolError, AuthenticationError
from curate.extras import require

if TYPE_CHECKING:
    import httpx

_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 400, 401, 404, 429, 500
_JWT_PARTS = 3  # header.payload.signature: a personal access token; a legacy token has no dots
_REFRESH_AFTER_S = 240.0  # the server's short-lived tokens last 300 s
_DETAIL_LIMIT = 300  # characters of a server's explanation that fit into one line
_SECRETS = re.compile(
    r"(?i)(sessionid|csrftoken|csrfmiddlewaretoken|set-cookie|cookie|authorization|password|api[_-]?key|token)"
    r"(['\"]?\s*[=:]\s*['\"]?)(?:(?:token|bearer)\s+)?[^\s'\";,}]+"
)
_BARE_TOKEN = re.compile(r"(?i)\b(token|bearer)\s+[A-Za-z0-9._\-]{8,}|\beyJ[A-Za-z0-9._\-]{8,}")
_ADDRESS = re.compile(r"[^\s@'\"<>()\[\]{},;:=]+@[^\s@'\"<>()\[\]{},;:=]+")


def redact(text: str, *secrets: str) -> str:
    """Take cookies, tokens, passwords and people's addresses out of a text that was not written by us.

    Args:
        text: Anything from the server or its SDK.
        secrets: Strings that must not be shown whatever stands around them.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    text = _SECRETS.sub(r"\1\2[redacted]", text)
    return _ADDRESS.sub("***", _BARE_TOKEN.sub("[redacted]", text))


@contextmanager
def translated(connection: Connection, action: str) -> Iterator[None]:
    """Turn errors of httpx and of the SDK into one line of ours.

    The foreign error is not chained: the SDK's text holds response headers with a session cookie.

    Args:
        connection: Server that is talked to.
        action: What is being done, for "... while <action>".

    Raises:
        AuthenticationError: The token is not accepted.
        TransientError: Unreachable, overloaded, or an error inside the server.
        AnnotationToolError: Refused.
    """
    httpx = require("httpx", extra="labelstudio")
    api_error = require("label_studio_sdk.core.api_error", extra="labelstudio").ApiError
    try:
        yield
    except httpx.TimeoutException:
        raise TransientError(
            f"Label Studio at {connection.url} did not answer in time while {action}: "
            "try again, or raise labelstudio.timeout_s"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise _untrusted(connection, str(error)) from None
        lost = TransientError(
            f"Label Studio at {connection.url} cannot be reached while {action} ({type(error).__name__}): "
            f"run `curate labelstudio up`, or check {URL_VARIABLE}"
        )
        lost.unreachable = isinstance(error, httpx.ConnectError)
        raise lost from None
    except api_error as error:
        raise failure(connection, action, error.status_code, error.body, error.headers) from None


def _untrusted(connection: Connection, detail: str) -> AnnotationToolError:
    """Nothing was sent: the token goes to nobody who cannot prove the name."""
    reason = detail.rpartition("CERTIFICATE_VERIFY_FAILED] ")[2].partition(" (_ssl")[0]
    return AnnotationToolError(
        f"the certificate of {connection.url} is not trusted ({reason}): "
        "put the file of the authority that signed it into SSL_CERT_FILE"
    )


def failure(
    connection: Connection,
    action: str,
    status: int | None,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> AnnotationToolError:
    """The error for a reply that is no success."""
    if status == _UNAUTHORIZED:
        return AuthenticationError(
            f"Label Studio at {connection.url} does not accept the token in {connection.source}: "
            "put a valid one there"
        )
    if status is not None and status < _BAD_REQUEST:
        return _stranger(connection, action)
    detail = redact(_detail(body), connection.api_key)
    transient = status is None or status == _TOO_MANY or status >= _SERVER_ERROR
    kind = TransientError if transient else AnnotationToolError
    error = kind(f"Label Studio at {connection.url} refused while {action} (HTTP {status}): {detail}")
    if isinstance(error, TransientError):
        error.retry_after_s = _retry_after(headers or {})
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, of a header that has seconds or a date."""
    text = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _stranger(connection: Connection, action: str) -> AnnotationToolError:
    """A page or a redirect where Label Studio would answer with JSON."""
    return AnnotationToolError(
        f"what answers at {connection.url} is no Label Studio (no JSON while {action}): check {URL_VARIABLE}"
    )


def _detail(body: object) -> str:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return "no explanation that is JSON"
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or body
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    text = " ".join(text.split())
    return text if len(text) <= _DETAIL_LIMIT else text[:_DETAIL_LIMIT] + " ..."


class Client:
    """JSON requests with the token, and the SDK on the same connection settings.

    Attributes:
        connection: The server and the token.
        changes: Patience with requests that change something; a change that succeeds renews it.
        server_time: As the last reply told it; None = no reply, or none that told it.
    """

    def __init__(self, connection: Connection, *, timeout_s: float, sleep: Sleep = time.sleep) -> None:
        self.connection = connection
        self._sleep = sleep
        self.changes, self._reads = Pauses(sleep=sleep), Pauses(sleep=sleep)
        self._http = http_client(connection.url, timeout_s=timeout_s)
        self._legacy = connection.api_key.count(".") != _JWT_PARTS - 1
        self._access, self._access_since = "", -_REFRESH_AFTER_S
        self._sdk: Any = None
        self.server_time: datetime | None = None

    @property
    def sdk(self) -> Any:
        """The `LabelStudio` client of the SDK; wrap its calls in `translated`."""
        if self._sdk is None:
            with translated(self.connection, "reading the token"):
                self._sdk = require("label_studio_sdk", extra="labelstudio").LabelStudio(
                    base_url=self.connection.url,
                    api_key=self.connection.api_key,
                    httpx_client=self._http,
                    max_retries=0,
                )
        return self._sdk

    def get(self, path: str, *, action: str, **parameters: str | int) -> Any:
        """The JSON that `path` answers; asked again after a fault, by the rule of `retry`."""
        return self._reads.until_done(lambda: self._request("GET", path, action=action, params=parameters))

    def post(self, path: str, body: object, *, action: str, **parameters: str | int) -> Any:
        """Send JSON (bytes are JSON already); never repeated on its own."""
        if isinstance(body, bytes):
            kind = {"Content-Type": "application/json"}
            return self._request("POST", path, action=action, params=parameters, content=body, headers=kind)
        return self._request("POST", path, action=action, params=parameters, json=body)

    def upload(self, project: int, name: str, content: bytes, *, action: str) -> str:
        """Give a project a file, without making a task of it; its address, which members can read."""
        reply = self._request(
            "POST",
            f"/api/projects/{project}/import",
            action=action,
            params={"commit_to_project": "false"},
            files={"file": (name, content)},
        )
        (number,) = reply["file_upload_ids"]
        there = self.get(f"/api/import/file-upload/{number}", action=action)["file"]
        return f"{urlsplit(self.connection.url).path}/data/{there}"

    def patch(self, path: str, body: object, *, action: str) -> Any:
        """Change fields of an object on the server."""
        return self._request("PATCH", path, action=action, json=body)

    def delete(self, path: str, body: object = None, *, action: str) -> None:
        """Delete what is at `path`, or what `body` names there; what is gone already is as wanted."""
        try:
            self._request("DELETE", path, action=action, json=body)
        except AnnotationToolError as error:
            if f"(HTTP {_NOT_FOUND})" not in str(error):
                raise

    def act(self, project: int, name: str, tasks: Sequence[int], **settings: str) -> None:
        """One of the server's bulk actions on some tasks of a project."""
        body = {"selectedItems": {"all": False, "included": list(tasks)}, **settings}
        self.post("/api/dm/actions/", body, action=f"running {name}", id=name, project=project)

    def patience(self) -> Pauses:
        """Pauses for whoever says himself what counts as getting further."""
        pauses = Pauses(sleep=self._sleep)
        pauses.reached = self.changes.reached
        return pauses

    def _request(self, method: str, path: str, *, action: str, **arguments: Any) -> Any:
        response = self._send(method, path, action=action, **arguments)
        if response.status_code == _UNAUTHORIZED and self._access:
            # Nothing was done. A short-lived token may end before our clock says so: a machine that slept.
            self._access_since = -_REFRESH_AFTER_S
            response = self._send(method, path, action=action, **arguments)
        if "date" in response.headers:
            self.server_time = parsedate_to_datetime(response.headers["date"])
        found = answer(self.connection, action, response)
        self.changes.reached = True
        (self._reads if method == "GET" else self.changes).succeeded()
        return found

    def _send(self, method: str, path: str, *, action: str, **arguments: Any) -> httpx.Response:
        with translated(self.connection, action):
            headers = {**arguments.pop("headers", {}), "Authorization": self._authorization()}
            return self._http.request(method, self.connection.url + path, headers=headers, **arguments)

    def _authorization(self) -> str:
        if self._legacy:
            return f"Token {self.connection.api_key}"
        if time.monotonic() - self._access_since > _REFRESH_AFTER_S:
            url = self.connection.url + "/api/token/refresh/"
            response = self._http.post(url, json={"refresh": self.connection.api_key})
            self._access = str(answer(self.connection, "exchanging the token", response)["access"])
            self._access_since = time.monotonic()
        return f"Bearer {self._access}"


def http_client(url: str, *, timeout_s: float) -> httpx.Client:
    """An httpx client for the server.

    Connections are not kept: the built-in server answers a kept one 60 ms late. Proxies of the
    environment are not asked for a server on this machine. Certificates are always verified, against
    SSL_CERT_FILE or SSL_CERT_DIR if they are set.
    """
    library = require("httpx", extra="labelstudio")
    limits = library.Limits(max_keepalive_connections=0)
    trust_env = not Connection(url, "", "").loopback
    client: httpx.Client = library.Client(
        limits=limits,
        timeout=timeout_s,
        trust_env=trust_env,
        verify=library.create_ssl_context() if url.startswith("https") else True,
    )
    return client


def answer(connection: Connection, action: str, response: httpx.Response) -> Any:
    """The JSON of a successful reply.

    Raises:
        AnnotationToolError: No success, or no JSON.
    """
    if not response.is_success:
        raise failure(connection, action, response.status_code, response.text, response.headers)
    try:
        return response.json() if response.content else None
    except ValueError:
        raise _stranger(connection, action) from None
