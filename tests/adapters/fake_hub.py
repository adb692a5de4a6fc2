"""A Hugging Face Hub on loopback: as much of its HTTP interface as one commit and one tag need."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests import loopback

TOKEN = "hf_unit"
Tree = dict[str, dict[str, Any]]


@dataclass
class HubState:
    """What the Hub knows, and how it shall misbehave.

    Attributes:
        commits: Tree by commit, in order; the last is the head.
        tags: Commit by tag.
        blobs: Uploaded large files by sha256.
        private: Visibility, once the repository exists.
        requests: "METHOD path" of every request.
        faults: HTTP status to answer where the key is part of "METHOD path".
        damage: Store large files with one byte more.
        card_errors: What is wrong with the card.
        race: Another commit happens before the next one.
    """

    commits: dict[str, Tree] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    private: bool | None = None
    requests: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    damage: bool = False
    card_errors: list[str] = field(default_factory=list)
    race: bool = False
    url: str = ""

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def commit(self, tree: Tree) -> str:
        oid = hashlib.sha1(f"{len(self.commits)}{sorted(tree)}".encode()).hexdigest()  # noqa: S324
        self.commits[oid] = tree
        return oid


def regular(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


def large(path: str, sha256: str, size: int) -> dict[str, Any]:
    pointer = {"size": size, "oid": sha256, "pointerSize": 130}
    return {"type": "file", "path": path, "size": size, "oid": "0" * 40, "lfs": pointer}


@contextmanager
def serving() -> Iterator[HubState]:
    """Serve until the block ends."""
    state = HubState()

    class Handler(_Handler):
        hub = state

    with loopback.serving(Handler) as state.url:
        yield state


class _Handler(BaseHTTPRequestHandler):
    hub: HubState

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path = self._accepted("GET")
        if path is None:
            return
        if path.endswith("/refs"):
            self._answer(200, {"branches": self._refs("heads", {"main": self.hub.head}), "converts": [],
                               "tags": self._refs("tags", self.hub.tags)})  # fmt: skip
        elif "/tree/" in path:
            tree = self.hub.commits[path.rsplit("/", 1)[1]]
            folder = {"type": "directory", "path": "data", "oid": "0" * 40}
            self._answer(200, [folder, *tree.values()])
        else:
            self._answer(404, {})

    def do_PUT(self) -> None:
        path = self._accepted("PUT", authorized=False)
        if path is None:
            return
        content = self._body()
        self.hub.blobs[path.rsplit("/", 1)[1]] = content + (b"!" if self.hub.damage else b"")
        self._answer(200, {})

    def do_POST(self) -> None:
        path = self._accepted("POST")
        if path is None:
            return
        body = self._body()
        actions = {
            "/create": self._create, "/validate-yaml": self._validate, "/preupload/main": self._preupload,
            "/batch": self._batch, "/commit/main": self._commit,
        }  # fmt: skip
        for end, action in actions.items():
            if path.endswith(end):
                action(body)
                return
        if "/tag/" in path:
            self._tag(path.rsplit("/", 1)[1], json.loads(body)["tag"])
        else:
            self._answer(404, {})

    def _create(self, body: bytes) -> None:
        answer = {"url": f"{self.hub.url}/datasets/owner/name"}
        if self.hub.private is not None:
            self._answer(409, answer)
            return
        self.hub.private = json.loads(body).get("visibility", "public") == "private"
        self.hub.commit({".gitattributes": regular(".gitattributes", b"*.bin filter=lfs\n")})
        self._answer(200, answer)

    def _validate(self, _: bytes) -> None:
        errors = [{"message": message} for message in self.hub.card_errors]
        self._answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def _preupload(self, body: bytes) -> None:
        modes = [
            {"path": f["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if f["path"].endswith(".parquet") else "regular"}
            for f in json.loads(body)["files"]
        ]  # fmt: skip
        self._answer(200, {"files": modes})

    def _batch(self, body: bytes) -> None:
        objects = json.loads(body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.hub.blobs:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}"}}
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        if self.hub.race:
            self.hub.commit({**self.hub.commits[self.hub.head], "other": regular("other", b"other")})
        if lines[0]["value"].get("parentCommit") != self.hub.head:
            self._answer(412, {"error": "stale"})
            return
        tree = dict(self.hub.commits[self.hub.head])
        for line in lines[1:]:
            value, path = line["value"], line["value"]["path"]
            if line["key"] == "file":
                tree[path] = regular(path, base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                stored = self.hub.blobs[value["oid"]]
                tree[path] = large(path, hashlib.sha256(stored).hexdigest(), len(stored))
            else:
                del tree[path]
        oid = self.hub.commit(tree)
        self._answer(200, {"commitUrl": f"{self.hub.url}/datasets/owner/name/commit/{oid}", "commitOid": oid})

    def _tag(self, revision: str, tag: str) -> None:
        taken = tag in self.hub.tags
        if not taken:
            self.hub.tags[tag] = revision
        self._answer(409 if taken else 200, {})

    def _refs(self, kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": oid} for n, oid in refs.items()]

    def _accepted(self, method: str, *, authorized: bool = True) -> str | None:
        path = urlsplit(self.path).path
        request = f"{method} {path}"
        self.hub.requests.append(request)
        for part, status in self.hub.faults.items():
            if part in request:
                self._body()
                self._answer(status, {"error": "unit"})
                return None
        if authorized and self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._body()
            self._answer(401, {"error": "Invalid credentials"})
            return None
        return path

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
