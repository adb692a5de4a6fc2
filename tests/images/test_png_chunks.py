"""A PNG whose picture is whole is kept, whatever stands around the picture."""

from __future__ import annotations

import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from curate.images import png_chunks
from curate.images.image_errors import UnfitImageError
from tests.images.encoded import drawn, oriented, reason_of, saved, seen, stored
from tests.images.told_colors import DISPLAY_P3, chunk, png

PICTURE = Image.fromarray(drawn())
EXIF = oriented(6).tobytes().removeprefix(b"Exif\0\0")
FAULTY: dict[str, tuple[bytes, bytes]] = {
    "sRGB of no byte": (b"sRGB", b""),
    "sRGB of nine bytes": (b"sRGB", bytes(9)),
    "gAMA of two bytes": (b"gAMA", b"\0\1"),
    "cHRM of one byte": (b"cHRM", b"\1"),
    "iCCP of another method": (b"iCCP", b"name\0\1" + zlib.compress(bytes(200))),
    "iCCP that is no deflate": (b"iCCP", b"name\0\0garbage"),
    "iCCP without a name": (b"iCCP", b""),
    "iCCP over 1 MB": (b"iCCP", b"name\0\0" + zlib.compress(DISPLAY_P3[:100] + bytes(2 << 20))),
    "zTXt over 1 MB": (b"zTXt", b"name\0\0" + zlib.compress(bytes(5 << 20))),
    "iTXt that is compressed and is not": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0garbage"),
    "iTXt without its parts": (b"iTXt", b"XML:com.adobe.xmp\0\1"),
    "eXIf of one byte": (b"eXIf", b"M"),
    "pHYs of no byte": (b"pHYs", b""),
    "bKGD of no byte": (b"bKGD", b""),
    "hIST of no byte": (b"hIST", b""),
    "a chunk nobody knows": (b"xyZz", b"1234"),
    "Raw profile that is no hex": (b"tEXt", b"Raw profile type exif\0\nexif\n 4\nzz\n"),
}


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("behind", [False, True])
def test_a_faulty_chunk_is_not_the_picture(name: str, behind: bool) -> None:
    data = saved(PICTURE, "PNG")
    at = len(data) - 12 if behind else 33
    found = seen(data[:at] + chunk(*FAULTY[name]) + data[at:])
    assert np.array_equal(found.pixels, drawn())


@pytest.mark.parametrize("kind", [b"tIME", b"tEXt", b"gAMA", b"eXIf", b"iCCP"])
@pytest.mark.parametrize("behind", [False, True])
def test_a_chunk_with_a_wrong_checksum_says_nothing(kind: bytes, behind: bool) -> None:
    body = {b"eXIf": EXIF, b"gAMA": b"\0\1\x86\xa0", b"iCCP": b"n\0\0" + zlib.compress(DISPLAY_P3)}.get(
        kind, b"a\0b"
    )
    wrong = bytearray(chunk(kind, body))
    wrong[-1] ^= 1
    data = saved(PICTURE, "PNG")
    at = len(data) - 12 if behind else 33
    found = seen(data[:at] + wrong + data[at:])
    assert np.array_equal(found.pixels, drawn())
    assert not found.untouched


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_a_wrong_checksum_of_the_picture_is_damage(kind: bytes) -> None:
    data = bytearray(saved(PICTURE, "PNG"))
    at = data.index(kind)
    data[at + 4 + int.from_bytes(data[at - 4 : at])] ^= 1
    assert reason_of(bytes(data))[0] == "corrupt"


def test_a_file_that_lacks_only_its_end_is_made_anew() -> None:
    found = seen(saved(PICTURE, "PNG")[:-12])
    assert np.array_equal(found.pixels, drawn())
    assert not found.untouched


def test_a_cut_picture_is_truncated_and_a_cut_checksum_is_none() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for cut in (2, 12, 13, 16):
        found = seen(saved(noise, "PNG")[:-cut])
        assert np.array_equal(found.pixels, noise)
        assert not found.untouched
    for cut in (60, 2000):
        assert reason_of(saved(noise, "PNG")[:-cut])[0] == "truncated"


def test_apples_own_variant_is_unsupported() -> None:
    reason, detail = reason_of(png(PICTURE, (b"CgBI", b"\x50\0\x20\2")))
    assert (reason, "CgBI" in detail, "convert" in detail) == ("unsupported_format", True, True)


def test_the_turn_is_found_before_and_behind_the_pixels() -> None:
    data = saved(stored(drawn(), 6), "PNG")
    for at in (33, len(data) - 12):
        found = seen(data[:at] + chunk(b"eXIf", EXIF) + data[at:])
        assert np.array_equal(found.pixels, drawn())


def test_orientation_in_a_compressed_packet_of_xmp() -> None:
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for body in (b"\0\0en\0\0" + packet, b"\1\0\0\0" + zlib.compress(packet)):
        data = png(
            Image.fromarray(np.ascontiguousarray(stored(drawn(), 6))),
            (b"iTXt", b"XML:com.adobe.xmp\0" + body),
        )
        assert np.array_equal(seen(data).pixels, drawn())


def test_any_bytes_are_taken_apart() -> None:
    data = png(PICTURE, (b"eXIf", EXIF), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0x"), icc_profile=DISPLAY_P3)
    rng = np.random.default_rng(1)
    for _ in range(500):
        changed = bytearray(data)
        for at in rng.integers(8, len(data), 3):
            changed[int(at)] = int(rng.integers(0, 256))
        with suppress(UnfitImageError):
            png_chunks.parse(bytes(changed[: int(rng.integers(8, len(data)))]))
