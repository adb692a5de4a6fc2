"""The pHash is imagehash's, bit for bit."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from curate.dedupe import hashes

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "rocket", "brick", "grass", "coins")


def ours(picture: Image.Image) -> str:
    return f"{int(hashes.phash(hashes.luma_thumbnail(picture)[None])[0]):016x}"


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


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_at_several_sizes(name: str) -> None:
    photograph = Image.fromarray(getattr(data, name)()).convert("RGB")
    for size in (photograph.size, (640, 480), (301, 47), (64, 64), (31, 33)):
        picture = photograph.resize(size)
        assert ours(picture) == str(imagehash.phash(picture))


@pytest.mark.parametrize("index", range(5))
def test_synthetic_pictures(index: int) -> None:
    picture = synthetic()[index]
    assert ours(picture) == str(imagehash.phash(picture))


@pytest.mark.parametrize("level", [0, 1, 80, 255])
def test_flat_pictures(level: int) -> None:
    picture = Image.new("RGB", (100, 80), (level, level, level))
    assert ours(picture) == str(imagehash.phash(picture))


def test_a_batch_is_the_same_as_one_by_one() -> None:
    thumbnails = np.stack([hashes.luma_thumbnail(picture) for picture in synthetic()])
    batch = hashes.phash(thumbnails)
    assert batch.dtype == np.uint64
    assert [f"{value:016x}" for value in batch.tolist()] == [ours(picture) for picture in synthetic()]


def test_no_thumbnail_no_hash() -> None:
    assert hashes.phash(np.zeros((0, 32, 32), dtype=np.uint8)).shape == (0,)
