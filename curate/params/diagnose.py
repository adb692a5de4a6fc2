"""`diagnose`: what counts as a fault of an image, and the bands by which figures are split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from curate.params.section import Section

FaultName = Literal[
    "noisy", "blurred", "upscaled", "compressed", "blocky", "banding", "ringing", "clipped_shadows",
    "clipped_highlights", "low_entropy", "letterbox", "pillarbox", "color_cast",
]  # fmt: skip
FigureName = Literal[
    "noise", "blur", "bandwidth", "jpeg_quality", "blockiness", "banding", "ringing", "shadows", "highlights",
    "entropy", "letterbox", "pillarbox", "color_cast",
]  # fmt: skip


def _limit(default: float, description: str, *, max_value: float | None = None) -> float | None:
    limit: float | None = Field(
        default, ge=0, le=max_value, description=f"{description}; null = not looked at"
    )
    return limit


class DiagnoseParams(Section):
    """What counts as a fault of an image. Figures are those of ingest and dedupe, and banding and ringing."""

    max_noise: float | None = _limit(
        3,
        "levels of standard deviation: clean photographs have under 2, noise of 10 in a large file 3 to 4; "
        "fine texture such as grass counts as noise",
    )
    max_blur: float | None = _limit(
        0.5,
        "share of the change that a further blur leaves: sharp photographs have 0.2 to 0.35, a Gaussian "
        "blur of two pixels 0.4 to 0.7",
        max_value=1,
    )
    min_bandwidth: float | None = _limit(
        0.6,
        "share of the resolution that holds detail: photographs have 0.8 and more, enlarged twice 0.5, in "
        "large files from three times on",
        max_value=1,
    )
    min_jpeg_quality: float | None = _limit(
        75, "of the quantization table: 75 is what libjpeg takes where nobody chose", max_value=100
    )
    max_blockiness: float | None = _limit(
        0.2, "excess of differences at borders of 8x8 blocks: clean photographs have under 0.06"
    )
    max_banding: float | None = _limit(
        5, "CAMBI: about 5 is where its authors call banding slightly annoying; 0 = none"
    )
    max_ringing: float | None = _limit(
        0.1, "fall back beyond sharp edges, share of the edge: a filter that cuts off leaves 0.14"
    )
    max_shadows: float | None = _limit(
        0.25, "share of black pixels: what is in a quarter is lost", max_value=1
    )
    max_highlights: float | None = _limit(
        0.25, "share of white pixels: what is in a quarter is lost", max_value=1
    )
    min_entropy: float | None = _limit(
        3,
        "bits of the histogram of luma: eight levels would have as many; nothing is to be learned of it",
        max_value=8,
    )
    max_letterbox: float | None = _limit(
        0.02, "share of the height in plain bars above and below", max_value=1
    )
    max_pillarbox: float | None = _limit(0.02, "share of the width in plain bars at the sides", max_value=1)
    max_color_cast: float | None = _limit(
        40,
        "levels by which the mean color is further from gray than the colors differ; a table of wood has 34",
    )
    bands: dict[FigureName, tuple[float, ...]] = Field(
        {"jpeg_quality": (50, 75, 90)},
        description="edges by which a figure is split for measure.slices, in rising order",
    )
    sheet: int = Field(40, ge=0, le=200, description="images on the contact sheet of a fault; 0 = no sheets")

    @model_validator(mode="after")
    def _rising(self) -> DiagnoseParams:
        for figure, edges in self.bands.items():
            if not edges or list(edges) != sorted(set(edges)):
                raise ValueError(f"bands of {figure}: {edges} are no edges in rising order")
        return self
