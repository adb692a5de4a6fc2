"""Upright files are read whatever their size: ingest.max_pixels let them in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.dedupe import decode_small
from curate.errors import InputError
from curate.images import load_upright
from curate.report import drawing
from curate.stages import keeper_evidence

SIDES = (60, 50)


@pytest.fixture(params=["JPEG", "PNG", "WEBP"])
def large(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of more than twice Pillow's limit, as one of 180 million pixels is."""
    path = tmp_path / f"large.{request.param.lower()}"
    Image.new("RGB", SIDES, (90, 140, 30)).save(path, request.param, quality=95)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(Image.DecompressionBombError), Image.open(path):
        pass
    return path


def test_an_upright_file_above_pillow_s_limit_is_read(large: Path) -> None:
    assert load_upright.load_upright(large).shape == (50, 60, 3)
    with ThreadPoolExecutor(4) as threads:
        many = list(threads.map(load_upright.load_upright, [large] * 40))
    assert all(np.array_equal(one, many[0]) for one in many)
    assert Image.MAX_IMAGE_PIXELS == 1_000


def test_so_do_dedupe_its_evidence_and_the_pages(large: Path) -> None:
    assert decode_small.read_small(large, None).pixels.shape == (50, 60, 3)
    assert keeper_evidence._picture(str(large)).pixels.shape == (50, 60, 3)
    assert drawing.thumbnail_of(large, side=30).width == 30


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png cannot be read"):
        load_upright.load_upright(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.png has disappeared"):
        load_upright.load_upright(path)
