"""Corpora on disk, made once and kept in .cache/benchmarks until the code that draws them changes.

`python -m benchmarks.corpus_cache` makes those that the comparisons share: some minutes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks import corpus, hard_negatives
from benchmarks.result import CACHE
from curate import schema, tables

# 0.3 to 1.2 megapixels: what a hash from disk is measured on.
_PIXELS = (300_000, 1_200_000)
_CODE = ("corpus.py", "photo_collages.py", "synthetic_graphics.py", "transforms.py")
CELLS = 7  # a side of the pictures of `small`
PICTURES = 500  # different ones of `copies`
_PIECE = 10_000  # files per folder of `small`


def families(images: int, *, seed: int, which: str = "report") -> Path:
    """A folder as `benchmarks.corpus` writes it.

    Args:
        images: Files, about.
        seed: Of every choice.
        which: Set of transforms: tune or report.
    """
    code = b"".join((Path(__file__).parent / name).read_bytes() for name in _CODE)
    folder = CACHE / f"families-{which}-{seed}-{images}-{hashlib.sha256(code).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            partial = Path(scratch) / "corpus"
            corpus.write(partial, seed=seed, images=images, which=which, pixels=_PIXELS)
            with contextlib.suppress(OSError):  # another process was faster
                partial.rename(folder)
    return folder


def negatives(settings: int, *, seed: int, which: str = "report") -> Path:
    """A folder as `benchmarks.hard_negatives` writes it.

    Args:
        settings: Of each kind.
        seed: Of every choice.
        which: Half of the photographs: tune or report.
    """
    code = b"".join(
        (Path(__file__).parent / name).read_bytes() for name in ("hard_negatives.py", "photo_collages.py")
    )
    folder = CACHE / f"negatives-{which}-{seed}-{settings}-{hashlib.sha256(code).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            partial = Path(scratch) / "corpus"
            hard_negatives.write(partial, seed=seed, settings=settings, which=which)
            with contextlib.suppress(OSError):  # another process was faster
                partial.rename(folder)
    return folder


def jpegs(source: Path, target: Path, count: int) -> None:
    """Link the first `count` JPEGs of 0.3 to 1.2 megapixels of a folder into a new one.

    Raises:
        RuntimeError: There are not so many.
    """
    target.mkdir(parents=True)
    linked = 0
    for path in sorted(source.glob("*.jpg")):
        if linked == count:
            return
        with Image.open(path) as image:
            pixels = image.width * image.height
        if _PIXELS[0] <= pixels <= _PIXELS[1]:
            os.link(path, target / path.name)
            linked += 1
    if linked < count:
        raise RuntimeError(f"{source} has only {linked} JPEGs of that size, {count} are wanted")


def small(folder: Path, count: int, *, first: int = 0, side: int = 96) -> None:
    """Add `count` distinct JPEGs of `side` x `side` pixels: smooth random pictures, no two alike.

    Made for the count, not for the pictures: what is measured on them is what an image costs besides its
    decoding. Numbers below `first` are left out, so that a delivery can be added to a folder.

    Cells are as many as make about as many false candidates as different photographic scenes do: of 24,576
    pictures, 679 pairs within 8 bits and 74,630 within 12; scenes would make 923 and 47,500, pictures of
    6 x 6 cells many times more, of 8 x 8 a third.
    """
    for number in range(first, first + count):
        place = folder / f"{number // _PIECE:05d}"
        place.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng((2, number))
        coarse = Image.fromarray(rng.integers(0, 256, (CELLS, CELLS, 3), dtype=np.uint8))
        picture = coarse.resize((side, side), Image.Resampling.BICUBIC)
        picture.save(place / f"{number:08d}.jpg", quality=80)


def copies(folder: Path, count: int, *, side: int = 96) -> None:
    """Write `count` JPEGs that differ in a comment only: as many files, read and decoded as any others.

    Pictures are those of `small`, a few hundred of them in turn.
    """
    with tempfile.TemporaryDirectory() as made:
        small(Path(made), min(count, PICTURES), side=side)
        pictures = [path.read_bytes() for path in sorted(Path(made).rglob("*.jpg"))]
    with ProcessPoolExecutor() as pool:
        list(pool.map(functools.partial(_copy, folder, pictures, count), range(0, count, _PIECE)))


def _copy(folder: Path, pictures: list[bytes], count: int, first: int) -> None:
    """A folder of `copies`."""
    place = folder / f"{first // _PIECE:05d}"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(first, min(first + _PIECE, count)):
        picture, text = pictures[number % len(pictures)], f"{number:08d}".encode()
        comment = b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text
        (place / f"copy {number:08d}.jpg").write_bytes(picture[:2] + comment + picture[2:])


def images_table(folder: Path, target: Path) -> int:
    """Write an `images` table that references the files of a folder as they are.

    Returns:
        Rows.
    """
    rows = []
    for path in sorted(folder.rglob("*.*")):
        with Image.open(path) as image:
            width, height, orientation = *image.size, image.getexif().get(0x0112, 1)
        if orientation >= 5:
            width, height = height, width
        content = path.read_bytes()
        rows.append(
            {
                "image_id": hashlib.sha256(content).hexdigest(),
                "path": str(path),
                "sources": [f"benchmark/{path.name}"],
                "format": "JPEG",
                "width": width,
                "height": height,
                "bytes": len(content),
                "exif_orientation": orientation,
                "attributes": [],
                "brightness": 0.0,
                "contrast": 0.0,
                "sharpness": 0.0,
            }
        )
    table = pa.Table.from_pylist(rows, schema=schema.IMAGES.arrow)
    tables.write(table, target, schema.IMAGES)
    return len(rows)


def main() -> None:
    """Make the two corpora that the comparisons share, so that nobody waits for them in the middle."""
    for images, seed in ((3450, 11), (6000, 2)):
        print(families(images, seed=seed))


if __name__ == "__main__":
    main()
