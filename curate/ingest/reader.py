"""The bytes of one place, wherever it is, or the verdict why there are none."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from curate.ingest import archive_members, download, huggingface_source
from curate.ingest.image_store import Stamp
from curate.ingest.place_names import is_url
from curate.ingest.sources import Source
from curate.ingest.url_access import Access, Network
from curate.system import printable

_PIECE = 1 << 20
_TRIES = 2  # of a file that changes while it is read


class Work(NamedTuple):
    """A place to be read.

    Attributes:
        source: `sources.id`.
        name: Bytes.
        size: As listed, or -1.
        archive: Of a member or a dataset's row.
        position: Of a member or row.
        locator: Path or URL where it cannot be built from the name.
        side: Name of its sidecar, or None.
        digest: What it held when it was read last, or None.
        etag: What its server said then.
        ask: Only if the server says something else than `etag` now, or not `as_then`.
        as_then: Read last with the settings and limits of today: unchanged bytes make the same picture.
        label: Source and name, for messages.
    """

    source: int
    name: bytes
    size: int
    archive: int | None
    position: int | None
    locator: bytes | None
    side: bytes | None
    digest: bytes | None
    etag: str | None
    ask: bool
    as_then: bool
    label: str

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that were read.

    Attributes:
        sha256: 32 bytes.
        size: Bytes.
        data: None where they are over the limit: only their hash is known.
        path: A local file that holds them, or None.
        stamp: Of `path`.
        etag: Of a URL that no listing describes; else None.
        remote: They came from elsewhere.
    """

    sha256: bytes
    size: int
    data: bytes | None
    path: bytes | None = None
    stamp: Stamp | None = None
    etag: str | None = None
    remote: bool = False


class Unchanged(Exception):  # noqa: N818 - good news, no error
    """The server says that the bytes are those of the last run."""


class VerdictError(Exception):
    """The bytes of a file cannot be had.

    Attributes:
        reason: The `drop_reason`: unreadable, download_failed, changed_while_read, too_large, bad_sidecar.
        detail: The `drop_detail`.
        passing: Whether the next run should try again.
    """

    def __init__(self, reason: str, detail: str, *, passing: bool = True) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.passing = reason, detail, passing


@dataclass(frozen=True, slots=True)
class Reader:
    """Reader of places: files, members of archives, URLs.

    Attributes:
        sources: By `sources.id`.
        cache: Folder of bytes from elsewhere, by their sha256.
        max_bytes: Larger files are hashed, not held.
        network: How URLs are reached.
    """

    sources: Mapping[int, Source]
    cache: Path
    max_bytes: int
    network: Network

    def read(self, work: Work) -> Content:
        """Everything of a place.

        Raises:
            VerdictError: There are no bytes.
            Unchanged: `work.ask`, and the server says so.
        """
        source = self.sources[work.source]
        try:
            if source.kind == "hf":
                return self._whole(huggingface_source.read(source, work.position or 0))
            if work.archive is not None:
                return self._member(work)
            where = self._where(source, work)
            if is_url(where):
                return self._remote(where.decode("utf-8", "surrogateescape"), source, work)
            return self._local(where)
        except download.DownloadError as error:
            raise VerdictError("download_failed", str(error)) from error
        except OSError as error:
            raise VerdictError("unreadable", error.strerror or type(error).__name__) from error
        except ValueError as error:
            raise VerdictError("name_not_representable", str(error)) from error

    def sidecar(self, work: Work) -> bytes:
        """The text of a place's sidecar.

        Raises:
            VerdictError: It cannot be read.
        """
        source = self.sources[work.source]
        side = work.side or b""
        where = side if os.path.isabs(side) else _joined(source.base, side)  # noqa: PTH117 - bytes
        try:
            if is_url(where):
                url = where.decode("utf-8", "surrogateescape")
                return download.read(url, self._access(source), 1 << 20).data or b""
            return self._local(where).data or b""
        except OSError as error:
            raise VerdictError("bad_sidecar", f"{printable(side)}: {error.strerror}") from error
        except download.DownloadError as error:
            raise VerdictError("bad_sidecar", f"{printable(side)}: {error}") from error

    def cached(self, sha256: bytes) -> Path:
        """Folder in which bytes from elsewhere are kept."""
        name = sha256.hex()
        return self.cache / name[:2] / name

    def _where(self, source: Source, work: Work) -> bytes:
        return work.locator if work.locator is not None else _joined(source.base, work.name)

    def _access(self, source: Source) -> Access:
        return Access.of(source, self.network)

    def _whole(self, data: bytes) -> Content:
        size = len(data)
        return Content(hashlib.sha256(data).digest(), size, data if size <= self.max_bytes else None)

    def _member(self, work: Work) -> Content:
        if work.size > self.max_bytes:  # not even hashed: an archive may promise any number of bytes
            detail = f"{work.size} bytes are over {self.max_bytes}"
            raise VerdictError("too_large", detail, passing=False)
        try:
            path = Path(os.fsdecode(work.locator or b""))
            return self._whole(archive_members.read(path, work.position or 0, work.size))
        except archive_members.DAMAGED as error:
            detail = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
            raise VerdictError("unreadable", detail) from error

    def _remote(self, url: str, source: Source, work: Work) -> Content:
        try:
            same = not work.ask or (bool(work.etag) and download.etag(url, self._access(source)) == work.etag)
            if work.ask and same and work.as_then:
                raise Unchanged
            known = self.cached(work.digest) if work.digest is not None and same else None
            if known is not None and known.is_file():
                content = self._local(os.fsencode(known))
                if content.sha256 == work.digest:
                    return Content(content.sha256, content.size, content.data, remote=True, etag=work.etag)
            got = download.read(url, self._access(source), self.max_bytes)
        except download.DownloadError as error:
            raise VerdictError("download_failed", str(error)) from error
        return Content(got.sha256, got.size, got.data, etag=got.etag, remote=True)

    def _local(self, path: bytes) -> Content:
        """A file that is the same before and after; one that changes meanwhile is read once more."""
        for _ in range(_TRIES):
            # A pipe that took the file's place must not hold us up.
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                before = os.fstat(file)
                if not stat.S_ISREG(before.st_mode):
                    raise VerdictError("unreadable", "not a regular file")
                sha256, size, data = self._digested(file, before.st_size)
                after = Stamp.of(os.fstat(file))
            finally:
                os.close(file)
            if Stamp.of(before) == after and size == after.size:
                return Content(sha256, size, data, path, after)
        raise VerdictError("changed_while_read", "the file was written to while it was read, twice")

    def _digested(self, file: int, expected: int) -> tuple[bytes, int, bytes | None]:
        if expected <= self.max_bytes:
            # One byte more tells a file that grows; asking for max_bytes would set that much aside each time.
            data = os.read(file, expected + 1)
            while len(data) < expected and (more := os.read(file, expected + 1 - len(data))):
                data += more  # the system gives at most 2 GiB at once
            if len(data) <= self.max_bytes:
                return hashlib.sha256(data).digest(), len(data), data
            os.lseek(file, 0, os.SEEK_SET)
        digest, size = hashlib.sha256(), 0
        while piece := os.read(file, _PIECE):
            digest.update(piece)
            size += len(piece)
        return digest.digest(), size, None


def _joined(base: str, name: bytes) -> bytes:
    return os.fsencode(base) + (b"" if base.endswith("/") else b"/") + name
