"""Bytes of a URL, with growing pauses between tries."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from curate.errors import CurateError
from curate.ingest import fsspec_filesystem
from curate.ingest.place_names import without_secrets

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_PIECE = 1 << 20
# fsspec would ask for the size first, and report every failure of that as "not found".
_ONE_REQUEST = {"block_size": 0, "size": 1}
# HTTP answers that a later try may change: timeouts, too many requests, faults of the server.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_Result = TypeVar("_Result")


class DownloadError(CurateError):
    """A URL could not be read; the message is the `drop_detail`."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a source's URLs.

    Attributes:
        options: Of the fsspec file system, JSON with sorted keys.
        retries: After the first try.
        timeout_s: Seconds that a connection may stand still.
    """

    options: str
    retries: int
    timeout_s: float

    @classmethod
    def of(cls, options: Mapping[str, Any], retries: int, timeout_s: float) -> Access:
        """From a source's storage options."""
        return cls(json.dumps(options, sort_keys=True, default=str), retries, timeout_s)


@dataclass(frozen=True, slots=True)
class Download:
    """What a URL gave.

    Attributes:
        sha256: 32 bytes.
        size: Bytes.
        data: None where it is larger than asked for.
        etag: Changes when the bytes do; "" where the server tells nothing.
    """

    sha256: bytes
    size: int
    data: bytes | None
    etag: str


def read(url: str, access: Access, max_bytes: int) -> Download:
    """The bytes of a URL.

    Args:
        url: With its secrets, if it has any.
        access: Of its source.
        max_bytes: Larger files are hashed piece by piece and not kept.

    Raises:
        DownloadError: After all tries, or at once where no try can help: it names the last reason.
    """

    def once() -> Download:
        fs, path = _filesystem(url.partition("://")[0], access, url)
        etag, size = _described(fs, path)
        if _is_http(url):
            with fs.open(
                path, "rb", **_ONE_REQUEST
            ) as file:  # one request, its length checked by the library
                return _in_pieces(file, max_bytes, _http_version(file))
        if size >= 0 and size <= max_bytes:
            data = fs.cat_file(path)
            if len(data) != size:
                raise ConnectionError(f"{len(data)} bytes came of {size}")
            return Download(hashlib.sha256(data).digest(), size, data, etag)
        with fs.open(path, "rb") as file:
            return _in_pieces(file, max_bytes, etag)

    return patiently(once, url, access)


def to_file(url: str, access: Access, target: Path) -> None:
    """Write a URL's bytes to a file beside `target`, then rename it.

    Raises:
        DownloadError: After all tries.
    """

    def once() -> None:
        fs, path = _filesystem(url.partition("://")[0], access, url)
        _, size = _described(fs, path)
        partial = target.with_name(f".{target.name}.partial")
        target.parent.mkdir(parents=True, exist_ok=True)
        options = _ONE_REQUEST if _is_http(url) else {}
        try:
            with fs.open(path, "rb", **options) as source, partial.open("wb") as file:
                while piece := source.read(_PIECE):
                    file.write(piece)
            if size >= 0 and partial.stat().st_size != size:
                raise ConnectionError(f"{partial.stat().st_size} bytes came of {size}")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    patiently(once, url, access)


def etag(url: str, access: Access) -> str:
    """What the server says now about the version of a URL; "" where it tells nothing.

    Raises:
        DownloadError: After all tries.
    """

    def once() -> str:
        fs, path = _filesystem(url.partition("://")[0], access, url)
        if not _is_http(url):
            return tag(fs.info(path))
        with fs.open(path, "rb", **_ONE_REQUEST) as file:  # not HEAD, which many servers refuse
            return _http_version(file)

    return patiently(once, url, access)


def tag(info: Mapping[str, Any]) -> str:
    """The version of a file by the description that fsspec gives of it."""
    for name in (
        "ETag",
        "etag",
        "md5Hash",
        "content_md5",
        "LastModified",
        "last_modified",
        "mtime",
        "created",
    ):
        if info.get(name):
            return f"{name.lower()}={info[name]}"
    return ""


def patiently(once: Callable[[], _Result], url: str, access: Access) -> _Result:
    """Call `once` until it works, as often as `access` says, with pauses that double.

    Raises:
        DownloadError: The last reason, in one line without secrets.
    """
    for pause in _pauses(access.retries):
        try:
            return once()
        except Exception as error:
            if isinstance(error, CurateError):
                raise
            if pause is None or not _may_pass(error):
                raise DownloadError(_line(error, url)) from error
        time.sleep(pause)
    raise AssertionError("unreachable")


def _pauses(retries: int) -> Iterator[float | None]:
    """Seconds to wait after each failed try; None after the last."""
    for number in range(retries):
        yield min(_FIRST_PAUSE_S * 2**number, _LONGEST_PAUSE_S)
    yield None


def _may_pass(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in _PASSING
    return not isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)


def _line(error: BaseException, url: str) -> str:
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return f"the server answered {status} {getattr(error, 'message', '')}".strip()
    if isinstance(error, FileNotFoundError):
        return "not found"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split()).replace(url, without_secrets(url))
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


@functools.lru_cache(maxsize=64)
def _made(protocol: str, access: Access) -> Any:
    made, _ = fsspec_filesystem.filesystem(
        f"{protocol}://x", json.loads(access.options), timeout_s=access.timeout_s
    )
    return made


def _filesystem(protocol: str, access: Access, url: str) -> tuple[Any, str]:
    made = _made(protocol, access)
    return made, str(made._strip_protocol(url))


def _described(fs: Any, path: str) -> tuple[str, int]:
    if "http" in fs.protocol:
        return "", -1  # one request less: the answer itself carries both
    info = fs.info(path)
    return tag(info), int(info["size"]) if info.get("size") is not None else -1


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _http_version(file: Any) -> str:
    headers = getattr(getattr(file, "r", None), "headers", {})
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


def _in_pieces(file: Any, max_bytes: int, version: str) -> Download:
    digest, size, pieces = hashlib.sha256(), 0, []
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        if size <= max_bytes:
            pieces.append(piece)
        else:
            pieces.clear()
    data = b"".join(pieces) if size <= max_bytes else None
    return Download(digest.digest(), size, data, version)
