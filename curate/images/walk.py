"""Every file below a folder, in a stable order, whatever the names and links are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files, and links that lead to one or nowhere, in order of their path's bytes.

    Links to folders are followed, but every real folder is entered once: by its own name where it has one
    below `folder`, else by the first link; so a loop ends. Sockets, pipes and devices are passed over.

    Raises:
        OSError: A folder cannot be listed.
    """
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()
    links: list[Path] = []
    waiting = deque([folder])
    while waiting:
        current = waiting.popleft()
        status = current.stat()
        if (status.st_dev, status.st_ino) not in entered:
            entered.add((status.st_dev, status.st_ino))
            folders, linked, files = _list(current)
            waiting.extend(folders)
            links.extend(linked)
            found.extend(files)
        if not waiting and links:  # only when every real folder has been entered by its own name
            links.sort(key=os.fsencode)
            waiting.append(links.pop(0))
    return iter(sorted(found, key=os.fsencode))


def printable(path: Path | str) -> str:
    r"""A path with forward slashes that is valid UTF-8: bytes that are not become `\xNN`."""
    return os.fsencode(Path(path).as_posix()).decode("utf-8", "backslashreplace")


def _list(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    folders, linked, files = [], [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif _is_linked_folder(entry):
                linked.append(path)
            elif entry.is_file(follow_symlinks=False) or (entry.is_symlink() and _file_or_nothing(path)):
                files.append(path)
    return folders, linked, files


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_or_nothing(link: Path) -> bool:
    try:
        return link.is_file() or not link.exists()
    except OSError:
        return True
