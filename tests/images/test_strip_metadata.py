from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from curate.errors import RecordError
from curate.images.strip_metadata import without_metadata

SECRET = b"Secret Street 7"


def picture() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def exif() -> Image.Exif:
    values = Image.Exif()
    values[0x010E] = SECRET.decode()
    values.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPS latitude
    return values


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, kind, exif=exif(), icc_profile=b"a color profile of no meaning", **options)
    return buffer.getvalue()


CASES = {
    "baseline": ("JPEG", {"quality": 90, "comment": SECRET}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True, "xmp": SECRET}),
    "restarts": ("JPEG", {"quality": 90, "restart_marker_blocks": 2}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True, "xmp": SECRET}),
    "lossy_webp": ("WEBP", {"quality": 80}),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_and_profile_stay_and_nothing_personal_does(case: str) -> None:
    kind, options = CASES[case]
    data = encoded(kind, **options)
    assert SECRET in data
    bare = without_metadata(data)
    assert SECRET not in bare
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(bare))
    assert not after.getexif()
    assert after.info["icc_profile"] == before.info["icc_profile"]
    assert np.array_equal(np.asarray(after.convert("RGB")), np.asarray(before.convert("RGB")))
    assert without_metadata(bare) == bare


def test_text_in_a_png_goes() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    assert SECRET not in without_metadata(encoded("PNG", pnginfo=text))


def test_what_follows_the_picture_goes() -> None:
    """Phones append a video or a second picture behind the end of a JPEG."""
    data = encoded("JPEG")
    assert without_metadata(data + b"ftypmp42" + SECRET + data) == without_metadata(data)


def test_a_makers_segment_goes() -> None:
    data = encoded("JPEG")
    segment = b"\xff\xe5" + struct.pack(">H", 2 + len(SECRET)) + SECRET
    assert without_metadata(data[:2] + segment + data[2:]) == without_metadata(data)


def test_a_bare_file_is_left_alone() -> None:
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG")
    assert without_metadata(buffer.getvalue()) == buffer.getvalue()


GPS = b"GPSLatitude 52.5200 Secret Street 7"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def bare(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, kind, **options)
    return buffer.getvalue()


def in_jpeg(after_start: bytes = b"", before_end: bytes = b"", behind: bytes = b"") -> bytes:
    data = bare("JPEG", quality=85)
    return data[:2] + after_start + data[2:-2] + before_end + data[-2:] + behind


def in_png(before_pixels: bytes = b"", before_end: bytes = b"", behind: bytes = b"") -> bytes:
    data = bare("PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + before_pixels + data[at:-12] + before_end + data[-12:] + behind


def in_pixels_of_png() -> bytes:
    """Behind the end of the compressed stream, in the last chunk of pixels and in one of its own."""
    data = bare("PNG")
    at = data.index(b"IDAT") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    pixels = data[at + 8 : at + 8 + length]
    return data[:at] + chunk(b"IDAT", pixels + GPS) + chunk(b"IDAT", GPS) + data[-12:]


def in_webp(more: bytes, *, behind: bytes = b"", animated: bool = False) -> bytes:
    options = {"save_all": True, "append_images": [picture().rotate(180)]} if animated else {"exif": exif()}
    data = bare("WEBP", lossless=True, **options)
    body = data[8:] + more
    return b"RIFF" + struct.pack("<I", len(body)) + body + behind


def in_frame_of_webp() -> bytes:
    data = in_webp(b"", animated=True)
    at = data.index(b"ANMF")
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    frame = riff(b"ANMF", data[at + 8 : at + 8 + length] + riff(b"gpsX", GPS))
    body = data[8:at] + frame + data[at + 8 + length + length % 2 :]
    return b"RIFF" + struct.pack("<I", len(body)) + body


JFIF = b"JFIF\0\x01\x02\0\0\x01\0\x01"
PLACES = {
    "jpeg exif": in_jpeg(segment(0xE1, b"Exif\0\0" + GPS)),
    "jpeg xmp": in_jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + GPS)),
    "jpeg extended xmp": in_jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + GPS)),
    "jpeg iptc": in_jpeg(segment(0xED, b"Photoshop 3.0\x008BIM" + GPS)),
    "jpeg comment": in_jpeg(segment(0xFE, GPS)),
    "jpeg second JFIF with thumbnail": in_jpeg(before_end=segment(0xE0, JFIF + b"\x05\x02" + GPS[:30])),
    "jpeg JFXX thumbnail": in_jpeg(segment(0xE0, b"JFXX\0\x10" + GPS)),
    "jpeg previews": in_jpeg(segment(0xE2, b"MPF\0" + GPS)),
    "jpeg FlashPix": in_jpeg(segment(0xE2, b"FPXR\0" + GPS)),
    "jpeg C2PA": in_jpeg(segment(0xEB, b"JP\0\x01" + GPS)),
    "jpeg behind Adobe's marker": in_jpeg(segment(0xEE, b"Adobe\0d\0\0\0\0\x01" + GPS)),
    **{f"jpeg maker's APP{n}": in_jpeg(segment(0xE0 + n, GPS)) for n in range(16)},
    "jpeg behind the end": in_jpeg(behind=GPS),
    "jpeg second picture behind the end": in_jpeg(behind=in_jpeg(segment(0xE1, GPS))),
    "png text": in_png(chunk(b"tEXt", b"Comment\0" + GPS)),
    "png international text": in_png(before_end=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + GPS)),
    "png exif": in_png(chunk(b"eXIf", GPS)),
    "png C2PA": in_png(chunk(b"caBX", GPS)),
    "png private": in_png(chunk(b"gpSx", GPS)),
    "png suggested palette": in_png(chunk(b"sPLT", GPS + b"\0\x08")),
    "png name of the profile": in_png(chunk(b"iCCP", GPS + b"\0\0" + zlib.compress(b"no profile"))),
    "png behind the pixels": in_pixels_of_png(),
    "png behind the end": in_png(behind=GPS),
    "webp exif": in_webp(riff(b"EXIF", GPS)),
    "webp xmp": in_webp(riff(b"XMP ", GPS)),
    "webp private": in_webp(riff(b"gpsX", GPS)),
    "webp frame": in_frame_of_webp(),
    "webp behind the end": in_webp(b"", behind=GPS),
}


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO file")  # as it is meant to
@pytest.mark.parametrize("place", PLACES)
def test_no_position_stays_wherever_it_hides_and_no_pixel_changes(place: str) -> None:
    data = PLACES[place]
    assert GPS[:20] in data
    stripped = without_metadata(data)
    assert GPS[:20] not in stripped
    assert SECRET not in stripped
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(stripped)) as after:
        frames = getattr(before, "n_frames", 1) if "webp" in place else 1
        for frame in range(frames):
            before.seek(frame)
            after.seek(frame)
            assert np.array_equal(np.asarray(before.convert("RGB")), np.asarray(after.convert("RGB")))
    assert without_metadata(stripped) == stripped


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr", "L"])
def test_every_way_to_code_a_jpeg_keeps_its_pixels(mode: str) -> None:
    for options in (
        {"progressive": True},
        {"optimize": True},
        {"subsampling": 2},
        {"restart_marker_rows": 1},
    ):
        buffer = io.BytesIO()
        picture().convert(mode).save(buffer, "JPEG", **options)
        stripped = without_metadata(buffer.getvalue())
        with Image.open(io.BytesIO(buffer.getvalue())) as before, Image.open(io.BytesIO(stripped)) as after:
            assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_thumbnail_goes_and_the_density_stays() -> None:
    data = bare("JPEG", dpi=(300, 300))
    thumbnail = segment(0xE0, data[6:18] + b"\x02\x01" + b"RGBRGB")
    stripped = without_metadata(data[:2] + thumbnail + data[20:])
    assert stripped == data


def test_what_is_no_such_file_is_refused() -> None:
    with pytest.raises(RecordError, match="neither JPEG, PNG nor WebP"):
        without_metadata(bare("GIF"))
