"""`dedupe`: which images are the same picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.section import Section


class SemanticParams(Section):
    """Near-duplicates by meaning: an optional third step."""

    model: str | None = Field(
        None, description="Hub id or folder of an image encoder, such as facebook/dinov2-small; null = off"
    )
    revision: str = Field("main", description="Hub revision; ignored for a local path")
    min_cosine: float = Field(0.95, ge=-1, le=1, description="cosine; images at least this alike are one")
    batch_size: int = Field(32, ge=1, le=4096, description="images per forward pass")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto = cuda, mps or cpu, in that order"
    )


def _share(description: str) -> float | None:
    limit: float | None = Field(None, ge=0, le=1, description=f"share of {description}")
    return limit


def _figure(description: str) -> float | None:
    limit: float | None = Field(None, ge=0, description=description)
    return limit


class QualityLimits(Section):
    """Images dropped for their technical quality; null = the figure is reported only."""

    max_noise: float | None = _figure("levels of standard deviation")
    max_blur: float | None = _share("change between neighbors that a further blur leaves; 1 = all blurred")
    min_log_laplacian: float | None = _figure("logarithm of 1 + the variance of the Laplacian")
    min_jpeg_quality: float | None = Field(
        None, ge=1, le=100, description="of the quantization table, 1..100"
    )
    max_blockiness: float | None = _figure("excess of differences at borders of 8x8 blocks; 0 = no blocks")
    max_shadows: float | None = _share("black pixels")
    max_highlights: float | None = _share("white pixels")
    min_contrast: float | None = _figure("levels of standard deviation of luma")
    max_color_cast: float | None = _figure(
        "levels by which the mean color is further from gray than the colors differ"
    )
    min_entropy: float | None = Field(None, ge=0, le=8, description="bits of the histogram of luma")
    max_letterbox: float | None = _share("the height in plain bars above and below")
    max_pillarbox: float | None = _share("the width in plain bars at the sides")
    min_bandwidth: float | None = _share("the resolution that holds detail; about 0.5 = enlarged twice")


class DedupeParams(Section):
    """Which images are the same picture."""

    hash: Literal["phash", "dhash", "ahash", "whash", "colorhash"] = Field(
        "phash", description="what finds candidates; all but phash are imagehash's own functions"
    )
    decode: Literal["fast", "exact"] = Field(
        "fast", description="fast = luma at reduced size; exact = every pixel, hashed by imagehash"
    )
    max_hamming: int | None = Field(
        None, ge=0, le=64, description="bits between candidates; null = chosen from the number of images"
    )
    turned: Literal["none", "mirrored", "all"] = Field(
        "mirrored", description="turned copies to find; all = mirrored, and rotated by 90 degrees"
    )
    crops: bool = Field(True, description="true = find crops and added borders too")
    min_correlation: float = Field(
        0.5, ge=0, le=1, description="of luma's steps, after alignment, for two images to be one"
    )
    linkage: Literal["keeper", "complete"] = Field(
        "keeper", description="keeper = members verified against it; complete = against each other too"
    )
    variants: Literal["keep", "drop"] = Field(
        "keep", description="one scene, locally different: keep = both stay, in one split; drop = as copies"
    )
    prefer: tuple[str, ...] = Field(
        (), description="names of sources, best first, whose images are kept where nothing tells the original"
    )
    decisions: Path | None = Field(None, description="CSV of what people decided about images and pairs")
    quality: QualityLimits = Field(default_factory=QualityLimits)
    semantic: SemanticParams = Field(default_factory=SemanticParams)
