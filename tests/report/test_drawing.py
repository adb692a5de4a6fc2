"""Pictures: colors land where the object is, sizes hold, two runs are equal."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.report.drawing import Album, Mark, annotate, mosaic, words
from tests import builders

BOX = (40.0, 30.0, 120.0, 90.0)
SIZE = (builders.WIDTH, builders.HEIGHT)
GRAY = Image.new("RGB", SIZE, (128, 128, 128))


def redness(picture: Image.Image, x: int, y: int) -> int:
    pixels = np.asarray(picture).astype(int)
    return int(pixels[y, x, 0] - pixels[y, x, 2])


def test_mask_and_box_are_drawn_where_they_are() -> None:
    mark = Mark(BOX, "#ff0000", rle=builders.rle(builders.ellipse(BOX)))
    drawn = annotate(GRAY, [mark], size=SIZE, side=160)
    assert redness(drawn, 80, 60) > 30, "inside the mask: tinted"
    assert redness(drawn, 41, 60) > 150, "on the box's line: full color"
    assert abs(redness(drawn, 46, 36)) < 10, "inside the box, outside the ellipse: untouched"
    assert redness(drawn, 10, 10) == 0, "outside: untouched"


def test_marks_scale_with_the_picture() -> None:
    drawn = annotate(GRAY, [Mark(BOX, "#ff0000")], size=SIZE, side=80)
    assert drawn.size == (80, 60)
    assert redness(drawn, 20, 30) > 100
    assert redness(drawn, 40, 30) == 0, "a box without a mask has no filling"


def test_small_pictures_are_not_enlarged() -> None:
    assert annotate(GRAY, [], size=SIZE, side=320).size == SIZE


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 160.0, 120.0), (0.0, 0.0, 3.0, 3.0), (150.0, 110.0, 160.0, 120.0)]
)
def test_a_label_stays_inside_the_picture(box: builders.Box, below: bool) -> None:
    plain = np.asarray(annotate(GRAY, [Mark(box, "#ff0000")], size=SIZE, side=160)).astype(int)
    drawn = annotate(GRAY, [Mark(box, "#ff0000", "a stop sign", below=below)], size=SIZE, side=160)
    changed = np.abs(np.asarray(drawn).astype(int) - plain).max(axis=2) > 60
    assert changed.any(axis=0).sum() > 40, "the whole plate is seen, not only a piece at the border"
    assert changed.any(axis=1).sum() > 8


def test_an_album_reads_large_jpegs_and_scales_the_marks(tmp_path: Path) -> None:
    builders.write_jpeg(tmp_path / "large.jpg", np.full((2400, 3200, 3), 128, np.uint8))
    mark = Mark(tuple(value * 20 for value in BOX), "#ff0000")
    picture = Album(tmp_path, max_bytes=10**6).thumbnail("large.jpg", side=160, marks=[mark])
    assert picture is not None
    assert (picture.width, picture.height) == (160, 120)


def test_an_album_ends_where_its_bytes_do(tmp_path: Path) -> None:
    builders.write_jpeg(tmp_path / "a.jpg", builders.scene([]))
    album = Album(tmp_path, max_bytes=10**6)
    first = album.thumbnail("a.jpg", side=160)
    assert first is not None
    short = Album(tmp_path, max_bytes=len(first.uri) + 1)
    assert short.thumbnail("a.jpg", side=160) == first, "the same bytes again"
    assert short.thumbnail("a.jpg", side=160) is None


@pytest.mark.parametrize(
    ("name", "value", "gray"), [("a.png", 20_000, 78), ("a.tif", 20_000, 78), ("b.png", 65_535, 255)]
)
def test_gray_of_16_bits_is_as_bright_as_it_is(tmp_path: Path, name: str, value: int, gray: int) -> None:
    Image.fromarray(np.full((40, 60), value, dtype=np.uint16)).save(tmp_path / name)
    picture = Album(tmp_path, max_bytes=100_000).thumbnail(name, side=60)
    assert picture is not None
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))))
    assert abs(float(shown.mean()) - gray) <= 1


def test_missing_or_damaged_files_have_no_picture(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    album = Album(tmp_path, max_bytes=10**6)
    assert [album.thumbnail(path, side=80) for path in (None, "none.jpg", "bad.jpg")] == [None, None, None]


def test_a_mosaic_has_the_width_asked_for() -> None:
    assert mosaic([GRAY, GRAY, GRAY], width=300, columns=2, gap=10).width == 300


def test_words() -> None:
    assert words("stop_sign") == "stop sign"


def test_labels_cover_no_other_label() -> None:
    """Five boxes on one place: as many labels as there is room for, each to be read, and no more."""
    marks = [Mark(BOX, color, "a sign") for color in ("#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff")]
    drawn = np.asarray(annotate(GRAY, marks, size=SIZE, side=160)).astype(int)
    plates = [
        int((np.abs(drawn - color).max(axis=2) < 60).sum())
        for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    ]
    assert min(plates) > 150, "above, below and twice inside"
    alone = np.asarray(annotate(GRAY, marks[-1:], size=SIZE, side=160)).astype(int)
    assert (np.abs(alone - (0, 255, 255)).max(axis=2) < 60).sum() > 150
