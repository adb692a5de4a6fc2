"""How sure the detector was: a histogram and a mean a category, from a table that passes by in pieces."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import tables
from curate.records import Category, FloatArray

_BINS = 20


class Scores:
    """Counts of the suggestions by category and score, and of the other rows by reason."""

    def __init__(self, categories: Sequence[Category]) -> None:
        """Begin with nothing seen."""
        self._counts = {category.name: np.zeros(_BINS, dtype=np.int64) for category in categories}
        self._sums = dict.fromkeys(self._counts, 0.0)
        self._unscored = dict.fromkeys(self._counts, 0)  # imported ones may have no score
        self._rejected: Counter[str] = Counter()

    def add(self, piece: pa.Table) -> None:
        """Look at rows of the `annotations` table."""
        suggested = piece.filter(pc.equal(piece["outcome"], "object"))
        for name in self._counts:
            column = suggested.filter(pc.equal(suggested["category"], name))["score"]
            self._unscored[name] += column.null_count
            scores = column.drop_null().to_numpy()
            self._counts[name] += _binned(scores)
            self._sums[name] += float(scores.astype(np.float64).sum())
        reasons = piece.filter(pc.equal(piece["outcome"], "rejected"))["reject_reason"]
        self._rejected.update({row["values"]: row["counts"] for row in pc.value_counts(reasons).to_pylist()})

    @property
    def boxes(self) -> dict[str, int]:
        """Suggestions by category, in the taxonomy's order."""
        return {name: int(counts.sum()) + self._unscored[name] for name, counts in self._counts.items()}

    @property
    def means(self) -> dict[str, float | None]:
        """Mean score by category; None without a score."""
        return {name: _mean(self._sums[name], int(counts.sum())) for name, counts in self._counts.items()}

    @property
    def mean(self) -> float | None:
        """Mean of all scores."""
        return _mean(sum(self._sums.values()), sum(int(counts.sum()) for counts in self._counts.values()))

    @property
    def rejected(self) -> dict[str, int]:
        """Boxes that are no suggestion, by reason."""
        return dict(sorted(self._rejected.items()))

    def write(self, path: Path) -> None:
        """The histogram as CSV: `bin` is the lower edge.

        Raises:
            StorageError: The disk is full or refuses.
        """
        with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["bin", "count", *self._counts])
            for number in range(_BINS):
                counts = [int(bins[number]) for bins in self._counts.values()]
                writer.writerow([f"{number / _BINS:.2f}", sum(counts), *counts])


def _binned(scores: FloatArray) -> NDArray[np.int64]:
    # The smallest step over float32's rounding: a score of 0.9 belongs to the bin that begins there.
    lower = (scores.astype(np.float64) * _BINS + 1e-6).astype(np.int64)
    return np.bincount(np.minimum(lower, _BINS - 1), minlength=_BINS)


def _mean(total: float, number: int) -> float | None:
    return round(total / number, 6) if number else None
