"""`quality`: how well and how fast people label."""

from __future__ import annotations

from pydantic import Field

from curate.params.section import Section


class QualityParams(Section):
    """How well and how fast people label: docs/lead.md."""

    iou_threshold: float = Field(0.5, gt=0, le=1, description="IoU; boxes below are not the same object")
    gold_alert_f1: float = Field(
        0.8, ge=0, le=1, description="F1 on gold; a labeler whose whole interval lies below is named"
    )
    gold_min_images: int = Field(
        10, ge=2, le=10_000, description="gold answers of a labeler, below which nothing is concluded"
    )
    gold_window: int = Field(
        20, ge=2, le=10_000, description="gold answers that the running chart looks back"
    )
    idle_cap_s: float | None = Field(
        None,
        gt=0,
        description="seconds from which on an answer is idle; null = from the spread of the times",
    )
    tolerance_px: float = Field(
        0.5, ge=0, description="pixels; a suggestion whose edges moved no further was accepted"
    )
    bootstrap: int = Field(1000, ge=0, le=100_000, description="resamples of images for intervals; 0 = none")
