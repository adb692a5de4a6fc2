"""An HTTP proxy on loopback that fails on purpose: at chosen requests, a chosen number of times.

    with FaultProxy(server_url) as proxy:
        proxy.plan(drop_after, when=post_to("/import"), count=2)
        ...  # a client that talks to proxy.url
        assert proxy.struck == 2

A fault is a function `(request, forward) -> Reply | None`: `forward()` passes the request on and gives the
server's reply, None closes the connection without an answer. So "applied, but nobody knows" is `drop_after`,
and a test can do anything else (restart the server, lock its database) with a function of its own.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_TIMEOUT_S = 120.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}


@dataclass(frozen=True, slots=True)
class Request:
    """What came in; `path` is without the query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Forward = Callable[[], Reply | None]
Fault = Callable[[Request, Forward], Reply | None]
Predicate = Callable[[Request], bool]


def anything(request: Request) -> bool:
    return bool(request.method)


def request_to(part: str, method: str | None = None) -> Predicate:
    """Requests whose path holds `part`."""
    return lambda request: part in request.path and method in (None, request.method)


def post_to(part: str) -> Predicate:
    """POST requests whose path holds `part`."""
    return request_to(part, "POST")


def get_to(part: str) -> Predicate:
    """GET requests whose path holds `part`."""
    return request_to(part, "GET")


def drop_after(_: Request, forward: Forward) -> Reply | None:
    """The server does it, and the connection breaks before the answer."""
    forward()
    return None


def refuse(_: Request, forward: Forward) -> Reply | None:
    """The connection breaks before the server hears of it."""
    del forward
    return None


def status(code: int, *, retry_after: str | None = None, body: bytes = b'{"detail": "planned"}') -> Fault:
    """An answer of the proxy's own; the server hears nothing. `retry_after`: seconds or an HTTP date."""
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", retry_after))
    reply = Reply(code, tuple(headers), body)
    return lambda _request, _forward: reply


def failed_after(code: int) -> Fault:
    """The server does it, and the answer is an error all the same (as of a gateway in between)."""

    def fault(_: Request, forward: Forward) -> Reply | None:
        forward()
        return Reply(code, (("Content-Type", "text/html"),), b"<h1>Bad Gateway</h1>")

    return fault


def slow(seconds: float) -> Fault:
    """The server does it at once, and the answer comes late."""

    def fault(_: Request, forward: Forward) -> Reply | None:
        reply = forward()
        time.sleep(seconds)
        return reply

    return fault


def then(action: Callable[[], Any]) -> Fault:
    """Run `action` first, then pass the request on: such as a restart of the server."""

    def fault(_: Request, forward: Forward) -> Reply | None:
        action()
        return forward()

    return fault


@dataclass
class _Planned:
    fault: Fault
    when: Predicate
    skip: int
    count: int


@dataclass
class FaultProxy:
    """The proxy; `server_url` may be changed while it runs (a server that came back at another port).

    Attributes:
        server_url: Where requests go.
        seen: Every request, in order of arrival.
        struck: How many of them met a fault.
    """

    server_url: str
    seen: list[Request] = field(default_factory=list)
    struck: int = 0
    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FaultProxy:
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        """The proxy's own address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def plan(self, fault: Fault, *, when: Predicate = anything, count: int = 1, skip: int = 0) -> None:
        """Let `fault` happen to `count` requests that match, after the first `skip` of them."""
        with self._lock:
            self._planned.append(_Planned(fault, when, skip, count))

    def clear(self) -> None:
        """No more faults; forget what was seen."""
        with self._lock:
            self._planned.clear()
            self.seen.clear()
            self.struck = 0

    def answer(self, request: Request) -> Reply | None:
        """The reply to one request; None = close the connection."""
        with self._lock:
            self.seen.append(request)
            fault = self._next_fault(request)
            self.struck += fault is not None
        if fault is None:
            return self.forward(request)
        return fault(request, lambda: self.forward(request))

    def _next_fault(self, request: Request) -> Fault | None:
        for planned in self._planned:
            if planned.count > 0 and planned.when(request):
                if planned.skip > 0:
                    planned.skip -= 1
                    continue
                planned.count -= 1
                return planned.fault
        return None

    def forward(self, request: Request) -> Reply | None:
        """The server's own reply; the connection to the client breaks where that to the server does."""
        place = urlsplit(self.server_url)
        connection = http.client.HTTPConnection(place.hostname or LOOPBACK, place.port, timeout=_TIMEOUT_S)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        try:
            connection.request(request.method, request.target, body=request.body or None, headers=headers)
            there = connection.getresponse()
            kept = tuple((k, v) for k, v in there.getheaders() if k.lower() not in _HOP_BY_HOP)
            return Reply(there.status, kept, there.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = proxy.answer(Request(self.command, self.path, dict(self.headers.items()), body))
            self.close_connection = True
            if reply is None:
                return
            try:
                self.send_response_only(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                pass  # the client did not wait

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    return Handler
