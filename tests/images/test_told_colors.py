"""Colors that a file tells by profile or by numbers, against arithmetic; a browser agrees (integration)."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from curate.images import heif_color, icc_profile
from curate.images.icc_profile import Cicp
from tests.images import told_colors
from tests.images.encoded import reason_of, seen
from tests.images.told_colors import P3, cicp, gamma, gray_profile, picture, png, primaries, saved

# Source: CSS Color 4, "Sample code for color conversions": linear Display P3 to XYZ, XYZ to linear sRGB.
P3_TO_XYZ = np.array(
    [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0.0, 0.0451134, 1.0439444]]
)
XYZ_TO_SRGB = np.array(
    [
        [3.2409699, -1.5373832, -0.4986108],
        [-0.9692436, 1.8759675, 0.0415551],
        [0.0556301, -0.2039770, 1.0569715],
    ]
)


def light(values: np.ndarray) -> np.ndarray:
    """Of sRGB values in [0, 1]. Source: IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def shown(linear: np.ndarray) -> np.ndarray:
    """Levels of 255 of a display in sRGB."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


UNIT = np.asarray(picture()).astype(float) / 255
AS_P3 = shown(light(UNIT) @ (XYZ_TO_SRGB @ P3_TO_XYZ).T)
WANTED = {
    "gama.png": shown(UNIT),
    "gama_55556.png": shown(UNIT**1.8),
    "gama_near_srgb.png": 255 * UNIT,
    "chrm_alone.png": 255 * UNIT,
    "srgb_before_gama.png": 255 * UNIT,
    "cicp_p3.png": AS_P3,
    "cicp_before_icc.png": AS_P3,
    "icc.png": AS_P3,
    "icc.webp": AS_P3,
    "icc_before_gama.png": AS_P3,
    "nclx_12_13.avif": AS_P3,
    "cicp_linear.png": shown(UNIT),
    "cicp_gamma.png": shown(UNIT**2.2),
    "cicp_709.png": shown(UNIT**2.4),  # as a display of BT.1886 shows it
    "nclx_1_1.avif": 255 * UNIT,
    "nclx_1_8.avif": shown(UNIT),
    "rgb_icc_of_gray.png": 255 * UNIT,
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return told_colors.files()


@pytest.mark.parametrize("name", WANTED)
def test_colors_are_those_of_the_formula(name: str, files: dict[str, bytes]) -> None:
    found = seen(files[name])
    difference = np.abs(found.pixels - WANTED[name])
    # A level of 255 in light is 13 in sRGB next to black: where the curve is steep, roundings show.
    coded = 3 if name.endswith(".avif") else 0  # its codec rounds too
    assert np.percentile(difference, 99) <= 2 + coded
    assert difference.mean() < 0.6 + coded
    assert found.untouched == (name.endswith((".png", ".webp")) and np.array_equal(WANTED[name], 255 * UNIT))


@pytest.mark.parametrize("name", ["gray_icc.png", "gray16_icc.png", "gray_gama.png", "gray_icc.jpg"])
def test_gray_has_the_gray_of_its_profile(name: str, files: dict[str, bytes]) -> None:
    gray = np.asarray(picture().convert("L")).astype(float) / 255
    wanted = shown(gray ** (1.8 if name.endswith(".jpg") else 1.0))
    found = seen(files[name], lossless=True).pixels
    assert np.ptp(found.astype(int), axis=2).max() <= 1
    assert np.percentile(np.abs(found[..., 0] - wanted), 98) <= 2


def test_cmyk_jpegs_hold_inverted_ink_with_and_without_the_marker_of_adobe(files: dict[str, bytes]) -> None:
    plain = np.asarray(picture().convert("CMYK").convert("RGB")).astype(int)
    for name in ("cmyk.jpg", "cmyk_without_adobe.jpg"):
        assert np.abs(seen(files[name]).pixels - plain).mean() < 1.5


def heic(code: tuple[int, int]) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    data = saved(picture(), "HEIF", quality=-1)
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", *code) + data[at + 4 :]


def test_a_heic_tells_its_colors_as_an_avif_does() -> None:
    found = seen(heic((12, 13)))
    assert np.abs(found.pixels - AS_P3).mean() < 2
    assert np.abs(seen(heic((1, 13))).pixels - 255 * UNIT).mean() < 2


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_has_no_picture_in_srgb(transfer: int, name: str) -> None:
    for data in (png(picture(), cicp(9, transfer, 0, 1)), told_colors.avif((9, transfer))):
        reason, detail = reason_of(data)
        assert reason == "unsupported_format"
        assert f"high dynamic range ({name})" in detail


def test_boxes_that_lead_nowhere_say_nothing() -> None:
    data = told_colors.avif((12, 13))
    assert heif_color.nclx(data) == Cicp(12, 13, 6, full_range=True)
    for end in range(0, data.index(b"mdat"), 7):
        assert heif_color.nclx(data[:end]) in (None, Cicp(12, 13, 6, full_range=True))
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        changed[int(rng.integers(0, data.index(b"mdat")))] = int(rng.integers(0, 256))
        heif_color.nclx(bytes(changed))


def test_numbers_that_span_no_colors_make_no_profile() -> None:
    assert icc_profile.of_numbers(((0.3, 0.3),) * 4, None) is None
    assert icc_profile.of_numbers(((0.64, 0.0), *P3[1:]), None) is None
    for chunks in ([gamma(0)], [gamma(1)], [gamma(100_000), primaries(((0.3, 0.3),) * 4)]):
        assert seen(png(picture(), *chunks)).pixels.shape == (64, 96, 3)


def test_of_16_bits_the_profile_sees_the_whole_range() -> None:
    ramp = np.linspace(0, 65535, 96 * 64).astype(np.uint16).reshape(64, 96)
    found = seen(png(Image.fromarray(ramp), icc_profile=gray_profile(1.0))).pixels[..., 0]
    assert np.percentile(np.abs(found - shown(ramp / 65535)), 98) <= 6  # in levels before the curve


def test_a_transparent_gray_of_16_bits_shows_white() -> None:
    ramp = np.repeat(np.arange(0, 96, dtype=np.uint16)[None, :] * 600, 64, axis=0)
    found = seen(saved(Image.fromarray(ramp), "PNG", transparency=600 * 50)).pixels
    assert (found[:, 50] == 255).all()
    assert abs(int(found[0, 51, 0]) - 51 * 600 // 257) <= 1


@pytest.mark.parametrize("top", [4080, 4095])
def test_gray_that_was_never_scaled_up_from_its_significant_bits(top: int) -> None:
    ramp = np.linspace(0, top, 96 * 64).astype(np.uint16).reshape(64, 96)
    found = seen(png(Image.fromarray(ramp), (b"sBIT", b"\x0c"))).pixels[..., 0]
    assert np.abs(found - 255 * ramp.astype(float) / 4095).max() <= 0.5
    scaled = (ramp << 4) | (ramp >> 8)
    found = seen(png(Image.fromarray(scaled), (b"sBIT", b"\x0c"))).pixels[..., 0]
    assert np.abs(found - 255 * scaled.astype(float) / 65535).max() <= 0.5
