"""JPEG without its colours: header, and the luma plane by a decoder that forgives nothing.

Most files of most data sets are upright JPEGs in sRGB that stay as they are. Of those only the verdict and
the quality of their luma are wanted, so their chroma is read and checked, but never made into pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from curate.images.image_errors import DECODER_ERRORS, Header, UnfitImageError, damaged

_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_SCAN, _END = 0xDA, 0xD9
_UNUSUAL = {0x00, 0xFF, _END, *_ALONE}
PROGRESSIVE = 0xC2
_MAX_SCANS = 1000  # real files have ten; each costs as much time as the whole picture


@dataclass(frozen=True, slots=True)
class JpegHead:
    """What stands before the first scan.

    Attributes:
        width: Stored pixels, before any turning.
        height: Stored pixels.
        process: Marker of the frame: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, others rare.
        precision: Bits a sample.
        components: Identifier, horizontal and vertical sampling factor of each.
        adobe: Colour transform of Adobe's marker: 0 none, 1 YCbCr, 2 YCCK; None without the marker.
        exif: The EXIF block, or None.
        xmp: The XMP packet, or None.
        icc: The ICC profile, or None where there is none whole.
        private: Begin and end of every application segment and comment.
        scan: Where the first scan begins.
        segments: Marker, begin and end of each segment, from `segments`.
    """

    width: int
    height: int
    process: int
    precision: int
    components: tuple[tuple[int, int, int], ...]
    adobe: int | None
    exif: bytes | None
    xmp: bytes | None
    icc: bytes | None
    private: tuple[tuple[int, int], ...]
    scan: int
    segments: tuple[tuple[int, int, int], ...]

    @property
    def plain(self) -> bool:
        """Whether every reader knows the coding: 8 bits, three components, Huffman codes."""
        return self.precision == 8 and len(self.components) == 3 and self.process in (0xC0, 0xC1, 0xC2)


def read_head(data: bytes) -> JpegHead:
    """Read the segments before the first scan.

    Raises:
        UnfitImageError: corrupt or truncated.

    Source: ITU-T T.81, B.1.1 and B.2; ICC.1:2022, B.4 (profile in chunks).
    """
    frame: tuple[int, int, int, int, tuple[tuple[int, int, int], ...]] | None = None
    found: dict[str, bytes] = {}
    chunks: dict[int, bytes] = {}
    private: list[tuple[int, int]] = []
    adobe: int | None = None
    start = 0
    every = segments(data)
    for marker, start, stop in every:
        if marker in _SOF and frame is None:
            frame = _frame(marker, data[start + 4 : stop])
        elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
            private.append((start, stop))
            body = data[start + 4 : stop]
            if marker == 0xE1 and body.startswith(b"Exif\0"):
                found.setdefault("exif", body[6:])
            elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                found.setdefault("xmp", body[29:])
            elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
                chunks.setdefault(body[12], body[14:])
            elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
                adobe = body[11]
    if frame is None:
        raise UnfitImageError("corrupt", "a JPEG without a frame header")
    icc = b"".join(chunks[number] for number in sorted(chunks)) or None
    process, precision, height, width, components = frame
    return JpegHead(
        width,
        height,
        process,
        precision,
        components,
        adobe,
        found.get("exif"),
        found.get("xmp"),
        icc,
        tuple(private),
        start,
        tuple(every),
    )


def luma(data: bytes, head: JpegHead, header: Header, *, half: bool) -> NDArray[np.uint8]:
    """Decode everything and give the luma plane (H, W), 0..255, as it is stored: not turned.

    With `half` the plane has half the width and height, rounded up, made of the four by four lowest
    frequencies of each block. The file is read just as completely.

    Of a YCbCr file that is its Y component; red, green and blue are weighted by ITU-R BT.601. Every scan of
    every component is read to the end of the image: whatever libjpeg warns of is an error here.

    Raises:
        UnfitImageError: truncated, corrupt or unsupported_format.
    """
    if head.process == PROGRESSIVE and data.count(b"\xff\xda") > _MAX_SCANS:
        raise UnfitImageError("corrupt", f"over {_MAX_SCANS} scans", header)
    height, width = ((head.height + 1) // 2, (head.width + 1) // 2) if half else (head.height, head.width)
    try:
        decoded = simplejpeg.decode_jpeg(data, "GRAY", min_height=height, min_width=width, strict=True)
    except DECODER_ERRORS as error:
        if "Invalid SOS parameters" in str(error) and (mended := _mended(data, head)) != data:
            return luma(mended, head, header, half=half)
        verdict = damaged(error, header)
        if "unsupported" in verdict.detail.lower():
            raise UnfitImageError("unsupported_format", verdict.detail, header) from error
        raise verdict from error
    plane: NDArray[np.uint8] = decoded[..., 0]
    if plane.shape != (height, width):
        raise UnfitImageError("corrupt", "several frame headers that contradict each other", header)
    return plane


def _mended(data: bytes, head: JpegHead) -> bytes:
    """The file with the spectral selection that a sequential scan must have.

    Some phones write zeros there, which every reader passes over; the warning would hide all later ones.
    """
    mended = bytearray(data)
    at = head.scan
    while 0 <= at < len(data) - 5:
        place = at + 5 + 2 * data[at + 4]
        mended[place : place + 3] = b"\0\x3f\0"[: max(0, len(data) - place)]
        at = data.find(b"\xff\xda", place)
    return bytes(mended)


def without_private(data: bytes, head: JpegHead) -> bytes:
    """The file without application segments and comments."""
    parts, at = [], 0
    for start, stop in head.private:
        parts.append(data[at:start])
        at = stop
    return b"".join([*parts, data[at:]])


def segments(data: bytes) -> list[tuple[int, int, int]]:
    """Marker, begin and end of each segment up to the first scan."""
    found, at, size = [], 2, len(data)
    while True:
        if at + 4 > size or data[at] != 0xFF or data[at + 1] in _UNUSUAL:
            at = _to_segment(data, at)
        marker = data[at + 1]
        stop = at + 2 + (data[at + 2] << 8 | data[at + 3])
        found.append((marker, at, stop if stop < size else size))
        if marker == _SCAN:
            return found
        at = stop if stop > at + 4 else at + 4


def _to_segment(data: bytes, at: int) -> int:
    """Where the next segment begins, past fill bytes, rubbish and markers without a length."""
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if at < 0 or at + 4 > len(data):
            raise UnfitImageError("truncated", "a JPEG that ends before its first scan")
        if data[at + 1] == _END:
            raise UnfitImageError("corrupt", "a JPEG without a scan")
        if data[at + 1] not in _UNUSUAL:
            return at
        at += 2


def _frame(marker: int, body: bytes) -> tuple[int, int, int, int, tuple[tuple[int, int, int], ...]]:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise UnfitImageError("corrupt", "a frame header that is too short")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    components = tuple(
        (body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * body[5], 3)
    )
    if not height or not width or not components:
        raise UnfitImageError("corrupt", "a frame header without a size")
    return marker, body[0], height, width, components
