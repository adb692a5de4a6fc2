"""Archives: their members listed in one pass, and read later by position without unpacking the rest."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import itertools
import lzma
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

_TEXTS = (b".json", b".txt", b".cls")  # beside an image of the same key: its attributes (WebDataset)
_TEXT_BYTES = 1 << 20  # a larger text is no attribute
_MAX_SIZE = (1 << 63) - 1  # that the ledger can hold; headers may claim more
_GLOB = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, gzip.BadGzipFile, lzma.LZMAError, EOFError,
    OSError, RuntimeError, NotImplementedError, ValueError, zlib.error, OverflowError,
)  # fmt: skip


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: Bytes of its path in the archive.
        position: Of a tar the offset of its header, uncompressed; of a zip its number.
        size: Bytes, uncompressed.
        text: Content of a small text member, which may turn out to be attributes; None for all others, and
            where it cannot be read: then it is a file of its own, whose reading will say why.
        link: Name of the member that a hard or symbolic link leads to; None for all others.
    """

    name: bytes
    position: int
    size: int
    text: str | None
    link: bytes | None = None

    @property
    def key(self) -> bytes:
        """What members of one sample share: the path up to the first dot of its last part."""
        folder, slash, last = self.name.rpartition(b"/")
        return folder + slash + last.partition(b".")[0]

    @property
    def suffix(self) -> bytes:
        """The rest, lower case; of a text member its last ending."""
        _, dot, rest = self.name.rpartition(b"/")[2].partition(b".")
        return (dot + rest).lower()


def shards(pattern: str) -> list[str]:
    """What a pattern with braces stands for: `a-{00..02}.tar` are three names, `{x,y}` two; `*` stays."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    body = found[1]
    bounds = _RANGE.fullmatch(body)
    if bounds:
        first, last = bounds[1], bounds[2]
        width = len(first) if first.startswith("0") or len(first) == len(last) else 0
        step = 1 if int(last) >= int(first) else -1
        choices = [f"{n:0{width}d}" for n in range(int(first), int(last) + step, step)]
    else:
        choices = body.split(",")
    rests = shards(pattern[found.end() :])
    return ["".join(parts) for parts in itertools.product([pattern[: found.start()]], choices, rests)]


def has_wildcard(name: str) -> bool:
    """Whether a name has to be looked up: it holds `*`, `?` or `[`."""
    return bool(_GLOB.search(name))


def fixed_part(pattern: str) -> str:
    """The folders before the first wildcard or brace, with a slash at the end."""
    plain = re.split(r"[*?\[{]", pattern, maxsplit=1)[0]
    return plain.rpartition("/")[0] + "/"


def expand(pattern: str) -> list[str]:
    """Local paths of a pattern, sorted; one without wildcards stands for itself, there or not."""
    found = [
        path
        for name in shards(pattern)
        for path in (glob.glob(name, recursive=True) if has_wildcard(name) else [name])  # noqa: PTH207
    ]
    return sorted(set(found))


def members(path: Path) -> Iterator[Member]:
    """Regular files and links of an archive, in its order; memory does not grow with a tar's members.

    Raises:
        One of `DAMAGED`: After the members before the damage.
    """
    if zipfile.is_zipfile(path):
        yield from _zip_members(path)
    else:
        yield from _tar_members(path)


def read(path: Path, position: int, size: int) -> bytes:
    """The bytes of a member; fast if called in the order of positions.

    Raises:
        One of `DAMAGED`.
    """
    archive = _opened(path)
    if isinstance(archive, zipfile.ZipFile):
        return archive.read(archive.infolist()[position])
    entry = _entry_at(archive, position)
    content = archive.extractfile(entry)  # which fills the holes of sparse members
    data = b"" if content is None else content.read()
    if len(data) != size:
        raise EOFError(f"the archive ends in the middle of this member, after {len(data)} of {size} bytes")
    return data


def _entry_at(archive: tarfile.TarFile, position: int) -> tarfile.TarInfo:
    """The member whose header, with what belongs to it, begins at an offset."""
    file: Any = archive.fileobj
    file.seek(position)
    archive.offset, archive.firstmember, archive.members = position, None, []  # type: ignore[attr-defined]
    entry = archive.next()
    if entry is None or not entry.isreg():
        raise EOFError("the archive holds no file here")
    return entry


_OPEN: OrderedDict[tuple[Path, int, int], tuple[zipfile.ZipFile | tarfile.TarFile, ExitStack]] = OrderedDict()
_MAX_OPEN = 8


def _opened(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    """An archive that stays open for the next member; of many the one not asked for longest is closed."""
    stamp = path.stat()
    key = (path, stamp.st_mtime_ns, stamp.st_ino)
    if key not in _OPEN:
        with ExitStack() as files:
            archive: zipfile.ZipFile | tarfile.TarFile
            if zipfile.is_zipfile(path):
                archive = files.enter_context(zipfile.ZipFile(path))
            else:
                archive = files.enter_context(_tar(files.enter_context(_plain(path))))
            _OPEN[key] = archive, files.pop_all()
        while len(_OPEN) > _MAX_OPEN:
            _, (_, oldest) = _OPEN.popitem(last=False)
            oldest.close()
    _OPEN.move_to_end(key)
    return _OPEN[key][0]


def _tar(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r:", errors="surrogateescape")


def _plain(path: Path) -> IO[bytes]:
    """A tar's bytes, uncompressed; backward seeks in a compressed one begin anew."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return io.BufferedReader(gzip.open(path))  # type: ignore[type-var, unused-ignore]
    if start.startswith(b"BZh"):
        return bz2.open(path)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.open(path)
    return path.open("rb")


def _tar_members(path: Path) -> Iterator[Member]:
    with _plain(path) as file, _tar(file) as archive:
        while (entry := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else every header is kept
            if entry.size < 0:  # the next header would stand before this one, for ever
                raise tarfile.ReadError(f"a member of {entry.size} bytes")
            name = _bytes(entry.name)
            if entry.islnk() or entry.issym():
                yield Member(name, entry.offset, 0, None, _target(entry))
            elif entry.isreg():
                text = None
                if _may_be_text(name, entry.size) and not entry.issparse():
                    after = file.tell()
                    file.seek(entry.offset_data)
                    text = file.read(entry.size).decode("utf-8", "replace")
                    file.seek(after)
                yield Member(name, entry.offset, min(entry.size, _MAX_SIZE), text)


def _target(entry: tarfile.TarInfo) -> bytes:
    """Name that a link leads to: hard ones name a member, symbolic ones a path from their own folder."""
    name = _bytes(entry.linkname)
    if entry.islnk():
        return name
    folder = posixpath.dirname(_bytes(entry.name))
    return posixpath.normpath(posixpath.join(folder, name))


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for position, entry in enumerate(archive.infolist()):
            if entry.is_dir():
                continue
            name, text = _bytes(entry.filename), None
            if _may_be_text(name, entry.file_size):
                with suppress(*DAMAGED):  # a password, an unknown method, damage: told when it is read
                    text = archive.read(entry).decode("utf-8", "replace")
            yield Member(name, position, min(entry.file_size, _MAX_SIZE), text)


def _may_be_text(name: bytes, size: int) -> bool:
    return name.lower().endswith(_TEXTS) and size <= _TEXT_BYTES


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
