"""The chunks of a PNG: those that are the picture, and what the others say of its colors and turning.

Pillow gives up a picture for a text that is damaged or too large. It is handed the picture alone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from curate.images import icc_profile
from curate.images.icc_profile import Cicp
from curate.images.image_errors import ADVICE, UnfitImageError

_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND"}
_EXIF_TEXT = b"Raw profile type exif\0"  # ImageMagick's way
_XMP_TEXT = b"XML:com.adobe.xmp\0"
_MAX_INFLATED = 4 << 20  # bytes; the largest profiles in use have about two million
# A gamma this near to 1/2.2 means sRGB where no primaries are told: libpng's threshold, which browsers keep.
_SAME_GAMMA = 0.05
_MAX_PLAIN = 1 << 16
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG, taken apart.

    Attributes:
        picture: The file without what is not the picture.
        is_whole: Every chunk has its checksum, and the last one is IEND.
        has_more_behind: Chunks that are not the picture follow its pixels.
        profile: ICC profile of its colors, whichever way they are told; None = sRGB.
        significant_bits: Of each channel, from sBIT; empty where it does not say.
        exif: The EXIF block, or None.
        xmp: The XMP packet, or None.
    """

    picture: bytes
    is_whole: bool
    has_more_behind: bool
    profile: bytes | None
    significant_bits: bytes
    exif: bytes | None
    xmp: bytes | None


@dataclass(slots=True)
class _Found:
    parts: list[bytes] = field(default_factory=list)
    texts: dict[bytes, bytes] = field(default_factory=dict)
    ended: bool = False
    pixels: bool = False
    behind: bool = False
    whole: bool = True


def parse(data: bytes) -> Png:
    """Take a PNG apart; what is damaged besides the picture says nothing.

    Of several statements about colors cICP goes first, then iCCP, sRGB, and last gAMA with cHRM, as browsers
    take them. Source: PNG 3rd edition, 5.3 (chunks), 13.14 (precedence).

    Raises:
        UnfitImageError: unsupported_format of Apple's own variant, and of high dynamic range; corrupt where a
            chunk of the picture has a wrong checksum.
    """
    found = _Found([data[:8]])
    for kind, body, chunk, sound in _chunks(data):
        if kind == b"CgBI":
            raise UnfitImageError("unsupported_format", f"Apple's variant of PNG (CgBI) {ADVICE}")
        found.whole = found.whole and bool(sound)
        found.ended = kind == b"IEND"
        if kind in _PICTURE:
            if sound is False:
                raise UnfitImageError("corrupt", f"chunk {kind.decode()} has a wrong checksum")
            found.parts.append(chunk)
            found.pixels = found.pixels or kind == b"IDAT"
            continue
        found.behind = found.behind or found.pixels
        if sound:
            name = body.partition(b"\0")[0] + b"\0" if kind in (b"tEXt", b"zTXt", b"iTXt") else b""
            if not name or name in (_EXIF_TEXT, _XMP_TEXT):
                found.texts.setdefault(kind + name, body)
    if not found.ended and found.whole:
        found.parts.append(_END)
    return Png(
        b"".join(found.parts),
        found.whole and found.ended,
        found.behind,
        _profile(found.texts),
        found.texts.get(b"sBIT", b""),
        _exif(found.texts),
        _xmp(found.texts),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes, bool | None]]:
    """Name, content, the whole chunk, and whether it has its checksum; None where the file ends before that.

    Chunks that are the picture come without content, all others come without the whole.
    """
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        stop = at + 12 + length
        whole = stop <= len(data)
        view = memoryview(data)[at + 4 : stop - 4]
        sound = zlib.crc32(view) == int.from_bytes(data[stop - 4 : stop]) if whole else None
        if kind in _PICTURE:
            yield kind, b"", data[at:stop], sound
        else:
            yield kind, bytes(view[4:]) if whole else b"", b"", sound
        if kind == b"IEND":
            return
        at = stop


def _profile(chunks: dict[bytes, bytes]) -> bytes | None:
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[2] == 0 and cicp[3] == 1:  # of RGB, in full range; browsers ignore all others
        return icc_profile.of_cicp(Cicp(cicp[0], cicp[1], cicp[2], full_range=True), video_curve=True)
    name, _, packed = chunks.get(b"iCCP", b"").partition(b"\0")
    if name and packed[:1] == b"\0" and (profile := _inflated(packed[1:])) is not None:
        return profile
    if len(chunks.get(b"sRGB", b"")) == 1:
        return None
    gamma, chromaticities = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    if len(gamma) != 4 or not int.from_bytes(gamma):
        return None
    exponent = int.from_bytes(gamma) / 100_000
    if len(chromaticities) != 32 and abs(exponent * 2.2 - 1) <= _SAME_GAMMA:
        return None
    primaries = icc_profile.SRGB
    if len(chromaticities) == 32:
        values = [value / 100_000 for value in struct.unpack(">8I", chromaticities)]
        white, *colors = zip(values[::2], values[1::2], strict=True)
        primaries = (*colors, white)
    return icc_profile.of_numbers(primaries, (1 / exponent,))


def _exif(chunks: dict[bytes, bytes]) -> bytes | None:
    if (block := chunks.get(b"eXIf")) is not None:
        return block
    text = chunks.get(b"tEXt" + _EXIF_TEXT, b"")[len(_EXIF_TEXT) :]
    if not text:
        text = _inflated(chunks.get(b"zTXt" + _EXIF_TEXT, b"")[len(_EXIF_TEXT) + 1 :]) or b""
    try:
        return bytes.fromhex("".join(text[:_MAX_PLAIN].decode("latin-1").split("\n")[3:])) or None
    except ValueError:
        return None


def _xmp(chunks: dict[bytes, bytes]) -> bytes | None:
    """XMP packet of an iTXt chunk, which may be compressed; two texts, each ended by a zero, precede it."""
    body = chunks.get(b"iTXt" + _XMP_TEXT, b"")[len(_XMP_TEXT) :]
    packet = body[2:].split(b"\0", 2)[-1] if body.count(b"\0", 2) >= 2 else None
    return _inflated(packet) if packet and body[:1] == b"\1" else packet


def _inflated(packed: bytes) -> bytes | None:
    """Uncompressed; None where that is damaged or without end."""
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(packed, _MAX_INFLATED)
    except zlib.error:
        return None
    return content if inflating.eof else None
