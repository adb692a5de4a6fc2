"""What is kept of a file: alpha, profile, 16 bits, upright."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from curate.errors import InputError
from curate.restoration import image_pixels

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RNG = np.random.default_rng(1)
DEEP = RNG.integers(0, 65536, (6, 9, 4)).astype(np.uint16)


def read(path: Path) -> image_pixels.ImagePixels:
    return image_pixels.read(path, max_pixels=10_000)


def test_a_png_of_16_bits_keeps_them_with_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), DEEP[..., [2, 1, 0, 3]])
    found = read(tmp_path / "a.png")
    np.testing.assert_array_equal(found.color, DEEP[..., :3])
    np.testing.assert_array_equal(found.alpha, DEEP[..., 3])
    assert (found.bits, found.white, found.gray) == (16, 65535, False)
    part = image_pixels.Unit(found.color)[1:3]
    np.testing.assert_allclose(part, DEEP[1:3, :, :3] / 65535, rtol=1e-6)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_tiff_of_16_bits_keeps_them_upright(tmp_path: Path, planar: str) -> None:
    stored = DEEP[..., :3] if planar == "contig" else np.moveaxis(DEEP[..., :3], -1, 0)
    tag = [(274, "H", 1, 6, True)]  # turned by a quarter, clockwise
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, iccprofile=PROFILE, extratags=tag
    )
    found = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.color, np.rot90(DEEP[..., :3], -1))
    assert found.profile == PROFILE
    assert found.alpha is None


def test_gray_of_16_bits_stays_gray(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "g.png"), DEEP[..., 0])
    found = read(tmp_path / "g.png")
    assert (found.gray, found.bits) == (True, 16)
    np.testing.assert_array_equal(found.color[..., 1], DEEP[..., 0])


def test_a_palette_with_a_clear_color_has_alpha_and_an_opaque_one_none(tmp_path: Path) -> None:
    image = Image.fromarray((DEEP[..., :3] // 256).astype(np.uint8)).quantize(8)
    image.save(tmp_path / "clear.png", transparency=0)
    image.save(tmp_path / "opaque.png")
    assert read(tmp_path / "opaque.png").alpha is None
    clear = read(tmp_path / "clear.png").alpha
    assert clear is not None
    np.testing.assert_array_equal(clear == 0, np.asarray(image) == 0)


def test_a_turned_jpeg_is_upright_and_cmyk_becomes_srgb(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "t.jpg", exif=exif, icc_profile=PROFILE)
    found = read(tmp_path / "t.jpg")
    assert (found.color.shape, found.profile) == ((40, 20, 3), PROFILE)
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg")
    assert read(tmp_path / "c.jpg").color[4, 4].argmax() == 0


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    Image.new("RGB", (200, 100)).save(tmp_path / "large.png")
    with pytest.raises(InputError, match=r"bad\.png cannot be read"):
        read(tmp_path / "bad.png")
    with pytest.raises(InputError, match=r"none\.png does not exist"):
        read(tmp_path / "none.png")
    with pytest.raises(image_pixels.TooLargeError, match=r"200x100 pixels, more than upscale\.max_pixels"):
        read(tmp_path / "large.png")


def test_the_limit_is_max_pixels_and_not_pillow_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above twice its own limit, by default 179 million pixels, Pillow refuses with an error of its own."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    Image.new("RGB", (90, 100)).save(tmp_path / "a.png")
    Image.new("RGB", (200, 100)).save(tmp_path / "large.png")
    assert read(tmp_path / "a.png").color.shape == (100, 90, 3)
    with pytest.raises(image_pixels.TooLargeError, match=r"200x100 pixels"):
        read(tmp_path / "large.png")
    assert Image.MAX_IMAGE_PIXELS == 1_000


def test_a_large_tiff_keeps_16_bits_too(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "big.tif", DEEP[..., :3], photometric="rgb", bigtiff=True)
    np.testing.assert_array_equal(read(tmp_path / "big.tif").color, DEEP[..., :3])


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    values = DEEP[..., :3].astype(">u2").tobytes()
    (tmp_path / "deep.ppm").write_bytes(b"P6\n# a comment\n9 6\n65535\n" + values)
    with pytest.raises(InputError, match=r"deep\.ppm cannot be read \(its 16 bits cannot be kept"):
        read(tmp_path / "deep.ppm")
    (tmp_path / "plain.ppm").write_bytes(b"P6\n9 6\n255\n" + values[: 9 * 6 * 3])
    assert read(tmp_path / "plain.ppm").bits == 8
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.raises(InputError, match=r"a\.tif cannot be read \(its colors are multiplied by alpha"):
        read(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "c.tif", DEEP, photometric="separated")
    with pytest.raises(InputError, match=r"its 16 bits of SEPARATED cannot be kept"):
        read(tmp_path / "c.tif")


def tiff(path: Path, values: np.ndarray, **how: object) -> Path:
    tifffile.imwrite(path, values, **how)
    return path


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_cut_tiff_of_16_bits_is_one_line(tmp_path: Path, compression: str | None, share: float) -> None:
    values = RNG.integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    whole = tiff(tmp_path / "t.tif", values, photometric="rgb", compression=compression, rowsperstrip=8)
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"t\.tif cannot be read \("):
        read(whole)


def test_whatever_a_decoder_raises_costs_one_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def defect(*_: object) -> None:
        raise ZeroDivisionError("a defect\nof a decoder")

    monkeypatch.setattr(image_pixels, "_from_pillow", defect)
    with pytest.raises(InputError, match=r"a\.png cannot be read \(a defect of a decoder\)"):
        read(tmp_path / "a.png")


def test_what_is_no_image_is_told_in_the_same_words_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"a\.png cannot be read \(damaged, or no format that is read\)"):
        read(tmp_path / "a.png")  # Pillow's own words name an address in memory


@pytest.mark.parametrize("bits", [8, 16])
def test_a_fourth_sample_is_alpha_only_where_extrasamples_say_so(tmp_path: Path, bits: int) -> None:
    values = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    found = read(tiff(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(found.color, values[..., :3])
    np.testing.assert_array_equal(found.alpha, values[..., 3])
    infrared = tiff(tmp_path / "nir.tif", values, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(
        InputError, match=r"nir\.tif .*it has 4 samples per pixel, 3 of them color, and its Extra"
    ):
        read(infrared)
    both = np.concatenate([values, values[..., :1]], axis=2)
    kinds = ["unassalpha", "unspecified"]
    with pytest.raises(InputError, match="it has 5 samples per pixel"):
        read(tiff(tmp_path / "b.tif", both, photometric="rgb", extrasamples=kinds))
    gray = {"photometric": "minisblack", "planarconfig": "contig"}
    with pytest.raises(InputError, match="it has 2 samples per pixel, 1 of them color"):
        read(tiff(tmp_path / "g.tif", values[..., :2], extrasamples=["unspecified"], **gray))
    with pytest.raises(InputError, match="it has 3 samples per pixel, 1 of them color"):
        read(tiff(tmp_path / "m.tif", values[..., :3], **gray))
    found = read(tiff(tmp_path / "ga.tif", values[..., :2], extrasamples=["unassalpha"], **gray))
    assert found.gray
    np.testing.assert_array_equal(found.alpha, values[..., 1])


def test_white_that_is_0_is_turned_over_and_alpha_is_not(tmp_path: Path) -> None:
    how = {"photometric": "miniswhite", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    found = read(tiff(tmp_path / "w.tif", DEEP[..., :2], **how))
    np.testing.assert_array_equal(found.color[..., 0], 65535 - DEEP[..., 0])
    np.testing.assert_array_equal(found.alpha, DEEP[..., 1])


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("int8", "whole numbers with a sign of 8 bits"),
        ("int16", "whole numbers with a sign of 16 bits"),
        ("int32", "whole numbers with a sign of 32 bits"),
        ("uint32", "whole numbers of 32 bits"),
        ("float16", "floats of 16 bits"),
        ("float32", "floats of 32 bits"),
        ("float64", "floats of 64 bits"),
    ],
)
@pytest.mark.parametrize("color", [False, True])
def test_values_that_a_png_cannot_hold_are_refused_by_name(
    tmp_path: Path, kind: str, says: str, *, color: bool
) -> None:
    values = (DEEP[..., :3] if color else DEEP[..., 0]).astype(kind)
    path = tiff(tmp_path / "v.tif", values, photometric="rgb" if color else "minisblack")
    with pytest.raises(InputError, match=rf"v\.tif cannot be read \(its values are {says}: convert it"):
        read(path)


def test_more_than_8_bits_of_another_format_are_refused(tmp_path: Path) -> None:
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "a.jp2")
    with pytest.raises(InputError, match=r"a\.jp2 cannot be read \(its values of more than 8 bits"):
        read(tmp_path / "a.jp2")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LAB", "YCbCr"])
def test_tiffs_of_8_bits_and_less_are_read_as_before(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray((DEEP[..., :3] >> 8).astype(np.uint8)).convert(mode)
    picture.save(tmp_path / "a.tif")
    assert read(tmp_path / "a.tif").color.shape == (6, 9, 3)
    picture.save(tmp_path / "b.tif", compression="tiff_adobe_deflate")
    packed, plain = (read(tmp_path / name).color.astype(int) for name in ("b.tif", "a.tif"))
    assert np.abs(packed - plain).max() <= 1  # libtiff and Pillow make RGB of YCbCr, and round otherwise
