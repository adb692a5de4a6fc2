"""Lists the sources of kind archive and hf: unchanged ones from the ledger, without opening them."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from curate.errors import InputError
from curate.ingest import (
    archive_members,
    download,
    fsspec_filesystem,
    huggingface_source,
    ledger,
    listing,
    sidecar,
)
from curate.ingest.download import DownloadError
from curate.ingest.listing import Context, Listed
from curate.ingest.place_names import is_url, without_secrets
from curate.ingest.sidecar import SidecarError
from curate.ingest.sources import Source
from curate.system import printable


def put_archives(context: Context, source: Source) -> None:
    """List the members of every archive that a pattern stands for.

    Raises:
        InputError: Nothing fits the pattern.
    """
    fixed = archive_members.fixed_part(source.where)
    found = list(_matching(context, source)) if is_url(source.where) else archive_members.expand(source.where)
    missing = next((path for path in found if not is_url(path) and not Path(path).is_file()), None)
    if missing is not None or not found:
        raise InputError(
            f"{source.origin}: archive {missing or source.where!r} is no file: correct the pattern"
        )
    for where in found:
        _put_archive(context, source, where, os.fsencode(without_secrets(where).removeprefix(fixed)))


def local_paths(source: Source) -> list[str]:
    """The files of an archive source that lie on this machine."""
    return [] if is_url(source.where) else archive_members.expand(source.where)


def put_rows(context: Context, source: Source) -> None:
    """List the rows of a Hugging Face dataset."""
    number = context.ids[source.name]
    try:
        tag, _ = huggingface_source.identity(source)
    except DownloadError as error:
        _could_not_be_read(context, number, os.fsencode(source.split), "download_failed", str(error))
        return
    tag = json.dumps([tag, source.column, source.columns])
    split = os.fsencode(source.split)
    if (known := _unchanged(context, number, split, tag, None)) is None:
        return
    rows = (
        Listed(
            number, b"%s/%08d" % (split, row), 0, 0, tag, known, row,
            given=sidecar.to_json(attributes),
        )
        for row, attributes in enumerate(huggingface_source.attributes(source))
    )  # fmt: skip
    listing.put(context.db, rows)
    context.archives[known] = tag


def _matching(context: Context, source: Source) -> Iterator[str]:
    """URLs of a pattern; only its last part may hold wildcards."""
    for name in archive_members.shards(source.where):
        folder, _, last = name.rpartition("/")
        if "*" not in last and "[" not in last:  # a question mark begins a query
            yield name
            continue
        fs, root = fsspec_filesystem.filesystem(folder, source.storage, context.access(source))
        try:
            entries = download.patiently(
                functools.partial(fs.ls, root, detail=False), folder, context.access(source)
            )
        except DownloadError as error:
            raise InputError(f"{source.origin}: {folder}: {error}: correct the pattern") from error
        names = sorted(str(entry).rpartition("/")[2] for entry in entries)
        yield from (f"{folder}/{found}" for found in names if fnmatch.fnmatchcase(found, last))


def _put_archive(context: Context, source: Source, where: str, name: bytes) -> None:
    number = context.ids[source.name]
    try:
        tag = _identity(context, source, where)
    except (DownloadError, OSError) as error:
        _could_not_be_read(context, number, name, "download_failed", str(error))
        return
    path = _cached_path(context, where, tag) if is_url(where) else Path(where)
    tag = f"{tag}|{_POSITIONS}"
    archive = _unchanged(context, number, name, tag, os.fsencode(path))
    if archive is None:
        return
    try:
        if is_url(where) and not path.exists():
            download.to_file(where, context.access(source), path)
        whole = Listed(number, name, tag=tag, archive=archive, locator=os.fsencode(path))
        _put_members(context.db, path, whole)
    except DownloadError as error:
        _could_not_be_read(context, number, name, "download_failed", str(error))
    except archive_members.DAMAGED as error:
        detail = f"the archive is damaged: {' '.join(str(error).split()) or type(error).__name__}"
        listing.put(context.db, [Listed(number, name, reason="corrupt", detail=detail)])
    else:
        context.archives[archive] = tag


def _could_not_be_read(context: Context, number: int, name: bytes, reason: str, detail: str) -> None:
    listing.carry_over(context.db, number, name + b"/")
    listing.put(context.db, [Listed(number, name, reason=reason, detail=detail)])


def _identity(context: Context, source: Source, where: str) -> str:
    if is_url(where):
        return download.etag(where, context.access(source))
    status = Path(where).stat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _cached_path(context: Context, where: str, tag: str) -> Path:
    """A copy of a remote archive is called after its URL and version."""
    key = hashlib.sha256(f"{without_secrets(where)}\n{tag}".encode()).hexdigest()
    return context.cache / "archives" / key[:2] / key


def _unchanged(context: Context, source: int, name: bytes, tag: str, locator: bytes | None) -> int | None:
    """List the members that the ledger knows and return None, or the archive's number if it must be read."""
    db = context.db
    db.execute("INSERT OR IGNORE INTO archives (source, name) VALUES (?, ?)", (source, name))
    number, known = db.execute(
        "SELECT id, tag FROM archives WHERE source = ? AND name = ?", (source, name)
    ).fetchone()
    # What failed is tried again, which needs what only a listing tells: links, and attributes beside it.
    failed = db.execute(
        "SELECT 1 FROM places WHERE failed = 1 AND source = ? AND archive = ? AND gone = 0 LIMIT 1",
        (source, number),
    ).fetchone()
    lost = locator is not None and not os.path.exists(locator)  # noqa: PTH110 - bytes
    if known != tag or failed or lost:
        return int(number)
    db.execute(
        "INSERT OR IGNORE INTO scratch.listed "
        "SELECT source, name, size, mtime_ns, tag, archive, position, ?, given, "
        "NULL, NULL, NULL, NULL, NULL FROM places WHERE source = ? AND archive = ? AND gone = 0",
        (locator, source, number),
    )
    context.archives[int(number)] = tag
    return None


def _put_members(db: sqlite3.Connection, path: Path, whole: Listed) -> None:
    """All members go to `scratch.members`; there texts find the image of the same key."""
    db.execute("DELETE FROM scratch.members")
    damage: BaseException | None = None
    rows = archive_members.members(path)
    while True:
        batch = []
        try:
            for member in rows:
                batch.append((member.key, member.suffix, *member))
                if len(batch) == 5000:
                    break
        except archive_members.DAMAGED as error:
            damage = error
        with ledger.transaction(db):
            db.executemany("INSERT INTO scratch.members VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
        if len(batch) < 5000:
            break
    listing.put(db, _samples(db, whole), again="REPLACE")
    if damage is not None:
        raise damage


_POSITIONS = 2  # what `Member.position` means: an archive listed by an older curate is listed again
_IMAGES = """
SELECT key, name, position, size, link FROM scratch.members m
WHERE text IS NULL OR NOT EXISTS (SELECT 1 FROM scratch.members o WHERE o.key = m.key AND o.text IS NULL)
ORDER BY m.position
"""
_TEXTS = """
SELECT name, suffix, text FROM scratch.members WHERE key = ? AND text IS NOT NULL AND name <> ?
ORDER BY suffix, position
"""
# The last one of that name before the link, as unpacking would have it, else the last of all.
_TARGET = """
SELECT position, size, link FROM scratch.members
WHERE name IN (?, '/' || ?, './' || ?) AND position <> ? ORDER BY position > ?, position DESC LIMIT 1
"""
_FOLDER = "SELECT 1 FROM scratch.members WHERE name >= ? AND name < ? LIMIT 1"
_MAX_LINKS = 40  # that are followed from one to the next


def _samples(db: sqlite3.Connection, whole: Listed) -> Iterator[Listed]:
    """What `scratch.members` holds, as places in the archive that `whole` describes."""
    db.execute("CREATE INDEX IF NOT EXISTS scratch.members_key ON members (key)")
    db.execute("CREATE INDEX IF NOT EXISTS scratch.members_name ON members (name)")
    for key, member, position, size, link in db.execute(_IMAGES):
        texts = db.execute(_TEXTS, (key, member)).fetchall()
        place = whole._replace(name=whole.name + b"/" + member, size=size, position=position)
        try:
            place = place._replace(given=_given(texts))
        except SidecarError as error:
            yield place._replace(reason="bad_sidecar", detail=str(error))
            continue
        if link is None:
            yield place
        elif (found := _followed(db, link, position)) is not None:
            yield place._replace(position=found[0], size=found[1])
        elif not db.execute(_FOLDER, (link + b"/", link + b"0")).fetchone():  # which has members of its own
            detail = f"a link to {printable(link)}, which is no file of this archive"
            yield place._replace(reason="unreadable", detail=detail)


def _followed(db: sqlite3.Connection, link: bytes, position: int) -> tuple[int, int] | None:
    """Position and size of the file that the link at a position leads to."""
    target: bytes | None = link
    for _ in range(_MAX_LINKS):
        name = (target or b"").lstrip(b"/").removeprefix(b"./")
        found = db.execute(_TARGET, (name, name, name, position, position)).fetchone()
        if found is None:
            return None
        position, size, target = found
        if target is None:
            return position, size
    return None


def _given(texts: list[tuple[bytes, bytes, str]]) -> str | None:
    """Attributes of one sample: the keys of its .json; its .txt and .cls by their ending.

    Raises:
        SidecarError: A .json holds no object, so that the license is not known.
    """
    values: dict[str, object] = {}
    for name, suffix, text in texts:
        ending = suffix.decode("utf-8", "backslashreplace").rpartition(".")[2]
        try:
            values.update(sidecar.loads(text) if ending == "json" else {ending: text.strip()})
        except SidecarError as error:
            raise SidecarError(f"{printable(name)}: {error}") from error
    return sidecar.as_json(values)
