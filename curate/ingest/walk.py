"""Every file below a folder, one at a time, whatever the names and links are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """A regular file, or a link that leads to one or nowhere.

    Attributes:
        folder: Absolute bytes of the folder that it lies in.
        name: Bytes.
        status: Of the file, through links; None where a link leads nowhere.
    """

    folder: bytes
    name: bytes
    status: os.stat_result | None


class Closed(NamedTuple):
    """A folder that cannot be listed.

    Attributes:
        folder: Absolute bytes.
        error: Why not.
    """

    folder: bytes
    error: OSError


def files_below(folder: str | bytes | os.PathLike[str]) -> Iterator[Found | Closed]:
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


def _files(folder: bytes, folders: list[bytes], links: list[bytes]) -> Iterator[Found]:
    """Files of one folder; the folders in it go to `folders`, links to folders to `links`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield Found(folder, entry.name, _status(entry))
            elif entry.is_symlink():
                if _is_folder(entry):
                    links.append(entry.path)
                elif _file_or_nothing(entry.path):
                    yield Found(folder, entry.name, _status(entry))


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
