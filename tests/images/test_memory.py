"""What a large picture takes: a few bytes per pixel in every mode, nothing where its header is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIDE = 3200  # 10 million pixels
# A process for each file, since the peak of resident memory never falls; another one writes them.
MAKE = """
import os, sys, numpy as np
from PIL import Image
def make(side, folder):
    os.makedirs(folder)
    ramp = np.tile(np.arange(side, dtype=np.uint16) * 16, (side, 1))
    gray = Image.fromarray((ramp >> 8).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ramp).save(folder + "/gray16.png", compress_level=1)
    Image.merge("RGBA", [gray] * 4).save(folder + "/rgba.png", compress_level=1)
    Image.fromarray(ramp.astype(np.float32)).save(folder + "/float.tif", compression="tiff_adobe_deflate")
    Image.merge("CMYK", [gray] * 4).save(folder + "/cmyk.jpg")
    colors = Image.merge("RGB", [gray] * 3)
    colors.save(folder + "/baseline.jpg")
    colors.save(folder + "/progressive.jpg", progressive=True)
    colors.save(folder + "/turned.jpg", exif=exif)
    colors.save(folder + "/plain.webp", method=0)
make(int(sys.argv[1]), sys.argv[2] + "/large")
make(400, sys.argv[2] + "/small")
"""
TAKE = """
import resource, sys
from pathlib import Path
from curate.images.upright_srgb import Limits, UnfitImageError, upright
def take(path, limit):
    upright(path.read_bytes(), Limits(1, limit, 1000.0), frames="first", jpeg_quality=90)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
folder, name, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
take(folder / "small" / name, 10**9)  # loads every library that the file needs
before = peak()
try:
    take(folder / "large" / name, limit)
except UnfitImageError as error:
    print(error.reason, peak() - before)
else:
    print("picture", peak() - before)
"""
# Bytes per pixel, the file included: 4 of Pillow's RGB, what was decoded, the result, and the codec's own.
FILES = {
    "gray16.png": 14,
    "rgba.png": 14,
    "float.tif": 16,
    "cmyk.jpg": 20,
    "baseline.jpg": 1,
    "progressive.jpg": 9,
    "turned.jpg": 30,
    "plain.webp": 20,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("large")
    subprocess.run([sys.executable, "-c", MAKE, str(SIDE), str(place)], check=True, cwd=ROOT)
    return place


def taken(folder: Path, name: str, limit: int) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", TAKE, str(folder), name, str(limit)],
        check=True, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    outcome, grown = done.stdout.split()
    return outcome, int(grown)


@pytest.mark.integration
@pytest.mark.parametrize("name", FILES)
def test_a_large_picture_takes_a_few_bytes_a_pixel(folder: Path, name: str) -> None:
    outcome, grown = taken(folder, name, SIDE * SIDE)
    assert outcome == "picture"
    assert grown < FILES[name] * SIDE * SIDE, f"{grown / SIDE / SIDE:.1f} bytes per pixel"


@pytest.mark.integration
@pytest.mark.parametrize("name", FILES)
def test_a_refused_picture_takes_nothing(folder: Path, name: str) -> None:
    outcome, grown = taken(folder, name, SIDE * SIDE - 1)
    assert outcome == "too_large"
    assert grown < SIDE * SIDE / 3  # the file itself
