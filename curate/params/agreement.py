"""`agreement`: how much people agree, and what they agree on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class AgreementParams(Section):
    """How much people agree, and what they agree on."""

    iou_threshold: float = Field(0.5, gt=0, le=1, description="IoU; boxes below are not the same object")
    min_votes_share: float = Field(
        0.5, ge=0.5, le=1, description="share of those who looked that must say the same (docs/agreement.md)"
    )
    mask_iou_threshold: float = Field(
        0.5, gt=0, le=1, description="IoU; masks of one object below it are disputed"
    )
    disputed: Literal["hold_back", "ignore_region"] = Field(
        "hold_back",
        description="images with a disputed object; ignore_region = released, that object marked iscrowd",
    )
    disagreement_f1: float = Field(
        0.8, ge=0, le=1, description="F1; images below are listed for another look"
    )
    label_error_probability: float = Field(
        0.5,
        gt=0,
        le=1,
        description="images with a label more probably wrong, by what a model sees, are listed; 1 = none",
    )
    without_record: Literal["hold_back", "release"] = Field(
        "hold_back", description="images of which nobody knows what was shown (docs/plan.md)"
    )
    bad_rows: Literal["clip", "skip", "refuse"] = Field(
        "clip",
        description="rows that cannot be; clip = boxes are cut at the border, other answers held back",
    )
    adjudicators: tuple[str, ...] = Field(
        (),
        description="e-mail addresses of those whose decisions count in `curate qa adjudicate`; "
        "none = of whoever decides there",
    )
    contours: bool = Field(
        True, description="true = outlines of masks are compared too, about a millisecond per pair"
    )
    bootstrap: int = Field(1000, ge=0, le=100_000, description="resamples of images for intervals; 0 = none")
    shard_size: int = Field(
        25_000,
        ge=1,
        le=1_000_000,
        description="images; of more, a worker of the engine takes so many at a time",
    )
