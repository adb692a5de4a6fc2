"""Hashes are imagehash's: phash of thumbnails bit for bit, all others by imagehash itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from skimage import data

from curate.dedupe import hashes

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "rocket", "brick", "grass", "coins")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16")
ORACLES: dict[str, Callable[..., Any]] = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}


def ours(picture: Image.Image, name: str = "phash") -> str:
    """`name`, or of phash our own of a thumbnail."""
    if name == "phash":
        return f"{int(hashes.phash(hashes.luma_thumbnail(picture)[None])[0]):016x}"
    return f"{int(hashes.by_imagehash(picture, name)):016x}"


def synthetic() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (90, 121, 3), dtype=np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None], 77, axis=0)
    return [
        Image.fromarray(noise),
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)),
        Image.fromarray(ramp).convert("RGB"),
        Image.fromarray(ramp.T.copy()).convert("RGB"),
        Image.fromarray(255 * (noise > 127).astype(np.uint8)),
    ]


def in_mode(mode: str) -> Image.Image:
    photograph = Image.fromarray(data.chelsea())
    if mode == "I;16":
        return Image.fromarray(np.asarray(photograph.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.merge("LAB", photograph.split())
    if mode == "PA":
        return photograph.convert("P").convert("PA")
    if mode in ("LA", "RGBA"):
        photograph.putalpha(Image.linear_gradient("L").resize(photograph.size))
    return photograph.convert(mode)


@pytest.mark.parametrize("hash_name", sorted(ORACLES))
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_at_several_sizes(name: str, hash_name: str) -> None:
    photograph = Image.fromarray(getattr(data, name)()).convert("RGB")
    for size in ((640, 480), (301, 47), (64, 64), (31, 33)):
        picture = photograph.resize(size)
        oracle = str(ORACLES[hash_name](picture))
        assert ours(picture, hash_name) == oracle


@pytest.mark.parametrize("hash_name", sorted(ORACLES))
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow(mode: str, hash_name: str) -> None:
    picture = in_mode(mode)
    assert picture.mode == mode
    try:
        oracle = str(ORACLES[hash_name](picture))
    except ValueError:  # Pillow knows no way to luma; then we must not make one up
        with pytest.raises(ValueError, match="conver"):
            ours(picture, hash_name)
        return
    assert ours(picture, hash_name) == oracle


@pytest.mark.parametrize("hash_name", sorted(ORACLES))
@pytest.mark.parametrize("index", range(5))
def test_synthetic_pictures(index: int, hash_name: str) -> None:
    picture = synthetic()[index]
    assert ours(picture, hash_name) == str(ORACLES[hash_name](picture))


@pytest.mark.parametrize("hash_name", sorted(ORACLES))
@pytest.mark.parametrize("level", [0, 1, 80, 255])
def test_flat_pictures(level: int, hash_name: str) -> None:
    picture = Image.new("RGB", (100, 80), (level, level, level))
    assert ours(picture, hash_name) == str(ORACLES[hash_name](picture))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 90), height=st.integers(1, 90))
def test_any_small_picture(seed: int, width: int, height: int) -> None:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(levels)
    for name in ("phash", "dhash", "ahash"):
        assert ours(picture, name) == str(ORACLES[name](picture))


def test_colorhash_keeps_its_42_bits_in_the_low_end_of_a_word() -> None:
    for name in PHOTOGRAPHS:
        picture = Image.fromarray(getattr(data, name)()).convert("RGB")
        oracle = np.asarray(imagehash.colorhash(picture).hash, dtype=bool).ravel()
        assert len(oracle) == 42
        word = int(hashes.by_imagehash(picture, "colorhash"))
        assert word == int("".join("01"[int(bit)] for bit in oracle), 2)


def test_a_batch_is_the_same_as_one_by_one() -> None:
    thumbnails = np.stack([hashes.luma_thumbnail(picture) for picture in synthetic()])
    batch = hashes.phash(thumbnails)
    assert batch.dtype == np.uint64
    assert [f"{value:016x}" for value in batch.tolist()] == [ours(picture) for picture in synthetic()]


def test_no_thumbnail_no_hash() -> None:
    assert hashes.phash(np.zeros((0, 32, 32), dtype=np.uint8)).shape == (0,)
