"""What operating systems do differently, in one place: locks, blocks and names of files, cores, memory."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from curate.errors import StorageError

_FICLONE: Final = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_MEMORY_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def printable(name: Path | str | bytes) -> str:
    r"""A path with forward slashes that is valid UTF-8: bytes that are not become `\xNN`."""
    raw = name if isinstance(name, bytes) else os.fsencode(Path(name).as_posix())
    return raw.decode("utf-8", "backslashreplace")


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep a second process out of what the file stands for; the lock goes with the process, however it ends.

    Args:
        path: Of the lock file, which is made.
        wait: Until the other process is out, instead of an error.

    Raises:
        StorageError: Another process holds it.
        OSError: The file cannot be made.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every platform

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise StorageError(f"another process writes to {path.parent}: wait until it has ended") from error
        yield


@cache
def process_space() -> str:
    """8 hex digits of where process numbers mean what they mean here: the machine, since it was started."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def has_ended(pid: int) -> bool:
    """Whether there is surely no process of that number in this process space."""
    if sys.platform == "win32":
        return False  # asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def share_blocks(source: IO[Any], target: IO[Any]) -> None:
    """Let an empty file have the content of another without a copy, on file systems that can.

    Raises:
        OSError: This one cannot, with the system's number; ENOTSUP where the operating system cannot.
    """
    if not sys.platform.startswith("linux"):
        raise OSError(errno.ENOTSUP, "no operation of this system")
    import fcntl  # noqa: PLC0415 - not on every platform

    fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less in a container."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _MEMORY_LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        limits += [int(text)] if text.isdigit() else []
    return min(limits)
