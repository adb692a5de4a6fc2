"""`pairs`: clean images with small and bad partners, to train and to measure upscalers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from curate.params.diagnose import FaultName
from curate.params.section import Section


class PairsParams(Section):
    """Clean images with small and bad partners, to train and to measure upscalers."""

    preset: str = Field(
        "real_esrgan",
        description="what is done to clean images: real_esrgan (second order, its published ranges), "
        "classical (bicubic), video (codecs), or one of `presets`",
    )
    presets: Path | None = Field(None, description="YAML file of presets of your own; null = none")
    scale: int = Field(4, ge=1, le=16, description="times that the partner is smaller, a side")
    crop: int = Field(480, ge=0, le=16_384, description="pixels of a sub-image's side; 0 = whole images")
    step: int = Field(240, ge=1, le=16_384, description="pixels from one sub-image to the next")
    min_rest: int = Field(
        0,
        ge=0,
        le=16_384,
        description="pixels; a rest at the far edge that is longer has a sub-image of its own",
    )
    sizes: tuple[float, ...] = Field(
        (1.0,), min_length=1, description="factors by which images are resized before they are cut"
    )
    per_place: int = Field(1, ge=1, le=1000, description="partners of a sub-image, each drawn anew")
    seed: int = Field(0, ge=0, description="of everything that is drawn; the same gives the same bytes")
    png_level: int | None = Field(
        None,
        ge=0,
        le=9,
        description="zlib level of the files: 0 = fast, 9 = small; null = by lengths of runs, faster than 4 "
        "and for photographs as small",
    )
    against: Path | None = Field(
        None, description="index of a test set (`curate dedupe index`): its pictures get no pair; null = none"
    )

    exclude_faults: tuple[FaultName, ...] = Field(
        (), description="faults that diagnose finds, such as noisy; an image with one gets no pair"
    )

    @model_validator(mode="after")
    def _fits(self) -> PairsParams:
        if not all(0 < size <= 1 for size in self.sizes):
            raise ValueError(f"sizes {self.sizes}: factors are above 0 and at most 1")
        if self.crop % self.scale:
            raise ValueError(f"crop {self.crop} is no multiple of scale {self.scale}")
        return self
