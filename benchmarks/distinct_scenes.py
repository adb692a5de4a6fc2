"""Features of many scenes that are drawn small and never written: for counting pairs that chance brings."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import photo_collages
from curate.dedupe.difference_thumbnails import COLUMNS, detail_thumbnail
from curate.dedupe.features import CELLS, SIDE, Features, Recipe, from_thumbnails
from curate.dedupe.thumbnails import color_cells, luma_thumbnail

PIXELS = 12_288  # as large as a JPEG decoded at an eighth
_BATCH = 200


def draw_features(
    count: int, *, seed: int, recipe: Recipe, processes: int
) -> tuple[Features, npt.NDArray[np.float32]]:
    """Features (N) and cells (N, 8, 8, 4) of photographic scenes from all photographs."""
    starts = list(range(0, count, _BATCH))
    sizes = [min(_BATCH, count - start) for start in starts]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(_draw, starts, sizes, [seed] * len(starts)))
    luma, color, cells, detail, chroma = (np.concatenate(column) for column in zip(*parts, strict=True))
    size = np.full((count, 2), 100, dtype=np.uint32)
    rows = [slice(start, start + _BATCH) for start in starts]
    made = [
        from_thumbnails(
            recipe,
            luma[part],
            color[part],
            size[part],
            {"detail": detail[part], "chroma": chroma[part]},
            None,
        ).columns()
        for part in rows
    ]
    return Features.from_columns(
        {name: np.concatenate([part[name] for part in made]) for name in made[0]}
    ), cells


def _draw(start: int, count: int, seed: int) -> tuple[npt.NDArray[Any], ...]:
    cv2.setNumThreads(1)
    luma = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    color = np.empty((count, CELLS, CELLS, 3), dtype=np.uint8)
    cells = np.empty((count, photo_collages.CELLS, photo_collages.CELLS, 4), dtype=np.float32)
    detail, chroma = (np.empty((count, *shape), dtype=np.uint8) for shape in COLUMNS.values())
    for row in range(count):
        scene = photo_collages.draw(
            np.random.default_rng((seed, start + row)), photo_collages.HALVES["all"], PIXELS
        )
        luma[row], color[row] = luma_thumbnail(scene.pixels, SIDE), color_cells(scene.pixels, CELLS)
        cells[row] = scene.cells
        detail[row], chroma[row] = detail_thumbnail(scene.pixels)
    return luma, color, cells, detail, chroma
