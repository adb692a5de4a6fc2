"""Formats other than JPEG, files of several frames, and headers that claim more than there is."""

from __future__ import annotations

import importlib.util
import io
import resource
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from curate.images import exif, formats, header_size, tiff_directories
from curate.images.upright_srgb import Limits, UnfitImageError, upright
from tests.images.encoded import (
    EXIF_IFD,
    LIMITS,
    TAKEN,
    drawn,
    oriented,
    reason_of,
    saved,
    seen,
    shown,
    stored,
)

FRAMES = [drawn(), drawn()[::-1].copy(), drawn()[:, ::-1].copy()]
LOSSLESS = {
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "HEIF": {"quality": -1},
    "JXL": {"lossless": True},
}


def several(kind: str, **options: Any) -> bytes:
    pictures = [Image.fromarray(frame) for frame in FRAMES]
    options = {**LOSSLESS.get(kind, {}), **options}
    return saved(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)


@pytest.mark.parametrize(
    "kind", ["AVIF", "HEIF", "JXL", "JPEG2000", "PPM", "BMP", "GIF", "TIFF", "PNG", "WEBP"]
)
def test_every_format_becomes_upright_rgb(kind: str) -> None:
    found = seen(saved(drawn(), kind, **LOSSLESS.get(kind, {})))
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < (8 if kind == "GIF" else 3)
    assert found.header.format == kind
    assert found.untouched == (kind in ("PNG", "WEBP"))
    if kind not in ("PNG", "WEBP"):
        assert found.extension == ".png"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turn_that_an_avif_tells_is_done_once(orientation: int) -> None:
    data = saved(stored(drawn(), orientation), "AVIF", exif=oriented(orientation), **LOSSLESS["AVIF"])
    assert np.abs(seen(data).pixels.astype(int) - drawn()).mean() < 4


def with_rotation(data: bytes, quarters: int) -> bytes:
    """A HEIF whose primary item has the property irot: so many quarter turns against the clock."""
    changed = bytearray(data)

    def start(kind: bytes) -> int:
        return changed.index(kind) - 4

    def grow(kind: bytes, by: int) -> None:
        at = start(kind)
        changed[at : at + 4] = (int.from_bytes(changed[at : at + 4], "big") + by).to_bytes(4, "big")

    at = start(b"iloc")
    assert (
        changed[at + 8 : at + 14] == b"\0\0\0\0\x44\x40"
    )  # version 0; offsets, lengths and bases of 4 bytes
    for item in range(int.from_bytes(changed[at + 14 : at + 16], "big")):
        base = at + 16 + 18 * item + 4  # one extent an item
        changed[base : base + 4] = (int.from_bytes(changed[base : base + 4], "big") + 10).to_bytes(4, "big")
    at = start(b"ipma")
    count = at + 18
    associations = changed[count]
    properties, box = 0, start(b"ipco") + 8
    while box < at:
        box += int.from_bytes(changed[box : box + 4], "big")
        properties += 1
    changed[count + 1 + associations : count + 1 + associations] = bytes([0x80 | (properties + 1)])
    changed[count] += 1
    changed[at:at] = b"\0\0\0\x09irot" + bytes([quarters])
    grow(b"ipma", 1)
    grow(b"ipco", 9)
    grow(b"iprp", 10)
    grow(b"meta", 10)
    return bytes(changed)


@pytest.mark.parametrize(("orientation", "quarters"), [(8, 1), (3, 2), (6, 3)])
@pytest.mark.parametrize("also_in_exif", [False, True])
def test_a_turn_that_a_heif_tells_is_done_once(orientation: int, quarters: int, also_in_exif: bool) -> None:
    """Phones write the turn as a property, which counts, and again in EXIF, which does not."""
    exif_options = {"exif": oriented(orientation)} if also_in_exif else {}
    data = saved(stored(drawn(), orientation), "HEIF", **LOSSLESS["HEIF"], **exif_options)
    found = seen(with_rotation(data, quarters))
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 4
    assert found.header.exif_orientation == (orientation if also_in_exif else None)


def test_exif_alone_turns_no_heif() -> None:
    data = saved(drawn(), "HEIF", exif=oriented(6), **LOSSLESS["HEIF"])
    assert np.abs(seen(data).pixels.astype(int) - drawn()).mean() < 4


def test_a_jpeg_within_a_jpeg_xl_is_turned_once(tmp_path: Any) -> None:
    pytest.importorskip("pillow_jxl")
    path = tmp_path / "turned.jpg"
    path.write_bytes(saved(stored(drawn(), 6), "JPEG", exif=oriented(6), quality=95, subsampling=0))
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.save(buffer, "JXL", lossless_jpeg=True)
    assert b"jbrd" in buffer.getvalue()
    assert np.abs(seen(buffer.getvalue()).pixels.astype(int) - drawn()).mean() < 4


def test_the_missing_library_of_jpeg_xl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    reason, detail = reason_of(b"\xff\x0a and more")
    assert reason == "unsupported_format"
    assert "curate-vision[jxl]" in detail


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_frames_first_all_and_drop(kind: str) -> None:
    data = several(kind)
    tolerance = 8 if kind == "GIF" else 4
    [first] = upright(data, LIMITS, frames="first", jpeg_quality=95)
    assert (first.frame, first.frames) == (0, 3)
    assert first.content is not None
    found = upright(data, LIMITS, frames="all", jpeg_quality=95)
    assert [(one.frame, one.frames) for one in found] == [(0, 3), (1, 3), (2, 3)]
    assert replace(found[0], quality=None) == replace(first, quality=None)
    assert found[0].quality is not None
    assert first.quality is not None
    assert found[0].quality.packed() == first.quality.packed()  # NaN is not equal to itself
    for one, frame in zip(found, FRAMES, strict=True):
        assert one.extension == ".png"
        assert np.abs(shown(data, one).pixels.astype(int) - frame).mean() < tolerance
    reason, detail = reason_of(data, frames="drop")
    assert reason == "animated"
    assert "3" in detail


def test_a_single_frame_is_not_animated() -> None:
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "JPEG"):
        assert len(upright(saved(drawn(), kind), LIMITS, frames="drop", jpeg_quality=95)) == 1


def test_the_second_picture_of_a_jpeg_is_no_frame() -> None:
    data = several("MPO")
    [found] = upright(data, LIMITS, frames="all", jpeg_quality=95)
    assert (found.header.format, found.content, found.frames) == ("JPEG", None, 1)


def test_the_primary_picture_of_a_heif_comes_first() -> None:
    data = several("HEIF", primary_index=2)
    [first] = upright(data, LIMITS, frames="first", jpeg_quality=95)
    assert np.abs(shown(data, first).pixels.astype(int) - FRAMES[2]).mean() < 4
    found = upright(data, LIMITS, frames="all", jpeg_quality=95)
    for one, frame in zip(found, (FRAMES[2], FRAMES[0], FRAMES[1]), strict=True):
        assert np.abs(shown(data, one).pixels.astype(int) - frame).mean() < 4


def test_pages_of_a_tiff_may_differ_and_previews_are_none() -> None:
    page, preview = Image.fromarray(drawn()), Image.fromarray(drawn()).resize((24, 16))
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    other = Image.fromarray(drawn()).convert("L").resize((60, 40))
    data = saved(page, "TIFF", save_all=True, append_images=[preview, other])
    found = upright(data, LIMITS, frames="all", jpeg_quality=95)
    assert [(one.header.width, one.header.height) for one in found] == [(48, 32), (60, 40)]
    assert [one.frames for one in found] == [2, 2]


def test_a_page_that_does_not_fit_is_named() -> None:
    small = Image.fromarray(drawn()).resize((15, 15))
    data = saved(drawn(), "TIFF", save_all=True, append_images=[small])
    assert len(upright(data, LIMITS, frames="first", jpeg_quality=95)) == 1
    reason, detail = reason_of(data, frames="all")
    assert reason == "too_small"
    assert detail.startswith("frame 1: 15x15")


def test_camera_raw_is_not_taken_for_its_preview() -> None:
    for tags in ({254: 1}, {50706: b"\1\4\0\0"}):
        reason, detail = reason_of(saved(drawn(), "TIFF", tiffinfo=tags))
        assert (reason, "camera raw" in detail) == ("unsupported_format", True)
    assert reason_of(b"II*\0\x10\0\0\0CR\2\0" + bytes(40))[0] == "unsupported_format"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_pixel_limit_counts_all_wanted_frames(kind: str) -> None:
    data = several(kind)
    limits = Limits(16, 2 * 48 * 32, 8.0)
    assert len(upright(data, limits, frames="first", jpeg_quality=95)) == 1
    assert reason_of(data, limits, frames="all")[0] == "too_large"


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JXL", "JPEG2000", "PPM"]
)
def test_every_format_is_refused_by_its_header(kind: str) -> None:
    data = saved(drawn(), kind)
    assert reason_of(data, Limits(16, 48 * 32 - 1, 8.0))[0] == "too_large"
    assert reason_of(data, Limits(33, 10**6, 8.0))[0] == "too_small"
    assert reason_of(data, Limits(16, 10**6, 1.4))[0] == "extreme_aspect"
    assert seen(data, Limits(32, 48 * 32, 1.5)).header.width == 48


@pytest.mark.parametrize(
    "size", [(8, 8), (48, 32), (256, 256), (257, 300), (640, 480), (1024, 768), (97, 1500)]
)
@pytest.mark.parametrize("kind", ["WEBP", "JXL"])
def test_sizes_are_found_before_the_decoder_starts(kind: str, size: tuple[int, int]) -> None:
    picture = Image.fromarray(drawn()).resize(size)
    for options in ({}, {"lossless": True}, {"exif": oriented(1).tobytes()}):
        assert header_size.early_size(saved(picture, kind, **options), kind) == size
    if kind == "JXL":
        assert header_size.early_size(saved(picture, kind, use_container=True), kind) == size


def test_frames_that_a_header_only_claims_cost_nothing() -> None:
    data = bytearray(several("PNG"))
    at = data.index(b"acTL")
    data[at + 4 : at + 8] = (2**31 - 1).to_bytes(4, "big")
    data[at + 12 : at + 16] = zlib.crc32(bytes(data[at : at + 12])).to_bytes(4, "big")
    [first] = upright(bytes(data), LIMITS, frames="first", jpeg_quality=95)
    assert first.frames == 2**31 - 1
    assert reason_of(bytes(data), frames="all")[0] == "too_large"


def test_a_directory_that_claims_the_file_many_times_is_refused() -> None:
    """Readers copy the value of every entry: 4,000 entries of 1 MB each are 4 GB."""
    entries = [(256, 4, 1, 64), (257, 4, 1, 64)] + [(300 + number, 7, 1 << 20, 8) for number in range(4_000)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + table + bytes(4 + (1 << 20))
    reason, detail = reason_of(data)
    assert reason == "corrupt"
    assert "claims" in detail


def test_an_exif_block_that_claims_too_much_is_not_followed() -> None:
    entries = [(0x0112, 3, 1, 6)] + [(0x9400 + number, 7, 1 << 30, 8) for number in range(4000)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    block = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + table + bytes(4)
    assert exif.read(block) == exif.Exif(6, None)


def test_exif_is_read_as_pillow_writes_it() -> None:
    for order in ("<", ">"):
        block = oriented(7)
        block.get_ifd(EXIF_IFD)[TAKEN] = "2026:02:03 04:05:06"
        block.endian = order
        assert exif.read(block.tobytes()) == exif.Exif(7, "2026-02-03T04:05:06")


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    data = saved(drawn(), "PNG")
    made = b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in chunks
    )
    return data[:33] + made + data[33:]


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_texts_and_profiles_are_not_inflated_without_end(kind: bytes) -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = seen(png((kind, b"Raw profile type exif\0\0" + bomb)))
    assert np.array_equal(found.pixels, drawn())
    assert not found.untouched
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_orientation_of_a_png_may_stand_in_a_text() -> None:
    block = b"Exif\0\0" + oriented(6).tobytes().removeprefix(b"Exif\0\0")
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    found = seen(saved(stored(drawn(), 6), "PNG", pnginfo=text))
    assert np.array_equal(found.pixels, drawn())
    assert found.header.exif_orientation == 6


@pytest.mark.parametrize(("kind", "module"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_a_decoder_that_is_not_installed_is_named(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = saved(drawn(), kind)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else real(name))
    reason, detail = reason_of(data)
    assert reason == "unsupported_format"
    assert f"pip install 'curate-vision[{'heif' if kind == 'HEIF' else 'jxl'}]'" in detail


def test_what_is_known_and_not_read_says_so() -> None:
    for start, name in (
        (b"8BPS", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns=", "SVG"),
        (b"v/1\x01", "OpenEXR"),
    ):
        with pytest.raises(UnfitImageError) as caught:
            formats.sniff(start + bytes(40))
        assert caught.value.reason == "unsupported_format"
        assert name in caught.value.detail
    with pytest.raises(UnfitImageError) as caught:
        formats.sniff(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41")
    assert caught.value.reason == "not_an_image"


def test_a_tiff_whose_chain_is_a_loop_ends() -> None:
    data = bytearray(saved(drawn(), "TIFF"))
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    data[at + 2 + 12 * count : at + 6 + 12 * count] = at.to_bytes(4, "little")
    assert len(tiff_directories.pages(bytes(data))) == 1
    assert seen(bytes(data)).header.width == 48
