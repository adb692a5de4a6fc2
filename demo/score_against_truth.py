"""Holds the demo's own run against the truth that its generator wrote: metrics/demo.json.

No stage reads the truth file; only this program and the SIMULATED labelers do.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curate import schema, tables
from curate.errors import InputError
from curate.geometry import masks, matching
from demo.score_label_errors import label_errors

IOU_THRESHOLD = 0.5
FAULTS = {"empty", "not_image", "truncated"}


@dataclass(slots=True)
class _Tally:
    """Objects of one category, or of all: right ones, wrong ones, missed ones."""

    true_positives: int = 0
    found: int = 0
    present: int = 0
    box_iou: list[float] = field(default_factory=list)
    mask_iou: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float | int | None]:
        precision = self.true_positives / self.found if self.found else None
        recall = self.true_positives / self.present if self.present else None
        total = self.found + self.present
        return {
            "objects": self.present,
            "precision": precision,
            "recall": recall,
            "f1": 2 * self.true_positives / total if total else None,
            "mean_box_iou": float(np.mean(self.box_iou)) if self.box_iou else None,
            "mean_mask_iou": float(np.mean(self.mask_iou)) if self.mask_iou else None,
        }


def write(root: Path) -> str:
    """Score the tables under `root`, write metrics/demo.json, and return a line per figure.

    Raises:
        InputError: The truth file is missing: these are not the demo's images.
    """
    truth_path = root / "data/demo/truth.json"
    if not truth_path.exists():
        raise InputError(f"{truth_path} does not exist: only the demo's own images have a truth")
    truth: Mapping[str, Any] = json.loads(truth_path.read_text(encoding="utf-8"))["files"]
    images = tables.read(root / "data/dedupe/images.parquet", schema.IMAGES).to_pylist()
    consensus = tables.read(root / "data/agreement/consensus.parquet", schema.ANNOTATIONS).to_pylist()
    proposals = tables.read(root / "data/autolabel/annotations.parquet", schema.ANNOTATIONS).to_pylist()
    known = {row["image_id"] for row in consensus}  # what is disputed somebody must still decide
    settled = [image for image in images if image["image_id"] in known]
    figures = {
        "faulty_files": _faulty_files(truth, images),
        "near_duplicates": _near_duplicates(truth, images),
        "model": _objects(truth, images, proposals),
        "consensus": _objects(truth, settled, consensus),
        "label_errors": label_errors(root, truth, images),
    }
    with tables.replacing(root / "metrics/demo.json") as partial:
        partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return "\n".join(_lines(figures))


def _faulty_files(truth: Mapping[str, Any], images: list[dict[str, Any]]) -> dict[str, int]:
    """How many of the planted faulty files were dropped by ingest, and how many good ones with them."""
    dropped = {
        source
        for image in images
        if image["drop_reason"] not in (None, "near_duplicate")
        for source in image["sources"]
    }
    planted = {path for path, entry in truth.items() if entry["kind"] in FAULTS}
    return {
        "planted": len(planted),
        "dropped": len(planted & dropped),
        "good_files_dropped": len((dropped & truth.keys()) - planted),
    }


def _near_duplicates(truth: Mapping[str, Any], images: list[dict[str, Any]]) -> dict[str, float | int | None]:
    """Precision and recall of tied pairs (an image and its keeper, as a copy or a variant) against the truth.

    A variant is kept and tied to its keeper's split: found as well, counted by itself.
    """
    family = {path: entry["of"] or path for path, entry in truth.items()}
    families = [{family[source] for source in image["sources"] if source in family} for image in images]
    by_id = {image["image_id"]: names for image, names in zip(images, families, strict=True)}
    kept: dict[str, int] = defaultdict(int)
    right = found = variants = 0
    for image, names in zip(images, families, strict=True):
        other = image["duplicate_of"] or image["variant_of"]
        if other is not None and image["drop_reason"] in (None, "near_duplicate"):
            found += 1
            variants += image["drop_reason"] is None
            right += bool(names & by_id[other])
        elif image["drop_reason"] is None:
            for name in names:
                kept[name] += 1
    surplus = sum(count - 1 for count in kept.values())
    return {
        "dropped": found - variants,
        "variants": variants,
        "precision": right / found if found else None,
        "recall": right / (right + surplus) if right + surplus else None,
    }


def _objects(
    truth: Mapping[str, Any], images: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Detection figures at IoU 0.5 over the images that were kept and that have a truth."""
    drawn: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["outcome"] == "object":
            drawn[row["image_id"]].append(row)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for image in images:
        source = next((name for name in image["sources"] if name in truth), None)
        if image["drop_reason"] is None and source is not None:
            _add(tallies, truth[source]["objects"], drawn[image["image_id"]], image)
    overall = tallies.pop("overall", _Tally()).figures()
    return {**overall, "by_category": {name: tallies[name].figures() for name in sorted(tallies)}}


def _add(
    tallies: dict[str, _Tally],
    present: list[dict[str, Any]],
    found: list[dict[str, Any]],
    image: dict[str, Any],
) -> None:
    for entry in present:
        for name in ("overall", entry["category"]):
            tallies[name].present += 1
    for entry in found:
        for name in ("overall", entry["category"]):
            tallies[name].found += 1
    matches = matching.match(
        [entry["bbox_xyxy"] for entry in present],
        [entry["bbox_xyxy"] for entry in found],
        [entry["category"] for entry in present],
        [entry["category"] for entry in found],
        iou_threshold=IOU_THRESHOLD,
    )
    size = {"width": image["width"], "height": image["height"]}
    for a, b, iou in zip(matches.a, matches.b, matches.iou, strict=True):
        if present[a]["category"] != found[b]["category"]:
            continue
        for name in ("overall", present[a]["category"]):
            tally = tallies[name]
            tally.true_positives += 1
            tally.box_iou.append(float(iou))
            if found[b]["rle"] is not None:
                tally.mask_iou.append(
                    float(masks.rle_iou([present[a]["rle"]], [found[b]["rle"]], **size)[0, 0])
                )


def _lines(figures: Mapping[str, Any]) -> Iterable[str]:
    faults, pairs = figures["faulty_files"], figures["near_duplicates"]
    yield (
        f"faulty files: {faults['dropped']} of {faults['planted']} planted ones dropped, "
        f"{faults['good_files_dropped']} good ones with them"
    )
    yield (
        f"near-duplicates: precision {_percent(pairs['precision'])}, recall {_percent(pairs['recall'])} "
        f"({pairs['dropped']} dropped, {pairs['variants']} kept as variants)"
    )
    errors = figures["label_errors"]
    yield (
        f"label errors: {errors['right']} of {errors['listed']} listed ones are some; found in "
        f"{errors['of_these_found']} of {errors['images_with_a_planted_error_left_in']} images in which a "
        "planted error was left"
    )
    for name, which in (("model", ""), ("consensus", ", of images where people agree")):
        part = figures[name]
        yield (
            f"{name} against the truth{which}: F1 {_percent(part['f1'])} at IoU {IOU_THRESHOLD}, "
            f"mean box IoU {_percent(part['mean_box_iou'])}, mean mask IoU {_percent(part['mean_mask_iou'])}"
        )


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}%"
