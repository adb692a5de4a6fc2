"""The two EXIF fields that ingest needs, read without building anything as large as the block claims to be.

Pillow copies the value of every entry, so that a block of some kilobytes can claim gigabytes by pointing
at the same bytes from thousands of entries; and it needs several times as long.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime

_ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003
_ASCII, _SHORT, _LONG = 2, 3, 4
_MAX_ENTRIES = 4096  # of a directory
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([0-9])")


@dataclass(frozen=True, slots=True)
class Exif:
    """What curate reads of EXIF.

    Attributes:
        orientation: 1..8, or None where there is none that is valid.
        captured_at: DateTimeOriginal as ISO 8601 in the camera's local time, or None.
    """

    orientation: int | None = None
    captured_at: str | None = None


def read(block: bytes | None, xmp: bytes | None = None) -> Exif:
    """Read an EXIF block; what is damaged in it says nothing.

    Args:
        block: Beginning with the byte order mark, or with "Exif" and two zeros before it.
        xmp: Its tiff:Orientation counts where EXIF has no orientation, as viewers do.

    Source: CIPA DC-008 (Exif 2.32), 4.6.2 and 4.6.5; TIFF 6.0, section 2.
    """
    orientation: object = None
    captured: str | None = None
    if block:
        block = block.removeprefix(b"Exif\0\0")
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is not None and len(block) >= 8:
            fields = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
            orientation = fields.get(_ORIENTATION)
            inner = fields.get(_EXIF_IFD)
            if isinstance(inner, int):
                captured = iso_time(_directory(block, order, inner).get(_DATE_TIME_ORIGINAL))
    if orientation is None and xmp and (found := _XMP_ORIENTATION.search(xmp)):
        orientation = int(found.group(1))
    valid = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else None
    return Exif(valid, captured)


def iso_time(taken: object) -> str | None:
    """A time as EXIF writes it, "2026:02:03 04:05:06", in ISO 8601; None for anything else."""
    if not isinstance(taken, str):
        return None
    try:
        # The camera's local time: this tag has no zone.
        return datetime.strptime(taken.strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _directory(block: bytes, order: str, at: int) -> dict[int, int | str]:
    """The wanted fields of the directory at an offset: whole numbers and short texts."""
    fields: dict[int, int | str] = {}
    if at + 2 > len(block):
        return fields
    count = min(struct.unpack_from(order + "H", block, at)[0], _MAX_ENTRIES)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, number = struct.unpack_from(order + "HHI", block, entry)
        if tag not in (_ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL) or tag in fields:
            continue
        if kind == _SHORT and number >= 1:
            fields[tag] = struct.unpack_from(order + "H", block, entry + 8)[0]
        elif kind == _LONG and number >= 1:
            fields[tag] = struct.unpack_from(order + "I", block, entry + 8)[0]
        elif kind == _ASCII and 4 < number <= 64:
            start = struct.unpack_from(order + "I", block, entry + 8)[0]
            fields[tag] = block[start : start + number].decode("latin-1")
    return fields
