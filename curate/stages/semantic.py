"""Near-duplicates by meaning: embeddings in an index of their own, and all pairs of a high cosine."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe import feature_index
from curate.dedupe.feature_index import Contents, Ids
from curate.dedupe.semantic import CosinePairs, cosine_pairs
from curate.errors import ModelError
from curate.images.load_upright import load_upright
from curate.ports import Casualty, Embedder, Engine
from curate.stages.update_index import Filling
from curate.vectors import cells

_COLUMN: Final = "vector"


@dataclass(frozen=True, slots=True)
class Encoder:
    """The outside.

    Attributes:
        load: Loads the model; called once in each worker, so it must be picklable.
        engine: Where it runs.
        batch_size: Images that a worker takes at a time.
    """

    load: Callable[[], Embedder]
    engine: Engine
    batch_size: int


def pairs(
    encoder: Encoder, folder: Path, table: Path, wanted: NDArray[np.bool_], ids: Ids, *, min_cosine: float
) -> tuple[CosinePairs, dict[int, Casualty]]:
    """All pairs of wanted images whose cosine reaches the bound; only new images are embedded.

    Args:
        encoder: The model.
        folder: Index of embeddings, kept between runs.
        table: Images table.
        wanted: (N,) bool, rows of the table to compare.
        ids: (N, 32) of the table.
        min_cosine: In [-1, 1].

    Returns:
        Pairs by row of the table in any order, and images that killed their worker by row.

    Raises:
        InputError: An image has disappeared or is damaged.
        ModelError: The model cannot be loaded or used.
        TooManyPairsError: The bound is too low.
    """
    contents = _contents(encoder)
    load = functools.partial(_setup, encoder.load)
    filling = Filling(load, contents.layout, encoder.engine, encoder.batch_size, "dedupe, by meaning")
    with feature_index.writing(folder, contents) as (vectors, _):
        lost = filling.update(vectors, table, wanted, ids)
        compared = np.flatnonzero(wanted)
        compared = compared[~np.isin(compared, list(lost))]
        row_of: NDArray[np.int64] = np.full(len(vectors), -1, dtype=np.int64)
        row_of[vectors.find(ids[compared])] = compared
        every = np.asarray(vectors.columns()[_COLUMN])
        if len(every) > cells.ALL_PAIRS:  # cells of these images, whatever else was embedded once
            every = every[row_of >= 0]
            row_of = row_of[row_of >= 0]
    found = cosine_pairs(every, min_cosine)
    first, second = row_of[found.first], row_of[found.second]
    here = (first >= 0) & (second >= 0)
    return CosinePairs(first[here], second[here], found.cosine[here]), lost


def _contents(encoder: Encoder) -> Contents:
    """What the index holds, asked of a worker: this machine may have no GPU."""
    describe = functools.partial(_describing, encoder.load)
    ((described,),) = encoder.engine.map_batches(describe, [[None]], label="dedupe, loading the encoder")
    if isinstance(described, Casualty):
        raise ModelError(f"loading the image encoder killed its worker process ({described.how})")
    version, width = described
    digest = hashlib.sha256(f"{version}\0{width}".encode()).hexdigest()
    return Contents(digest, {"model": version}, {_COLUMN: (np.dtype(np.float32), (width,))})


def _describing(load: Callable[[], Embedder]) -> Callable[[Sequence[None]], list[tuple[str, int]]]:
    embedder = load()
    blank = np.zeros((64, 64, 3), dtype=np.uint8)
    described = (embedder.model_version, int(embedder.embed([blank]).shape[1]))
    return lambda items: [described for _ in items]


def _setup(load: Callable[[], Embedder]) -> Callable[[Sequence[str]], list[bytes]]:
    return functools.partial(_embed, load())


def _embed(embedder: Embedder, paths: Sequence[str]) -> list[bytes]:
    vectors = embedder.embed([load_upright(Path(path)) for path in paths])
    for path, vector in zip(paths, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise ModelError(f"image encoder {embedder.model_version} gives {path} no finite vector")
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype=np.float32)]
