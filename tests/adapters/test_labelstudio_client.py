"""Foreign errors become one line of ours, and no secret of the server or the SDK is in it."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import httpx
import pytest
from label_studio_sdk.core.api_error import ApiError

from curate.adapters.labelstudio import client
from curate.adapters.labelstudio.client import TransientError
from curate.adapters.labelstudio.connection import Connection
from curate.errors import AnnotationToolError, AuthenticationError, CurateError

KEY = "0123456789abcdef0123456789abcdef01234567"
COOKIE = "eyJ2ZXJ5Ijoic2VjcmV0In0:1vL:abcDEF_123-456"
CONNECTION = Connection("http://127.0.0.1:8080", KEY, "LABEL_STUDIO_API_KEY")
HEADERS = {"Set-Cookie": f"sessionid={COOKIE}; Path=/", "X-Anything": KEY}


def caught(error: Exception) -> CurateError:
    with pytest.raises(CurateError) as info, client.translated(CONNECTION, "reading"):
        raise error
    return info.value


def api_error(status: int | None, body: object = None) -> ApiError:
    return ApiError(headers=HEADERS, status_code=status, body=body)


@pytest.mark.parametrize(
    ("foreign", "ours", "text"),
    [
        (httpx.ConnectError("refused"), TransientError, "cannot be reached while reading"),
        (httpx.ReadTimeout("slow"), TransientError, "did not answer in time while reading"),
        (httpx.RemoteProtocolError("cut"), TransientError, "cannot be reached"),
        (httpx.InvalidURL("odd"), TransientError, "check LABEL_STUDIO_URL"),
        (api_error(401), AuthenticationError, "the token in LABEL_STUDIO_API_KEY"),
        (api_error(403, {"detail": "not yours"}), AnnotationToolError, "(HTTP 403): not yours"),
        (
            api_error(400, {"detail": "Validation error", "validation_errors": {"title": ["taken"]}}),
            AnnotationToolError,
            "taken",
        ),
        (api_error(429, "{}"), TransientError, "HTTP 429"),
        (api_error(500, "<html>locked</html>"), TransientError, "HTTP 500"),
        (api_error(None), TransientError, "refused while reading"),
        (api_error(200, "<html>a router</html>"), AnnotationToolError, "is no Label Studio"),
        (api_error(301, ""), AnnotationToolError, "check LABEL_STUDIO_URL"),
    ],
)
def test_every_foreign_error_has_its_line(foreign: Exception, ours: type[CurateError], text: str) -> None:
    error = caught(foreign)
    assert type(error) is ours
    assert text in str(error)
    assert "\n" not in str(error)


def test_no_secret_is_shown_even_in_a_traceback() -> None:
    body = {"detail": f"token {KEY} and sessionid={COOKIE}", "password": "hunter2hunter2"}
    error = caught(api_error(400, body))
    shown = str(error) + "".join(traceback.format_exception(error))
    for secret in (KEY, COOKIE, "Set-Cookie"):
        assert secret not in shown
    assert "hunter2" not in str(caught(api_error(400, {"validation_errors": body})))


@pytest.mark.parametrize(
    "text",
    [
        f"sessionid={COOKIE}",
        f"Cookie: {COOKIE}",
        f"{{'authorization': 'Token {COOKIE}'}}",
        f'"api_key": "{COOKIE}"',
        f"sent Bearer {COOKIE.replace(':', '.')}",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_redact_knows_the_shapes_of_secrets(text: str) -> None:
    shown = client.redact(text)
    assert "[redacted]" in shown
    assert COOKIE[:12] not in shown
    assert "eyJ" not in shown


def test_redact_leaves_ordinary_words_alone() -> None:
    text = "the project 'signs' has 3 tasks without a label: stop_sign, category=parking"
    assert client.redact(text) == text


@pytest.mark.parametrize("text", ["ann.b+c@example.org", "'signs [ann@example.org]'", '{"email":"ann@x"}'])
def test_redact_shows_no_address_of_a_person(text: str) -> None:
    assert "@" not in client.redact(text)
    assert client.redact("'signs [ann@example.org]'") == "'signs [***]'"


def test_a_key_is_in_no_repr() -> None:
    assert KEY not in repr(CONNECTION)


def reply(respond: Callable[[httpx.Request], httpx.Response], **changes: str) -> client.Client:
    """A client whose requests end in `respond` instead of the network."""
    values = {"url": CONNECTION.url, "api_key": KEY, "source": CONNECTION.source, **changes}
    made = client.Client(Connection(**values), timeout_s=1.0)
    made._http = httpx.Client(transport=httpx.MockTransport(respond))
    return made


def test_what_is_no_label_studio_is_named() -> None:
    made = reply(lambda _: httpx.Response(200, text="<html>a router</html>"))
    with pytest.raises(AnnotationToolError, match="is no Label Studio"):
        made.get("/api/projects/", action="reading")


def test_a_legacy_token_is_sent_as_it_is() -> None:
    made = reply(lambda request: httpx.Response(200, json=request.headers["Authorization"]))
    assert made.get("/", action="reading") == f"Token {KEY}"


def test_a_personal_token_is_exchanged_once() -> None:
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": "short"})
        return httpx.Response(200, json=request.headers["Authorization"])

    made = reply(respond, api_key="head.body.signature")
    assert [made.get("/x", action="reading") for _ in range(2)] == ["Bearer short"] * 2
    assert asked == ["/api/token/refresh/", "/x", "/x"]


def test_a_personal_token_that_is_over_is_an_authentication_error() -> None:
    made = reply(lambda _: httpx.Response(401, json={"detail": "expired"}), api_key="head.body.signature")
    with pytest.raises(AuthenticationError):
        made.get("/x", action="reading")


@pytest.mark.parametrize(
    ("url", "trusted"), [("http://127.0.0.1:1", False), ("https://label.example.org", True)]
)
def test_proxies_are_not_asked_for_this_machine(url: str, trusted: bool) -> None:
    assert client.http_client(url, timeout_s=1.0).trust_env is trusted
