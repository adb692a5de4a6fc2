"""JPEG files: the header, and decoding that forgives nothing but what is not the picture.

Most files of most data sets are upright JPEGs in sRGB that stay as they are. Of those only the verdict and
the statistics of their luma are wanted, so their chroma is read and checked, but never made into pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from curate.images.image_errors import ADVICE, DECODER_ERRORS, Header, UnfitImageError, damaged

_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
_READ = (*_SEQUENTIAL, PROGRESSIVE, 0xC9, 0xCA)  # what libjpeg-turbo decodes; the last two arithmetic
_JPEG_LS = 0xF7
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_SCAN, _END = 0xDA, 0xD9
_UNUSUAL = {0x00, 0xFF, _END, *_ALONE}
# Segments that say how the picture is coded: tables, frame, restart interval, and whose colors they are.
_CODING = {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE, *_SOF}
_MAX_SCANS = 1000  # real files have ten; each costs as much time as the whole picture


@dataclass(frozen=True, slots=True)
class JpegHead:
    """What stands before the first scan.

    Attributes:
        width: Stored pixels, before any turning.
        height: Stored pixels.
        process: Marker of the frame: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, others rare.
        components: Identifier, horizontal and vertical sampling factor of each.
        exif: The EXIF block, or None.
        xmp: The XMP packet, or None.
        icc: The ICC profile, or None where there is none whole.
        scan: Where the first scan begins.
        segments: Marker, begin and end of each segment, from `segments`.
    """

    width: int
    height: int
    process: int
    components: tuple[tuple[int, int, int], ...]
    exif: bytes | None
    xmp: bytes | None
    icc: bytes | None
    scan: int
    segments: tuple[tuple[int, int, int], ...]

    @property
    def is_common(self) -> bool:
        """Whether every reader knows the coding: three components, Huffman codes."""
        return len(self.components) == 3 and self.process in (*_SEQUENTIAL, PROGRESSIVE)


def read_head(data: bytes) -> JpegHead:
    """Read the segments before the first scan.

    Raises:
        UnfitImageError: corrupt, truncated or unsupported_format.

    Source: ITU-T T.81, B.1.1 and B.2; ICC.1:2022, B.4 (profile in chunks).
    """
    frame: tuple[int, int, int, tuple[tuple[int, int, int], ...]] | None = None
    found: dict[str, bytes] = {}
    profile: list[bytes] = []
    start = 0
    every = segments(data)
    for marker, start, stop in every:
        body = data[start + 4 : stop]
        if (marker in _SOF or marker == _JPEG_LS) and frame is None:
            frame = _frame(marker, body)
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            found.setdefault("exif", body[6:])
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            found.setdefault("xmp", body[29:])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile.append(body[12:])
    if frame is None:
        raise UnfitImageError("corrupt", "a JPEG without a frame header")
    process, height, width, components = frame
    exif, xmp = found.get("exif"), found.get("xmp")
    return JpegHead(
        width, height, process, components, exif, xmp, _whole_profile(profile), start, tuple(every)
    )


def luma(data: bytes, head: JpegHead, header: Header, *, half: bool) -> tuple[NDArray[np.uint8], bool]:
    """Decode everything and give the luma plane (H, W), 0..255, as it is stored: not turned.

    Of a YCbCr file that is its Y component; red, green and blue are weighted by ITU-R BT.601. Every scan of
    every component is read to the end of the image: whatever libjpeg warns of is an error here, but for
    bytes between the segments of the header, and for a missing end marker after the last block of a
    sequential file.

    Args:
        data: The whole file.
        head: Its header.
        header: For verdicts.
        half: The plane has half the width and height, rounded up, made of the four by four lowest frequencies
            of each block. The file is read just as completely.

    Returns:
        The plane; and whether only the end marker was missing. That file lacks no block of its picture, but
        many readers refuse it.

    Raises:
        UnfitImageError: truncated, corrupt or unsupported_format.
    """
    if head.process == PROGRESSIVE and data.count(b"\xff\xda") > _MAX_SCANS:
        raise UnfitImageError("corrupt", f"over {_MAX_SCANS} scans", header)
    height, width = ((head.height + 1) // 2, (head.width + 1) // 2) if half else (head.height, head.width)
    try:
        return _strict_luma(data, head, (height, width)), False
    except DECODER_ERRORS as error:
        verdict = damaged(error, header)
        if "determine subsampling" in str(error) or "determine colorspace" in str(error):
            return _luma_by_pillow(data, header, half=half), False
        mended = _mended(data, head)
        if mended != data:
            return luma(mended, read_head(mended), header, half=half)
        if verdict.reason == "truncated" and head.process in _SEQUENTIAL:
            try:  # with an end: if a block is missing, that is "premature end of data segment"
                return _strict_luma(data + b"\xff\xd9", head, (height, width)), True
            except DECODER_ERRORS:
                pass
        raise verdict from error


def picture(data: bytes, header: Header) -> Image.Image:
    """Every pixel as it is stored, mode L, RGB or CMYK (0 = no ink), of a file that `luma` found whole.

    Raises:
        UnfitImageError: truncated or corrupt.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            # Of CMYK Pillow takes 255 for no ink, with or without Adobe's marker, as browsers do.
            return image.copy()
    except DECODER_ERRORS as error:
        raise damaged(error, header) from error


def has_common_sampling(head: JpegHead) -> bool:
    """Whether the colors have one sample to each, two or four of luma, as all decoders know it."""
    luma_factors, *colors = (factors for _, *factors in head.components)
    ratios = {
        (luma_factors[0] / across, luma_factors[1] / down) for across, down in colors if across and down
    }
    return len(ratios) <= 1 and ratios <= {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)}


def _strict_luma(data: bytes, head: JpegHead, size: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size
    if len(head.components) > 3:
        inks = simplejpeg.decode_jpeg(data, "CMYK", min_height=height, min_width=width, strict=True)
        plane: NDArray[np.uint8] = inks[..., 3]  # whose luma is measured after conversion
    else:
        plane = simplejpeg.decode_jpeg(data, "GRAY", min_height=height, min_width=width, strict=True)[..., 0]
    if plane.shape != (height, width):
        raise ValueError("several frame headers that contradict each other")
    return plane


def _luma_by_pillow(data: bytes, header: Header, *, half: bool) -> NDArray[np.uint8]:
    """Decode luma of sampling factors that simplejpeg does not take; libjpeg's mere warnings are not seen."""
    plane = picture(data, header).convert("L")
    return np.asarray(plane.reduce(2) if half else plane)


def _mended(data: bytes, head: JpegHead) -> bytes:
    """The file without what is not the picture, and with the spectral selection of a sequential scan.

    Readers pass over bytes between segments, over segments of another length than they say, and over zeros
    that some phones write for the spectral selection. A warning of it would hide all later ones.
    """
    kept = [data[start:stop] for marker, start, stop in head.segments if marker in _CODING]
    mended = bytearray(b"".join([b"\xff\xd8", *kept]))
    at = len(mended)
    mended += data[head.scan :]
    while head.process in _SEQUENTIAL and 0 <= at < len(mended) - 5:
        place = at + 5 + 2 * mended[at + 4]
        mended[place : place + 3] = b"\0\x3f\0"[: max(0, len(mended) - place)]
        at = mended.find(b"\xff\xda", place)
    return bytes(mended)


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


def _frame(marker: int, body: bytes) -> tuple[int, int, int, tuple[tuple[int, int, int], ...]]:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise UnfitImageError("corrupt", "a frame header that is too short")
    if marker not in _READ:
        kind = "JPEG-LS" if marker == _JPEG_LS else "lossless or hierarchical JPEG"
        raise UnfitImageError("unsupported_format", f"{kind} {ADVICE}")
    if body[0] != 8:
        raise UnfitImageError("unsupported_format", f"JPEG of {body[0]} bits a sample {ADVICE}")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    components = tuple(
        (body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * body[5], 3)
    )
    if not height or not width or not components:
        raise UnfitImageError("corrupt", "a frame header without a size")
    if len(components) not in (1, 3, 4):
        raise UnfitImageError("unsupported_format", f"JPEG of {len(components)} components {ADVICE}")
    return marker, height, width, components


def _whole_profile(chunks: list[bytes]) -> bytes | None:
    """The profile, of chunks that begin with their number and how many there are; all must be there, once."""
    if not chunks or any(chunk[1] != len(chunks) for chunk in chunks):
        return None
    pieces = {chunk[0]: chunk[2:] for chunk in chunks}
    if set(pieces) != set(range(1, len(chunks) + 1)):
        return None
    return b"".join(pieces[number] for number in sorted(pieces))
