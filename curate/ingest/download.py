"""Bytes of a URL, with growing pauses between tries."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

from curate.errors import CurateError
from curate.ingest import fsspec_filesystem
from curate.ingest.place_names import without_secrets
from curate.ingest.url_access import Access, DownloadError, origin

__all__ = ["Access", "Download", "DownloadError", "etag", "patiently", "read", "tag", "to_file"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_PIECE = 1 << 20
# fsspec would ask for the size first, and report every failure of that as "not found".
_ONE_REQUEST = {"block_size": 0, "size": 1, "allow_redirects": False}
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 10
# HTTP answers that a later try may change: timeouts, too many requests, faults of the server.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_Result = TypeVar("_Result")


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
        if _is_http(url):
            with _answer(url, access) as file:  # one request, its length checked by the library
                return _in_pieces(file, max_bytes, _http_version(file))
        fs, path = _filesystem(url, access)
        etag, size = _described(fs, path)
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
        partial = target.with_name(f".{target.name}.partial")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            size = -1
            with ExitStack() as opened:
                if _is_http(url):
                    source = opened.enter_context(_answer(url, access))
                else:
                    fs, path = _filesystem(url, access)
                    _, size = _described(fs, path)
                    source = opened.enter_context(fs.open(path, "rb"))
                file = opened.enter_context(partial.open("wb"))
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
        if not _is_http(url):
            fs, path = _filesystem(url, access)
            return tag(fs.info(path))
        with _answer(url, access) as file:  # not HEAD, which many servers refuse
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
    access.refuse(url)
    for pause in _pauses(access.network.retries):
        try:
            return once()
        except Exception as error:
            if isinstance(error, CurateError):
                raise
            if pause is None or not _may_pass(error):
                raise DownloadError(_line(error, url, access)) from error
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


def _line(error: BaseException, url: str, access: Access) -> str:
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        kept = access.options != "{}" and access.options_for(url) == "{}" and status in (401, 403)
        hint = f"; storage goes to `hosts` of the source only, not to {origin(url)}" if kept else ""
        return f"the server answered {status} {getattr(error, 'message', '')}".strip() + hint
    if isinstance(error, FileNotFoundError):
        return "not found"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split()).replace(url, without_secrets(url))
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


@contextmanager
def _answer(url: str, access: Access) -> Iterator[Any]:
    """What a server answers. Redirects are followed here, for each may lead to somebody else.

    Raises:
        DownloadError: A redirect leads where nobody may be asked, or to no end.
    """
    for _ in range(_MAX_REDIRECTS + 1):
        fs, path = _filesystem(url, access)
        with fs.open(path, "rb", **_ONE_REQUEST) as file:
            if file.r.status not in _REDIRECTS:
                yield file
                return
            target = file.r.headers.get("Location", "")
        url = urljoin(url, target)
        if not _is_http(url):
            raise DownloadError(f"a redirect leads to {without_secrets(url)[:100]!r}, which is not http(s)")
        access.refuse(url)
    raise DownloadError(f"over {_MAX_REDIRECTS} redirects")


def _filesystem(url: str, access: Access) -> tuple[Any, str]:
    made = _made(url.partition("://")[0].lower(), access, access.options_for(url))
    return made, str(made._strip_protocol(url))


@functools.lru_cache(maxsize=64)
def _made(protocol: str, access: Access, options: str) -> Any:
    made, _ = fsspec_filesystem.filesystem(f"{protocol}://x", json.loads(options), access)
    return made


def _described(fs: Any, path: str) -> tuple[str, int]:
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
