"""JPEG headers, strict decoding, and turning without loss."""

from __future__ import annotations

import io
from typing import Any

import jpeglib
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from curate.images import coded, jpeg
from curate.images import turned as turning
from curate.images.frames import turned_upright
from curate.images.transcode import transcoded
from curate.images.turned import turned
from curate.images.upright import Limits, upright
from tests.images.encoded import LIMITS, drawn, oriented, reason_of, saved, seen, stored

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(NOISE).resize((128, 96), Image.Resampling.BICUBIC))


def coefficients(data: bytes, tmp_path: Any) -> Any:
    path = tmp_path / "read.jpg"
    path.write_bytes(data)
    return jpeglib.read_dct(str(path))


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def turned_pixels(data: bytes, orientation: int) -> np.ndarray:
    """What a viewer that obeys EXIF shows of the file."""
    return np.asarray(turned_upright(Image.open(io.BytesIO(data)).convert("RGB"), orientation)).astype(int)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_mirrored_file_has_the_pixels_of_the_mirrored_picture(orientation: int, progressive: bool) -> None:
    for picture, options in ((SMOOTH, {"subsampling": "4:4:4"}), (SMOOTH[..., 0], {})):
        data = saved(picture, "JPEG", exif=oriented(orientation), progressive=progressive, **options)
        difference = np.abs(seen(data).pixels - turned_pixels(data, orientation))
        if orientation == 4:
            assert not difference.any()
        else:  # libjpeg-turbo rounds a few mirrored values the other way
            assert difference.max() <= 2
            assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_turned_file_differs_by_roundings_only(orientation: int, sampling: str) -> None:
    data = saved(SMOOTH, "JPEG", exif=oriented(orientation), subsampling=sampling, quality=90)
    difference = np.abs(seen(data).pixels - turned_pixels(data, orientation))
    assert difference.max() <= 5
    assert difference.mean() < 0.5
    again = io.BytesIO()  # encoding anew costs far more
    turned_upright(Image.open(io.BytesIO(data)), orientation).save(again, "JPEG", quality=95, subsampling=0)
    lost = np.abs(decoded(again.getvalue()) - turned_pixels(data, orientation))
    assert difference.mean() < lost.mean() / 2


@pytest.mark.parametrize(("there", "back"), [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_turning_back_gives_every_coefficient_again(
    there: int, back: int, sampling: str, tmp_path: Any
) -> None:
    data = saved(SMOOTH, "JPEG", subsampling=sampling)
    once = turned(data, jpeg.read_head(data), there)
    assert once is not None
    twice = turned(once, jpeg.read_head(once), back)
    assert twice is not None
    before, after = coefficients(data, tmp_path), coefficients(twice, tmp_path)
    for name in ("Y", "Cb", "Cr", "qt"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert np.array_equal(before.samp_factor, after.samp_factor)


def test_a_gray_file_becomes_rgb_without_loss() -> None:
    data = saved(SMOOTH[..., 0], "JPEG", quality=40)
    found = seen(data)
    assert not found.untouched
    assert np.array_equal(found.pixels, decoded(data))
    assert len(found.content) < len(data) * 1.3


@pytest.mark.parametrize(
    ("size", "orientation", "lossless"),
    [
        ((61, 48), 2, False),
        ((61, 48), 4, True),
        ((61, 48), 5, True),
        ((61, 48), 6, True),
        ((61, 48), 8, False),
        ((64, 45), 6, False),
        ((64, 45), 8, True),
        ((61, 45), 5, True),
        ((61, 45), 3, False),
        ((61, 45), 7, False),
    ],
)
def test_an_edge_within_a_block_cannot_come_first(
    size: tuple[int, int], orientation: int, lossless: bool
) -> None:
    picture = Image.fromarray(SMOOTH).resize(size)
    data = saved(picture, "JPEG", exif=oriented(orientation), subsampling=0)
    assert (turned(data, jpeg.read_head(data), orientation) is not None) == lossless
    difference = np.abs(seen(data).pixels - turned_pixels(data, orientation))
    assert difference.mean() < 5  # of noise, encoded anew


def test_a_turned_file_keeps_neither_exif_nor_an_srgb_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = seen(saved(SMOOTH, "JPEG", exif=oriented(6), icc_profile=profile, comment=b"Secret Street 7"))
    assert b"Exif" not in found.content
    assert b"ICC_PROFILE" not in found.content
    assert b"Secret" not in found.content


def test_large_files_are_turned_and_measured_alike() -> None:
    large = Image.fromarray(SMOOTH).resize((800, 608))
    upright_file = seen(saved(large, "JPEG"))
    for orientation in range(2, 9):
        picture = Image.fromarray(np.ascontiguousarray(stored(np.asarray(large), orientation)))
        found = seen(saved(picture, "JPEG", exif=oriented(orientation)))
        assert found.quality.brightness == pytest.approx(upright_file.quality.brightness, abs=0.05)
        assert found.quality.sharpness == pytest.approx(upright_file.quality.sharpness, rel=0.02)


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
        plane = jpeg.luma(data, head, None, half=False)  # type: ignore[arg-type]
        draft = Image.open(io.BytesIO(data))
        draft.draft("L", draft.size)
        assert np.array_equal(plane, np.asarray(draft))


def test_the_header_is_read_without_a_decoder() -> None:
    head = jpeg.read_head(saved(SMOOTH, "JPEG", progressive=True, subsampling="4:2:0", exif=oriented(6)))
    assert (head.width, head.height, head.process, head.precision) == (128, 96, jpeg.PROGRESSIVE, 8)
    assert [factors for _, *factors in head.components] == [[2, 2], [1, 1], [1, 1]]
    assert head.exif is not None


def test_a_profile_in_chunks_is_put_together() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(200_000)
    assert jpeg.read_head(saved(SMOOTH, "JPEG", icc_profile=profile)).icc == profile


@pytest.mark.parametrize("progressive", [False, True])
def test_what_libjpeg_only_warns_of_counts(progressive: bool) -> None:
    data = saved(NOISE, "JPEG", quality=90, progressive=progressive)
    assert reason_of(data[:-2])[0] == "truncated"
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


def test_damage_in_a_colour_is_found_although_only_luma_is_decoded() -> None:
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


def test_codings_that_few_read_are_unsupported_or_become_plain() -> None:
    data = bytearray(saved(SMOOTH, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 4] = 12  # bits a sample
    assert reason_of(bytes(data))[0] in ("unsupported_format", "corrupt")


def test_jpeg_of_rgb_components_is_kept() -> None:
    data = saved(drawn(), "JPEG", quality=95, keep_rgb=True)
    found = seen(data)
    assert found.untouched
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 3
    assert turned(data, jpeg.read_head(data), 3) is None


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [
    {"subsampling": "4:4:4"}, {"subsampling": "4:2:0"}, {"subsampling": "4:2:2", "restart_marker_blocks": 3},
    {"subsampling": "4:2:0", "restart_marker_rows": 1, "optimize": True}, {"quality": 100}, {"quality": 5},
])  # fmt: skip
def test_our_own_codes_say_what_the_library_says(
    orientation: int, options: dict[str, Any], tmp_path: Any
) -> None:
    for picture in (NOISE, SMOOTH, SMOOTH[..., 0], np.zeros((64, 64, 3), np.uint8)):
        data = saved(picture, "JPEG", **options)
        head = jpeg.read_head(data)
        ours = transcoded(data, head, turning._STEPS[orientation])
        theirs = turning._by_library(data, head, orientation)
        assert ours is not None
        assert theirs is not None
        a, b = coefficients(ours, tmp_path), coefficients(theirs, tmp_path)
        for name in ("Y", "Cb", "Cr"):
            assert np.array_equal(getattr(a, name), getattr(b, name))
        assert len(ours) <= len(theirs) + 16


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=256).filter(any))
def test_the_best_code_is_a_prefix_code_of_at_most_16_bits(counts: list[int]) -> None:
    wide = np.zeros(256, np.int64)
    wide[: len(counts)] = counts
    lengths, symbols, codes = coded.best_code(wide)
    assert set(symbols) == set(np.flatnonzero(wide))
    assert sum(lengths) == len(symbols)
    share = sum(number / 2**length for length, number in enumerate(lengths, start=1))
    assert share < 1  # the code of all ones stays free
    table = coded.lookup(lengths, symbols)
    assert table is not None
    for symbol in symbols:
        length, code = int(codes[symbol]) >> 32, int(codes[symbol]) & 0xFFFFFFFF
        first = code << (16 - length)
        assert (table[first : first + (1 << (16 - length))] == (length << 8 | symbol)).all()


def test_a_huffman_table_that_cannot_be_is_none() -> None:
    assert coded.lookup(bytes([3] + [0] * 15), b"abc") is None  # three codes of one bit
    assert coded.lookup(bytes([0, 3] + [0] * 14), b"ab") is None  # a symbol is missing
