"""The steps of a JPEG's quantizer, read from pixels, against the table that the file says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from curate.dedupe.jpeg_history import FREQUENCIES, coefficients, compressed_harder, quantizer_steps

CAMERA = data.camera().astype(np.float32)


def through_jpeg(luma: NDArray[np.float32], quality: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pixels and the table of the file."""
    buffer = io.BytesIO()
    Image.fromarray(luma.round().astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    coded = Image.open(io.BytesIO(buffer.getvalue()))
    table = np.array(coded.quantization[0]).reshape(8, 8)  # type: ignore[attr-defined]
    return np.asarray(coded, np.float32), np.array([table[at] for at in FREQUENCIES])


@pytest.mark.parametrize("quality", [30, 50, 70])
def test_a_quantizer_is_read_from_the_pixels(quality: int) -> None:
    coded, wanted = through_jpeg(CAMERA, quality)
    steps = quantizer_steps(coefficients(coded))
    assert (np.abs(steps - wanted) <= 1).sum() >= 9


def test_a_finer_jpeg_does_not_hide_it_and_a_picture_without_has_none() -> None:
    coarse, wanted = through_jpeg(CAMERA, 50)
    steps = quantizer_steps(coefficients(through_jpeg(coarse, 93)[0]))
    assert (np.abs(steps - wanted) <= 1).sum() >= 9
    assert quantizer_steps(coefficients(CAMERA)).max() <= 3


def test_who_was_compressed_harder_is_told_by_a_difference_that_the_steps_explain() -> None:
    def harder(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
        values = coefficients(one), coefficients(other)
        return compressed_harder(*values, (quantizer_steps(values[0]), quantizer_steps(values[1])))

    coarse, _ = through_jpeg(CAMERA, 40)
    assert harder(coarse, CAMERA)
    assert not harder(CAMERA, coarse)
    assert not harder(coarse, coarse)
    # The steps are the original's own: what sets it apart from a brighter or flatter copy is none of them.
    assert not harder(coarse, coarse * 1.3)
    assert not harder(coarse, np.clip(coarse + 60, 0, 255))
