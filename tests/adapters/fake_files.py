"""Files over HTTP on loopback, with versions and ranges, that drop connections; and as a Hub of models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from tests import loopback

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Files:
    """What is served, and how it shall misbehave.

    Attributes:
        content: Bytes by path; a Hub's file stands as "owner/name/file".
        drops: After so many bytes of its body the next answer's connection breaks; one entry an answer.
        statuses: What the next answers say instead of the file.
        tagged: Send an ETag, and know ranges.
        ranges: The Range header of every request, "" where there was none.
        paths: "METHOD path" of every request.
        commit: Of the Hub's repositories.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    tagged: bool = True
    ranges: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    commit: str = COMMIT
    url: str = ""


@contextmanager
def serving(**settings: object) -> Iterator[Files]:
    """Serve until the block ends."""
    state = Files(**settings)  # type: ignore[arg-type]

    class Handler(_Handler):
        files = state

    with loopback.serving(Handler) as state.url:
        yield state


class _Handler(BaseHTTPRequestHandler):
    files: Files

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._serve(body=False)

    def do_GET(self) -> None:
        self._serve(body=True)

    def _serve(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        self.files.paths.append(f"{self.command} {path}")
        self.files.ranges.append(self.headers.get("Range", ""))
        if self.files.statuses:
            self._answer(self.files.statuses.pop(0), {}, b"")
        elif path.startswith("api/models/") and "/tree/" in path:
            self._tree(path.removeprefix("api/models/").partition("/tree/")[0])
        elif path.startswith("api/models/"):
            self._describe(path.removeprefix("api/models/").partition("/revision/")[0])
        else:
            repo, _, rest = path.partition("/resolve/")
            self._send(f"{repo}/{rest.partition('/')[2]}" if rest else path, body=body)

    def _describe(self, repo: str) -> None:
        names = [path.removeprefix(f"{repo}/") for path in self.files.content if path.startswith(f"{repo}/")]
        siblings = [{"rfilename": name} for name in names]
        text = json.dumps({"id": repo, "modelId": repo, "sha": self.files.commit, "siblings": siblings})
        self._answer(200 if names else 404, {"Content-Type": "application/json"}, text.encode())

    def _tree(self, repo: str) -> None:
        files = [
            {
                "type": "file",
                "path": path.removeprefix(f"{repo}/"),
                "size": len(content),
                "oid": hashlib.sha1(content).hexdigest(),  # noqa: S324
            }
            for path, content in self.files.content.items()
            if path.startswith(f"{repo}/")
        ]
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(files).encode())

    def _send(self, name: str, *, body: bool) -> None:
        content = self.files.content.get(name)
        if content is None:
            self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.files.commit}, b"")
            return
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"X-Repo-Commit": self.files.commit, "Accept-Ranges": "bytes"}
        headers |= {"ETag": tag} if self.files.tagged else {}
        status, start = 200, 0
        wanted = self.headers.get("Range", "")
        if wanted and self.files.tagged and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            if start >= len(content):
                self._answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(status, headers, content[start:], body=body)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if self.files.drops and status in (200, 206):
            self.wfile.write(content[: self.files.drops.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
        else:
            self.wfile.write(content)
