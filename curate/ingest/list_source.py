"""Lists the sources of kind list and table: files that name paths and URLs, one per line or row."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from curate.errors import InputError
from curate.ingest import download, listing, sidecar, table_rows
from curate.ingest.listing import UNKNOWN, Context, Listed
from curate.ingest.place_names import is_url, without_secrets
from curate.ingest.sources import Source
from curate.ingest.table_rows import Fault, Faults


def put(context: Context, source: Source) -> None:
    """List what a file of kind list or table names.

    Raises:
        InputError: It cannot be read, or a row of it does not fit, with its line.
    """
    number = context.ids[source.name]
    try:
        with _opened(context, source) as file:
            if source.kind == "list":
                listing.put(context.db, _lines(source, number, file))
            else:
                listing.put_merged(context.db, _rows(source, number, file))
    except OSError as error:
        raise InputError(f"{source.where} cannot be read: {error.strerror or error}") from error
    except download.DownloadError as error:
        listing.carry_over(context.db, number)
        listing.put(context.db, [_failure(number, str(error))])


def _failure(number: int, detail: str) -> Listed:
    return Listed(number, b"", reason="download_failed", detail=f"the list itself: {detail}")


@contextmanager
def _opened(context: Context, source: Source) -> Iterator[BinaryIO]:
    if not is_url(source.where):
        with open(source.where, "rb") as file:  # noqa: PTH123 - absolute text
            yield file
        return
    target = context.cache / "lists" / str(context.ids[source.name])
    download.to_file(source.where, context.access(source), target)
    with target.open("rb") as file:
        yield file


def _lines(source: Source, number: int, file: BinaryIO) -> Iterator[Listed]:
    """Empty lines and those that begin with # say nothing."""
    for line, content in enumerate(file, start=1):
        if line == 1 and (advice := table_rows.encoding_advice(start=content[:4])) is not None:
            raise InputError(f"{source.where} cannot be read: {advice}")
        name = content.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")
        if name.strip() and not name.startswith(b"#"):
            yield _told_encoding(_place(source, number, name, None), source)


def _told_encoding(place: Listed, source: Source) -> Listed:
    """A file that is not there, under a name that is no UTF-8, may be there under another."""
    if place.size != UNKNOWN or place.reason is not None or is_url(place.name):
        return place
    try:
        place.name.decode()
    except UnicodeDecodeError:
        other = place.name.decode("cp1252", "replace").encode()
        if os.path.isfile(os.path.join(os.fsencode(source.base), other)):  # noqa: PTH113, PTH118 - bytes
            detail = "the list is Windows-1252, and a file of that name is there: save the list as UTF-8"
            return place._replace(reason="unreadable", detail=detail)
    return place


def _rows(source: Source, number: int, file: BinaryIO) -> Iterator[Listed]:
    faults = Faults(source.where)
    for row in table_rows.read(file, source.where, source.column, source.columns):
        if isinstance(row, Fault):
            faults.add(row)
            continue
        given = sidecar.to_json(row.attributes)
        try:
            name = row.path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            name = row.path.encode("utf-8", "backslashreplace")
            yield Listed(
                number, name, given=given, reason="name_not_representable",
                detail="the path holds half of a surrogate pair",
            )  # fmt: skip
            continue
        yield _place(source, number, name, given)
    faults.refuse()


def _place(source: Source, number: int, name: bytes, given: str | None) -> Listed:
    """A path is relative to the list's folder, or where the list is a URL, to that."""
    if is_url(name):
        return _url(number, name.decode("utf-8", "surrogateescape"), given)
    if is_url(source.where):
        plain = posixpath.normpath(name.decode("utf-8", "surrogateescape")).lstrip("/")
        return Listed(number, os.fsencode(plain), locator=os.fsencode(source.base + plain), given=given)
    path = os.path.normpath(os.path.join(os.fsencode(source.base), name))  # noqa: PTH118 - bytes
    return listing.local(number, name, path, sidecar=source.sidecar, given=given)


def _url(number: int, url: str, given: str | None) -> Listed:
    return Listed(number, os.fsencode(without_secrets(url)), locator=os.fsencode(url), given=given)
