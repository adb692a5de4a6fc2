"""`qa`: who must look at what."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.choose import ChooseParams
from curate.params.section import Section


class QaParams(Section):
    """Who must look at what (docs/plan.md). A size below 1 is a share of the images, from 1 on a number."""

    audit: float = Field(0.0, ge=0, description="size of the random audit sample")
    margin: float = Field(
        0.05, gt=0, lt=0.5, description="wanted margin of error of a share found in the audit sample"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="probability that the margin holds")
    uncertain: float = Field(
        0.0, ge=0, description="how many of the images that the models are least sure of"
    )
    near_score: float = Field(
        0.1, gt=0, le=1, description="of score; so close to a threshold, or to another category, is uncertain"
    )
    mask_iou: float = Field(
        0.7, gt=0, le=1, description="IoU of a mask's box with the detector's; below, the image is uncertain"
    )
    rare_floor: int = Field(0, ge=0, description="images of each category that people look at, at least")
    choose: ChooseParams = Field(default_factory=ChooseParams)
    overlap_share: float = Field(
        0.3, ge=0, le=1, description="share of images that `overlap` labelers see, blind"
    )
    overlap: int = Field(2, ge=1, le=20, description="labelers an overlap image")
    gold: Path | None = Field(
        None, description="file with known answers, or a folder of such files: docs/plan.md"
    )
    gold_share: float = Field(1.0, ge=0, le=1, description="share of the gold images that a round shows")
    gold_round: int = Field(0, ge=0, description="raise it, and other gold images are shown too")
    gold_labelers: int = Field(1, ge=1, le=20, description="labelers a gold image")
    control_share: float = Field(0.05, ge=0, le=1, description="share of images without suggestions")
    seeded_errors: float = Field(
        0.0, ge=0, le=1, description="share of images with suggestions, one of which is made wrong on purpose"
    )
    rest: Literal["review", "none"] = Field(
        "review", description="all other images; review = one person looks at each"
    )
    auto_accept: bool = Field(
        False, description="true = images of confident suggestions are released without a human"
    )
    accept_margin: float = Field(
        0.1, ge=0, le=1, description="of score; how far over its fitted threshold a box is confident"
    )
    accept_precision: float = Field(
        0.95, gt=0, lt=1, description="that the thresholds must have been fitted for, at least"
    )
    blind: Literal["server", "strict"] = Field(
        "server", description="strict = a project of their own for each of `people`"
    )
    people: tuple[str, ...] = Field(
        (), description="e-mail addresses of the labelers; needed by blind: strict"
    )
    seed: int = Field(0, ge=0, description="of every random choice")
    labelers: Literal["people", "simulated"] = Field(
        "people", description="who annotates; stated in the card"
    )
    allow_partial: bool = Field(False, description="true = continue with the work that is done")
