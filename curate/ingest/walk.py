"""Every file below a folder, whatever the names and links are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_TOGETHER = 1000  # files


class Files(NamedTuple):
    """Some files of one folder: regular ones, and links that lead to one or nowhere.

    Attributes:
        folder: Absolute bytes.
        found: Name and status, through links; None where a link leads nowhere.
    """

    folder: bytes
    found: list[tuple[bytes, os.stat_result | None]]


class Closed(NamedTuple):
    """A folder that cannot be listed.

    Attributes:
        folder: Absolute bytes.
        error: Why not.
    """

    folder: bytes
    error: OSError


def files_below(folder: str | bytes | os.PathLike[str]) -> Iterator[Files | Closed]:
    """Every file once, in no particular order; memory grows with folders only.

    Links to folders are followed, but every real folder is entered once: by its own name where it has one
    below `folder`, else by the first link; so a loop ends. Sockets, pipes and devices are passed over.
    """
    entered: set[tuple[int, int]] = set()
    links: list[bytes] = []
    waiting = [os.fsencode(folder)]
    while waiting:
        current = waiting.pop()
        try:
            status = os.stat(current)  # noqa: PTH116 - bytes, a million times
            if (status.st_dev, status.st_ino) not in entered:
                entered.add((status.st_dev, status.st_ino))
                yield from _files(current, waiting, links)
        except OSError as error:
            yield Closed(current, error)
        if not waiting and links:  # only when every real folder has been entered by its own name
            links.sort(reverse=True)
            waiting.append(links.pop())


def _files(folder: bytes, folders: list[bytes], links: list[bytes]) -> Iterator[Files]:
    """Files of one folder; the folders in it go to `folders`, links to folders to `links`."""
    found: list[tuple[bytes, os.stat_result | None]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found.append((entry.name, _status(entry)))
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_symlink():
                    if _is_folder(entry):
                        links.append(entry.path)
                    elif _file_or_nothing(entry.path):
                        found.append((entry.name, _status(entry)))
                if len(found) == _TOGETHER:
                    yield Files(folder, found)
                    found = []
    except OSError:  # perhaps in the middle of it: what was seen is there
        yield Files(folder, found)
        raise
    if found:
        yield Files(folder, found)


def _status(entry: os.DirEntry[bytes]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _is_folder(link: os.DirEntry[bytes]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a link to itself
        return False


def _file_or_nothing(link: bytes) -> bool:
    try:
        return os.path.isfile(link) or not os.path.exists(link)  # noqa: PTH110, PTH113 - bytes
    except OSError:
        return True
