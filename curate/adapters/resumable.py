"""A large file over HTTP: goes on where it stopped, and has its name only when it is whole and right."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from curate import progress
from curate.errors import ModelError

_PIECE = 1_000_000  # bytes; the bar counts them as MB
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that a later try may change


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    size: int | None,
    tries: int = 6,
    timeout_s: float = 60.0,
    first_pause_s: float = _FIRST_PAUSE_S,
) -> None:
    """Write a URL's bytes to `target`.

    What has come so far stays beside it as `.<name>.partial` when the connection drops or the process is
    killed, and is not asked for again, unless the server's file has changed meanwhile.

    Args:
        url: http or https.
        target: Its folder is made.
        sha256: What the bytes must have; None = not known.
        size: What the file must have, bytes; None = what the server says.
        tries: Connections in a row that bring nothing, before it gives up.
        timeout_s: A connection may stand still so long.
        first_pause_s: Between tries; it doubles.

    Raises:
        ModelError: It cannot be had, or is not the right one; the wrong bytes are removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    failed = 0
    while True:
        before = _length(partial)
        try:
            _go_on(url, partial, target.name, timeout_s)
            break
        except (OSError, http.client.HTTPException) as error:
            failed = 1 if _length(partial) > before else failed + 1
            if failed >= tries or not _may_pass(error):
                raise ModelError(
                    f"{target.name} cannot be fetched from {url}: {_line(error)}; "
                    f"{_length(partial)} bytes of it are kept, fetch again to go on"
                ) from error
        time.sleep(min(first_pause_s * 2 ** (failed - 1), _LONGEST_PAUSE_S))
    _accept(partial, target, url, sha256, size)


def _accept(partial: Path, target: Path, url: str, sha256: str | None, size: int | None) -> None:
    """Give the file its name if it is the right one; else remove it."""
    with partial.open("rb+") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    length = _length(partial)
    if (size is not None and length != size) or (sha256 is not None and found != sha256):
        _drop(partial)
        wanted = f"{size} bytes with sha256 {sha256}" if size is not None else f"sha256 {sha256}"
        raise ModelError(
            f"{target.name} from {url} is not the published file: expected {wanted}, found {length} bytes "
            f"with sha256 {found}"
        )
    partial.replace(target)
    _drop(partial)


def _go_on(url: str, partial: Path, name: str, timeout_s: float) -> None:
    """One connection: append what is missing.

    Raises:
        OSError: It broke off, or the server refused.
    """
    have, tag = _length(partial), _tag(partial)
    headers = {"User-Agent": "curate", "Accept-Encoding": "identity"}
    if have and tag:  # without a tag nobody could tell whether the rest belongs to this beginning
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the table's, http or https
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # all of it is there
            _drop(partial)
            raise ConnectionError("the file became shorter") from error
        raise
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise ConnectionError("the server sent another part than was asked for")
        start = have if resumed else 0
        total = _total(answer, start)
        if not resumed:
            _drop(partial)
            _keep_tag(partial, answer)
        with partial.open("ab") as file:
            left = None if total is None else -(-(total - start) // _PIECE)
            for piece in progress.track(_pieces(answer), total=left, label=f"{name}, MB"):
                file.write(piece)
    if total is not None and _length(partial) != total:
        raise ConnectionError(f"{_length(partial)} bytes came of {total}")


def _pieces(answer: Any) -> Iterator[bytes]:
    while piece := answer.read(_PIECE):
        yield piece


def _total(answer: Any, start: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return None if length is None else start + int(length)


def _keep_tag(partial: Path, answer: Any) -> None:
    """Remember the version that this beginning is of; a weak ETag is none."""
    tag = answer.headers.get("ETag") or ""
    if not tag or tag.startswith("W/"):
        tag = answer.headers.get("Last-Modified") or ""
    _tag_file(partial).write_text(tag)


def _tag(partial: Path) -> str:
    try:
        return _tag_file(partial).read_text()
    except OSError:
        return ""


def _tag_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")


def _drop(partial: Path) -> None:
    for path in (partial, _tag_file(partial)):
        with suppress(FileNotFoundError):
            path.unlink()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING
    # A full or closed disk comes as an OSError, too: it names a file, or says that there is no space.
    return (
        not isinstance(error, PermissionError)
        and getattr(error, "filename", None) is None
        and (getattr(error, "errno", None) != 28)
    )


def _line(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:200] or type(error).__name__
