"""Lists the sources of kind url: one file, or everything below a prefix, a page at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from curate.errors import InputError
from curate.ingest import download, fsspec_filesystem, listing
from curate.ingest.download import DownloadError
from curate.ingest.listing import UNKNOWN, Context, Listed
from curate.ingest.sources import Source

_PAGE = 1000  # keys per request


def put(context: Context, source: Source) -> None:
    """List a URL: what ends with a slash is a prefix.

    A listing that fails on the way is a row of its own; what was known counts as still there.

    Raises:
        InputError: There is nothing, or it may not be listed.
    """
    number = context.ids[source.name]
    if not source.where.endswith("/"):
        name = os.fsencode(source.where.partition("?")[0].rpartition("/")[2])
        listing.put(context.db, [Listed(number, name, locator=os.fsencode(source.where))])
        return
    try:
        listing.put(context.db, _below(context, source, number))
    except DownloadError as error:
        listing.carry_over(context.db, number)
        failure = Listed(number, b"", reason="download_failed", detail=f"the listing: {error}")
        listing.put(context.db, [failure], again="REPLACE")
    else:
        if source.sidecar:
            listing.match_sidecars(context.db, number)


def _below(context: Context, source: Source, number: int) -> Iterator[Listed]:
    context.access(source).refuse(source.where)
    fs, root = fsspec_filesystem.filesystem(source.where, source.storage, context.access(source))
    root = root.rstrip("/")
    found = False
    for path, info in _pages(context, source, fs, root):
        found = True
        name = os.fsencode(path[len(root) + 1 :])
        size = int(info["size"]) if info.get("size") is not None else UNKNOWN
        side1, side2 = listing.side_names(name) if source.sidecar else (None, None)
        yield Listed(number, name, size, 0, download.tag(info), side1=side1, side2=side2)
    if not found:
        raise InputError(f"{source.origin}: nothing below {source.where}: correct the url")


def _pages(context: Context, source: Source, fs: Any, root: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and description of every file below `root`."""
    access = context.access(source)

    def patiently(once: Any) -> Any:
        try:
            return download.patiently(once, source.where, access)
        except DownloadError as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError):
                raise InputError(f"{source.origin}: {source.where}: {error}: correct it") from error
            raise

    if hasattr(fs, "call_s3"):
        yield from _s3_pages(fs, root, patiently)
        return
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for info in patiently(lambda folder=folder: fs.ls(folder, detail=True)):
            path = str(info["name"])
            if info["type"] == "directory" and path.rstrip("/") != folder.rstrip("/"):
                waiting.append(path.rstrip("/"))
            elif info["type"] != "directory":
                yield path, info


def _s3_pages(fs: Any, root: str, patiently: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One page per request: a prefix of ten million must not be held whole."""
    bucket, _, prefix = root.partition("/")
    more: dict[str, str] = {}
    while True:
        page = patiently(
            lambda more=more: fs.call_s3(
                "list_objects_v2", MaxKeys=_PAGE, Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", **more
            )
        )
        for entry in page.get("Contents", ()):
            if not entry["Key"].endswith("/"):
                yield f"{bucket}/{entry['Key']}", {"size": entry["Size"], "ETag": entry["ETag"]}
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}
