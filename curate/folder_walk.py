"""Files below a folder, under every name that they have there.

Links to folders are followed under each of their names, as `train` and `test` may be links to one; a link to
a folder that it stands in is not. Sockets, pipes and devices are passed over.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from fnmatch import translate
from pathlib import Path
from re import compile as compiled_pattern
from typing import Final, NamedTuple

from curate.errors import InputError

# A link of such a name that leads nowhere was no folder.
_NAMES_OF_FILES: Final = frozenset(
    {".arrow", ".avif", ".bmp", ".csv", ".gif", ".gz", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg",
     ".jpg", ".json", ".jsonl", ".jxl", ".md", ".parquet", ".pdf", ".png", ".pth", ".tar", ".tif", ".tiff",
     ".txt", ".webp", ".xml", ".yaml", ".yml", ".zip"}
)  # fmt: skip
_LEADS_NOWHERE: Final = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
_OF_THE_DISK: Final = b"lost+found"  # that nobody but root may list


class Closed(NamedTuple):
    """A folder that cannot be listed, or a link that leads nowhere and may be meant for one.

    Attributes:
        folder: Which.
        error: Why not.
    """

    folder: Path
    error: OSError


def paths_below(root: Path, *patterns: str) -> list[Path]:
    """Files, and links that lead nowhere, whose name matches, sorted.

    Args:
        root: Where to look, and in all folders below.
        patterns: Of names, not of paths: `*.xml`. One that matches is enough.

    Raises:
        InputError: There is no such folder, or one cannot be listed: what is in it would not be missed.
    """
    if not root.exists():
        raise InputError(f"{root} does not exist: name a file or a folder")
    return sorted(opened(find(root, named(*patterns))))


def opened(found: Iterator[Path | Closed]) -> Iterator[Path]:
    """Files of a walk, which ends at the first folder that cannot be listed.

    Raises:
        InputError: There is one: what is in it would not be missed.
    """
    for one in found:
        if isinstance(one, Closed):
            raise InputError(f"folder {one.folder} cannot be listed: {one.error.strerror}")
        yield one


def named(*patterns: str) -> Callable[[str], bool]:
    """Whether a file's name matches one of some patterns.

    Examples:
        >>> named("*.xml", "a.*")("b.xml"), named("*.xml")("b.XML")
        (True, False)
    """
    either = compiled_pattern("|".join(map(translate, patterns)))
    return lambda name: either.match(name) is not None


def find(root: Path, wanted: Callable[[str], bool], *, hidden: bool = True) -> Iterator[Path | Closed]:
    """Files by their names, folder by folder in the order of the names, and what cannot be listed.

    A link that leads nowhere is given where its name is wanted: whoever opens it says so. Closed folders that
    are hidden, or `lost+found`, are passed over: nobody keeps data there.

    Args:
        root: Where to look, and in all folders below.
        wanted: Whether a file of this name is looked for.
        hidden: Whether what begins with a dot is looked at too.
    """
    base = os.fsencode(root)
    for one in _below(base, wanted, (), hidden=hidden):
        if isinstance(one, Closed):
            inner = os.fsencode(one.folder)[len(base) :].split(b"/")
            if any(part.startswith(b".") or part == _OF_THE_DISK for part in inner):
                continue
        yield one


def _below(
    folder: bytes, wanted: Callable[[str], bool], above: tuple[tuple[int, int], ...], *, hidden: bool
) -> Iterator[Path | Closed]:
    """Find as `find` does, and yield all closed folders; `above` are the folders that this one stands in."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - bytes
        own = (status.st_dev, status.st_ino)
        if own in above:
            return
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Closed(Path(os.fsdecode(folder)), error)
        return
    inner: list[bytes] = []
    for entry in found:
        if hidden or not entry.name.startswith(b"."):
            try:
                yield from _found(entry, wanted, inner)
            except OSError as error:  # of a disk that does not say in the folder what is one
                yield Closed(Path(os.fsdecode(entry.path)), error)
    for one in inner:
        yield from _below(one, wanted, (*above, own), hidden=hidden)


def _found(
    entry: os.DirEntry[bytes], wanted: Callable[[str], bool], inner: list[bytes]
) -> Iterator[Path | Closed]:
    """A file that is wanted, or what may have been a folder; folders go to `inner`."""
    if entry.is_dir(follow_symlinks=False):
        inner.append(entry.path)
        return
    is_wanted = wanted(os.fsdecode(entry.name))
    if entry.is_file(follow_symlinks=False):
        if is_wanted:
            yield Path(os.fsdecode(entry.path))
    elif entry.is_symlink():
        yield from _linked(entry, inner, is_wanted=is_wanted)


def _linked(entry: os.DirEntry[bytes], inner: list[bytes], *, is_wanted: bool) -> Iterator[Path | Closed]:
    path = Path(os.fsdecode(entry.path))
    try:
        entry.stat()
    except OSError as error:
        if is_wanted:
            yield path
        elif error.errno not in _LEADS_NOWHERE or path.suffix.lower() not in _NAMES_OF_FILES:
            yield Closed(path, error)  # `signs.v3` may be a folder
        return
    if entry.is_dir():
        inner.append(entry.path)
    elif is_wanted and entry.is_file():
        yield path
