"""CAMBI: equal to libvmaf's, its parts by hand, and a ladder of planted bands."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from curate.errors import MetricError
from curate.restoration import banding, ffmpeg

Luma = NDArray[np.uint8]


def gradient(step: int, *, height: int = 360, width: int = 640) -> Luma:
    levels = np.tile(np.linspace(60, 120, width), (height, 1))
    return (np.floor(levels / step) * step).astype(np.uint8)


def photograph(name: str, size: tuple[int, int] = (640, 480)) -> Luma:
    picture = (
        Image.fromarray(getattr(skimage.data, name)()).convert("L").resize(size, Image.Resampling.LANCZOS)
    )
    return np.asarray(picture)


def of_libvmaf(luma: Luma, contrast: int, folder: Path) -> float:
    """Its feature cambi, of the same plane as video of 8 bits."""
    height, width = luma.shape
    (folder / "a.raw").write_bytes(luma.tobytes() + bytes([128]) * (width * height // 2))
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-i", "a.raw"]
    feature = f"libvmaf=log_fmt=json:log_path=log.json:feature='name=cambi\\:max_log_contrast={contrast}'"
    ffmpeg.run(
        ["-nostdin", *raw, *raw, "-lavfi", f"[0:v][1:v]{feature}", "-f", "null", "-"], folder=str(folder)
    )
    found = json.loads((folder / "log.json").read_text())["pooled_metrics"]
    return float(next(value["mean"] for name, value in found.items() if "cambi" in name))


@pytest.mark.parametrize("contrast", [2, 5])
@pytest.mark.parametrize("name", ["gradient", "astronaut", "rocket"])
def test_equal_to_libvmaf_s(name: str, contrast: int, tmp_path: Path) -> None:
    luma = gradient(2) if name == "gradient" else photograph(name) // 3 * 3
    found = banding.banding(luma, studio=True, steps=2**contrast)
    assert found == pytest.approx(of_libvmaf(luma, contrast, tmp_path), abs=2e-6)


def test_luminance_is_that_of_bt_1886() -> None:
    found = banding.luminance(np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(found, [1.576653, 58.716634, 233.819503], atol=1e-6)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "camera"])
def test_it_rises_with_planted_bands_and_is_near_zero_without(name: str) -> None:
    clean = photograph(name)
    values = [banding.banding(clean // step * step) for step in (1, 2, 4, 8)]
    assert values[0] < 0.5
    assert all(harder > milder for milder, harder in pairwise(values)), values
    assert values[-1] > 5


def test_dithering_hides_bands() -> None:
    bands = gradient(4)
    noise = np.random.default_rng(0).normal(0, 3, bands.shape)
    dithered = np.clip(bands + noise, 0, 255).astype(np.uint8)
    assert banding.banding(bands) > 20
    assert banding.banding(dithered) < 1


def test_turned_and_large_pictures_have_about_the_same() -> None:
    tall, wide = banding.banding(gradient(4).T.copy()), banding.banding(gradient(4))
    assert tall == pytest.approx(wide, rel=0.05)
    large = np.asarray(Image.fromarray(gradient(4, height=1200, width=2000)))
    assert banding.banding(large) > 20


def test_plain_has_none_and_tiny_is_not_known() -> None:
    assert banding.banding(np.full((100, 100), 7, np.uint8)) == 0
    with pytest.raises(MetricError, match="63x80 pixels are too few for bands"):
        banding.banding(np.zeros((80, 63), np.uint8))
