"""The top of the page: the figures that decide, each with its interval, and the gates of the release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curate.report.inputs import Facts, Measure, measure

MIN_IMAGES: Final = 10  # that several people saw: fewer make no headline


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the headline; `why` is why there is none, or no interval."""

    name: str
    what: str
    figure: Measure
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of the release: `state` is passed, failed or allowed to fail."""

    name: str
    requirement: str
    state: str
    found: str
    help: str


def tiles(facts: Facts) -> list[Tile]:
    """Agreement as the stage measured it. Of fewer than ten images it is told that they are too few."""
    metrics = facts.metrics.get("agreement", {})
    seen = facts.count("agreement", "seen_by_several") or 0
    min_iou = facts.limit("agreement", "iou_threshold")
    told = (
        ("F1", f"objects found by both{'' if min_iou is None else f', at IoU {min_iou:g}'}", "f1"),
        ("Box IoU", "mean overlap of matched boxes", "mean_box_iou"),
        ("Mask IoU", "mean overlap of matched masks", "mean_mask_iou"),
        ("Kappa", "same category, beyond chance", "kappa"),
    )
    if seen < MIN_IMAGES:
        few = f"{seen} of at least {MIN_IMAGES} images were seen by several people: too few to say"
        return [Tile(name, what, Measure(None), few) for name, what, _ in told]
    found = [(name, what, measure(metrics, key)) for name, what, key in told]
    return [Tile(name, what, one, one.reason) for name, what, one in found]


def overlap(facts: Facts) -> int:
    """Images that several people saw."""
    return facts.count("agreement", "seen_by_several") or 0


def gates(facts: Facts) -> list[Gate]:
    """The gates of the last release or try, failed ones first."""
    found = []
    for row in facts.gates:
        state = "passed" if row.get("passed") else "allowed" if row.get("allowed") else "failed"
        why = f"allowed: {row['allowed']}" if state == "allowed" else str(row.get("help") or "")
        name, wanted, there = (str(row.get(key) or "") for key in ("name", "requirement", "found"))
        found.append(Gate(name, wanted, state, there, why))
    order = {"failed": 0, "allowed": 1, "passed": 2}
    return sorted(found, key=lambda gate: order[gate.state])
