"""Files below a folder, under every name that they have there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from curate.errors import InputError
from curate.formats.image_files import SUFFIXES

# A link of such a name that leads nowhere was no folder of images.
_OTHER_FILES = frozenset(
    {".csv", ".gz", ".json", ".jsonl", ".md", ".parquet", ".pdf", ".tar", ".txt", ".xml", ".yaml", ".zip"}
)


class Closed(NamedTuple):
    """A folder that cannot be listed, or a link that leads nowhere and may be meant for one.

    Attributes:
        folder: Which.
        error: Why not.
    """

    folder: Path
    error: OSError


def images_below(root: Path) -> Iterator[Path | Closed]:
    """Every file that is named as an image, folder by folder, in the order of the names.

    Links to folders are followed under each of their names, as `train` and `test` may be links to one; a link
    to a folder that it stands in is not. What begins with a dot is passed over, and so are sockets, pipes and
    devices. A link that leads nowhere is given: whoever opens it says so.
    """
    for one in _below(os.fsencode(root), hidden=False):
        if isinstance(one, _Nowhere):
            if one.link.suffix.lower() in SUFFIXES:
                yield one.link
            elif one.link.suffix.lower() not in _OTHER_FILES:  # `signs.v3` may be a folder
                yield Closed(*one)
        elif isinstance(one, Closed) or one.suffix.lower() in SUFFIXES:
            yield one


def paths_below(root: Path, *patterns: str) -> list[Path]:
    """Files, and links that lead nowhere, whose name matches, sorted.

    Links to folders are followed as by `images_below`, since labels lie as their images do.

    Args:
        root: Where to look, and in all folders below.
        patterns: Of names, not of paths: `*.xml`. One that matches is enough.

    Raises:
        InputError: A folder cannot be listed: what is in it would not be missed.
    """
    found = []
    for one in find(root, *patterns):
        if isinstance(one, Closed):
            raise InputError(f"folder {one.folder} cannot be listed: {one.error.strerror}")
        found.append(one)
    return sorted(found)


def find(root: Path, *patterns: str) -> Iterator[Path | Closed]:
    """What `paths_below` finds, folder by folder, and the folders that cannot be listed.

    Args:
        root: Where to look, and in all folders below.
        patterns: Of names.
    """
    for one in _below(os.fsencode(root), hidden=True):
        path = one.link if isinstance(one, _Nowhere) else one
        if isinstance(path, Closed) or any(fnmatchcase(path.name, pattern) for pattern in patterns):
            yield path


class _Nowhere(NamedTuple):
    """A link that leads to nothing."""

    link: Path
    error: OSError


def _below(
    folder: bytes, above: tuple[tuple[int, int], ...] = (), *, hidden: bool
) -> Iterator[Path | _Nowhere | Closed]:
    """Regular files of a folder and of those in it; `above` are the ones that it stands in."""
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
            yield from _found(entry, inner)
    for one in inner:
        yield from _below(one, (*above, own), hidden=hidden)


def _found(entry: os.DirEntry[bytes], inner: list[bytes]) -> Iterator[Path | _Nowhere]:
    """An entry that is a file or leads nowhere; folders go to `inner`."""
    path = Path(os.fsdecode(entry.path))
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        yield _Nowhere(path, error)
        return
    if stat.S_ISDIR(mode):
        inner.append(entry.path)
    elif stat.S_ISREG(mode):
        yield path
