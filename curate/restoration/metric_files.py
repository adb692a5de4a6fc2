"""The CSV files of measure: means by model, metric and slice; the results that deserve a look."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from curate import tables
from curate.restoration import metric_summary

SUMMARY: Final = (
    *("model", "metric", "slice", "slice_value", "mean", "low", "high", "n", "not_measured"),
    *("difference", "difference_low", "difference_high", "left_out", "why_left_out"),
)
WORST: Final = ("why", "model", "pair_id", "metric", "against", "value")


def write_summary(path: Path, rows: Sequence[metric_summary.Row]) -> None:
    """A row per figure; empty where there is none.

    Raises:
        StorageError: The disk is full or refuses.
    """
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SUMMARY)
        for row in rows:
            figures = (row.mean.value, row.mean.low, row.mean.high, row.mean.n, row.not_measured)
            difference = (row.difference.value, row.difference.low, row.difference.high)
            place = (row.model, row.metric, row.slice, row.slice_value)
            writer.writerow([*place, *figures, *difference, row.left_out, row.why_left_out])


def write_worst(
    path: Path, values: metric_summary.Values, better: Mapping[str, bool], *, max_results: int
) -> None:
    """Worst by each model and metric, then what metrics dispute within each model.

    Raises:
        StorageError: The disk is full or refuses.
    """
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(WORST)
        for (model, metric), found in sorted(values.items()):
            for pair in metric_summary.worst(
                found, higher_is_better=better.get(metric, True), max_results=max_results
            ):
                writer.writerow(["worst", model, pair, metric, "", found[pair]])
        for model in sorted({model for model, _ in values}):
            of_model = {metric: found for (one, metric), found in values.items() if one == model and found}
            for pair, likes, other in metric_summary.disputed(of_model, better, max_results=max_results):
                writer.writerow(["disputed", model, pair, likes, other, of_model[likes][pair]])
