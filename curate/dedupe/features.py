"""What dedupe keeps of each image: hashes, a thumbnail, a few colors; everything from one decode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from curate import fingerprint
from curate.dedupe import difference_thumbnails, hashes
from curate.dedupe.crop_hashes import PARTS, WINDOWS, window_hashes
from curate.dedupe.decode_small import read_small
from curate.dedupe.hashes import UInt64Array
from curate.dedupe.orientations import turned_low, turns
from curate.dedupe.thumbnail_texture import structure
from curate.dedupe.thumbnails import color_cells, luma_thumbnail
from curate.params import DedupeParams

SIDE: Final = 32  # pixels of a thumbnail
CELLS: Final = 4  # of the color summary, a side
PLAIN: Final = 1.5  # levels; pictures of less structure are plain: one color, a gradient, a blur
_STEPS: Final = 21
_MIN_SIDE: Final = 64  # pixels per side that a JPEG is decoded to at least: twice what the pHash looks at
_DECODERS: Final = ("pillow", "simplejpeg", "imagehash")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How features are made; equal recipes make comparable features."""

    hash: str
    decode: Literal["fast", "exact"]
    turned: Literal["none", "mirrored", "all"]
    crops: bool

    @classmethod
    def of(cls, params: DedupeParams) -> Recipe:
        """The recipe that parameters ask for."""
        return cls(params.hash, params.decode, params.turned, params.crops)

    def digest(self) -> str:
        """Hex SHA-256 over all that could change a column: the fields, the code, the decoders' versions."""
        code = fingerprint.digest(__name__, packages=_DECODERS, without=fingerprint.DECIDES_NOTHING)
        text = json.dumps([code, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Features:
    """Columns, one row per image.

    Attributes:
        hashes: (N,) uint64, of the recipe's name.
        phash: (N,) uint64, the 64-bit pHash of the thumbnail.
        turned: (N, T) uint64, the same of the picture turned in each way the recipe asks for.
        windows: (N, W) uint64, the same of windows into the picture (`WINDOWS`); W = 0 without crops.
        parts: (N, P) uint64, the same of `PARTS`; P = 0 without crops.
        luma: (N, 32, 32) uint8, the upright picture, squeezed to a square.
        color: (N, 4, 4, 3) uint8, mean RGB of the cells of the picture.
        structure: (N,) float32, levels; root mean square of what `luma` differs from its means of 5 x 5.
        tone: (N,) uint64, mean color as a thermometer: 21 steps of each channel, a bit per step reached.
        size: (N, 2) uint32, width and height of the file, upright pixels.
        detail: (N, 64, 64) uint8 luma, for what differs locally (`curate.dedupe.difference_thumbnails`).
        chroma: (N, 2, 32, 32) uint8, Cb and Cr.
    """

    hashes: UInt64Array
    phash: UInt64Array
    turned: UInt64Array
    windows: UInt64Array
    parts: UInt64Array
    luma: NDArray[np.uint8]
    color: NDArray[np.uint8]
    structure: NDArray[np.float32]
    tone: UInt64Array
    size: NDArray[np.uint32]
    detail: NDArray[np.uint8]
    chroma: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.phash)

    @staticmethod
    def layout(recipe: Recipe) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
        """Type and shape per image of each column that the recipe fills; empty ones are left out."""
        u8, u64 = np.dtype(np.uint8), np.dtype(np.uint64)
        columns: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
            "hashes": (u64, ()),
            "phash": (u64, ()),
            "turned": (u64, (len(turns(recipe.turned)),)),
            "windows": (u64, (len(WINDOWS) if recipe.crops else 0,)),
            "parts": (u64, (len(PARTS) if recipe.crops else 0,)),
            "luma": (u8, (SIDE, SIDE)),
            "color": (u8, (CELLS, CELLS, 3)),
            "structure": (np.dtype(np.float32), ()),
            "tone": (u64, ()),
            "size": (np.dtype(np.uint32), (2,)),
            **{name: (u8, shape) for name, shape in difference_thumbnails.COLUMNS.items()},
        }
        return {name: (kind, shape) for name, (kind, shape) in columns.items() if 0 not in shape}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Features:
        """Columns by name, such as a `layout` lists; may lie on disk (`StoredColumn`)."""
        nothing = np.zeros((len(columns["phash"]), 0), dtype=np.uint64)
        return cls(**{"turned": nothing, "windows": nothing, "parts": nothing, **columns})

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name; empty ones are left out."""
        every = {name: getattr(self, name) for name in self.__slots__}
        return {name: column for name, column in every.items() if 0 not in column.shape[1:]}


def extract(paths: Sequence[Path], recipe: Recipe) -> Features:
    """Decode files and make their features; a row depends on its file and the recipe alone.

    Args:
        paths: Image files that Pillow reads; EXIF orientation is applied.
        recipe: What to make.

    Raises:
        InputError: A file is missing, damaged or truncated; names it.
    """
    count = len(paths)
    min_side = _MIN_SIDE if recipe.decode == "fast" else None
    luma = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    color = np.empty((count, CELLS, CELLS, 3), dtype=np.uint8)
    size = np.empty((count, 2), dtype=np.uint32)
    details = {
        name: np.empty((count, *shape), np.uint8) for name, shape in difference_thumbnails.COLUMNS.items()
    }
    own = np.empty(count, dtype=np.uint64)
    from_thumbnail = recipe.hash == "phash" and recipe.decode == "fast"
    for row, path in enumerate(paths):
        small = read_small(path, min_side)
        luma[row], color[row] = luma_thumbnail(small.pixels, SIDE), color_cells(small.pixels, CELLS)
        size[row] = small.width, small.height
        details["detail"][row], details["chroma"][row] = difference_thumbnails.detail_thumbnail(small.pixels)
        if not from_thumbnail:
            own[row] = hashes.by_imagehash(small.picture, recipe.hash)
    return from_thumbnails(recipe, luma, color, size, details, None if from_thumbnail else own)


def from_thumbnails(  # noqa: PLR0917 - columns
    recipe: Recipe,
    luma: NDArray[np.uint8],
    color: NDArray[np.uint8],
    size: NDArray[np.uint32],
    details: Mapping[str, NDArray[np.uint8]],
    own: UInt64Array | None,
) -> Features:
    """Features from thumbnails and color cells, all rows at once; `own` is the hash of the recipe.

    `details` are the columns of `curate.dedupe.difference_thumbnails`.
    """
    low = hashes.low_frequencies(luma, 8)
    phash = hashes.above_median(low)[:, 0]
    nothing = np.zeros((len(luma), 0), dtype=np.uint64)
    cut = window_hashes(luma) if recipe.crops else nothing
    return Features(
        hashes=phash if own is None else own,
        phash=phash,
        turned=np.concatenate(
            [nothing, *(hashes.above_median(turned_low(low, turn)) for turn in turns(recipe.turned))], axis=1
        ),
        windows=cut[:, : len(WINDOWS)],
        parts=cut[:, len(WINDOWS) :],
        luma=luma,
        color=color,
        structure=structure(luma),
        tone=_tone(color),
        size=size,
        detail=details["detail"],
        chroma=details["chroma"],
    )


def _tone(color: NDArray[np.uint8]) -> UInt64Array:
    """(N,) see `Features.tone`. Means within a step differ in one bit per channel at most."""
    means = color.astype(np.int32).sum(axis=(1, 2)) // CELLS**2
    reached = means[:, :, None] >= np.arange(1, _STEPS + 1) * 256 // (_STEPS + 1)
    return hashes.pack(np.pad(reached.reshape(len(color), 3 * _STEPS), ((0, 0), (1, 0))))[:, 0]
