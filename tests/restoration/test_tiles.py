"""Tiles: cover the image once, keep what was made with its surroundings, get smaller without memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.adapters.upscalers import BicubicUpscaler
from curate.errors import DeviceMemoryError, ModelError
from curate.records import FloatArray
from curate.restoration import tiles


class Small(BicubicUpscaler):
    """Has no memory for tiles above some pixels."""

    def __init__(self, max_side: int) -> None:
        super().__init__(2)
        self.max_side = max_side
        self.seen: list[tuple[int, ...]] = []

    def upscale(self, tile: FloatArray) -> FloatArray:
        self.seen.append(tile.shape)
        if max(tile.shape) > self.max_side:
            raise DeviceMemoryError("no memory")
        return super().upscale(tile)


def picture(height: int, width: int) -> FloatArray:
    return np.random.default_rng(3).random((height, width, 3), dtype=np.float32)


def whole(image: FloatArray, upscaler: BicubicUpscaler, tile: int, overlap: int) -> FloatArray:
    return np.concatenate(list(tiles.upscaled_bands(image, upscaler, tiles.TileSize(tile, overlap))))


@given(st.integers(1, 900), st.integers(64, 300), st.integers(0, 32))
def test_spans_keep_each_pixel_once_and_half_of_the_overlap(size: int, tile: int, overlap: int) -> None:
    done, spans = 0, []
    while done < size:
        span = tiles.next_span(size, done, tile, overlap)
        assert 0 <= span.start <= span.keep_start == done < span.keep_stop <= span.stop <= size
        assert span.stop - span.start == min(tile, size)
        assert span.keep_start == 0 or span.keep_start - span.start >= overlap // 2
        assert span.keep_stop == size or span.stop - span.keep_stop == overlap // 2
        spans.append(span)
        done = span.keep_stop
    assert done == size


@pytest.mark.parametrize("shape", [(97, 213), (64, 64), (40, 300), (300, 41)])
def test_tiled_is_whole_where_the_overlap_covers_the_kernel(shape: tuple[int, int]) -> None:
    image = picture(*shape)
    upscaler = BicubicUpscaler(3)
    expected = np.clip(upscaler.upscale(image), 0, 1)
    np.testing.assert_allclose(whole(image, upscaler, 64, 8), expected, atol=1e-6)
    assert np.abs(whole(image, upscaler, 64, 0) - expected).max() > 0.01 or max(shape) <= 64


def test_a_tile_without_memory_is_halved_and_the_rest_goes_on() -> None:
    upscaler, size = Small(70), tiles.TileSize(256, 16)
    image = picture(130, 200)
    made = np.concatenate(list(tiles.upscaled_bands(image, upscaler, size)))
    np.testing.assert_allclose(made, np.clip(BicubicUpscaler(2).upscale(image), 0, 1), atol=1e-6)
    assert size.tile == 64
    assert [shape for shape in upscaler.seen if max(shape) > 70] == [(130, 200, 3), (128, 128, 3)]


def test_a_band_without_memory_is_halved_too() -> None:
    class Full(BicubicUpscaler):
        def upscale(self, tile: FloatArray) -> FloatArray:
            if max(tile.shape) > 64:
                raise MemoryError("Unable to allocate 21.0 MiB for an array")
            return super().upscale(tile)

    size = tiles.TileSize(128, 16)
    assert sum(len(band) for band in tiles.upscaled_bands(picture(130, 90), Full(2), size)) == 260
    assert size.tile == 64


def test_where_no_tile_fits_the_error_stays() -> None:
    with pytest.raises(DeviceMemoryError):
        list(tiles.upscaled_bands(picture(80, 80), Small(16), tiles.TileSize(64, 16)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    class Overflowing(BicubicUpscaler):
        def upscale(self, tile: FloatArray) -> FloatArray:
            made = super().upscale(tile)
            made[3, 3] = value
            return made

    with pytest.raises(ModelError, match=r"no numbers: set upscale\.precision to float32"):
        whole(picture(70, 70), Overflowing(2), 64, 8)


@pytest.mark.parametrize("less", [(1, 0), (0, 1), (-1, 0)])
def test_a_result_of_another_size_names_the_model(less: tuple[int, int]) -> None:
    """As of a model that halves its sides first: odd ones lose a pixel."""

    class Flooring(BicubicUpscaler):
        def upscale(self, tile: FloatArray) -> FloatArray:
            made = super().upscale(np.pad(tile, ((0, 1), (0, 1), (0, 0)), mode="edge"))
            return made[: tile.shape[0] * 2 - less[0], : tile.shape[1] * 2 - less[1]]

    with pytest.raises(
        ModelError, match=r"model bicubic-x2 makes \(.*\) of a tile \(64, 64, 3\), not 2 times"
    ):
        whole(picture(70, 70), Flooring(2), 64, 8)
