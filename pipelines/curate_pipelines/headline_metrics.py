"""The few figures of each stage that `dvc metrics show` prints; the rest stands in metrics/<stage>.json."""

from __future__ import annotations

from collections.abc import Mapping

# Column of the table, and where its value stands in the stage's metrics. DVC prints the union of all columns.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "ingest": {"files": "counts.files", "images": "counts.images", "dropped": "counts.dropped"},
    "dedupe": {"images": "counts.kept", "dropped": "counts.near-duplicates_dropped"},
    "autolabel": {"images": "counts.images", "objects": "counts.boxes", "score": "mean_score"},
    "embed": {"images": "counts.vectors"},
    "select": {"images": "counts.tasks", "looks": "counts.labeler_slots"},
    "push": {"images": "counts.tasks"},
    "pull": {"images": "counts.tasks_done", "looks": "counts.answers", "objects": "counts.objects"},
    "quality": {"looks": "counts.answers", "f1": "gold.f1.value", "saved": "time.saved.value"},
    "agreement": {
        "objects": "counts.consensus_objects",
        "f1": "f1.value",
        "box_iou": "mean_box_iou.value",
        "mask_iou": "mean_mask_iou.value",
        "kappa": "kappa.value",
        "disputed": "counts.to_look_at_again",
    },
    "release": {"images": "counts.images", "objects": "counts.objects"},
    "publish": {"files": "counts.files"},
    "pairs": {"images": "counts.images", "objects": "counts.pairs"},
    "upscale": {"images": "counts.images"},
    "measure": {"images": "counts.results"},
    "vote": {"looks": "counts.votes"},
    "release_pairs": {"objects": "counts.pairs", "files": "counts.files"},
}


def of(stage: str, metrics: Mapping[str, object]) -> dict[str, object]:
    """The stage's columns with their values; a value that the stage did not report is null."""
    return {column: _at(metrics, location) for column, location in COLUMNS[stage].items()}


def _at(metrics: Mapping[str, object], location: str) -> object:
    current: object = metrics
    for name in location.split("."):
        current = current.get(name) if isinstance(current, Mapping) else None
    return round(current, 4) if isinstance(current, float) else current
