"""The directories of a TIFF: which are pages, and whether they claim more than the file can hold."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from curate.images.image_errors import UnfitImageError

_SUBFILE, _WIDTH, _HEIGHT = 254, 256, 257
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_WHOLE = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8
_DNG, _MAX_DIRECTORIES = 50706, 65_536


@dataclass(frozen=True, slots=True)
class Directory:
    """Directory of a TIFF. `index` is its place in the chain."""

    index: int
    width: int
    height: int
    subfile: int

    @property
    def is_page(self) -> bool:
        """Whether it is a page: no smaller version of another one, and no mask."""
        return not self.subfile & (_REDUCED | _MASK)


def pages(data: bytes) -> list[Directory]:
    """The directories that are pages, in the order of the file.

    Smaller versions and masks (NewSubfileType, TIFF 6.0 section 8) are none. Sub-directories are passed over.

    Raises:
        UnfitImageError: unsupported_format of camera raw files, whose first directory is a preview; corrupt
            where a directory points to more bytes than the file has, which readers would all copy.
    """
    if data[8:10] == b"CR" and data[:2] == b"II":
        raise _camera_raw("CR2")
    found = _chain(data)
    kept = [directory for directory in found if directory.is_page]
    if found and not kept:
        raise _camera_raw("DNG, NEF and the like")
    return kept


def _camera_raw(kind: str) -> UnfitImageError:
    return UnfitImageError(
        "unsupported_format", f"camera raw ({kind}) is not read: develop it to TIFF or JPEG"
    )


def _chain(data: bytes) -> list[Directory]:
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word, entry, number = ("Q", 20, "Q") if big else ("I", 12, "H")
    seen: set[int] = set()
    found: list[Directory] = []
    try:
        (at,) = struct.unpack_from(order + word, data, 8 if big else 4)
        while at and at not in seen and len(seen) < _MAX_DIRECTORIES:
            seen.add(at)
            (count,) = struct.unpack_from(order + number, data, at)
            start = at + struct.calcsize(number)
            if not found and count * entry > len(data) - start:
                raise UnfitImageError("truncated", "the file ends within its first directory")
            count = min(count, (len(data) - start) // entry)
            found.append(_directory(data, order, (start, count), index=len(found), big=big))
            (at,) = struct.unpack_from(order + word, data, start + count * entry)
    except (struct.error, OverflowError):
        if not found:
            raise UnfitImageError("truncated", "the file ends before its first directory") from None
    return found  # the rest of the chain may be missing: the reader will say what that means


def _directory(data: bytes, order: str, span: tuple[int, int], *, index: int, big: bool) -> Directory:
    start, count = span
    size, inline, form = (20, 8, "HHQ") if big else (12, 4, "HHI")
    fields: dict[int, int] = {}
    claimed = 0
    for entry in range(start, start + count * size, size):
        tag, kind, number = struct.unpack_from(order + form, data, entry)
        value = entry + size - inline
        if tag == _DNG:
            raise _camera_raw("DNG")
        if tag in (_SUBFILE, _WIDTH, _HEIGHT) and kind in _WHOLE:
            fields[tag] = struct.unpack_from(order + _WHOLE[kind], data, value)[0]
        length = _SIZES.get(kind, 0) * number
        claimed += min(length, len(data)) if length > inline else 0
    if claimed > 2 * len(data) + (1 << 16):
        raise UnfitImageError("corrupt", f"directory {index} claims {claimed} bytes of a file of {len(data)}")
    return Directory(index, fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0), fields.get(_SUBFILE, 0))
