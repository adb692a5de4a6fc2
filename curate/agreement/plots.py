"""Data files for `dvc plots`: CSV, always with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from curate import tables
from curate.agreement import figures
from curate.agreement.figures import Tally
from curate.agreement.pairs import Pairs
from curate.intervals import Figure

BY_CATEGORY = ("category", "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects")
HISTOGRAM = ("bin", "count")
BY_ANNOTATORS = (
    "pair", "annotator_a", "annotator_b",
    "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects",
)  # fmt: skip
_BIN = 0.05
_DIGITS = 6

Cell = str | float | int | None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV file in one step; an undefined figure is an empty cell.

    Raises:
        StorageError: The file cannot be written.
    """
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])


def by_category(tallied: Tally) -> list[tuple[Cell, ...]]:
    """Rows of `BY_CATEGORY`; `pairs` counts matches in which both chose the category."""
    return [
        (name, *_measures(tallied, 1 + index, figures.category_kappa(tallied, index)))
        for index, name in enumerate(tallied.categories)
    ]


def by_annotators(tallied: Tally, names: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    """Rows of `BY_ANNOTATORS`, with what people are called outside `data/`."""
    first = 1 + len(tallied.categories)
    return [
        (
            " / ".join(names.get(person, person) for person in pair),
            *(names.get(person, person) for person in pair),
            *_measures(tallied, first + index, figures.kappa(tallied, 2 + index, first + index)),
        )
        for index, pair in enumerate(tallied.annotators)
    ]


def histogram(pairs: Pairs) -> list[tuple[Cell, ...]]:
    """Rows of `HISTOGRAM`: matched pairs by box IoU; a bin of 0.05 is named by its lower edge."""
    values = [iou for iou in pairs.box_iou if iou is not None]
    if not values:
        return []
    edges = np.round(np.arange(0.0, 1.0 + _BIN, _BIN), 2)
    counts, _ = np.histogram(np.clip(values, 0.0, 1.0), bins=edges)
    first = int(np.flatnonzero(counts)[0])
    return [(f"{edges[i]:.2f}", int(counts[i])) for i in range(first, len(counts))]


def rounded(value: float | None) -> float | None:
    """Six decimals: what lies beyond is arithmetic, not agreement."""
    return None if value is None else round(value, _DIGITS)


def _measures(tallied: Tally, group: int, kappa: Figure) -> tuple[Cell, ...]:
    f1, box = figures.f1(tallied, group), figures.mean_box_iou(tallied, group)
    mask = figures.mean_mask_iou(tallied, group)
    numbers = (f1.value, f1.low, f1.high, box.value, mask.value, kappa.value)
    return (*(rounded(number) for number in numbers), box.n, f1.n)
