"""`release.augment`: augmented copies of the training images."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from curate.params.section import Section


class AugmentParams(Section):
    """Augmented copies of the training images, as a configuration of the data set of their own."""

    pipeline: Path | None = Field(
        None, description="YAML of an albumentations pipeline, as A.save writes it; null = no such copies"
    )
    copies: int = Field(1, ge=1, le=100, description="of each training image")
    seed: int = Field(0, ge=0, description="of all copies; the seed of each stands in its row")
