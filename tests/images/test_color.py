"""Colors: the same whether a picture is converted whole or in strips, and profiles told apart."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.images import color

RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 256, (37, 29, 4), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped() -> bytes:
    """The sRGB profile with its red and blue primaries exchanged, by the names in its table."""
    data = bytearray(SRGB)
    for number in range(int.from_bytes(data[128:132], "big")):
        at = 132 + 12 * number
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(data)


def pictures() -> dict[str, Image.Image]:
    rgba = Image.fromarray(LEVELS)
    rgb = rgba.convert("RGB")
    profiled = rgb.copy()
    profiled.info["icc_profile"] = swapped()
    keyed = rgb.copy()
    keyed.info["transparency"] = rgb.getpixel((3, 30))
    palette = rgb.quantize(16)
    palette.info["transparency"] = 5
    wide = (LEVELS[..., 0].astype(np.uint16) << 8) | LEVELS[..., 1]
    return {
        "RGB": rgb,
        "RGB with a profile": profiled,
        "RGB with a key": keyed,
        "RGBA": rgba,
        "LA": rgba.convert("LA"),
        "L": rgb.convert("L"),
        "1": rgb.convert("1"),
        "P": palette,
        "CMYK": rgb.convert("CMYK"),
        "YCbCr": rgb.convert("YCbCr"),
        "I;16": Image.fromarray(wide),
        "I": Image.fromarray(wide.astype(np.int32) - 3000),
        "F": Image.fromarray(wide.astype(np.float32) / 7),
        "F in [0, 1]": Image.fromarray(wide.astype(np.float32) / 65535),
    }


@pytest.mark.parametrize("name", pictures())
def test_strips_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = color.to_srgb(pictures()[name])
    assert whole.mode == "RGB"
    for pixels in (1, 29 * 5, 29 * 36):
        monkeypatch.setattr(color, "_STRIP", pixels)
        assert np.array_equal(np.asarray(color.to_srgb(pictures()[name])), np.asarray(whole))


def test_a_flat_picture_of_floats_is_black_unless_it_is_a_share() -> None:
    for value, level in ((7.5, 0), (0.5, 128), (1.0, 255), (0.0, 0)):
        flat = Image.fromarray(np.full((4, 4), value, dtype=np.float32))
        assert (np.asarray(color.to_srgb(flat)) == level).all()


def test_profiles_that_mean_srgb() -> None:
    assert color.is_srgb(None)
    assert color.is_srgb(SRGB)
    assert color.is_srgb(b"no profile")
    assert not color.is_srgb(swapped())


def test_a_profile_of_unheard_of_size_is_ignored() -> None:
    assert color.is_srgb(swapped() + bytes(5 << 20))
