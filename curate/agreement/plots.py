"""Data files for `dvc plots`, and the queue of images to look at again: CSV, always with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from curate import tables
from curate.agreement import figures
from curate.agreement.by_annotator import Answers
from curate.agreement.consensus import DISPUTES
from curate.agreement.figures import Tally
from curate.agreement.pairs import Pairs
from curate.intervals import Figure

BY_CATEGORY = ("category", "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects")
HISTOGRAM = ("bin", "count")
BY_ANNOTATORS = (
    "pair", "annotator_a", "annotator_b",
    "f1", "f1_low", "f1_high", "mean_iou", "mask_iou", "kappa", "pairs", "objects",
)  # fmt: skip
QUEUE = ("image_id", "path", "reason", "f1", "mean_iou")
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


def queue(
    tallied: Tally,
    answers: Answers,
    paths: Mapping[str, str],
    disputed: Mapping[str, str],
    *,
    least_f1: float,
) -> list[tuple[Cell, ...]]:
    """Rows of `QUEUE`: images that need another look, worst first.

    Reasons, the first that applies: "skipped" (everyone skipped it); what `consensus.disputed` says;
    "partly_skipped" (some did); "low_f1" (F1 of the annotators below `least_f1`).
    """
    f1, iou = figures.per_image(tallied)
    position = {image_id: row for row, image_id in enumerate(tallied.images)}
    rows: list[tuple[Cell, ...]] = []
    for image_id in sorted({*answers.skipped, *tallied.images, *disputed}):
        row = position.get(image_id)
        image_f1 = None if row is None or np.isnan(f1[row]) else float(f1[row])
        image_iou = None if row is None or np.isnan(iou[row]) else float(iou[row])
        if image_id in disputed:
            reason = disputed[image_id]
        elif image_id in answers.skipped:
            reason = "partly_skipped" if image_id in answers.by_image else "skipped"
        elif image_f1 is not None and image_f1 < least_f1:
            reason = "low_f1"
        else:
            continue
        rows.append((image_id, paths[image_id], reason, rounded(image_f1), rounded(image_iou)))
    rows.sort(
        key=lambda cells: (cells[2] != "skipped", *(-1.0 if c is None else c for c in cells[3:]), cells[0])
    )
    return rows


def with_held_back(
    rows: Sequence[tuple[Cell, ...]], held_back: Mapping[str, str], paths: Mapping[str, str]
) -> list[tuple[Cell, ...]]:
    """The queue with images first that are not released, with their reasons.

    Args:
        rows: Of the queue.
        held_back: Reason by image, in the order of the queue: "unreadable" (what somebody drew is not known),
            "planted_error" (somebody did not look) or "not_joined" (nobody knows what was shown). Disputed
            images have their place among the rows already.
        paths: Upright files by image.
    """
    others = {key: reason for key, reason in held_back.items() if reason not in DISPUTES}
    first: list[tuple[Cell, ...]] = [
        (key, paths[key], reason, None, None) for key, reason in others.items() if key in paths
    ]
    return [*first, *(cells for cells in rows if cells[0] not in others)]


def rounded(value: float | None) -> float | None:
    """Six decimals: what lies beyond is arithmetic, not agreement."""
    return None if value is None else round(value, _DIGITS)


def _measures(tallied: Tally, group: int, kappa: Figure) -> tuple[Cell, ...]:
    f1, box = figures.f1(tallied, group), figures.mean_box_iou(tallied, group)
    mask = figures.mean_mask_iou(tallied, group)
    numbers = (f1.value, f1.low, f1.high, box.value, mask.value, kappa.value)
    return (*(rounded(number) for number in numbers), box.n, f1.n)
