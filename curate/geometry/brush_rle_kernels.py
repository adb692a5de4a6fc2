"""Run lengths of masks, compiled: the brush's bits, and from rows to columns and back. Imports numba.

A mask is told by the intervals [start, end) of its pixels, counted along the rows (brush) or down the columns
(COCO). No step makes an array of the image's size: time and memory go with the length of the outline.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]  # pixels in the order of the lines

DAMAGED = -1
_CHANNELS, _WORD_BITS, _HALF_OPAQUE, _OPAQUE = 4, 8, 128, 255
_LENGTH_BITS, _WORD_SIZE_BITS, _RUN_SIZE_BITS, _SIZES = 32, 5, 4, 4
_SHORTEST = 14  # bits of the shortest repeated run
_HEADER = _LENGTH_BITS + _WORD_SIZE_BITS + _SIZES * _RUN_SIZE_BITS


@compiled
def _bits(data: Bytes, at: int, count: int) -> int:
    """Read at most 32 bits from bit `at` on, most significant first; the caller knows that they are there."""
    value = 0
    first = at >> 3
    last = (at + count + 7) >> 3
    for place in range(first, last):
        value = (value << 8) | data[place]
    return (value >> (last * 8 - at - count)) & ((1 << count) - 1)


@compiled
def _joined(found: Places, used: int, start: int, end: int) -> int:
    """Add an interval behind the last one, or make that longer; the new number of entries."""
    if used and found[used - 1] == start:
        found[used - 1] = end
        return used
    found[used], found[used + 1] = start, end
    return used + 2


@compiled
def _noted(  # noqa: PLR0917 - compiled functions take no keywords
    data: Bytes, at: int, word: int, length: int, repeated: bool, found: Places, used: int
) -> int:
    """Note the opaque pixels of one run, whose words begin at bit `at`; the new number of entries."""
    first, past = word // _CHANNELS, (word + length) // _CHANNELS  # pixels whose alpha is in the run
    if repeated:
        if first < past and _bits(data, at, _WORD_BITS) >= _HALF_OPAQUE:
            used = _joined(found, used, first, past)
        return used
    for pixel in range(first, past):
        offset = pixel * _CHANNELS + _CHANNELS - 1 - word
        if _bits(data, at + offset * _WORD_BITS, _WORD_BITS) >= _HALF_OPAQUE:
            used = _joined(found, used, pixel, pixel + 1)
    return used


@compiled
def opaque(data: Bytes) -> tuple[int, Places]:
    """Read a brush's bytes.

    Returns:
        The number of pixels that the bytes announce, or DAMAGED; and the intervals whose alpha is at least
        one half, as start, end, start, end, ...
    """
    size = data.size * 8
    found = np.empty(2 * (size // _SHORTEST + 2), dtype=np.int64)
    if size < _HEADER or _bits(data, _LENGTH_BITS, _WORD_SIZE_BITS) + 1 != _WORD_BITS:
        return DAMAGED, found[:0]
    total = _bits(data, 0, _LENGTH_BITS)
    length_bits = np.empty(_SIZES, dtype=np.int64)
    for i in range(_SIZES):
        where = _LENGTH_BITS + _WORD_SIZE_BITS + i * _RUN_SIZE_BITS
        length_bits[i] = _bits(data, where, _RUN_SIZE_BITS) + 1
    at, word, used = _HEADER, 0, 0
    while word < total:
        if at + 3 > size:
            return DAMAGED, found[:0]
        repeated = _bits(data, at, 1)
        count = length_bits[_bits(data, at + 1, 2)]
        if at + 3 + count > size:
            return DAMAGED, found[:0]
        length = _bits(data, at + 3, count) + 1
        at += 3 + count
        words = 1 if repeated else length
        if at + words * _WORD_BITS > size or word + length > total:
            return DAMAGED, found[:0]
        used = _noted(data, at, word, length, repeated == 1, found, used)
        at += words * _WORD_BITS
        word += length
    if total % _CHANNELS:
        return DAMAGED, found[:0]
    return total // _CHANNELS, found[:used]


@compiled
def _toggles(edges: Places, line: int, length: int, first: int, into: Places) -> tuple[int, int]:
    """The places in one line where the mask begins or ends, and the first interval that the next may need."""
    begin, end = line * length, (line + 1) * length
    count, at = 0, first
    while at < edges.size and edges[at] < end:
        into[count] = max(edges[at], begin) - begin
        into[count + 1] = min(edges[at + 1], end) - begin
        count += 2
        if edges[at + 1] > end:
            break
        at += 2
    return count, at


@compiled
def _walk(  # noqa: PLR0917 - compiled functions take no keywords
    edges: Places, length: int, lines: int, starts: Places, out: Places, fill: bool
) -> None:
    """Visit every change between a line and the one before: count them by place in the line, or note them.

    Args:
        edges: Intervals in the order of the lines.
        length: Pixels of a line.
        lines: Number of lines.
        starts: By place in the line, the number of changes (counting), or where its next one goes (filling).
        out: Receives the changes, as places in the order of the crossing lines.
        fill: Whether to fill.
    """
    room = min(edges.size, length + 2) + 2
    before, now = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    had, at = 0, 0
    line = edges[0] // length
    last = (edges[-1] - 1) // length
    while line <= last + 1:
        have, at = (0, at) if line > last else _toggles(edges, line, length, at, now)
        i, j, on, since = 0, 0, False, 0
        while i < had or j < have:
            if j >= have or (i < had and before[i] <= now[j]):
                place = before[i]
                i += 1
            else:
                place = now[j]
                j += 1
            if on:
                for crossing in range(since, place):
                    if fill:
                        out[starts[crossing]] = crossing * lines + line
                    starts[crossing] += 1
            on, since = not on, place
        before, now = now, before
        had = have
        line += 1


@compiled
def crossed(edges: Places, length: int, lines: int) -> Places:
    """Intervals of a mask along the lines that cross these: rows to columns, and back.

    Args:
        edges: Start, end, start, end, ... along `lines` lines of `length` pixels, rising.
        length: Pixels of a line.
        lines: Number of lines.
    """
    if edges.size == 0:
        return edges
    counts = np.zeros(length, dtype=np.int64)
    _walk(edges, length, lines, counts, edges, False)
    total = 0
    for place in range(length):
        total, counts[place] = total + counts[place], total
    out = np.empty(total, dtype=np.int64)
    _walk(edges, length, lines, counts, out, True)
    used = 0
    for i in range(total):  # an end where the next line begins is no end
        if used and out[used - 1] == out[i]:
            used -= 1
        else:
            out[used] = out[i]
            used += 1
    return out[:used]


@compiled
def coco_counts(edges: Places, pixels: int) -> Bytes:
    """COCO's compressed counts of intervals down the columns.

    Source:
        pycocotools' maskApi.c, rleToString.
    """
    runs = np.empty(edges.size + 1, dtype=np.int64)
    last, used = 0, 0
    for i in range(edges.size):
        runs[used] = edges[i] - last
        last = edges[i]
        used += 1
    if last < pixels:
        runs[used] = pixels - last
        used += 1
    text = np.empty(used * 13, dtype=np.uint8)
    at = 0
    for i in range(used):
        value = runs[i] - runs[i - 2] if i > 2 else runs[i]
        more = True
        while more:
            code = value & 0x1F
            value >>= 5
            more = value != (-1 if code & 0x10 else 0)
            text[at] = code + 48 + (0x20 if more else 0)
            at += 1
    return text[:at]


@compiled
def _write(out: Bytes, at: int, value: int, count: int) -> int:
    for shift in range(count - 1, -1, -1):
        out[at >> 3] |= ((value >> shift) & 1) << (7 - (at & 7))
        at += 1
    return at


@compiled
def brush_bytes(edges: Places, pixels: int) -> Bytes:
    """A brush's bytes of intervals along the rows, as the SDK writes them: run sizes 3, 4, 8 and 16 bits.

    A run over 65,536 is cut into pieces, full ones first; all use the largest run size.
    """
    sizes = (3, 4, 8, 16)
    pieces = edges.size + 1 + pixels * _CHANNELS // 65536 + 1
    out = np.zeros((_HEADER + pieces * 27) // 8 + 2, dtype=np.uint8)
    at = _write(out, 0, pixels * _CHANNELS, _LENGTH_BITS)
    at = _write(out, at, _WORD_BITS - 1, _WORD_SIZE_BITS)
    for bits in sizes:
        at = _write(out, at, bits - 1, _RUN_SIZE_BITS)
    last = 0
    for i in range(edges.size + 1):
        end = edges[i] if i < edges.size else pixels
        left = (end - last) * _CHANNELS
        last = end
        code = 0
        while code < 3 and left > 1 << sizes[code]:
            code += 1
        while left > 0:
            length = min(left, 65536)
            at = _write(out, at, 4 | code, 3)
            at = _write(out, at, length - 1, sizes[code])
            at = _write(out, at, _OPAQUE if i % 2 else 0, _WORD_BITS)
            left -= length
    return out[: (at >> 3) + 1]  # a whole byte of zeros if nothing is left over
