"""`measure`: how near results are to the images that they should be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class MeasureParams(Section):
    """How near results are to the clean images; papers differ by color and border, so both are stated."""

    metrics: tuple[
        Literal[
            "psnr", "ssim", "ms_ssim", "ssimulacra2", "flip", "vmaf", "lpips", "dists", "niqe_here", "blur",
            "ringing",
        ],
        ...,
    ] = Field(
        ("psnr", "ssim", "ms_ssim", "ssimulacra2", "flip", "vmaf", "lpips", "dists", "niqe_here", "blur"),
        description="which; what cannot be measured on this machine is said to be not measured; niqe_here, "
        "blur and ringing look at the result alone",
    )  # fmt: skip
    color: Literal["y", "rgb"] = Field(
        "y", description="what psnr, ssim and ms_ssim look at; y = luma of BT.601"
    )
    border: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="pixels that these leave out at each side; null = the scale of the pair",
    )
    slices: tuple[str, ...] = Field(
        ("preset", "noisy", "blurred", "jpeg_quality"),
        description="columns of the pairs, faults of diagnose and figures in diagnose.bands, by which means "
        "are split",
    )
    bootstrap: int = Field(1000, ge=0, le=100_000, description="resamples of images for intervals; 0 = none")
    seed: int = Field(0, ge=0, description="of the resamples")
    worst: int = Field(12, ge=0, le=200, description="results on the contact sheet: worst, and most disputed")
