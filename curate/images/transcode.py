"""Turns the commonest JPEG, of one sequential scan, by its coefficients; see `curate.images.turned`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.images.jpeg import JpegHead

_RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_GRAY = ((1, 1, 1), (2, 1, 1), (3, 1, 1))


@dataclass(frozen=True, slots=True)
class _Tables:
    """What stands before the scan: quantisation by number (natural order), Huffman by class and number."""

    quantisation: dict[int, NDArray[np.uint8]]
    huffman: dict[tuple[int, int], NDArray[np.uint16]]
    interval: int
    used: dict[int, int]  # quantisation table by component identifier
    scan: list[tuple[int, int, int]]  # component identifier, DC and AC table


def transcoded(data: bytes, head: JpegHead, turn: tuple[bool, bool, bool]) -> bytes | None:
    """The turned file; None where it is not of that kind.

    Args:
        data: A JPEG that decodes without a warning.
        head: Its header; the edges must fit, see `turned`.
        turn: Exchange rows and columns, then mirror left-right, then mirror top-bottom.
    """
    if head.process not in (0xC0, 0xC1):
        return None
    tables = _tables(data, head)
    if tables is None:
        return None
    planes, bases = _decoded(data, head, tables)
    return None if planes is None else _encoded(planes, bases, head, tables, turn)


def _tables(data: bytes, head: JpegHead) -> _Tables | None:  # noqa: C901 - one branch a marker
    from curate.images.coded import ZIGZAG, lookup  # noqa: PLC0415 - loads numba

    found = _Tables({}, {}, 0, {}, [])
    interval = 0
    for marker, start, stop in head.segments:
        body = data[start + 4 : stop]
        if marker == 0xDB:
            for at in range(0, len(body) - 64, 65):
                if body[at] > 3:  # of 16 bits
                    return None
                table = np.zeros(64, np.uint8)
                table[ZIGZAG] = np.frombuffer(body, np.uint8, 64, at + 1)
                found.quantisation[body[at]] = table
        elif marker == 0xC4:
            while len(body) > 17:
                count = sum(body[1:17])
                made = lookup(body[1:17], body[17 : 17 + count])
                if made is None:
                    return None
                found.huffman[body[0] >> 4, body[0] & 15] = made
                body = body[17 + count :]
        elif marker == 0xDD:
            interval = int.from_bytes(body[:2], "big")
        elif marker == head.process:
            found.used.update({body[at]: body[at + 2] for at in range(6, 6 + 3 * body[5], 3)})
        elif marker == 0xDA:
            pairs = [(body[at], body[at + 1]) for at in range(1, 1 + 2 * body[0], 2)]
            found.scan.extend((name, numbers >> 4, numbers & 15) for name, numbers in pairs)
    whole = [name for name, _, _ in found.scan] == [name for name, _, _ in head.components]
    known = all((0, dc) in found.huffman and (1, ac) in found.huffman for _, dc, ac in found.scan)
    known = known and all(number in found.quantisation for number in found.used.values())
    return (
        _Tables(found.quantisation, found.huffman, interval, found.used, found.scan)
        if whole and known
        else None
    )


def _blocks(factors: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Blocks of an MCU in their order: component, factors, column, row. Source: T.81, A.2.3."""
    return np.array(
        [
            (number, across, down, column, row)
            for number, (across, down) in enumerate(factors)
            for row in range(down)
            for column in range(across)
        ]
    )


def _sizes(width: int, height: int, factors: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Columns and rows of blocks of each component."""
    across, down = max(a for a, _ in factors), max(d for _, d in factors)
    return np.array([(-(-width * a // (8 * across)), -(-height * d // (8 * down))) for a, d in factors])


def _factors(head: JpegHead) -> list[tuple[int, int]]:
    return [(1, 1)] if len(head.components) == 1 else [component[1:] for component in head.components]


def _mcus(width: int, height: int, factors: list[tuple[int, int]]) -> tuple[int, int]:
    return -(-width // (8 * max(a for a, _ in factors))), -(-height // (8 * max(d for _, d in factors)))


def _decoded(
    data: bytes, head: JpegHead, tables: _Tables
) -> tuple[NDArray[np.int16] | None, NDArray[np.int64]]:
    from curate.images.coded import ZIGZAG, decode  # noqa: PLC0415 - loads numba

    factors = _factors(head)
    sizes = _sizes(head.width, head.height, factors)
    ends = np.cumsum(sizes.prod(axis=1)) * 64
    bases = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    planes = np.zeros(int(ends[-1]), np.int16)
    start = head.scan + 2 + int.from_bytes(data[head.scan + 2 : head.scan + 4], "big")
    end = _MARKER.search(data, start)
    if end is None or end.group() != b"\xff\xd9":  # a second scan, or tables between
        return None, bases
    lookups = np.stack([[tables.huffman[0, dc], tables.huffman[1, ac]] for _, dc, ac in tables.scan])
    per_row, rows = _mcus(head.width, head.height, factors)
    step = tables.interval or per_row * rows
    intervals = _RESTARTS.split(data[start : end.start()]) if tables.interval else [data[start : end.start()]]
    if len(intervals) != -(-per_row * rows // step):
        return None, bases
    blocks = _blocks(factors)
    for number, interval in enumerate(intervals):
        coded = np.frombuffer(interval.replace(b"\xff\0", b"\xff"), np.uint8)
        first = number * step
        count = min(step, per_row * rows - first)
        if not decode(coded, first, count, per_row, blocks, sizes, bases, lookups, ZIGZAG, planes):
            return None, bases
    return planes, bases


def _encoded(
    planes: NDArray[np.int16],
    bases: NDArray[np.int64],
    head: JpegHead,
    tables: _Tables,
    turn: tuple[bool, bool, bool],
) -> bytes | None:
    from curate.images.coded import ZIGZAG, arrange, best_code, count, write  # noqa: PLC0415 - loads numba

    exchange, left_right, top_bottom = turn
    factors, (width, height) = _factors(head), (head.width, head.height)
    if exchange:
        factors, (width, height) = [(down, across) for across, down in factors], (height, width)
    components = head.components
    numbers = [tables.used[name] for name, _, _ in components]
    if len(components) == 1:  # two components of zeros
        factors, numbers, bases = [(1, 1)] * 3, numbers * 3, np.array([0, -1, -1])
        components = _GRAY
    down, across = np.divmod(ZIGZAG, 8)
    source = across * 8 + down if exchange else ZIGZAG
    sign = np.where(left_right, 1 - 2 * (across % 2), 1) * np.where(top_bottom, 1 - 2 * (down % 2), 1)
    per_row, rows = _mcus(width, height, factors)
    blocks = _blocks(factors)
    scan = np.zeros((per_row * rows * len(blocks), 64), np.int16)
    arrange(
        planes, per_row, blocks, _sizes(width, height, factors), bases, np.array(turn), source, sign, scan
    )
    counts, codes = np.zeros((2, 2, 256), np.int64), np.zeros((2, 2, 256), np.int64)
    if not count(scan, blocks[:, 0], counts):
        return None
    parts = [b"\xff\xd8", _JFIF]
    for number in sorted(set(numbers)):
        table = tables.quantisation[number].reshape(8, 8)
        table = (table.T if exchange else table).ravel()[ZIGZAG]
        parts.append(b"\xff\xdb\0\x43" + bytes([number]) + table.tobytes())
    described = b"".join(
        bytes([name, a << 4 | d, number])
        for (name, _, _), (a, d), number in zip(components, factors, numbers, strict=True)
    )
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    parts.append(b"\xff\xc0\0\x11\x08" + size + b"\x03" + described)
    for table_class in (0, 1):
        for number in (0, 1):
            lengths, symbols, codes[number, table_class] = best_code(counts[number, table_class])
            body = bytes([table_class << 4 | number]) + lengths + symbols
            parts.append(b"\xff\xc4" + (len(body) + 2).to_bytes(2, "big") + body)
    picked = b"".join(bytes([name, 0x11 if number else 0]) for number, (name, _, _) in enumerate(components))
    parts.append(b"\xff\xda\0\x0c\x03" + picked + b"\0\x3f\0")
    bits = int((counts * ((codes >> 32) + np.arange(256) % 16)).sum())
    out = np.empty(bits // 4 + 256, np.uint8)  # twice the bytes: each may need one of stuffing
    written = write(scan, blocks[:, 0], codes, out)
    return b"".join([*parts, out[:written].tobytes(), b"\xff\xd9"])
