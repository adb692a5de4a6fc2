"""Tables of vectors for tests, as the stage embed leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from curate import embeddings, tables
from curate.records import FloatArray


def arc(degrees: Sequence[float] | FloatArray) -> FloatArray:
    """(N, 2) float32 of unit length, by their angles: a line on which distances can be seen."""
    angles = np.radians(np.asarray(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def write(root: Path, degrees: Mapping[str, float], *, models: Sequence[str] = ("unit-1",)) -> None:
    """The table of a project: a vector of an angle for each image_id; several models take turns."""
    rows = [
        {"image_id": key, "model_version": models[place % len(models)], "vector": vector.tolist()}
        for place, (key, vector) in enumerate(zip(degrees, arc(list(degrees.values())), strict=True))
    ]
    tables.write_rows(rows, root / embeddings.PATH, embeddings.EMBEDDINGS)
