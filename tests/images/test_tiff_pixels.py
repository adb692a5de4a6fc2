"""TIFF pages of unusual layout: right, or refused with advice. The arrays written are the reference."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.images.encoded import drawn, oriented, reason_of, seen, stored
from tests.images.told_colors import DISPLAY_P3

COLORS = drawn()  # (32, 48, 3)
GRAY = np.asarray(Image.fromarray(COLORS).convert("L"))
WIDE, WIDE_GRAY = COLORS.astype(np.uint16) * 257, GRAY.astype(np.uint16) * 257
HALF = np.full((32, 48, 1), 128 * 257, np.uint16)


def tiff(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def planes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def on_white(values: np.ndarray, alpha: float) -> np.ndarray:
    return values * alpha + 255 * (1 - alpha)


INK = 255 - COLORS.astype(int)
CMYK16 = np.concatenate([INK, np.zeros((32, 48, 1), int)], axis=2).astype(np.uint16) * 257
RGBA16 = np.concatenate([WIDE, HALF], axis=2)
ASSOCIATED = np.concatenate([(WIDE // 2), HALF], axis=2)
GRAYA16 = np.stack([WIDE_GRAY, HALF[..., 0]], axis=2)
RGB, PLANES = {"photometric": "rgb"}, {"planarconfig": "separate"}
WHOLE: dict[str, tuple[bytes, np.ndarray]] = {
    "rgb16 planes": (tiff(planes(WIDE), **RGB, **PLANES), COLORS),
    "rgb16 planes deflate": (tiff(planes(WIDE), **RGB, **PLANES, compression="zlib"), COLORS),
    "rgb16 planes big-endian": (tiff(planes(WIDE), **RGB, **PLANES, byteorder=">"), COLORS),
    "rgb8 planes": (tiff(planes(COLORS), **RGB, **PLANES), COLORS),
    "rgba16 planes": (
        tiff(planes(RGBA16), **RGB, **PLANES, extrasamples=["unassalpha"]), on_white(COLORS, 128 / 255)
    ),
    "rgba16 associated planes": (
        tiff(planes(ASSOCIATED), **RGB, **PLANES, extrasamples=["assocalpha"]), on_white(COLORS, 128 / 255)
    ),
    "rgba16 unspecified": (tiff(RGBA16, **RGB, extrasamples=["unspecified"]), COLORS),
    "cmyk16 planes": (tiff(planes(CMYK16), photometric="separated", **PLANES), COLORS),
    "cmyk16": (tiff(CMYK16, photometric="separated"), COLORS),
    "rgb16": (tiff(WIDE, **RGB), COLORS),
    "rgb16 tiles": (tiff(WIDE, **RGB, tile=(16, 16)), COLORS),
    "rgb16 min is black": (tiff(WIDE, photometric="minisblack", planarconfig="contig"), COLORS),
    "rgb8 min is black": (tiff(COLORS, photometric="minisblack", planarconfig="contig"), COLORS),
    "gray16 alpha": (
        tiff(GRAYA16, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]),
        on_white(GRAY[..., None], 128 / 255),
    ),
    "gray16 min is white": (tiff(65535 - WIDE_GRAY, photometric="miniswhite"), GRAY[..., None]),
    "gray8 min is white": (tiff(255 - GRAY, photometric="miniswhite"), GRAY[..., None]),
    "float min is white": (tiff((255 - GRAY) / np.float32(255), photometric="miniswhite"), GRAY[..., None]),
    "uint32": (tiff(GRAY.astype(np.uint32) * 16_843_009), GRAY[..., None]),
    "float rgb": (tiff(COLORS / np.float32(255), **RGB), COLORS),
    "double": (tiff(GRAY / 255.0), GRAY[..., None]),
    "double deflate": (tiff(GRAY / 255.0, compression="zlib"), GRAY[..., None]),
    "half": (tiff((GRAY / 255).astype(np.float16)), GRAY[..., None]),
    "12 bits in 16": (
        tiff((GRAY.astype(np.uint16) * 16 + 15), extratags=[(281, "H", 1, 4095, True)]), GRAY[..., None]
    ),
    "int16": (tiff((GRAY.astype(np.int16) - 100) * 50), None),
    "int8": (tiff((GRAY.astype(int) - 128).astype(np.int8)), None),
    "uint32 of few": (tiff(GRAY.astype(np.uint32) * 1000), None),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_pixels_are_those_that_were_written(name: str) -> None:
    data, wanted = WHOLE[name]
    if wanted is None:  # no agreed white: stretched from the smallest to the greatest value
        low, high = int(GRAY.min()), int(GRAY.max())
        wanted = ((GRAY.astype(float) - low) / (high - low) * 255)[..., None]
    found = seen(data).pixels.astype(float)
    assert found.shape == (32, 48, 3)
    assert np.abs(found - wanted).max() <= 1.01


def test_no_data_is_left_out_of_the_stretch() -> None:
    values = GRAY.astype(np.float32) / 10
    values[:4] = -9999
    tag = [(42113, "s", 0, "-9999", True)]
    found = seen(tiff(values, extratags=tag)).pixels[..., 0].astype(float)
    there = GRAY[4:].astype(float)
    assert np.abs(found[4:] - (there - there.min()) / np.ptp(there) * 255).max() <= 1
    assert (found[:4] == 0).all()
    all_missing = seen(tiff(np.full((32, 48), -9999, np.float32), extratags=tag)).pixels
    assert (all_missing == 0).all()
    for text in ("nan", "none of it", ""):
        assert seen(tiff(values, extratags=[(42113, "s", 0, text, True)])).pixels.shape == (32, 48, 3)


def test_what_only_libtiff_unpacks_is_read_by_it_or_refused_with_advice() -> None:
    floats = Image.fromarray((255 - GRAY) / np.float32(255))
    buffer = io.BytesIO()
    floats.save(buffer, "TIFF", compression="tiff_lzw", tiffinfo={262: 0})
    assert np.abs(seen(buffer.getvalue()).pixels[..., 0].astype(int) - GRAY).max() <= 1
    data = bytearray(tiff(COLORS / np.float32(255), **RGB, compression="zlib", predictor=False))
    entry = data.index(b"\x03\x01\x03\x00\x01\x00\x00\x00")  # tag 259, compression, one short
    data[entry + 8 : entry + 10] = b"\x05\x00"  # LZW, it says
    reason, detail = reason_of(bytes(data))
    assert reason == "unsupported_format"
    assert "save it uncompressed or with Deflate" in detail


def test_orientation_and_profile_of_such_a_page_count() -> None:
    for orientation in range(1, 9):
        turned = stored(WIDE, orientation)
        data = tiff(planes(turned), **RGB, **PLANES, extratags=[(274, "H", 1, orientation, True)])
        found = seen(data)
        assert np.abs(found.pixels.astype(int) - COLORS).max() <= 1
        assert found.header.exif_orientation == orientation
    data = tiff(planes(WIDE), **RGB, **PLANES, iccprofile=DISPLAY_P3)
    red = seen(data).pixels[0, 30]  # (30, 200, 30) in Display P3
    assert red[1] > 200


def test_pages_of_both_kinds_may_stand_in_one_file() -> None:
    from curate.images.upright_srgb import upright
    from tests.images.encoded import LIMITS, shown

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(COLORS, **RGB)
        writer.write(planes(WIDE), **RGB, **PLANES)
        writer.write(GRAY)
    data = buffer.getvalue()
    found = upright(data, LIMITS, frames="all", jpeg_quality=95)
    assert [one.frame for one in found] == [0, 1, 2]
    for one, wanted in zip(found, (COLORS, COLORS, GRAY[..., None]), strict=True):
        assert np.abs(shown(data, one).pixels.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("samples", [2, 5, 9])
def test_bands_that_are_no_colors_are_refused_or_passed_over(samples: int) -> None:
    bands = np.repeat(WIDE_GRAY[..., None], samples, axis=2)
    data = tiff(bands, photometric="rgb" if samples > 4 else "minisblack", planarconfig="contig")
    if samples == 9:
        assert reason_of(data)[0] == "unsupported_format"
    else:
        assert np.abs(seen(data).pixels[..., 0].astype(int) - GRAY).max() <= 1


def test_raw_sensor_values_are_refused() -> None:
    for data in (tiff(WIDE_GRAY, photometric=32803), tiff(WIDE, photometric=34892, planarconfig="contig")):
        assert reason_of(data)[0] == "unsupported_format"


def test_a_cut_file_is_truncated_or_corrupt() -> None:
    data = WHOLE["rgb16 planes deflate"][0]
    for share in (0.3, 0.6, 0.9):
        assert reason_of(data[: int(len(data) * share)])[0] == "truncated"
    for name in ("rgb16", "gray8 min is white", "float rgb", "rgb8 planes"):
        for share in (0.3, 0.9):
            data = WHOLE[name][0]
            assert reason_of(data[: int(len(data) * share)])[0] == "truncated"


def test_pillows_own_files_still_turn() -> None:
    buffer = io.BytesIO()
    Image.fromarray(stored(COLORS, 6)).save(buffer, "TIFF", exif=oriented(6))
    assert np.array_equal(seen(buffer.getvalue()).pixels, COLORS)


@pytest.mark.parametrize("code", [9, 10, 34712, 34887, 50002, 55555])
def test_a_compression_that_nobody_here_knows_is_told(code: int) -> None:
    data = bytearray(tiff(COLORS, **RGB))
    entry = data.index(struct.pack("<HH", 259, 3))
    data[entry + 8 : entry + 10] = struct.pack("<H", code)
    reason, detail = reason_of(bytes(data))
    assert (reason, "convert the file" in detail) == ("unsupported_format", True)


@pytest.mark.parametrize("photometric", [3, 9, 10, 32844, 51177])
def test_colors_that_nobody_here_knows_are_told(photometric: int) -> None:
    data = bytearray(tiff(COLORS, **RGB))
    entry = data.index(struct.pack("<HH", 262, 3))
    data[entry + 8 : entry + 10] = struct.pack("<H", photometric)
    assert reason_of(bytes(data))[0] == "unsupported_format"


def test_a_volume_is_told() -> None:
    data = tiff(np.stack([GRAY] * 16), volumetric=True, tile=(16, 16, 16))
    assert "16 deep" in reason_of(data)[1]
