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
    batch_size: int = Field(32, ge=1, le=4096, description="images a forward pass")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto = cuda, mps or cpu, in that order"
    )


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
    semantic: SemanticParams = Field(default_factory=SemanticParams)
