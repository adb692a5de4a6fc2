"""Every file below a folder, whatever the names and links are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from curate.ingest.ledger import int64

_TOGETHER = 4096  # files, at most
_MANY = 100_000  # files that one process has soon listed
_ENDS = 1023  # inodes without any of these bits end a stretch: one in 1024 does

File = tuple[bytes, int, int, int]  # name, size, mtime in ns and inode, through links


class Files(NamedTuple):
    """A stretch of one folder's files: regular ones, and links that lead to one or nowhere.

    Where it ends depends on the file it ends with. So in a folder that is listed in an order of its own, a
    new file changes one stretch, and all others are what they were.

    Attributes:
        folder: Absolute bytes.
        found: In the order of the folder.
        dangling: Names of links that lead nowhere.
    """

    folder: bytes
    found: list[File]
    dangling: list[bytes]


class Passed(NamedTuple):
    """A stretch whose files nobody has to know of.

    Attributes:
        folder: Absolute bytes.
        digest: That it was recognised by.
        files: How many there are.
    """

    folder: bytes
    digest: bytes
    files: int


class Closed(NamedTuple):
    """A folder that cannot be listed.

    Attributes:
        folder: Absolute bytes.
        error: Why not.
    """

    folder: bytes
    error: OSError


class Inside(NamedTuple):
    """What one folder holds.

    Attributes:
        parts: Its files.
        folders: Absolute bytes.
        links: To folders.
        error: Why there may be more.
    """

    parts: list[Files | Passed]
    folders: list[bytes]
    links: list[bytes]
    error: OSError | None


# Looks into folders, several at once: one answer each, in order; None where that is left to the caller.
Look = Callable[[Sequence[bytes]], Iterator[Inside | None]]


def files_below(
    folder: str | bytes | os.PathLike[str], look: Look | None = None
) -> Iterator[Files | Passed | Closed]:
    """Every file once, in no particular order; memory grows with folders only.

    Links to folders are followed, but every real folder is entered once: by its own name where it has one
    below `folder`, else by the first link; so a loop ends. Sockets, pipes and devices are passed over.

    Args:
        folder: Where to begin.
        look: Looks into the folders that are left once many files have been met.
    """
    walk = _Walk([os.fsencode(folder)])
    while walk.waiting:
        if look is not None and walk.files >= _MANY and len(walk.waiting) > 1:
            yield from walk.all_waiting(look)
        else:
            yield from walk.one_waiting()
        if not walk.waiting and walk.links:  # only when every real folder has been entered by its own name
            walk.links.sort(reverse=True)
            walk.waiting.append(walk.links.pop())


class _Walk:
    """Where a walk has come to."""

    def __init__(self, waiting: list[bytes]) -> None:
        self.waiting = waiting  # folders
        self.links: list[bytes] = []  # to folders
        self.files = 0  # that were met
        self._entered: set[tuple[int, int]] = set()

    def one_waiting(self) -> Iterator[Files | Passed | Closed]:
        """Look into a folder."""
        folder = self.waiting.pop()
        try:
            if self._enters(folder):
                yield from self._counted(files_in(folder, self.waiting, self.links))
        except OSError as error:
            yield Closed(folder, error)

    def all_waiting(self, look: Look) -> Iterator[Files | Passed | Closed]:
        """Look into all folders that wait now."""
        folders = []
        for folder in self.waiting:
            try:
                if self._enters(folder):
                    folders.append(folder)
            except OSError as error:
                yield Closed(folder, error)
        self.waiting = []
        for folder, inside in zip(folders, look(folders), strict=True):
            try:
                if inside is None:
                    yield from self._counted(files_in(folder, self.waiting, self.links))
                else:
                    yield from self._counted(self._told(inside))
            except OSError as error:
                yield Closed(folder, error)

    def _told(self, inside: Inside) -> Iterator[Files | Passed]:
        self.waiting += inside.folders
        self.links += inside.links
        yield from inside.parts
        if inside.error is not None:
            raise inside.error

    def _counted(self, parts: Iterable[Files | Passed]) -> Iterator[Files | Passed]:
        for some in parts:
            self.files += some.files if isinstance(some, Passed) else len(some.found)
            yield some

    def _enters(self, folder: bytes) -> bool:
        """Whether this is the first time."""
        status = os.stat(folder)  # noqa: PTH116 - bytes, a million times
        if (status.st_dev, status.st_ino) in self._entered:
            return False
        self._entered.add((status.st_dev, status.st_ino))
        return True


def files_in(folder: bytes, folders: list[bytes], links: list[bytes]) -> Iterator[Files]:
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
                    ends = len(some.dangling) == _TOGETHER
                else:
                    inode = status.st_ino
                    some.found.append((entry.name, status.st_size, int64(status.st_mtime_ns), inode))
                    ends = not inode & _ENDS or len(some.found) == _TOGETHER
                if ends:
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
