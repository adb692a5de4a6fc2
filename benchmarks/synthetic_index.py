"""Features of images that were never decoded, written into an index by the stage's own code.

Pictures are smooth random ones, as `corpora.small` makes them, but drawn as thumbnails at once.
"""

from __future__ import annotations

import functools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.corpus_cache import CELLS as COARSE
from curate.dedupe import feature_index
from curate.dedupe.difference_thumbnails import COLUMNS
from curate.dedupe.features import CELLS, SIDE, Recipe, from_thumbnails
from curate.stages import update_index

_PIECE = 8192  # pictures drawn at a time
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def fill(folder: Path, recipe: Recipe, ids: NDArray[np.uint8], *, side: int, processes: int) -> None:
    """Write an index of images (N, 32) whose files are said to be `side` pixels wide and high."""
    work = functools.partial(_features, recipe, side)
    firsts = range(0, len(ids), _PIECE)
    with (
        feature_index.writing(folder, update_index.contents(recipe)) as (features, _),
        ProcessPoolExecutor(processes) as pool,
    ):
        for first, columns in zip(firsts, pool.map(work, firsts), strict=True):
            some = ids[first : first + _PIECE]
            places = [f"made up/{number:08d}.jpg" for number in range(first, first + len(some))]
            features.append(some, {name: column[: len(some)] for name, column in columns.items()}, places)
            features.commit()


def _features(recipe: Recipe, side: int, first: int) -> dict[str, Any]:
    """Columns of a piece; numbers of pictures begin with `first`."""
    rng = np.random.default_rng((3, first))
    coarse = rng.integers(0, 256, (_PIECE, COARSE, COARSE, 3)).astype(np.float32)
    wide, cells = _resizing(SIDE), _resizing(CELLS)
    luma = np.einsum("yi,nijc,c,xj->nyx", wide, coarse, _LUMA, wide, optimize=True)
    color = np.einsum("yi,nijc,xj->nyxc", cells, coarse, cells, optimize=True)
    size = np.full((_PIECE, 2), side, dtype=np.uint32)
    levels = _levels(luma)
    details = {
        "detail": levels.repeat(2, axis=1).repeat(2, axis=2),
        "chroma": np.full((_PIECE, *COLUMNS["chroma"]), 128, dtype=np.uint8),
    }
    return from_thumbnails(recipe, levels, _levels(color), size, details, None).columns()


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


@functools.cache
def _resizing(side: int) -> NDArray[np.float32]:
    """(side, COARSE): what Pillow's bicubic resampling makes of each cell."""
    rows = np.eye(COARSE, dtype=np.float32)[:, None]
    resized = [Image.fromarray(row).resize((side, 1), Image.Resampling.BICUBIC) for row in rows]
    return np.stack([np.asarray(image)[0] for image in resized], axis=1)
