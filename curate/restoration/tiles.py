"""An image through an upscaler in tiles, band by band from the top: memory goes with the tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curate.errors import DeviceMemoryError, ModelError
from curate.ports import Upscaler
from curate.records import FloatArray
from curate.restoration.image_pixels import Unit

MIN_TILE = 32  # pixels; an upscaler that has no memory for this much has none at all


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis, in pixels of the image.

    Attributes:
        start: First pixel that the model sees.
        stop: One past the last.
        keep_start: First pixel that is kept of the result.
        keep_stop: One past the last.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def next_span(size: int, kept: int, tile: int, overlap: int) -> Span:
    """The tile that goes on where the last one ended.

    Neighbors share `overlap` pixels. Of these each keeps the half on its own side: what a model makes of the
    outermost pixels of a tile is made without their surroundings. At the image's edge nothing is thrown away,
    and the last tile is moved back into the image, so that all have one size.

    Args:
        size: Of the image along this axis.
        kept: Pixels that are done.
        tile: Pixels that the model sees at once, more than `overlap`.
        overlap: Pixels that neighbors share.

    Examples:
        >>> next_span(100, 0, 64, 16)
        Span(start=0, stop=64, keep_start=0, keep_stop=56)
        >>> next_span(100, 56, 64, 16)
        Span(start=36, stop=100, keep_start=56, keep_stop=100)
    """
    start = max(0, min(kept - overlap // 2 if kept else 0, size - tile))
    stop = min(size, start + tile)
    return Span(start, stop, kept, size if stop == size else stop - overlap // 2)


class TileSize:
    """How large the next tile is: halved where the device has no memory for it, and never more again."""

    def __init__(self, tile: int, overlap: int) -> None:
        """Begin.

        Args:
            tile: Pixels of a side.
            overlap: Pixels that neighbors share; at most half of the tile.
        """
        self.tile = tile
        self._overlap = overlap

    @property
    def overlap(self) -> int:
        """Pixels that neighbors share now."""
        return min(self._overlap, self.tile // 2)

    def halve(self) -> bool:
        """Take half from now on; False if a tile would become too small."""
        if self.tile // 2 < MIN_TILE:
            return False
        self.tile //= 2
        return True


def upscaled_bands(image: FloatArray | Unit, upscaler: Upscaler, size: TileSize) -> Iterator[FloatArray]:
    """The upscaled image in bands of whole rows, from the top.

    Args:
        image: (H, W, 3) RGB in [0, 1], or integers that are read as such.
        upscaler: The model.
        size: Of the tiles; what it learns about memory stays with it.

    Yields:
        (h, W * scale, 3) in [0, 1], together H * scale rows.

    Raises:
        DeviceMemoryError, MemoryError: Not even the smallest tile fits.
        ModelError: The model makes values that are no numbers, or another size than its scale says.
    """
    height, width = image.shape[:2]
    done = 0
    while done < height:
        rows = next_span(height, done, size.tile, size.overlap)
        try:
            band = _band(image[rows.start : rows.stop], rows, width, upscaler, size)
        except (DeviceMemoryError, MemoryError):  # the latter of NumPy: a lower band needs less
            if not size.halve():
                raise
            continue
        done = rows.keep_stop
        yield band
        del band  # of a wide image it has hundreds of megabytes: not two of them at once


def _band(image: FloatArray, rows: Span, width: int, upscaler: Upscaler, size: TileSize) -> FloatArray:
    scale = upscaler.scale
    band = np.empty(((rows.keep_stop - rows.keep_start) * scale, width * scale, 3), dtype=np.float32)
    top = (rows.keep_start - rows.start) * scale
    done = 0
    while done < width:
        columns = next_span(width, done, size.tile, size.overlap)
        tile = np.ascontiguousarray(image[:, columns.start : columns.stop])
        made = upscaler.upscale(tile)
        if made.shape != (tile.shape[0] * scale, tile.shape[1] * scale, 3):
            raise ModelError(
                f"model {upscaler.model_version} makes {made.shape} of a tile {tile.shape}, not {scale} "
                "times its sides: it does not take tiles of any size, export it so that it does"
            )
        if not np.isfinite(made).all():  # as integers they would be black
            raise ModelError(
                f"model {upscaler.model_version} makes values that are no numbers: set upscale.precision to "
                "float32, which overflows last"
            )
        left = (columns.keep_start - columns.start) * scale
        kept = band[:, columns.keep_start * scale : columns.keep_stop * scale]
        kept[...] = made[top : top + kept.shape[0], left : left + kept.shape[1]]
        done = columns.keep_stop
    return np.clip(band, 0.0, 1.0, out=band)
