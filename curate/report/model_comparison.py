"""Two detectors on the images with known answers, as `curate models compare` found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.report.inputs import Facts, Measure

_SIDES = ("before", "after", "difference")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a category, or of all: of both detectors, and their difference."""

    category: str
    color: str | None
    figure: str
    objects: int
    before: Measure
    after: Measure
    difference: Measure


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two detectors were compared on.

    Attributes:
        before: Version of the one detector, or its name where it was not asked.
        after: Of the other.
        images: With known answers, that both looked at.
        objects: In them.
        iou_threshold: From which a suggestion is right.
        left_out: Number of images with known answers that do not count, by reason.
        reason: Why nothing could be compared; None = it could.
        fitted: Whether the thresholds were fitted for the new detector; None = they were set by hand.
        current: Whether it is the new detector that makes today's suggestions.
        moved: Whether it was compared with other thresholds than today's.
        rows: The figures.
    """

    before: str
    after: str
    images: int
    objects: int
    iou_threshold: float
    left_out: Mapping[str, int]
    reason: str | None
    fitted: bool | None
    current: bool
    moved: bool
    rows: tuple[Row, ...]


def comparison(facts: Facts) -> Comparison | None:
    """The last comparison of the project; None where there was none."""
    found = facts.metrics.get("model_comparison")
    if found is None:
        return None
    after = found["after"]["model_version"] or found["after"]["model"]
    today = str(facts.metrics.get("autolabel", {}).get("model_version") or "")
    return Comparison(
        before=found["before"]["model_version"] or found["before"]["model"],
        after=after,
        images=found["images"],
        objects=found["objects"],
        iou_threshold=found["iou_threshold"],
        left_out=found["left_out"],
        reason=found["reason"],
        fitted=found["after"]["fitted"],
        current=today == after or today.startswith(f"{after}+"),
        moved=dict(found["after"]["thresholds"]) != dict(facts.thresholds),
        rows=tuple(_row(row, facts) for row in found["figures"]),
    )


def _row(row: Mapping[str, Any], facts: Facts) -> Row:
    category = row["category"]
    measures = {side: Measure(**row[side]) for side in _SIDES}
    return Row(category, facts.colors.get(category), row["figure"], row["objects"], **measures)
