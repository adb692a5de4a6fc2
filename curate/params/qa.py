"""`qa`: who must look at what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class QaParams(Section):
    """Who must look at what."""

    overlap_share: float = Field(
        0.3, ge=0, le=1, description="share of images that `overlap` labelers see, blind"
    )
    overlap: int = Field(2, ge=1, le=20, description="labelers an overlap image")
    seed: int = Field(0, ge=0, description="of the overlap sample")
    labelers: Literal["people", "simulated"] = Field(
        "people", description="who annotates; stated in the card"
    )
    allow_partial: bool = Field(False, description="true = continue with the work that is done")
