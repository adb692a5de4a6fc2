"""Sizes that must be known before the decoder is called, because it takes its memory when it opens a file."""

from __future__ import annotations

import struct

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def early_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height of a WebP or JPEG XL; None for other formats, or where they cannot be found."""
    try:
        if kind == "WEBP":
            return _webp(data)
        if kind == "JXL":
            return _jxl(data)
    except (struct.error, IndexError, OverflowError):
        pass  # the decoder will say what is wrong
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    """Source: WebP container specification; RFC 6386, 9.1; WebP lossless bitstream, 3."""
    kind, at = data[12:16], 20
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[at + 4 : at + 7], "little"), 1 + int.from_bytes(
            data[at + 7 : at + 10], "little"
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, at + 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, at + 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jxl(data: bytes) -> tuple[int, int] | None:
    """Source: ISO/IEC 18181-1, SizeHeader; 18181-2, boxes jxlc and jxlp."""
    at = 0
    if data[:2] != b"\xff\x0a":
        at = 12
        while True:
            size, kind = struct.unpack_from(">I4s", data, at)
            body = at + 8
            if size == 1:
                size, body = struct.unpack_from(">Q", data, body)[0], body + 8
            if kind in (b"jxlc", b"jxlp"):
                at = body + (4 if kind == b"jxlp" else 0)
                break
            if size < 8:
                return None
            at += size
    bits = _Bits(int.from_bytes(data[at + 2 : at + 18], "little"))
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
    ratio = bits.take(3)
    if ratio:
        over, under = _RATIOS[ratio - 1]
        return height * over // under, height
    return (8 * (bits.take(5) + 1) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])), height


class _Bits:
    """Takes numbers from the low end."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken
