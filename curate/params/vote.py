"""`vote`: which model people like better."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class VoteParams(Section):
    """Which model looks better, by comparisons of pairs."""

    raters: Literal["none", "simulated", "labelstudio"] = Field(
        "none",
        description="who is asked; labelstudio = people, on the server; simulated = a program that follows "
        "`metric` with noise, which measures nothing but this stage; none = the comparisons are planned and "
        "nobody is asked",
    )
    number: int = Field(3, ge=1, le=1000, description="raters who see each comparison")
    max_pairs: int = Field(
        40, ge=1, le=100_000, description="pairs (of the stage pairs) whose results are compared, at most"
    )
    repeat_share: float = Field(
        0.1, ge=0, le=1, description="comparisons that are asked twice, sides exchanged"
    )
    attention_share: float = Field(
        0.05, ge=0, le=1, description="checks for each comparison: clean against spoilt"
    )
    min_attention: float = Field(
        0.8,
        ge=0,
        le=1,
        description="share of checks that a rater must pass for the votes to count; 0 = all count",
    )
    allow_partial: bool = Field(
        False, description="raters labelstudio only: go on with the votes that are there"
    )
    metric: str = Field("ssim", description="raters simulated only: what they go by, one of measure.metrics")
    noise: float = Field(
        1.0, gt=0, le=100, description="raters simulated only: times the spread of the metric"
    )
    round_pairs: int = Field(10, ge=1, description="pairs of a round, after which it may stop")
    bootstrap: int = Field(500, ge=0, le=100_000, description="resamples of images for intervals")
    seed: int = Field(0, ge=0, description="of sides, order, repeats and resamples")
