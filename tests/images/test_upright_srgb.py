"""Every odd encoding becomes the right upright RGB file, every bad file a reason."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.images.upright_srgb import Limits
from tests.images.encoded import (
    EXIF_IFD,
    GPS_IFD,
    ORIENTATION,
    TAKEN,
    drawn,
    reason_of,
    saved,
    seen,
    stored,
)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_all_orientations_become_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(stored(drawn(), orientation), kind, exif=exif, **options)
    found = seen(data)
    assert np.array_equal(found.pixels, drawn())
    assert (found.header.width, found.header.height) == (48, 32)
    assert found.header.exif_orientation == orientation
    assert found.untouched == (orientation == 1 and kind != "TIFF")


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_jpeg_becomes_an_upright_jpeg(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(stored(drawn(), orientation), "JPEG", exif=exif, quality=95, subsampling=0)
    found = seen(data)
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 4
    assert found.extension == ".jpg"
    assert not found.untouched


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    found = seen(saved(drawn(), "PNG", exif=exif))
    assert np.array_equal(found.pixels, drawn())
    assert found.header.exif_orientation is None
    assert found.untouched


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_plain_jpeg_is_untouched_and_decoded_as_pillow_does(options: dict[str, Any]) -> None:
    data = saved(drawn(), "JPEG", **options)
    found = seen(data)
    assert found.untouched
    assert found.extension == ".jpg"
    assert np.array_equal(found.pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_the_bytes_decide_not_the_name() -> None:
    assert seen(saved(drawn(), "PNG")).extension == ".png"
    assert seen(saved(drawn(), "WEBP", lossless=True)).extension == ".webp"


def test_16_bit_gray_is_scaled_by_its_full_range() -> None:
    ramp = np.linspace(0, 65535, 48 * 32).astype(np.uint16).reshape(32, 48)
    for kind in ("PNG", "TIFF"):
        found = seen(saved(Image.fromarray(ramp), kind))
        expected = np.rint(ramp / 257.0).astype(np.uint8)
        assert np.array_equal(found.pixels, np.repeat(expected[..., None], 3, axis=2))
        assert not found.untouched
        assert found.extension == ".png"


@pytest.mark.parametrize("low_high", [(0.0, 1.0), (-3.0, 500.0)])
def test_float_tiff_uses_the_unit_range_or_is_stretched(low_high: tuple[float, float]) -> None:
    ramp = np.linspace(*low_high, 48 * 32, dtype=np.float32).reshape(32, 48)
    gray = seen(saved(Image.fromarray(ramp), "TIFF")).pixels[..., 0]
    assert gray[0, 0] == 0
    assert gray[-1, -1] == 255
    assert abs(int(gray[16, 0]) - 128) <= 1


def test_float_tiff_with_nan_keeps_the_rest() -> None:
    ramp = np.linspace(0.0, 1.0, 48 * 32, dtype=np.float32).reshape(32, 48).copy()
    ramp[0, 5] = np.nan
    gray = seen(saved(Image.fromarray(ramp), "TIFF")).pixels[..., 0]
    assert gray[0, 5] == 0
    assert gray[-1, -1] == 255


def test_alpha_is_composited_on_white_whatever_it_hides() -> None:
    alpha = np.zeros((32, 48), dtype=np.uint8)
    alpha[:, 10:] = 255
    alpha[:, 5:10] = 128
    for hidden in ((0, 0, 0), (255, 0, 255)):
        pixels = drawn()
        pixels[:, :5] = hidden
        picture = Image.fromarray(np.dstack([pixels, alpha]))
        for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
            found = seen(saved(picture, kind, **options))
            got = found.pixels.astype(int)
            assert (got[:, :5] == 255).all()
            assert np.array_equal(got[:, 10:], drawn()[:, 10:])
            half = (drawn()[:, 5:10].astype(int) * 128 + 255 * 127) / 255
            assert np.abs(got[:, 5:10] - half).max() <= 1
            assert not found.untouched


def test_black_ink_on_alpha_shows() -> None:
    ink = np.zeros((32, 48, 2), dtype=np.uint8)  # luminance 0 everywhere, the drawing is in alpha
    ink[8:24, 8:40, 1] = 255
    got = seen(saved(Image.fromarray(ink), "PNG")).pixels
    assert (got[8:24, 8:40] == 0).all()
    assert (got[:8] == 255).all()


def test_palette_and_its_transparent_entry() -> None:
    picture = Image.fromarray(drawn()).quantize(16)
    plain = seen(saved(picture, "PNG"))
    assert np.array_equal(plain.pixels, np.asarray(picture.convert("RGB")))
    index = picture.getpixel((47, 31))
    clear = seen(saved(picture, "PNG", transparency=index)).pixels
    assert (clear[np.asarray(picture) == index] == 255).all()


def test_a_color_key_makes_an_rgb_png_no_plain_one() -> None:
    found = seen(saved(drawn(), "PNG", transparency=(30, 30, 200)))
    assert not found.untouched
    assert (found.pixels[20:30, :20] == 255).all()


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(mode: str) -> None:
    picture = Image.fromarray(drawn()).convert(mode)
    kind = {"CMYK": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG")
    found = seen(saved(picture, kind))
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(found.pixels - expected).max() <= 2
    assert not found.untouched


def test_cmyk_jpeg_is_not_inverted() -> None:
    data = saved(Image.fromarray(drawn()).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    found = seen(data)
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 6
    assert found.extension == ".jpg"
    assert not found.untouched


def test_16_bit_rgb_png_is_no_plain_one() -> None:
    cv2 = pytest.importorskip("cv2")
    wide = drawn().astype(np.uint16) * 257
    data = cv2.imencode(".png", wide[..., ::-1])[1].tobytes()
    found = seen(data)
    assert not found.untouched
    assert np.abs(found.pixels.astype(int) - drawn()).max() <= 1


def test_an_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = seen(saved(drawn(), "PNG", icc_profile=profile))
    assert found.untouched
    assert np.array_equal(found.pixels, drawn())


def _swapped_profile() -> bytes:
    """The sRGB profile with its red and blue primaries exchanged, by the names in its table."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(int.from_bytes(data[128:132], "big")):
        at = 132 + 12 * number
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(data)


def test_another_profile_is_converted_to_srgb() -> None:
    found = seen(saved(drawn(), "PNG", icc_profile=_swapped_profile()))
    assert not found.untouched
    difference = found.pixels.astype(int) - drawn()[..., ::-1]
    assert np.abs(difference).max() <= 3


def test_a_damaged_or_unfitting_profile_is_ignored() -> None:
    for profile in (b"not a profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        found = seen(saved(drawn(), "PNG", icc_profile=profile))
        assert np.array_equal(found.pixels, drawn())


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.fromarray(drawn()), Image.new("RGB", (48, 32), (9, 9, 9))]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = seen(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert np.abs(found.pixels.astype(int) - drawn()).mean() < 8  # GIF has 256 colors
    assert not found.untouched
    assert found.extension == ".png"


def test_time_is_taken_from_exif_and_position_is_not() -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[TAKEN] = "2026:02:03 04:05:06"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 51.0, 29.0)})
    found = seen(saved(drawn(), "JPEG", exif=exif))
    assert found.header.captured_at == "2026-02-03T04:05:06"
    assert "48" not in repr(found.header).replace("width=48", "")


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "yesterday", ""])
def test_a_time_that_is_none_is_null(text: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[TAKEN] = text
    assert seen(saved(drawn(), "JPEG", exif=exif)).header.captured_at is None


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's, on its own way to the resolution
def test_damaged_exif_does_not_drop_a_whole_picture() -> None:
    data = saved(drawn(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert seen(data).header.exif_orientation is None


def test_reasons_of_what_is_no_image() -> None:
    assert reason_of(b"") == ("empty_file", "0 bytes")
    assert reason_of(b"<html>404 Not Found</html>")[0] == "not_an_image"
    assert reason_of(b"BM, said the text file, and nothing more")[0] == "not_an_image"
    assert reason_of(b"\x89PNG\r\n\x1a\nnothing behind it")[0] == "corrupt"
    assert reason_of(b"\xff\xd8\xff\xe0")[0] in ("corrupt", "truncated")
    assert reason_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")[0] == "corrupt"
    reason, detail = reason_of(b"8BPS\0\1 and so on")
    assert reason == "unsupported_format"
    assert "Photoshop" in detail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_a_cut_off_file_is_never_taken_for_whole(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = saved(noise, kind)
    reason, detail = reason_of(data[: int(len(data) * share)])
    assert reason in ("truncated", "corrupt")
    assert "\n" not in detail
    if kind in ("JPEG", "BMP"):
        assert reason == "truncated"


def test_limits_are_checked_before_decoding() -> None:
    bomb = bytearray(saved(Image.new("RGB", (64, 64)), "PNG"))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # the header lies; its checksum is mended
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    reason, detail = reason_of(bytes(bomb))
    assert reason == "too_large"
    assert "60000x60000" in detail
    assert reason_of(saved(Image.new("RGB", (8, 200)), "PNG"))[0] == "too_small"
    assert reason_of(saved(Image.new("RGB", (16, 200)), "PNG"))[0] == "extreme_aspect"


def test_limits_are_inclusive() -> None:
    assert seen(saved(Image.new("RGB", (16, 128)), "PNG")).header.height == 128
    exactly = Limits(min_side=1, max_pixels=64 * 64, max_aspect=1.0)
    assert seen(saved(Image.new("RGB", (64, 64)), "PNG"), exactly).header.width == 64
