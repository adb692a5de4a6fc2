"""An eighth of a JPEG is libjpeg-turbo's, pixel for pixel, or is left to it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from curate.images.eighth import eighth
from curate.images.image_errors import UnfitImageError
from curate.images.jpeg import read_head
from curate.records import UInt8Image

PHOTOGRAPH = Image.fromarray(data.astronaut())
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
# Of quality, subsampling, restart interval in MCUs, optimised codes.
CODINGS = [(50, "4:2:0", 0, False), (90, "4:2:2", 3, False), (100, "4:4:4", 0, False), (85, "4:2:0", 1, True)]


def encoded(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def by_libjpeg(content: bytes) -> UInt8Image:
    head = read_head(content)
    least = -(-head.height // 8), -(-head.width // 8)
    kind = "GRAY" if len(head.components) == 1 else "RGB"
    found = simplejpeg.decode_jpeg(content, kind, min_height=least[0], min_width=least[1])
    assert found.shape[:2] == least
    return found


@pytest.mark.parametrize("picture", [PHOTOGRAPH, NOISE])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("quality", "subsampling", "restart", "optimize"), CODINGS)
def test_every_pixel_is_libjpegs(
    picture: Image.Image, mode: str, quality: int, subsampling: str, restart: int, *, optimize: bool
) -> None:
    content = encoded(
        picture.convert(mode),
        quality=quality,
        optimize=optimize,
        restart_marker_blocks=restart,
        **({"subsampling": subsampling} if mode == "RGB" else {}),
    )
    found = eighth(content, read_head(content))
    assert found is not None
    assert np.array_equal(found, by_libjpeg(content))


# Of smaller ones simplejpeg takes another share than an eighth where both give one pixel.
@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(9, 70),
    height=st.integers(9, 70),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    seed=st.integers(0, 99),
)
def test_of_any_size(width: int, height: int, quality: int, subsampling: str, seed: int) -> None:
    left, top = np.random.default_rng(seed).integers(0, 180, 2).tolist()
    picture = (NOISE if seed % 3 == 0 else PHOTOGRAPH).crop((left, top, left + width, top + height))
    content = encoded(picture, quality=quality, subsampling=subsampling)
    found = eighth(content, read_head(content))
    assert found is not None
    assert np.array_equal(found, by_libjpeg(content))


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"keep_rgb": True, "subsampling": 0}, {"mode": "CMYK"}]
)
def test_what_it_does_not_know_is_left(options: dict[str, Any]) -> None:
    mode = options.pop("mode", "RGB")
    content = encoded(PHOTOGRAPH.convert(mode), **options)
    assert eighth(content, read_head(content)) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("restart", [0, 2])
def test_a_cut_file_is_left(subsampling: str, restart: int) -> None:
    small = PHOTOGRAPH.resize((96, 80))
    content = encoded(small, quality=70, subsampling=subsampling, restart_marker_blocks=restart)
    head = read_head(content)
    for end in range(head.scan + 14, len(content), 7):
        assert eighth(content[:end], head) is None


def test_of_damaged_files_it_takes_what_libjpeg_takes() -> None:
    """Bytes are exchanged, left out and doubled; what is not left must be whole, and the same."""
    rng = np.random.default_rng(7)
    taken = 0
    for round_ in range(1500):
        quality, subsampling, restart, optimize = CODINGS[round_ % len(CODINGS)]
        picture = (NOISE if round_ % 2 else PHOTOGRAPH).crop((40, 40, 40 + 48, 40 + 56))
        content = bytearray(
            encoded(
                picture,
                quality=quality,
                subsampling=subsampling,
                restart_marker_blocks=restart,
                optimize=optimize,
            )
        )
        at = int(rng.integers(2, len(content)))
        content[at : at + int(rng.integers(0, 3))] = rng.bytes(int(rng.integers(0, 3)))
        damaged = bytes(content)
        try:
            found = eighth(damaged, read_head(damaged))
        except UnfitImageError:
            continue
        if found is not None:
            taken += 1
            assert np.array_equal(found, by_libjpeg(damaged))
    assert taken > 30
