"""A Hugging Face Hub on loopback: what publishing to it and loading from it need of its HTTP interface.

Create, settings, auth-check, refs, tree in pages, preupload, LFS batch, commit with its parent, tags, info,
paths-info; HEAD, GET and Range of files at any revision; tokens of a local Xet store; refusals, busy answers
and dropped connections where a test asks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

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
        gated: Who may read it: False, "auto" or "manual"; `admitted` = whether our token is let in.
        organizations: Role by organization of whoever the token belongs to.
        requests: "METHOD path" of every request.
        faults: HTTP status to answer where the key is part of "METHOD path".
        once: The same, each status for one request; 0 = the connection is dropped before, -1 = after it was
            done, and in the middle of a file.
        page: Entries of a tree that one answer holds.
        damage: Store large files with one byte more.
        slow_s: Seconds that an upload of a large file takes.
        ranges: Range of every GET that asked for one.
        xet: Folder of a local Xet store; None = there is none.
        xet_hashes: Xet's hash of a file by its sha256, which the store's shards know on the Hub.
        card_errors: What is wrong with the card.
        race: So many other commits happen, each before one of ours.
    """

    commits: dict[str, Tree] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    private: bool | None = None
    gated: bool | str = False
    admitted: bool = True
    organizations: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    once: dict[str, list[int]] = field(default_factory=dict)
    page: int = 1000
    damage: bool = False
    card_errors: list[str] = field(default_factory=list)
    race: int = 0
    slow_s: float = 0.0
    ranges: list[str] = field(default_factory=list)
    xet: Path | None = None
    xet_hashes: dict[str, str] = field(default_factory=dict)
    url: str = ""

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def blob(self, sha256: str) -> bytes:
        """A large file; one that came by Xet is put together from its store."""
        if sha256 not in self.blobs and self.xet is not None:
            import hf_xet

            until = int(time.time()) + 3600
            group = hf_xet.XetSession().new_file_download_group(
                endpoint=f"local://{self.xet}", token="unit", token_expiry_unix_secs=until
            )
            with tempfile.TemporaryDirectory() as folder, group:
                path = f"{folder}/file"
                group.start_download_file(hf_xet.XetFileInfo(self.xet_hashes[sha256], None), path)
                group.wait_to_finish()
                self.blobs[sha256] = Path(path).read_bytes()
        return self.blobs[sha256]

    def commit(self, tree: Tree) -> str:
        oid = hashlib.sha1(f"{len(self.commits)}{sorted(tree)}".encode()).hexdigest()  # noqa: S324
        self.commits[oid] = tree
        return oid


def regular(path: str, content: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
    return {"type": "file", "path": path, "size": len(content), "oid": oid, "_content": content}


def shown(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a tree as the Hub tells it."""
    return {key: value for key, value in entry.items() if not key.startswith("_")}


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
    _silent = False  # what was asked is done, and no answer arrives

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._read("HEAD")

    def do_GET(self) -> None:
        self._read("GET")

    def _read(self, method: str) -> None:
        path = self._accepted(method)
        if path is None:
            return
        tail = path.split("/owner/name", 1)[-1]
        if path == "/api/whoami-v2":
            self._whoami()
        elif self.hub.private is None:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif tail.startswith("/resolve/"):
            self._resolve(tail, with_body=method == "GET")
        elif tail == "/refs":
            self._answer(200, {"branches": self._refs("heads", {"main": self.hub.head}), "converts": [],
                               "tags": self._refs("tags", self.hub.tags)})  # fmt: skip
        elif tail.startswith("/auth-check"):
            self._answer(200, {})
        elif tail.startswith("/xet-"):
            self._xet_token()
        elif tail.startswith("/tree/"):
            self._tree(tail.split("/")[2], "/".join(tail.split("/")[3:]))
        elif tail == "" or tail.startswith("/revision/"):
            self._info(tail.rpartition("/")[2])
        else:
            self._answer(404, {})

    def _whoami(self) -> None:
        orgs = [{"name": name, "roleInOrg": role} for name, role in self.hub.organizations.items()]
        about = {"name": "owner", "type": "user", "orgs": orgs}
        self._answer(200, {**about, "auth": {"accessToken": {"role": "write"}}})

    def _resolve(self, tail: str, *, with_body: bool) -> None:
        if self.hub.gated and not self.hub.admitted:
            self._answer(403, {"error": "Access is restricted"}, {"X-Error-Code": "GatedRepo"})
            return
        revision, _, name = tail.removeprefix("/resolve/").partition("/")
        self._file(revision, unquote(name), with_body=with_body)

    def _commit_of(self, revision: str) -> str | None:
        named = {"": self.hub.head, "main": self.hub.head, **self.hub.tags}
        commit = named.get(unquote(revision), unquote(revision))
        if commit in self.hub.commits:
            return commit
        self._answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        return None

    def _tree(self, revision: str, under: str) -> None:
        commit = self._commit_of(revision)
        if commit is None:
            return
        folder = {"type": "directory", "path": "data", "oid": "0" * 40}
        entries = [folder, *map(shown, self.hub.commits[commit].values())]
        entries = [entry for entry in entries if str(entry["path"]).startswith(under)]
        query = parse_qs(urlsplit(self.path).query)
        start = int(query.get("cursor", ["0"])[0])
        more = {}
        if start + self.hub.page < len(entries):
            rest = {key: value[0] for key, value in query.items()} | {"cursor": start + self.hub.page}
            address = f"{self.hub.url}{urlsplit(self.path).path}?{urlencode(rest)}"
            more["Link"] = f'<{address}>; rel="next"'
        self._answer(200, entries[start : start + self.hub.page], more)

    def _info(self, revision: str) -> None:
        commit = self._commit_of(revision)
        if commit is not None:
            names = [{"rfilename": path} for path in self.hub.commits[commit]]
            about = {"id": "owner/name", "private": self.hub.private, "tags": [], "downloads": 0, "likes": 0}
            about |= {"gated": self.hub.gated}
            self._answer(200, {**about, "_id": "1", "sha": commit, "siblings": names, "disabled": False})

    def _paths_info(self, body: bytes, revision: str) -> None:
        commit = self._commit_of(revision)
        if commit is not None:
            text = body.decode()
            known = self.hub.commits[commit]
            paths = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
            self._answer(200, [shown(known[path]) for path in paths if path in known])

    def _file(self, revision: str, name: str, *, with_body: bool) -> None:
        commit = self._commit_of(revision)
        if commit is None:
            return
        entry = self.hub.commits[commit].get(name)
        if entry is None:
            self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        content = entry["_content"] if "_content" in entry else self.hub.blob(entry["lfs"]["oid"])
        tag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        status, wanted, more = 200, self.headers.get("range"), {}
        if wanted is not None:
            self.hub.ranges.append(wanted)
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            stop = min(int(last) + 1 if last else len(content), len(content))
            more["Content-Range"] = f"bytes {first}-{stop - 1}/{len(content)}"
            status, content = 206, content[int(first) : stop]
        self.send_response(status)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": commit, "Content-Length": str(len(content)),
                   "Accept-Ranges": "bytes"}  # fmt: skip
        if "lfs" in entry and self.hub.xet is not None:
            route = f"{self.hub.url}/api/datasets/owner/name/xet-read-token/{commit}"
            more |= {"X-Xet-Hash": self.hub.xet_hashes[tag], "X-Xet-Refresh-Route": route}
        for key, value in {**headers, **more}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content[: len(content) // 2] if self._silent else content)
            self.close_connection |= self._silent
            self._silent = False

    def _xet_token(self) -> None:
        place, until = f"local://{self.hub.xet}", int(time.time()) + 3600
        headers = {"X-Xet-Cas-Url": place, "X-Xet-Access-Token": "unit", "X-Xet-Token-Expiration": str(until)}
        self._answer(200, {"casUrl": place, "accessToken": "unit", "exp": until}, headers)

    def do_PUT(self) -> None:
        path = self._accepted("PUT", authorized=False)
        if path is None:
            return
        content = self._body()
        if path.endswith("/settings"):
            self.hub.gated = json.loads(content)["gated"]
            self._answer(200, {})
            return
        time.sleep(self.hub.slow_s)
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
        if "/paths-info/" in path:
            self._paths_info(body, path.rsplit("/", 1)[1])
        elif "/tag/" in path:
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
            self.hub.race -= 1
            self.hub.commit(
                {**self.hub.commits[self.hub.head], f"other {self.hub.race}": regular("other", b"other")}
            )
        if lines[0]["value"].get("parentCommit") != self.hub.head:
            self._answer(412, {"error": "stale"})
            return
        tree = dict(self.hub.commits[self.hub.head])
        for line in lines[1:]:
            value, path = line["value"], line["value"]["path"]
            if line["key"] == "file":
                tree[path] = regular(path, base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                stored = self.hub.blob(value["oid"])
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
        for part, statuses in self.hub.once.items():
            if part in request and statuses:
                return self._fail_once(statuses.pop(0), path)
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

    def _fail_once(self, status: int, path: str) -> str | None:
        if status == -1:
            self._silent = True
            return path
        self._body()
        if status:
            self._answer(status, {"error": "unit"}, {"Retry-After": "7"})
        self.close_connection = True
        return None

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        if self._silent:
            self._silent, self.close_connection = False, True
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
