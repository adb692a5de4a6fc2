"""A PNG written band by band: no library here writes one without holding all its pixels.

Source:
    Portable Network Graphics (PNG) Specification, third edition (W3C, 2025): chunks in chapter 11, filters
    in chapter 9.
"""

from __future__ import annotations

import struct
import zlib
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of channels: gray, gray and alpha, RGB, RGBA
_UP = 2  # filter: each byte less the one above it


class PngStream:
    """Takes rows from the top; use it as a context, whose end writes the end of the file."""

    def __init__(
        self,
        file: IO[bytes],
        *,
        width: int,
        height: int,
        channels: int,
        bits: int = 8,
        level: int = 6,
        profile: bytes | None = None,
        texts: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Write the beginning of the file.

        Args:
            file: Open for writing.
            width: Pixels.
            height: Pixels; as many rows must come.
            channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
            bits: 8 or 16, a sample.
            level: Of zlib: 0 = fast and large, 9 = slow and small.
            profile: ICC profile; None = none is written.
            texts: Keywords with texts (Latin-1) that go into the file.
        """
        self._file, self._shape, self._bits = file, (width, channels), bits
        self._left = height
        self._above = np.zeros(width * channels * bits // 8, dtype=np.uint8)
        self._packer = zlib.compressobj(level)
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPES[channels], 0, 0, 0))
        if profile is not None:
            self._chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
        for keyword, text in texts:
            self._chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))

    def __enter__(self) -> PngStream:
        return self

    def write(self, rows: NDArray[Any]) -> None:
        """Add rows (h, W, channels) of uint8, or uint16 where the file has 16 bits.

        Raises:
            ValueError: Another shape than the header says, or more rows.
        """
        if rows.shape[1:] != self._shape or rows.dtype.itemsize * 8 != self._bits or len(rows) > self._left:
            raise ValueError(f"{rows.shape} {rows.dtype} do not fit {self._shape}, {self._left} rows to come")
        self._left -= len(rows)
        plain = np.ascontiguousarray(rows.astype(">u2") if self._bits == 16 else rows)
        plain = plain.view(np.uint8).reshape(len(rows), -1)
        filtered = np.empty((len(rows), plain.shape[1] + 1), dtype=np.uint8)
        filtered[:, 0] = _UP
        np.subtract(plain[:1], self._above, out=filtered[:1, 1:])
        np.subtract(plain[1:], plain[:-1], out=filtered[1:, 1:])
        self._above = plain[-1].copy()
        self._chunk(b"IDAT", self._packer.compress(filtered.data))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        if self._left:
            raise ValueError(f"{self._left} rows are missing")
        self._chunk(b"IDAT", self._packer.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, name: bytes, content: bytes) -> None:
        if name == b"IDAT" and not content:
            return  # zlib keeps back what does not fill a block
        check = zlib.crc32(content, zlib.crc32(name))
        self._file.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", check))


def text_of(file: IO[bytes], keyword: str) -> str | None:
    """The text under a keyword, of the chunks before the pixels; None if there is none, or it is no PNG."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return None
    wanted = keyword.encode("latin-1") + b"\0"
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"IEND"):
            return None
        content = file.read(length + 4)[:length]
        if name == b"tEXt" and content.startswith(wanted):
            return content[len(wanted) :].decode("latin-1")
    return None
