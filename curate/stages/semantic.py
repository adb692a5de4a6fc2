"""Near-duplicates by meaning: all pairs of images whose vectors have a high cosine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.dedupe.id_rows import Ids
from curate.dedupe.semantic import CosinePairs, cosine_pairs
from curate.errors import InputError
from curate.labeling.run.failures import Failures
from curate.labeling.run.shard_dispatch import Dispatch
from curate.stages import vector_store
from curate.stages.vector_store import VectorStore
from curate.vectors import cells

# Reasons that lie in the image, so that the next run would find the same. Others may pass, and must not
# become the result: a full device would leave no pair at all.
_LASTING: Final = frozenset({"no_vector", "unreadable"})


@dataclass(frozen=True, slots=True)
class AlikeByMeaning:
    """What the step found.

    Attributes:
        pairs: By row of the table, in any order.
        compared: Number of images with a vector.
        failed: Number of images without one, by reason: these are compared by pixels only.
    """

    pairs: CosinePairs
    compared: int
    failed: Mapping[str, int]

    def figures(self) -> dict[str, object]:
        """Figures for the metrics of the stage."""
        every = self.compared <= cells.ALL_PAIRS
        return {
            "images": self.compared,
            "pairs": len(self.pairs),
            "compared": "all with all" if every else "those in near cells: some pairs are missed",
            "without_a_vector": dict(self.failed),
        }


def find(
    store: VectorStore, table: Path, wanted: NDArray[np.bool_], ids: Ids, *, min_cosine: float
) -> AlikeByMeaning:
    """All pairs of wanted images whose cosine reaches the bound; only images without a vector are embedded.

    Args:
        store: Of vectors.
        table: Images table.
        wanted: (N,) bool, rows of the table to compare.
        ids: (N, 32) of the table.
        min_cosine: In [-1, 1].

    Raises:
        InputError: Images failed for reasons that may pass, such as the memory of the device.
        ModelError: The model cannot be loaded or used.
        TooManyPairsError: The bound is too low.
        StorageError: Another process uses the store, or the disk is full or refuses.
    """
    rows = np.flatnonzero(wanted)
    names = [ids[row].tobytes().hex() for row in rows]
    failures = Failures(len(names))
    images, kept = vector_store.with_files(table), pa.array(names, pa.string())
    with store.make("dedupe", images, kept, Dispatch(failures)) as made:
        _refuse_passing(failures)
        found, vectors = made.of_images()
    row_of = dict(zip(names, rows.tolist(), strict=True))
    place = np.array([row_of[name] for name in found], dtype=np.int64)
    pairs = cosine_pairs(vectors, min_cosine)
    return AlikeByMeaning(
        CosinePairs(place[pairs.first], place[pairs.second], pairs.cosine), len(found), failures.by_reason()
    )


def _refuse_passing(failures: Failures) -> None:
    """End the run if an image failed for a reason that may be gone the next time.

    Raises:
        InputError: One did.
    """
    passing = {reason: n for reason, n in failures.by_reason().items() if reason not in _LASTING}
    if not passing:
        return
    counts = ", ".join(f"{n} {reason}" for reason, n in passing.items())
    first = next(why.detail for _, why in failures if why.reason in passing)
    raise InputError(
        f"images without a vector for reasons that may pass ({counts}); the first: {first}. What is done "
        "is kept: run it again; an image that fails every time can be dropped by a line in dedupe.decisions"
    )
