"""JPEG: headers, decoding that forgives nothing but what is not the picture, and copies made anew."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageCms

from curate.images import jpeg
from curate.images.frames import turned_upright
from curate.images.upright_srgb import Limits, upright
from tests.images.encoded import LIMITS, drawn, oriented, reason_of, saved, seen, stored

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(NOISE).resize((128, 96), Image.Resampling.BICUBIC))


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def turned_pixels(data: bytes, orientation: int) -> np.ndarray:
    """What a viewer that obeys EXIF shows of the file."""
    return np.asarray(turned_upright(Image.open(io.BytesIO(data)).convert("RGB"), orientation)).astype(int)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize(("size", "options"), [
    ((128, 96), {"subsampling": "4:4:4"}), ((61, 45), {"subsampling": "4:2:0"}),
    ((64, 45), {"subsampling": "4:2:2", "progressive": True}),
])  # fmt: skip
def test_a_turned_file_is_encoded_anew_or_loses_nothing(
    orientation: int, size: tuple[int, int], options: dict[str, Any]
) -> None:
    data = saved(
        Image.fromarray(SMOOTH).resize(size), "JPEG", exif=oriented(orientation), quality=90, **options
    )
    wanted = turned_pixels(data, orientation)
    anew, exact = seen(data), seen(data, lossless=True)
    assert (anew.extension, exact.extension) == (".jpg", ".png")
    assert np.array_equal(exact.pixels, wanted)
    assert 0 < np.abs(anew.pixels - wanted).mean() < 4  # of noise
    assert anew.statistics == exact.statistics  # of the pixels before they are encoded
    assert anew.header == exact.header


def test_a_gray_file_becomes_rgb() -> None:
    data = saved(SMOOTH[..., 0], "JPEG", quality=40)
    assert np.abs(seen(data).pixels - decoded(data)).mean() < 1.5
    assert np.array_equal(seen(data, lossless=True).pixels, decoded(data))
    assert not seen(data).untouched


def test_what_is_upright_srgb_stays_as_it_is_whatever_copies_are() -> None:
    assert seen(saved(SMOOTH, "JPEG"), lossless=True).untouched


def test_a_turned_file_keeps_neither_exif_nor_an_srgb_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(SMOOTH, "JPEG", exif=oriented(6), icc_profile=profile, comment=b"Secret Street 7")
    for found in (seen(data), seen(data, lossless=True)):
        assert not any(word in found.content for word in (b"Exif", b"ICC_PROFILE", b"iCCP", b"Secret"))


def test_large_files_are_turned_and_measured_alike() -> None:
    large = Image.fromarray(SMOOTH).resize((800, 608))
    upright_file = seen(saved(large, "JPEG"))
    for orientation in range(2, 9):
        picture = Image.fromarray(np.ascontiguousarray(stored(np.asarray(large), orientation)))
        found = seen(saved(picture, "JPEG", exif=oriented(orientation)))
        assert found.statistics.brightness == pytest.approx(upright_file.statistics.brightness, abs=0.3)
        assert found.statistics.sharpness == pytest.approx(upright_file.statistics.sharpness, rel=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_may_stand_in_xmp_alone(orientation: int) -> None:
    packet = (
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'
        % orientation
    )
    data = saved(stored(drawn(), orientation), "JPEG", quality=95, subsampling=0)
    segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
    found = seen(data[:2] + segment + data[2:])
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 4
    assert found.header.exif_orientation == orientation


def test_luma_is_that_of_pillow_to_a_level() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = saved(SMOOTH, "JPEG", **options)
        head = jpeg.read_head(data)
        plane, lacks_end = jpeg.luma(data, head, None, half=False)  # type: ignore[arg-type]
        assert not lacks_end
        draft = Image.open(io.BytesIO(data))
        draft.draft("L", draft.size)
        assert np.array_equal(plane, np.asarray(draft))


def test_the_header_is_read_without_a_decoder() -> None:
    head = jpeg.read_head(saved(SMOOTH, "JPEG", progressive=True, subsampling="4:2:0", exif=oriented(6)))
    assert (head.width, head.height, head.process) == (128, 96, jpeg.PROGRESSIVE)
    assert [factors for _, *factors in head.components] == [[2, 2], [1, 1], [1, 1]]
    assert head.exif is not None


def test_a_profile_in_chunks_is_put_together() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(200_000)
    data = saved(SMOOTH, "JPEG", icc_profile=profile)
    assert jpeg.read_head(data).icc == profile
    second = next(
        start for _, start, _ in jpeg.segments(data) if data[start + 4 : start + 17] == b"ICC_PROFILE\0\2"
    )
    for damaged in (
        data[: second + 16] + b"\3" + data[second + 17 :],  # the second of four is missing
        data[: second + 16] + b"\1" + data[second + 17 :],  # the first is there twice
        data[: second + 17] + b"\x09" + data[second + 18 :],  # of nine
    ):
        assert jpeg.read_head(damaged).icc is None
        assert np.array_equal(seen(damaged).pixels, decoded(data))


def without_end(data: bytes) -> bytes:
    assert data.endswith(b"\xff\xd9")
    return data[:-2]


def test_a_sequential_file_that_lacks_its_end_marker_lacks_no_block() -> None:
    """Every block of the picture is there; of a progressive file a whole scan may be missing."""
    for options in ({}, {"subsampling": 0}, {"restart_marker_blocks": 4}):
        data = saved(NOISE, "JPEG", quality=90, **options)
        found = seen(without_end(data))
        assert found.content == data  # so that readers which refuse it show it
        assert np.array_equal(found.pixels, decoded(data))
        for missing in (2, 3, 5, 50):
            assert reason_of(without_end(data)[:-missing])[0] == "truncated"
    progressive = saved(NOISE, "JPEG", quality=90, progressive=True)
    assert reason_of(without_end(progressive))[0] == "truncated"


def at_segment(data: bytes, marker: int) -> int:
    return next(start for kind, start, _ in jpeg.segments(data) if kind == marker)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_lies_between_the_segments_of_the_header_is_passed_over(progressive: bool) -> None:
    data = saved(SMOOTH, "JPEG", quality=90, progressive=progressive)
    for marker in (0xDB, 0xC2 if progressive else 0xC0, 0xC4, 0xDA):
        at = at_segment(data, marker)
        odd = data[:at] + b"\0x" + data[at:]
        assert seen(odd).untouched
        assert np.array_equal(decoded(odd), decoded(data))  # as Pillow shows it
        assert reason_of(odd[: len(odd) // 2])[0] == "truncated"
    short = bytearray(data)
    short[5] -= 3  # the length of APP0
    assert seen(bytes(short)).untouched


SAMPLINGS = ["2x1,1x1,2x1", "2x1,1x2,1x1", "3x1,1x1,1x1", "4x2,1x1,1x1", "1x1,2x2,2x2", "2x1,1x1,1x2"]


@pytest.mark.parametrize("factors", SAMPLINGS)
def test_odd_sampling_factors_are_those_of_a_whole_picture(factors: str) -> None:
    """A flat gray file has the same bits for each block: of three components under another header."""
    pairs = [tuple(map(int, pair.split("x"))) for pair in factors.split(",")]
    widest, highest = (max(values) for values in zip(*pairs, strict=True))
    size = (8 * widest * 4, 8 * highest * 4)
    blocks = 4 * 4 * sum(across * down for across, down in pairs)
    gray = saved(Image.new("L", (8 * blocks, 8), 128), "JPEG", quality=90)
    tables = [gray[start:stop] for kind, start, stop in jpeg.segments(gray) if kind in (0xDB, 0xC4)]
    described = [bytes([number, pair[0] << 4 | pair[1], 0]) for number, pair in enumerate(pairs, start=1)]
    frame = b"\xff\xc0\0\x11\x08" + size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big") + b"\3"
    scan = b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\x3f\0" + gray[at_segment(gray, 0xDA) + 10 :]
    data = b"".join([b"\xff\xd8", *tables, frame, *described, scan])
    found = seen(data, Limits(1, 10**6, 100.0))
    assert (found.pixels.shape[1], found.pixels.shape[0]) == size
    assert (np.abs(found.pixels.astype(int) - 128) <= 2).all()
    assert not found.untouched  # many decoders refuse such factors


def test_formats_under_the_same_signature_are_unsupported() -> None:
    data = saved(SMOOTH, "JPEG")
    at = at_segment(data, 0xC0)
    for marker, word in ((0xC3, "lossless"), (0xC7, "lossless"), (0xF7, "JPEG-LS")):
        reason, detail = reason_of(data[: at + 1] + bytes([marker]) + data[at + 2 :])
        assert reason == "unsupported_format"
        assert word in detail
        assert "convert" in detail
    reason, detail = reason_of(data[: at + 4] + b"\x0c" + data[at + 5 :])
    assert (reason, "12 bits" in detail) == ("unsupported_format", True)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_libjpeg_only_warns_of_counts(progressive: bool) -> None:
    data = saved(NOISE, "JPEG", quality=90, progressive=progressive)
    assert reason_of(data[: len(data) // 2])[0] == "truncated"
    assert reason_of(data[:-2] + b"more than the picture" + data[-2:])[0] == "corrupt"
    hole = data[: len(data) // 2] + b"\xff\xd9"
    assert reason_of(hole)[0] == "corrupt"
    assert Image.open(io.BytesIO(hole)).load() is not None  # which Pillow takes for whole


def test_scans_without_a_spectral_selection_are_passed_over() -> None:
    """As some phones write them; damage in such a file is still found."""
    data = saved(SMOOTH, "JPEG", quality=90)
    at = data.index(b"\xff\xda") + 4 + 1 + 2 * 3
    assert data[at : at + 3] == b"\0\x3f\0"
    odd = data[:at] + bytes(3) + data[at + 3 :]
    found = seen(odd)
    assert found.untouched
    assert np.array_equal(found.pixels, decoded(data))
    assert reason_of(odd[: len(odd) // 2])[0] == "truncated"
    assert reason_of(odd[: len(odd) // 2] + b"\xff\xd9")[0] == "corrupt"


def test_what_follows_the_picture_is_no_matter() -> None:
    data = saved(SMOOTH, "JPEG")
    assert seen(data + b"a video or a second picture").untouched


def test_damage_in_a_color_is_found_although_only_luma_is_decoded() -> None:
    data = saved(NOISE, "JPEG", quality=90, progressive=True)
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    chroma = next(at for at in scans[1:] if data[at + 4] == 1 and data[at + 5] != 1)
    stop = next(at for at in [*scans, len(data)] if at > chroma)
    cut = data[: chroma + 14] + data[stop:]
    assert reason_of(cut)[0] == "corrupt"


def test_a_bomb_of_scans_is_refused_before_it_is_decoded() -> None:
    data = saved(SMOOTH, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:-2] + data[last:-2] * 1200 + data[-2:]
    reason, detail = reason_of(bomb)
    assert reason == "corrupt"
    assert "scans" in detail


def test_jpeg_of_rgb_components_is_kept() -> None:
    data = saved(drawn(), "JPEG", quality=95, keep_rgb=True)
    found = seen(data)
    assert found.untouched
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 3


def test_cmyk_and_ycck_of_adobe() -> None:
    data = saved(Image.fromarray(drawn()).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(seen(data).pixels.astype(int) - expected).mean() < 2


def test_the_size_is_checked_before_decoding() -> None:
    data = bytearray(saved(SMOOTH, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    assert reason_of(bytes(data), Limits(1, 1_000_000, 8.0))[0] == "too_large"


def test_equal_input_gives_equal_bytes() -> None:
    data = saved(SMOOTH, "JPEG", exif=oriented(6))
    first, second = (upright(data, LIMITS, frames="first", jpeg_quality=90) for _ in range(2))
    assert first == second
    assert simplejpeg.is_jpeg(first[0].content)
