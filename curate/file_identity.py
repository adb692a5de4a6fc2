"""Whether a file is the one that was read before: by its content, or without reading it again.

The latter is decided as make, Git and DVC do: by its size, its inode and its times. The time of the last
write alone would not do: a file written twice within one tick of the clock has the same, and programs set it
as they like (`cp -p`, `rsync -t`). The time of the last change of the inode can be set by nobody; and a file
that was changed only just now, when it is looked at, is not trusted, because another change within the same
tick may follow (Git's "racy" index entries: https://git-scm.com/docs/racy-git).
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Final, NamedTuple

_TICK_NS: Final = 2_000_000_000  # FAT counts in two seconds, network file systems in one, Linux in 0.004


class FileIdentity(NamedTuple):
    """What tells a file from another, and from itself before it was written again.

    Attributes:
        size: Bytes.
        inode: Number in its file system.
        written_ns: Time of the last write.
        changed_ns: Time of the last change of the inode, which includes writes and renames.
    """

    size: int
    inode: int
    written_ns: int
    changed_ns: int

    def is_settled(self, now_ns: int | None = None) -> bool:
        """Whether another file, or another content, of the same identity cannot come any more.

        Args:
            now_ns: When the file was looked at; now by default.

        Examples:
            >>> FileIdentity(1, 1, 0, 0).is_settled(1_000_000_000)
            False
            >>> FileIdentity(1, 1, 0, 0).is_settled(3_000_000_000)
            True
        """
        now = time.time_ns() if now_ns is None else now_ns
        return now - max(self.written_ns, self.changed_ns) > _TICK_NS


def file_identity(path: Path) -> FileIdentity:
    """The identity of a file now.

    Raises:
        OSError: There is no such file.
    """
    found = path.stat()
    return FileIdentity(found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
