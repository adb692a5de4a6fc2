"""Every file below a folder, whatever the names and links are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from curate.ingest.ledger import int64

_TOGETHER = 4096  # files, at most

File = tuple[bytes, int, int, int]  # name, size, mtime in ns and inode, through links


class Files(NamedTuple):
    """A batch of one folder's files: regular ones, and links that lead to one or nowhere.

    Attributes:
        folder: Absolute bytes.
        found: In the order of the folder.
        dangling: Names of links that lead nowhere.
    """

    folder: bytes
    found: list[File]
    dangling: list[bytes]


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
    waiting, links = [os.fsencode(folder)], list[bytes]()
    entered: set[tuple[int, int]] = set()
    while waiting:
        current = waiting.pop()
        try:
            status = os.stat(current)  # noqa: PTH116 - bytes, a million times
            if (status.st_dev, status.st_ino) not in entered:
                entered.add((status.st_dev, status.st_ino))
                yield from _files_in(current, waiting, links)
        except OSError as error:
            yield Closed(current, error)
        if not waiting and links:  # only when every real folder has been entered by its own name
            links.sort(reverse=True)
            waiting.append(links.pop())


def _files_in(folder: bytes, folders: list[bytes], links: list[bytes]) -> Iterator[Files]:
    """Files of one folder; the folders in it go to `folders`, links to folders to `links`.

    Raises:
        OSError: It cannot be listed, or not to its end: what was seen came before.
    """
    some = Files(folder, [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not (entry.is_file(follow_symlinks=False) or _leads_to_file(entry, folders, links)):
                    continue
                try:
                    status = entry.stat()
                except OSError:
                    some.dangling.append(entry.name)
                else:
                    some.found.append((entry.name, status.st_size, int64(status.st_mtime_ns), status.st_ino))
                if len(some.found) + len(some.dangling) == _TOGETHER:
                    yield some
                    some = Files(folder, [], [])
    except OSError:  # perhaps in the middle of it: what was seen is there
        yield some
        raise
    if some.found or some.dangling:
        yield some


def _leads_to_file(entry: os.DirEntry[bytes], folders: list[bytes], links: list[bytes]) -> bool:
    """Whether something that is no regular file is a link to one or to nothing; folders are noted."""
    if entry.is_dir(follow_symlinks=False):
        folders.append(entry.path)
    elif entry.is_symlink():
        if not _is_folder(entry):
            return _file_or_nothing(entry.path)
        links.append(entry.path)
    return False


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
