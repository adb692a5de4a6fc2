"""Kaggle on loopback: what making versions of a data set and reading them back need of its HTTP interface.

Written after the requests and answers of Kaggle's own client, `kagglesdk`, which knows one address for tests:
http://localhost:7777.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests import loopback

PORT, USER, KEY = 7777, "owner", "kg_unit"
ADDRESS = f"http://localhost:{PORT}"
_AUTH = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
_WAIT_S = 120.0  # for another test run to leave the port


@dataclass
class Version:
    """One version of the data set."""

    notes: str | None
    files: dict[str, bytes]


@dataclass
class KaggleState:
    """What Kaggle knows, and how it shall misbehave.

    Attributes:
        versions: By Kaggle's number, in order.
        facts: What the data set was made with; empty = there is none.
        blobs: Content of what was uploaded, by token.
        requests: Name of each request.
        faults: HTTP status to answer to requests of a name; each for one request; 0 = the connection is
            dropped.
        status: Of the newest version, each for one request; READY after the last.
        refusal: What is wrong with a new version; empty = nothing.
        damage: Store files with one byte more.
        packed: Send files in archives, as the large ones.
        page: Files that one answer lists.
    """

    versions: dict[int, Version] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    faults: dict[str, list[int]] = field(default_factory=dict)
    status: list[str] = field(default_factory=list)
    refusal: str = ""
    damage: bool = False
    packed: bool = False
    page: int = 2

    @staticmethod
    def environment(home: Path) -> dict[str, str]:
        """Variables that lead Kaggle's client here, and to no credentials of the machine's."""
        return {"KAGGLE_API_ENVIRONMENT": "TEST", "KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY,
                "KAGGLE_API_TOKEN": "", "HOME": str(home)}  # fmt: skip


@contextmanager
def serving() -> Iterator[KaggleState]:
    """Serve until the block ends."""
    state = KaggleState()

    class Handler(_Handler):
        kaggle = state

    _wait_for_the_port()
    with loopback.serving(Handler, port=PORT):
        yield state


def _wait_for_the_port() -> None:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) != 0:
                return
        time.sleep(0.5)


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleState

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        name = self.path.rpartition("/")[2]
        body = json.loads(self._body() or b"{}")
        if not self._accepted(name):
            return
        if self.headers.get("authorization") != _AUTH:
            self._answer(401, {"code": 401, "message": "Unauthenticated"})
        elif name == "StartBlobUpload":
            token = f"token-{len(self.kaggle.blobs)}"
            self.kaggle.blobs[token], self.kaggle.names[token] = b"", body["name"]
            self._answer(200, {"token": token, "createUrl": f"{ADDRESS}/upload/{token}"})
        elif name == "CreateDataset":
            self.kaggle.facts = {key: body[key] for key in body if key not in ("files", "directories")}
            self._version(None, body)
        elif not self.kaggle.facts or not self.kaggle.versions:
            self._answer(403, {"code": 403, "message": "Permission 'datasets.get' was denied"})
        else:
            answers = {
                "GetDataset": self._get_dataset, "GetDatasetStatus": self._get_dataset_status,
                "ListDatasetFiles": self._list_dataset_files, "DownloadDataset": self._download_dataset,
                "CreateDatasetVersion": self._create_dataset_version,
            }  # fmt: skip
            answers[name](body)

    def _get_dataset(self, _: dict[str, Any]) -> None:
        versions = [
            {"versionNumber": number, "versionNotes": one.notes, "status": "Ready"}
            for number, one in self.kaggle.versions.items()
        ]
        newest = max(self.kaggle.versions)
        facts = self.kaggle.facts
        about = {"isPrivate": facts.get("isPrivate", False), "licenseName": facts.get("licenseName", "other")}
        about |= {"ref": "owner/unit-signs", "currentVersionNumber": newest, "versions": versions}
        self._answer(200, about)

    def _get_dataset_status(self, _: dict[str, Any]) -> None:
        status = self.kaggle.status.pop(0) if self.kaggle.status else "READY"
        self._answer(200, {"status": status})

    def _list_dataset_files(self, body: dict[str, Any]) -> None:
        names = sorted(self.kaggle.versions[body["datasetVersionNumber"]].files)
        start = int(body.get("pageToken") or 0)
        stop = start + self.kaggle.page
        more = {"nextPageToken": str(stop)} if stop < len(names) else {}
        self._answer(200, {"datasetFiles": [{"name": name} for name in names[start:stop]], **more})

    def _create_dataset_version(self, body: dict[str, Any]) -> None:
        self._version(body["body"]["versionNotes"], body["body"])

    def _download_dataset(self, body: dict[str, Any]) -> None:
        name, number = body["fileName"], body["datasetVersionNumber"]
        end = ".zip" if self.kaggle.packed else ""
        self.send_response(302)
        self.send_header("Location", f"{ADDRESS}/files/{number}/{quote(name)}{end}?signed=yes")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _version(self, notes: str | None, body: dict[str, Any]) -> None:
        if self.kaggle.refusal:
            self._answer(200, {"status": "error", "error": self.kaggle.refusal})
            return
        number = max(self.kaggle.versions, default=0) + 1
        self.kaggle.versions[number] = Version(notes, dict(self._tree("", body)))
        self._answer(200, {"status": "ok", "ref": "/owner/unit-signs", "url": f"{ADDRESS}/owner/unit-signs"})

    def _tree(self, under: str, body: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        for one in body.get("files", ()):
            extra = b"!" if self.kaggle.damage else b""
            yield f"{under}{self.kaggle.names[one['token']]}", self.kaggle.blobs[one["token"]] + extra
        for inner in body.get("directories", ()):
            yield from self._tree(f"{under}{inner['name']}/", inner)

    def do_PUT(self) -> None:
        content = self._body()
        if self._accepted("upload"):
            self.kaggle.blobs[self.path.rpartition("/")[2]] = content
            self._answer(200, {})

    def do_GET(self) -> None:
        if not self._accepted("files"):
            return
        _, _, number, name = unquote(self.path.partition("?")[0]).split("/", 3)
        content = self.kaggle.versions[int(number)].files[name.removesuffix(".zip")]
        if self.kaggle.packed:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(name.removesuffix(".zip").rpartition("/")[2], content)
            content = packed.getvalue()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _accepted(self, name: str) -> bool:
        self.kaggle.requests.append(name)
        statuses = self.kaggle.faults.get(name)
        if not statuses:
            return True
        status = statuses.pop(0)
        if status:
            self._answer(status, {"code": status, "message": "unit"})
        else:
            self.close_connection = True
        return False

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
