"""JPEGs at an eighth of their size, twice as fast as libjpeg-turbo gives them, and bit for bit the same.

At an eighth a block of luma becomes one pixel, its mean. Of all its other coefficients only the lengths
matter: a table by the next 11 bits passes over as many as lie in them, where a general decoder takes them out
one by one. Only the colours of 4:2:0, which have half the size, need some of their values.

Takes what cameras and programs write mostly: sequential, Huffman codes, one scan, 8 bits, gray or YCbCr in
4:4:4, 4:2:2 or 4:2:0. Of all else, and of whatever is not quite in order, nothing is returned.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from curate.images.jpeg import JpegHead
from curate.images.skimming import PEEK, ZIGZAG, gray, rgb, scan, skips
from curate.records import UInt8Image

_LONGEST: Final = 16  # bits of a code
_SAMPLING: Final = ((1, 1), (2, 1), (2, 2))  # of luma, where colours have (1, 1)
Tables = tuple[NDArray[Any], ...]


def eighth(data: bytes, head: JpegHead) -> UInt8Image | None:
    """(ceil(H / 8), ceil(W / 8), 3 or 1) pixels as stored, not turned; None where another decoder must do it.

    Args:
        data: The whole file.
        head: Its header.
    """
    bands = len(head.components)
    if head.precision != 8 or head.process not in (0xC0, 0xC1) or not _is_plain(head):
        return None
    across, down = head.components[0][1:] if bands == 3 else (1, 1)
    try:
        simplejpeg.decode_jpeg_header(data, strict=True)  # whether libjpeg finds fault with any of it
    except ValueError:
        return None
    prepared = _prepared(data, head)
    if prepared is None:
        return None
    tables, quantisation, interval, start = prepared
    size = (-(-head.height // 8), -(-head.width // 8))
    mcus = (-(-size[0] // down), -(-size[1] // across))
    planes = np.empty((bands, mcus[0] * down, mcus[1] * across), np.uint8)
    coded = np.frombuffer(data, np.uint8)
    if not scan(coded, start, *tables, quantisation, interval, across, down, planes):
        return None
    found: UInt8Image = gray(planes, *size) if bands == 1 else rgb(planes, *size)
    return found


def _is_plain(head: JpegHead) -> bool:
    if len(head.components) == 1:
        return True
    names = tuple(name for name, _, _ in head.components)
    factors = [component[1:] for component in head.components]
    known = names == (1, 2, 3) and head.adobe in (None, 1)
    return known and factors[0] in _SAMPLING and factors[1:] == [(1, 1), (1, 1)]


def _prepared(  # noqa: C901 - one branch a marker
    data: bytes, head: JpegHead
) -> tuple[Tables, NDArray[np.int64], int, int] | None:
    """Huffman tables, quantisation (bands, 64), restart interval and where the codes begin."""
    quantisation: dict[int, bytes] = {}
    codes: list[bytes] = []
    used: dict[int, int] = {}
    interval = 0
    chosen: list[tuple[int, int]] = []
    start = expected = 2
    for marker, begin, stop in head.segments:
        if begin != expected:
            return None
        expected = stop
        if marker == 0xC4:
            codes.append(data[begin + 4 : stop])
        elif marker == 0xDB:
            for at in range(begin + 4, stop, 65):
                if data[at] > 3 or at + 65 > stop:  # of 16 bits, or cut off
                    return None
                quantisation[data[at]] = data[at + 1 : at + 65]
        elif marker == 0xDD:
            interval = int.from_bytes(data[begin + 4 : begin + 6], "big")
        elif marker == head.process and not used:
            used = {data[at]: data[at + 2] for at in range(begin + 10, begin + 10 + 3 * data[begin + 9], 3)}
        elif marker == 0xDA:
            pairs = range(begin + 5, begin + 5 + 2 * data[begin + 4], 2)
            if [data[at] for at in pairs] != list(used) or data[stop - 3 : stop] != b"\0\x3f\0":
                return None
            chosen = [(data[at + 1] >> 4, data[at + 1] & 15) for at in pairs]
            start = stop
        elif 0xC0 <= marker <= 0xCF:
            return None
    tables = _tables(b"".join(codes), tuple(chosen))
    if tables is None or any(number not in quantisation for number in used.values()):
        return None
    inscan = np.frombuffer(b"".join(quantisation[number] for number in used.values()), np.uint8)
    steps = np.empty((len(used), 64), np.int64)
    steps[:, ZIGZAG] = inscan.reshape(-1, 64)
    return tables, steps, interval, start


@functools.lru_cache(maxsize=256)
def _tables(codes: bytes, chosen: tuple[tuple[int, int], ...]) -> Tables | None:
    """What `scan` reads codes by, a row a component: most files share them. Source: T.81, B.2.4.2."""
    found: dict[int, tuple[bytes, bytes]] = {}
    at = 0
    while at + 17 <= len(codes):
        count = sum(codes[at + 1 : at + 17])
        found[codes[at]] = codes[at + 1 : at + 17], codes[at + 17 : at + 17 + count]
        at += 17 + count
    if at != len(codes) or not all(dc in found and 16 + ac in found for dc, ac in chosen):
        return None
    pairs = list(dict.fromkeys(chosen))  # components that share a table share a row: less to keep near
    rows = []
    for dc, ac in pairs:
        first, others = _lookup(*found[dc]), _lookup(*found[16 + ac])
        if first is None or others is None or max(found[dc][1], default=0) > 15:
            return None
        first[0][(first[0] & 0xFF) > 11] = 0
        rows.append((first[0], others[0], skips(others[0]), *others[1:]))
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    rows_of = np.array([pairs.index(one) for one in chosen])
    return rows_of, *(column.reshape(-1) for column in columns[:3]), *columns[3:]


def _lookup(lengths: bytes, symbols: bytes) -> tuple[NDArray[Any], ...] | None:
    """Codes of a table; None for one that cannot be. Source: T.81, annex C.

    Returns:
        length << 8 | symbol by the next 11 bits, 0 = a longer code or none (2048,) uint16; of the codes of
        each length, the one behind the last, left-aligned in 16 bits, and what added to a code gives the
        place of its symbol (17,) int64; symbols (256,) uint8.
    """
    if len(symbols) != sum(lengths):
        return None
    short = np.zeros(1 << PEEK, np.uint16)
    behind, offset = np.zeros(17, np.int64), np.zeros(17, np.int64)
    code, used = 0, 0
    for length, count in enumerate(lengths, start=1):
        offset[length] = used - code
        for symbol in symbols[used : used + count]:
            if length <= PEEK:
                place = code << (PEEK - length)
                short[place : place + (1 << (PEEK - length))] = length << 8 | symbol
            code += 1
        used += count
        if count and code >= 1 << length:  # no code is all ones
            return None
        behind[length] = code << (_LONGEST - length)
        code <<= 1
    every = np.zeros(256, np.uint8)
    every[:used] = np.frombuffer(symbols, np.uint8)
    return short, behind, offset, every
