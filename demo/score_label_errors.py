"""How many of the demo's listed label errors are some, and whether planted errors left in are found."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate import schema, tables
from curate.geometry.boxes import box_iou

_LISTED = 0.5  # probability: default of agreement.label_error_probability
_SAME, _WELL_PLACED = 0.5, 0.7  # IoU with the true object
Rows = Sequence[Mapping[str, Any]]


def label_errors(root: Path, truth: Mapping[str, Any], images: Rows) -> dict[str, int]:
    """Count label errors for metrics/demo.json.

    Args:
        root: The demo's folder.
        truth: What was drawn, by the name of the raw file.
        images: Rows of the images table.
    """
    objects = tables.read(root / "data/agreement/objects.parquet", schema.CONSENSUS_OBJECTS).to_pylist()
    labels: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in objects:
        if row["outcome"] == "object":
            labels[row["image_id"]].append(row)
    there = {
        image["image_id"]: truth[name]["objects"]
        for image in images
        for name in image["sources"]
        if name in truth
    }
    listed = [row for row in _csv(root / "data/agreement/label_errors.csv") if _sure(row)]
    known = [row for row in listed if row["image_id"] in there]
    kept_in = [
        row["image_id"] for row in _csv(root / "data/agreement/queue.csv") if row["reason"] == "planted_error"
    ]
    found = {row["image_id"] for row in listed}
    return {
        "listed": len(known),
        "right": sum(_right(row, labels[row["image_id"]], there[row["image_id"]]) for row in known),
        "images_with_a_planted_error_left_in": len(kept_in),
        "of_these_found": sum(image_id in found for image_id in kept_in),
    }


def _right(row: Mapping[str, str], labels: Rows, there: Rows) -> bool:
    """Whether the label, or that there is none, contradicts the truth."""
    box = [float(row[edge]) for edge in ("x1", "y1", "x2", "y2")]
    if row["kind"] == "missed":
        meant = [entry for entry in there if _iou(box, entry) >= _SAME]
        return any(all(_iou(entry["bbox_xyxy"], label) < _SAME for label in labels) for entry in meant)
    min_iou = _WELL_PLACED if row["kind"] == "location" else _SAME
    return not any(entry["category"] == row["category"] and _iou(box, entry) >= min_iou for entry in there)


def _iou(box: Sequence[float], entry: Mapping[str, Any]) -> float:
    return float(box_iou([box], [entry["bbox_xyxy"]])[0, 0])


def _sure(row: Mapping[str, str]) -> bool:
    return row["probability"] != "undefined" and float(row["probability"]) > _LISTED


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
