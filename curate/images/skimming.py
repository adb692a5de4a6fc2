# ruff: noqa: PLR0917 - compiled functions take positional arguments only
"""Means of the blocks of a JPEG, compiled; all else is passed over. See `curate.images.eighth`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from curate.compiled import compiled, helper
from curate.images.bits import big_endian_word, put_big_endian_word

PEEK: Final = 11  # bits that a table is looked up by: of 12, tables leave the processor's nearest cache
_LONGEST: Final = 16  # bits of a code
ZIGZAG: Final = np.array(
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,
        7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31,
        39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ]
)  # fmt: skip
# Of a skip, instead of coefficients: so many that no block holds them.
_ENDED: Final = 256
_UNKNOWN: Final = 512
_ONES, _HIGHEST = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_BLOCK: Final = 512  # bytes; no block has more
_MARKER_END: Final = 0xD9
_MARKER_RESTART: Final = 0xD0
_compiled: Any = compiled(error_model="numpy")
_helper: Any = helper(error_model="numpy", forceinline=True)


@_compiled
def skips(short):  # type: ignore[no-untyped-def]
    """What may be passed over by the next 11 bits: bits | coefficients << 6.

    Where the block ends, `_ENDED` are added to the coefficients; where no code fits, they are `_UNKNOWN`.
    """
    found = np.empty(len(short), np.uint16)
    for window in range(len(short)):
        at, coefficients, entry = np.int64(0), np.int64(0), np.int64(_UNKNOWN << 6)
        while at < PEEK:
            code = np.int64(short[(window << at) & ((1 << PEEK) - 1)])
            length, symbol = code >> 8, code & 0xFF
            if code == 0 or length > PEEK - at:
                break
            at += length + (symbol & 15)
            if symbol & 15 == 0 and symbol != 0xF0:
                entry = at | (coefficients + _ENDED) << 6
                break
            coefficients += (symbol >> 4) + 1
            entry = at | coefficients << 6
        found[window] = entry
    return found


@_compiled
def _without_stuffing(coded, at, clean, ends):  # type: ignore[no-untyped-def]
    """Copy the codes without the zeros behind 0xFF, the parts between restarts one behind the other.

    Args:
        coded: Bytes of the file, (N,) uint8.
        at: Where the codes begin.
        clean: To fill, with room for 16 zeros behind each part.
        ends: Where each part ends in `clean`, without the zeros, to fill.

    Returns:
        Parts; 0 where markers are missing or not in order.
    """
    parts, to = 0, 0
    while at + 1 < len(coded):
        if at + 8 <= len(coded):
            word = big_endian_word(coded, at)
            if (~word - _ONES) & word & _HIGHEST == 0:  # no 0xFF among them
                put_big_endian_word(clean, to, word)
                at += 8
                to += 8
                continue
        byte = coded[at]
        if byte != 0xFF or coded[at + 1] == 0:
            clean[to] = byte
            to += 1
            at += 2 if byte == 0xFF else 1
            continue
        if parts == len(ends):
            return 0
        ends[parts] = to
        clean[to : to + 16] = 0
        to += 16
        parts += 1
        if coded[at + 1] == _MARKER_END:
            return parts
        if coded[at + 1] != _MARKER_RESTART + ((parts - 1) & 7):
            return 0
        at += 2
    return 0


@_helper
def _refilled(clean, at, held, bits):  # type: ignore[no-untyped-def]
    """Byte to go on from, the bits to come, the next one highest, and how many of them count: at least 56.

    The word is there before it is known how many bits are wanted, so that nobody waits for it.
    """
    word = big_endian_word(clean, at)
    return at + ((63 - bits) >> 3), held | (word >> np.uint64(bits & 63)), bits | 56


@_helper
def _code(band, held, short, behind, offset, symbols):  # type: ignore[no-untyped-def]
    """What comes next: length of its code << 8 | symbol; 0 = no code."""
    entry = np.int64(short[np.uint64(band << PEEK) + (held >> np.uint64(64 - PEEK))])
    if entry == 0:
        code = np.int64(held >> np.uint64(48))
        for length in range(PEEK + 1, _LONGEST + 1):
            if code < behind[band, length]:
                place = (code >> (_LONGEST - length)) + offset[band, length]
                return np.int64(length) << 8 | np.int64(symbols[band, place & 0xFF])
    return entry


@_helper
def _value(held, size):  # type: ignore[no-untyped-def]
    """The number that the next `size` bits stand for, 0 without any. Source: T.81, F.2.2.1."""
    value = np.int64((held >> np.uint64(1)) >> np.uint64(63 - size))
    return value - (((1 << size) - 1) if value < (1 << size) >> 1 else 0)


@_helper
def _pixel(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value + 128, 0), 255))


@_helper
def _skim(clean, at, held, bits, band, ac, skips, behind, offset, symbols):  # type: ignore[no-untyped-def]
    """Pass over all coefficients of a block but the first.

    Args:
        clean: From `_without_stuffing`.
        at: See `_refilled`; -1 is returned where codes do not fit.
        held: See `_refilled`.
        bits: At least 11.
        band: Row of the tables.
        ac: As of `scan`, like the rest.
        skips: As of `scan`.
        behind: As of `scan`.
        offset: As of `scan`.
        symbols: As of `scan`.

    Returns:
        at, held, bits where the block ends.
    """
    k, row = np.int64(1), np.uint64(band << PEEK)
    while True:
        skip = np.int64(skips[row + (held >> np.uint64(64 - PEEK))])
        after = k + (skip >> 6)
        if after < 64:
            held, bits, k = held << np.uint64(skip & 63), bits - (skip & 63), after
            at, held, bits = _refilled(clean, at, held, bits)
            skip = np.int64(skips[row + (held >> np.uint64(64 - PEEK))])
            after = k + (skip >> 6)
            if after < 64:  # bits enough for one more
                held, bits, k = held << np.uint64(skip & 63), bits - (skip & 63), after
                continue
        if _ENDED <= after < _ENDED + 64:
            return at, held << np.uint64(skip & 63), bits - (skip & 63)
        at, held, bits = _refilled(clean, at, held, bits)
        entry = _code(band, held, ac, behind, offset, symbols)
        size, run = entry & 15, (entry >> 4) & 15
        bits -= (entry >> 8) + size
        held <<= np.uint64((entry >> 8) + size)
        if size == 0 and run != 15:
            return (at if entry else np.int64(-1)), held, bits
        k += run + 1
        if k >= 64:
            return (at if k == 64 else np.int64(-1)), held, bits


@_helper
def _read(clean, at, held, bits, band, ac, behind, offset, symbols, block):  # type: ignore[no-untyped-def]
    """Read all coefficients of a block but the first into zeros, (64,) row by row; see `_skim`."""
    k = np.int64(1)
    while k < 64:
        if bits < 26:
            at, held, bits = _refilled(clean, at, held, bits)
        entry = _code(band, held, ac, behind, offset, symbols)
        size, run = entry & 15, (entry >> 4) & 15
        held <<= np.uint64(entry >> 8)
        bits -= (entry >> 8) + size
        if size == 0 and run != 15:
            return (at if entry else np.int64(-1)), held, bits
        k += run
        if k > 63:
            return np.int64(-1), held, bits
        block[ZIGZAG[k]] = _value(held, size)
        held <<= np.uint64(size)
        k += 1
    return at, held, bits


@_helper
def _half(block, steps, rows, planes, band, top, left):  # type: ignore[no-untyped-def]
    """A block to 2 x 2 pixels. Source: libjpeg 6b, jidctred.c, the same integers.

    Args:
        block: (64,) int64 coefficients, row by row.
        steps: (bands, 64) int64 quantisation, row by row.
        rows: (2, 8) int64 that nobody needs.
        planes: (bands, rows, columns) uint8 to fill.
        band: Component.
        top: Of the four pixels.
        left: Of the four pixels.

    Returns:
        False where numbers leave 16 bits, as only those of damaged files do.
    """
    most = np.int64(0)
    for column in (0, 1, 3, 5, 7):
        even = (block[column] * steps[band, column]) << 15
        first, third = (
            block[8 + column] * steps[band, 8 + column],
            block[24 + column] * steps[band, 24 + column],
        )
        fifth = block[40 + column] * steps[band, 40 + column]
        seventh = block[56 + column] * steps[band, 56 + column]
        odd = seventh * -5906 + fifth * 6967 + third * -10426 + first * 29692
        rows[0, column] = (even + odd + (1 << 12)) >> 13
        rows[1, column] = (even - odd + (1 << 12)) >> 13
        for one in (first, third, fifth, seventh, rows[0, column], rows[1, column]):
            most |= one ^ (one >> 63)
    for y in range(2):
        even = rows[y, 0] << 15
        odd = rows[y, 7] * -5906 + rows[y, 5] * 6967 + rows[y, 3] * -10426 + rows[y, 1] * 29692
        planes[band, top + y, left] = _pixel((even + odd + (1 << 19)) >> 20)
        planes[band, top + y, left + 1] = _pixel((even - odd + (1 << 19)) >> 20)
    return most < 1 << 15


@_helper
def _first(clean, at, held, bits, band, row, dc, predicted):  # type: ignore[no-untyped-def]
    """Read the first coefficient of a block, which is added to `predicted`; see `_skim`."""
    at, held, bits = _refilled(clean, at, held, bits)
    entry = np.int64(dc[np.uint64(row << PEEK) + (held >> np.uint64(64 - PEEK))])
    held <<= np.uint64(entry >> 8)
    size = entry & 0xFF
    predicted[band] += _value(held, size)
    return (at if entry else np.int64(-1)), held << np.uint64(size), bits - (entry >> 8) - size


@_compiled
def scan(  # type: ignore[no-untyped-def]  # noqa: C901, PLR0911, PLR0912 - no calls in the hot loop
    coded, start, rows_of, dc, ac, skips, behind, offset, symbols, steps, interval, across, down, planes
):
    """Decode a scan; False where anything is not in order.

    Args:
        coded: Bytes of the file, (N,) uint8.
        start: Where the codes begin.
        rows_of: Row of each component in the tables, which are from `eighth`.
        dc: All rows one behind the other, as the next two.
        ac: Codes of all other coefficients.
        skips: From `skips`.
        behind: From `eighth`, as the next two.
        offset: From `eighth`.
        symbols: From `eighth`.
        steps: (bands, 64) quantisation, row by row.
        interval: MCUs between restarts; 0 = none.
        across: Blocks of luma in an MCU, 1 or 2.
        down: Blocks of luma in an MCU, 1 or 2.
        planes: (bands, rows, columns) uint8 to fill.
    """
    bands, rows, columns = planes.shape
    mcus = (rows // down) * (columns // across)
    interval = interval if interval else mcus
    ends = np.zeros((mcus + interval - 1) // interval, np.int64)
    clean = np.empty(len(coded) - start + 16 * len(ends) + _BLOCK, np.uint8)
    if _without_stuffing(coded, start, clean, ends) != len(ends):
        return False
    predicted, block, spare = np.zeros(bands, np.int64), np.zeros(64, np.int64), np.zeros((2, 8), np.int64)
    at, held, bits, part, left_over = np.int64(0), np.uint64(0), np.int64(0), 0, interval
    for top in range(0, rows, down):
        for left in range(0, columns, across):
            if left_over == 0:
                if not 0 <= 8 * (ends[part] - at) + bits < 8:
                    return False
                at, held, bits = np.int64(ends[part] + 16), np.uint64(0), np.int64(0)
                predicted[:] = 0
                part, left_over = part + 1, interval
            left_over -= 1
            for y in range(top, top + down):
                for x in range(left, left + across):
                    at, held, bits = _first(clean, at, held, bits, 0, rows_of[0], dc, predicted)
                    mean = (predicted[0] * steps[0, 0] + 4) >> 3
                    planes[0, y, x] = _pixel(mean)
                    if at < 0 or not -512 <= mean <= 511:
                        return False
                    at, held, bits = _skim(
                        clean, at, held, bits, rows_of[0], ac, skips, behind, offset, symbols
                    )
                    if at < 0 or 8 * (at - ends[part]) > bits:
                        return False
            for band in range(1, bands):
                at, held, bits = _first(clean, at, held, bits, band, rows_of[band], dc, predicted)
                mean = (predicted[band] * steps[band, 0] + 4) >> 3
                if at < 0 or not -512 <= mean <= 511:
                    return False
                if down == 2:
                    block[:] = 0
                    block[0] = predicted[band]
                    at, held, bits = _read(
                        clean, at, held, bits, rows_of[band], ac, behind, offset, symbols, block
                    )
                    if not _half(block, steps, spare, planes, band, top, left):
                        return False
                else:
                    at, held, bits = _skim(
                        clean, at, held, bits, rows_of[band], ac, skips, behind, offset, symbols
                    )
                    for x in range(left, left + across):
                        planes[band, top, x] = _pixel(mean)
                if at < 0 or 8 * (at - ends[part]) > bits:
                    return False
    return part == len(ends) - 1 and 0 <= 8 * (ends[-1] - at) + bits < 8


@_compiled
def gray(planes, height, width):  # type: ignore[no-untyped-def]
    """(height, width, 1) pixels of a plane."""
    out = np.empty((height, width, 1), np.uint8)
    out[:, :, 0] = planes[0, :height, :width]
    return out


@_compiled
def rgb(planes, height, width):  # type: ignore[no-untyped-def]
    """(height, width, 3) pixels of planes Y, Cb, Cr. Source: JFIF 1.02; libjpeg's 16-bit fractions."""
    out = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        for at in range(width):
            luma = np.int32(planes[0, row, at])
            blue, red = np.int32(planes[1, row, at]) - 128, np.int32(planes[2, row, at]) - 128
            out[row, at, 0] = np.uint8(min(max(luma + ((91881 * red + 32768) >> 16), 0), 255))
            green = luma + ((-22554 * blue - 46802 * red + 32768) >> 16)
            out[row, at, 1] = np.uint8(min(max(green, 0), 255))
            out[row, at, 2] = np.uint8(min(max(luma + ((116130 * blue + 32768) >> 16), 0), 255))
    return out
