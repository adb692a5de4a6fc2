"""The folder of upright images, `<2 hex digits>/<image_id><extension>`; a kill at any time hurts nothing.

By reference, files that are upright RGB already share their blocks with the raw file, or are hard links to it
where the file system cannot do that: replace raw files, do not write into them. By copy they never are.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from curate import system

_NO_LINK = {
    errno.EXDEV,
    errno.EPERM,
    errno.EMLINK,
    errno.EOPNOTSUPP,
    errno.EACCES,
    errno.ENOSYS,
    errno.EINVAL,
}
# Whether blocks can be shared between a device and an image folder: asked once per process, as it costs more
# than a hard link.
_sharing: dict[tuple[int | None, str], bool] = {}
_NODE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


class Stamp(NamedTuple):
    """What a file was like when it was read; another stamp means that its bytes may be others."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Make a stamp from a stat call."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class SourceChangedError(Exception):
    """The file to be linked is no longer the one that was read."""


def path_in(images: Path, image_id: str, extension: str) -> str:
    """Path of an image in the folder; as text, for paths are slow to put together."""
    return f"{images.as_posix()}/{image_id[:2]}/{image_id}{extension}"


def keep(
    data: bytes,
    target: Path | str,
    *,
    source: bytes | None = None,
    stamp: Stamp | None = None,
    link: bool = True,
) -> None:
    """Make `target` hold `data`, by sharing blocks with `source` where that is possible.

    What is there already stays if its content is right.

    Args:
        data: All the bytes.
        target: In the image folder; text is sooner, for paths are slow.
        source: A file that holds the same bytes; None = they are written.
        stamp: Of `source` when it was read.
        link: Whether a hard link will do where blocks cannot be shared.

    Raises:
        SourceChangedError: `source` is another file by now: read it again.
        OSError: Nothing could be written.
    """
    name = os.fspath(target)
    shares = source is not None and _sharing.get(_places(name, stamp), True)
    if source is not None and link and not shares and _linked_at_once(source, name, stamp):
        return
    target = Path(name)
    if _holds(target, data, alone=not link):
        return
    partial = _partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True) if source is not None else None
        if source is not None:
            shares = shares and _reflink(source, partial)
            _sharing[_places(name, stamp)] = shares
        if source is None or not (shares or (link and _hardlink(source, partial))):
            partial.write_bytes(data)
        elif stamp is not None and Stamp.of(os.stat(source)) != stamp:  # noqa: PTH116 - bytes
            raise SourceChangedError
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)  # rename() of two names of one file leaves both


def _places(target: str, stamp: Stamp | None) -> tuple[int | None, str]:
    return None if stamp is None else stamp.device, target.rsplit("/", 2)[0]


def _linked_at_once(source: bytes, target: str, stamp: Stamp | None) -> bool:
    """The usual case with the fewest calls: nothing is at `target` yet, and a hard link can be made."""
    try:
        try:
            os.link(source, target)
        except FileNotFoundError:  # no folder yet
            os.mkdir(os.path.dirname(target))  # noqa: PTH102, PTH120 - text
            os.link(source, target)
    except OSError:  # something is there, or no link can be made: the long way, which tells why
        return False
    linked = os.lstat(target)
    if stat.S_ISREG(linked.st_mode) and (stamp is None or Stamp.of(linked) == stamp):
        return True
    os.unlink(target)  # noqa: PTH108 - text
    if stat.S_ISLNK(linked.st_mode):  # of a link, another link
        return False
    raise SourceChangedError


def sweep(folder: Path, expected: Callable[[int], set[str]], lost: Callable[[str], None]) -> int:
    """Remove every file that is not expected, and folders left empty; report what is expected and not there.

    Args:
        folder: The image folder.
        expected: For a first byte, 0..255: the name of every file that begins with it.
        lost: Called with the image_id of a file that is not there.

    Returns:
        How many files were removed. At most one of the 256 folders is held in memory at a time.
    """
    removed = 0
    for byte in range(256):
        inner = folder / f"{byte:02x}"
        wanted, entries = expected(byte), _entries(inner)
        there = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)} & wanted
        if len(there) < len(entries):
            removed += sum(_remove(entry) for entry in entries if entry.name not in there)
        for name in wanted - there:
            lost(name[:64])
        if not there and inner.is_dir():
            inner.rmdir()
    for entry in _entries(folder):
        if not (entry.is_dir(follow_symlinks=False) and _is_byte(entry.name)):
            removed += _remove(entry)
    return removed


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_byte(name: str) -> bool:
    return len(name) == 2 and all(digit in "0123456789abcdef" for digit in name)


def _remove(entry: os.DirEntry[str]) -> int:
    """Files removed; a link is a file, and what it leads to stays."""
    path = Path(entry.path)
    if not entry.is_dir(follow_symlinks=False):
        path.unlink(missing_ok=True)
        return 1
    removed = sum(_remove(inner) for inner in _entries(path))
    path.rmdir()
    return removed


def _partial(target: Path) -> Path:
    # Two workers, even of two machines, may meet in exact copies.
    return target.with_name(f".{target.name}.{_NODE}-{os.getpid()}.partial")


def _holds(target: Path, data: bytes, *, alone: bool) -> bool:
    try:
        status = target.lstat()
    except OSError:
        return False
    if status.st_size != len(data) or (alone and status.st_nlink > 1):
        return False
    return target.read_bytes() == data


def _reflink(source: bytes, target: Path) -> bool:
    with open(source, "rb") as reader, target.open("wb") as writer:  # noqa: PTH123 - bytes
        try:
            system.share_blocks(reader, writer)
        except OSError as error:
            if error.errno not in _NO_LINK | {errno.ENOTTY}:
                raise
        else:
            return True
    target.unlink()
    return False


def _hardlink(source: bytes, target: Path) -> bool:
    try:
        real = os.path.realpath(source) if os.path.islink(source) else source  # noqa: PTH114 - bytes
        os.link(real, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True
