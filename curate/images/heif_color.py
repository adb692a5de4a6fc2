"""What an AVIF or HEIC file says of its colors by numbers: the property `colr` of type nclx."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from curate.images.icc_profile import Cicp

_MAX_BOXES = 100_000


def nclx(data: bytes) -> Cicp | None:
    """Code points of the primary image; None where the file states none, or cannot be followed.

    Source: ISO/IEC 14496-12, 8.11 (meta, pitm), 12.1.5 (colr); ISO/IEC 23008-12, 9.3 (iprp, ipco, ipma).
    """
    try:
        meta = next((body for kind, body in _boxes(data, 0, len(data)) if kind == b"meta"), None)
        return None if meta is None else _of_meta(data, meta[0] + 4, meta[1])
    except (struct.error, IndexError):
        return None


def _of_meta(data: bytes, start: int, stop: int) -> Cicp | None:
    inner = dict(_boxes(data, start, stop))
    if b"iprp" not in inner or b"pitm" not in inner:
        return None
    at = inner[b"pitm"][0]
    (primary,) = struct.unpack_from(">I" if data[at] else ">H", data, at + 4)
    boxes = list(_boxes(data, *inner[b"iprp"]))
    properties = [box for kind, span in boxes if kind == b"ipco" for box in _boxes(data, *span)]
    for kind, (first, last) in boxes:
        if kind == b"ipma":
            for number in _properties_of(data, first, last, primary):
                if 0 < number <= len(properties) and (code := _code(data, *properties[number - 1])):
                    return code
    return None


def _properties_of(data: bytes, start: int, stop: int, item: int) -> Iterator[int]:
    """Numbers, from 1, of the properties that an item has."""
    version, wide = data[start], data[start + 3] & 1
    (count,) = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(min(count, _MAX_BOXES)):
        if at >= stop:
            return
        (number,) = struct.unpack_from(">H" if version < 1 else ">I", data, at)
        at += 2 if version < 1 else 4
        owned = data[at]
        at += 1
        size = 2 if wide else 1
        if number == item:
            for place in range(at, at + owned * size, size):
                value = int.from_bytes(data[place : place + size])
                yield value & (0x7FFF if wide else 0x7F)
        at += owned * size


def _code(data: bytes, kind: bytes, span: tuple[int, int]) -> Cicp | None:
    start, stop = span
    if kind != b"colr" or data[start : start + 4] != b"nclx" or stop - start < 11:
        return None
    primaries, transfer, matrix = struct.unpack_from(">HHH", data, start + 4)
    return Cicp(primaries, transfer, matrix, bool(data[start + 10] & 0x80))


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Type of each box, begin and end of its content."""
    for _ in range(_MAX_BOXES):
        if start + 8 > stop:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        end = stop if size == 0 else start + size
        if end < body or end > stop:
            return
        yield kind, (body, end)
        start = end
