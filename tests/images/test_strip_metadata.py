from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

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
    picture().save(buffer, kind, exif=exif(), icc_profile=b"a colour profile of no meaning", **options)
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


def test_another_format_is_left_alone() -> None:
    assert without_metadata(b"GIF89a and more") == b"GIF89a and more"
