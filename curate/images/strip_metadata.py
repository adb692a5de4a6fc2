"""Takes personal metadata out of image files without touching a pixel.

An upright file that ingest linked is the photographer's own, with EXIF (often the position), XMP and IPTC.
They must not be published with the pixels. What is kept stands in a list, for nobody knows all places where
a position hides: EXIF, XMP, IPTC, makers' blocks, C2PA, thumbnails and previews, private chunks, whatever
stands behind the end of the picture. Color profiles stay: they say what the pixels mean. What a
JPEG hides inside its coded pixels, before the next marker, cannot be told from them and stays.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from curate.errors import RecordError

_JPEG, _PNG, _WEBP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"WEBP"
_SOI, _EOI, _SOS, _APP0, _APP2, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE2, 0xEE
# frames, Huffman and arithmetic tables, quantization, restarts, lines: all but APPn, JPGn, COM and reserved
# ones
_JPEG_KEPT: Final = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), _SOS, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF})
_JFIF_BYTES, _ADOBE_BYTES = 14, 12  # without a thumbnail; all of it
_PNG_KEPT: Final = frozenset(
    {
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"cHRM",
        b"gAMA",
        b"iCCP",
        b"sBIT",
        b"sRGB",
        b"cICP",
        b"mDCV",
        b"cLLI",
    }
)
_WEBP_KEPT: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FLAGS = 0x08 | 0x04  # of VP8X: EXIF, XMP
_ANMF_BYTES = 16  # of a frame, before its own chunks
_BLOCK = 1 << 20


def without_metadata(data: bytes) -> bytes:
    """Strip a file of everything that its pixels do not need; the picture stays, bit for bit.

    Args:
        data: A whole JPEG, PNG or WebP file that decodes.

    Raises:
        RecordError: The file is of another format.

    Source: ISO/IEC 10918-1 B.1.1 (JPEG markers), PNG 3rd edition 5.3 (chunks), WebP container specification.

    Examples:
        >>> import io
        >>> from PIL import Image
        >>> exif = Image.Exif()
        >>> exif[0x010E] = 'Secret Street 7'
        >>> file = io.BytesIO()
        >>> Image.new('RGB', (8, 8)).save(file, 'JPEG', exif=exif)
        >>> b'Secret Street 7' in file.getvalue(), b'Secret Street 7' in without_metadata(file.getvalue())
        (True, False)
    """
    if data.startswith(_JPEG):
        return b"".join([_JPEG, *_jpeg_segments(data)])
    if data.startswith(_PNG):
        return b"".join([_PNG, *_png_chunks(data)])
    if data[:4] == b"RIFF" and data[8:12] == _WEBP:
        body = _WEBP + b"".join(_webp_chunks(data[12 : 8 + int.from_bytes(data[4:8], "little")]))
        return b"RIFF" + struct.pack("<I", len(body)) + body
    raise RecordError("neither JPEG, PNG nor WebP: what else is in the file cannot be taken out")


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Segments that are kept; stray bytes between them, and all behind the end of the image, are not."""
    at = data.find(b"\xff", 2)
    while 0 <= at < len(data) - 1:
        marker = data[at + 1]
        if marker == _EOI:
            break
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= _SOI or marker == 0x01:  # fill bytes, no length
            at = data.find(b"\xff", at + 1)
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : end]
        if marker == _SOS:
            end = _after_coded_data(data, end)
        if marker in _JPEG_KEPT:
            yield data[at:end]
        elif (kept := _application(marker, body)) is not None:
            yield bytes([0xFF, marker]) + struct.pack(">H", len(kept) + 2) + kept
        at = data.find(b"\xff", end)
    if (
        0 <= at < len(data) - 1 and data[at + 1] == _EOI
    ):  # a file without it stays cut off, as readers will say
        yield data[at : at + 2]


def _application(marker: int, body: bytes) -> bytes | None:
    """What is kept of an APPn: JFIF without its thumbnail, ICC profiles, Adobe's color transform."""
    if marker == _APP0 and body.startswith(b"JFIF\0"):
        return body[: _JFIF_BYTES - 2] + b"\0\0"
    if marker == _APP2 and body.startswith(b"ICC_PROFILE\0"):
        return body
    if marker == _APP14 and body.startswith(b"Adobe"):
        return body[:_ADOBE_BYTES]
    return None


def _after_coded_data(data: bytes, start: int) -> int:
    """Where the next marker stands: in coded data 0xFF is followed by 0 or a restart marker's number."""
    at = data.find(b"\xff", start)
    while 0 <= at < len(data) - 1 and (data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7):
        at = data.find(b"\xff", at + 2)
    return at if at >= 0 else len(data)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at, pixels = 8, zlib.decompressobj()
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            body = _within_stream(pixels, body)
        elif kind == b"iCCP":  # the profile's name is free text
            body = b"icc" + body[body.find(b"\0") :]
        if kind in _PNG_KEPT and (body or kind == b"IEND"):
            yield struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        if kind == b"IEND":
            return
        at += 12 + length


def _within_stream(stream: zlib._Decompress, body: bytes) -> bytes:
    """The part of a chunk that belongs to the compressed pixels: what follows their end is not shown."""
    if stream.eof:
        return b""
    left = body
    while left and not stream.eof:
        stream.decompress(left, _BLOCK)
        left = stream.unconsumed_tail
    return body[: len(body) - len(stream.unused_data)]


def _webp_chunks(body: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(body):
        kind, length = struct.unpack("<4sI", body[at : at + 8])
        content = body[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if kind == b"VP8X":
            content = bytes([content[0] & ~_WEBP_FLAGS]) + content[1:]
        if kind == b"ANMF":
            content = content[:_ANMF_BYTES] + b"".join(_webp_chunks(content[_ANMF_BYTES:]))
        if kind in _WEBP_KEPT:
            yield kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
