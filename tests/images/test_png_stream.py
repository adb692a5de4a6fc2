"""PNG in bands: what Pillow and OpenCV read of it."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.images import png_stream

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def written(values: np.ndarray, bands: list[int], **more: object) -> bytes:
    buffer = io.BytesIO()
    height, width, channels = values.shape
    bits = values.dtype.itemsize * 8
    with png_stream.PngStream(
        buffer, width=width, height=height, channels=channels, bits=bits, **more
    ) as png:  # type: ignore[arg-type]
        start = 0
        for rows in bands:
            png.write(values[start : start + rows])
            start += rows
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("level", [0, 6])
def test_8_bits_are_read_back_by_pillow(channels: int, level: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (37, 21, channels)).astype(np.uint8)
    data = written(values, [1, 20, 16], level=level, profile=PROFILE, texts=(("key", "a text"),))
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ["L", "LA", "RGB", "RGBA"][channels - 1]
        np.testing.assert_array_equal(np.asarray(image).reshape(values.shape), values)
        assert image.info["icc_profile"] == PROFILE
        assert image.info["key"] == "a text"
    assert png_stream.text_of(io.BytesIO(data), "key") == "a text"
    assert png_stream.text_of(io.BytesIO(data), "other") is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_read_back_by_opencv(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (19, 23, channels)).astype(np.uint16)
    read = cv2.imdecode(np.frombuffer(written(values, [19]), np.uint8), cv2.IMREAD_UNCHANGED)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    np.testing.assert_array_equal(read.reshape(values.shape)[..., order], values)


def test_what_does_not_fit_the_header_is_refused() -> None:
    values = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match="1 rows are missing"):
        written(values, [3])
    png = png_stream.PngStream(io.BytesIO(), width=5, height=4, channels=3)
    for wrong in (
        np.zeros((1, 4, 3), np.uint8),
        np.zeros((1, 5, 3), np.uint16),
        np.zeros((5, 5, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            png.write(wrong)


def test_no_png_has_no_text() -> None:
    assert png_stream.text_of(io.BytesIO(b"JFIF"), "key") is None
    assert png_stream.text_of(io.BytesIO(b""), "key") is None
