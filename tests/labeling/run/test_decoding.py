"""Decoding ahead: in order, bounded, with what cannot be read in its place."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from curate.errors import InputError
from curate.labeling.run import decoding
from curate.labeling.run.decoding import ImageFile
from tests import builders


@pytest.fixture
def images(tmp_path: Path) -> list[ImageFile]:
    found = []
    for number in range(12):
        path = builders.write_jpeg(tmp_path / f"{number}.jpg", builders.scene([], seed=number, size=(40, 30)))
        found.append(ImageFile(f"{number:064x}", str(path), 40, 30, "shard"))
    (tmp_path / "3.jpg").write_bytes(b"\xff\xd8 not a picture")
    (tmp_path / "7.jpg").unlink()
    return found


@pytest.mark.parametrize("workers", [1, 4])
def test_in_order_with_faults_in_their_places(images: list[ImageFile], workers: int) -> None:
    found = list(decoding.ahead(images, workers))
    assert [image for image, _ in found] == images
    for number, (_, pixels) in enumerate(found):
        if number in (3, 7):
            assert isinstance(pixels, InputError)
        else:
            assert isinstance(pixels, np.ndarray)
            assert pixels.shape == (30, 40, 3)


@pytest.mark.parametrize("max_bytes", [1, 3600, 3 * 3600])
def test_only_so_many_bytes_wait(
    images: list[ImageFile], max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_BYTES", max_bytes)
    begun: list[str] = []
    inner = decoding._pixels
    monkeypatch.setattr(decoding, "_pixels", lambda image: (begun.append(image.path), inner(image))[1])
    for number, _ in enumerate(decoding.ahead(images, 2)):
        assert len(begun) <= number + 1 + max(1, -(-max_bytes // 3600))


def test_giving_up_leaves_no_thread(images: list[ImageFile]) -> None:
    before = threading.active_count()
    decoded = decoding.ahead(images, 3)
    next(decoded)
    decoded.close()
    assert threading.active_count() == before
