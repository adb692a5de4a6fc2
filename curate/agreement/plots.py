"""Data files for `dvc plots`: CSV, always with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import tables
from curate.agreement.annotator_pairs import Pairs
from curate.intervals import Figure

BY_CATEGORY = ("category", "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects")
HISTOGRAM = ("bin", "count")
BY_ANNOTATORS = (
    "pair", "annotator_a", "annotator_b",
    "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects",
)  # fmt: skip
FIGURES = ("figure", "by", "name", "value", "low", "high", "se", "n", "reason")
UNDEFINED = "undefined"
_EDGES = np.round(np.arange(0.0, 1.05, 0.05), 2)  # of IoU
_DIGITS = 6

Cell = str | float | int | None
Figures = Mapping[tuple[str, str, str], Figure]  # by name and slice: `curate.agreement.figures`


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV file in one step; None is an empty cell.

    Raises:
        StorageError: The file cannot be written.
    """
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])


def by_category(figures: Figures) -> list[tuple[Cell, ...]]:
    """Rows of `BY_CATEGORY`; `pairs` counts matches, of two categories half."""
    return [(name, *_measures(figures, "category", name)) for name in _names(figures, "category")]


def by_annotators(figures: Figures, names: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    """Rows of `BY_ANNOTATORS`, with what people are called outside `data/`."""
    rows: list[tuple[Cell, ...]] = []
    for pair in _names(figures, "pair"):
        people = [names.get(person, person) for person in pair.split(" / ")]
        rows.append((" / ".join(people), *people, *_measures(figures, "pair", pair)))
    return rows


def table(figures: Figures, names: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    """Rows of `FIGURES`: every figure of every slice, with what people are called outside `data/`."""
    rows: list[tuple[Cell, ...]] = []
    for (figure, by, name), found in sorted(figures.items()):
        people = by in {"annotator", "pair"}
        called = " / ".join(names.get(one, one) for one in name.split(" / ")) if people else name
        numbers = (found.value, found.low, found.high, found.se)
        rows.append((figure, by, called, *(cell(number) for number in numbers), found.n, found.reason))
    return rows


def cell(value: float | None) -> Cell:
    """A number of six decimals, or the word "undefined"."""
    return UNDEFINED if value is None else rounded(value)


def iou_counts(pairs: Pairs) -> NDArray[np.int64]:
    """Matched pairs by box IoU, in bins of 0.05."""
    values = pairs.box_iou[~np.isnan(pairs.box_iou)]
    counts, _ = np.histogram(np.clip(values, 0.0, 1.0), bins=_EDGES)
    return counts.astype(np.int64)


def histogram(counts: NDArray[np.int64]) -> list[tuple[Cell, ...]]:
    """Rows of `HISTOGRAM`: the counts from the first that is not 0; a bin is named by its lower edge."""
    first = int(np.flatnonzero(counts)[0]) if counts.any() else len(counts)
    return [(f"{_EDGES[i]:.2f}", int(counts[i])) for i in range(first, len(counts))]


def rounded(value: float | None) -> float | None:
    """Six decimals: what lies beyond is arithmetic, not agreement."""
    return None if value is None else round(value, _DIGITS)


def _names(figures: Figures, by: str) -> list[str]:
    return sorted({name for _, kind, name in figures if kind == by})


def _measures(figures: Figures, by: str, name: str) -> tuple[Cell, ...]:
    f1, box, mask, kappa = (
        figures.get((figure, by, name), Figure(None, None, None, 0))
        for figure in ("f1", "mean_box_iou", "mean_mask_iou", "kappa")
    )
    numbers = (f1.value, f1.low, f1.high, box.value, mask.value, kappa.value)
    return (*(cell(number) for number in numbers), box.n, f1.n)
