"""What is computed from thumbnails, against the same by the book."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from curate.dedupe import crop_hashes
from curate.dedupe.thumbnail_texture import structure


def thumbnails(count: int) -> NDArray[np.uint8]:
    """Smooth ones, noise, and such as have many equal values."""
    rng = np.random.default_rng(0)
    smooth = [gaussian_filter(rng.normal(size=(32, 32)), sigma) for sigma in rng.uniform(0.3, 6, count)]
    found = np.stack([255 * (one - one.min()) / np.ptp(one) for one in smooth]).astype(np.uint8)
    found[0], found[1] = 7, 0
    found[2, :16], found[2, 16:] = 0, 255
    found[3] = rng.integers(0, 2, (32, 32)) * 255
    found[4] = np.arange(32) * 8
    return found


def by_definition(thumbnail: NDArray[np.uint8], window: crop_hashes.Window) -> int:
    across = crop_hashes._matrix(window.left, window.right)
    down = crop_hashes._matrix(window.top, window.bottom)
    low = (down @ thumbnail.astype(np.float64) @ across.T).ravel()
    return int("".join("1" if value > np.median(low) else "0" for value in low), 2)


def test_hashes_of_windows_are_those_of_the_definition() -> None:
    every = thumbnails(40)
    found = crop_hashes.window_hashes(every)
    assert found.shape == (40, len(crop_hashes.WINDOWS) + len(crop_hashes.PARTS))
    for row, thumbnail in zip(found.tolist(), every, strict=True):
        assert row == [by_definition(thumbnail, window) for window in crop_hashes.WINDOWS + crop_hashes.PARTS]


@pytest.mark.parametrize("start", [0, 3, 17])
def test_a_row_does_not_depend_on_its_batch(start: int) -> None:
    every = thumbnails(20)
    assert (crop_hashes.window_hashes(every)[start:] == crop_hashes.window_hashes(every[start:])).all()
    assert (structure(every)[start:] == structure(every[start:])).all()


def test_structure_is_the_deviation_from_means_of_25() -> None:
    every = thumbnails(40)
    found = structure(every)
    for value, thumbnail in zip(found.tolist(), every.astype(np.float64), strict=True):
        detail = thumbnail - uniform_filter(thumbnail, 5, mode="nearest")
        assert value == pytest.approx(np.sqrt((detail**2).mean()), abs=1e-4)
    assert found[0] == found[1] == 0


def test_none_of_none() -> None:
    nothing = np.zeros((0, 32, 32), np.uint8)
    assert crop_hashes.window_hashes(nothing).shape == (0, len(crop_hashes.WINDOWS + crop_hashes.PARTS))
    assert structure(nothing).shape == (0,)
