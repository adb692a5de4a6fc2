"""`autolabel`: what the models propose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.section import Section

_SHA256 = r"^[0-9a-f]{64}$"


class DetectorParams(Section):
    """The zero-shot detector that proposes boxes."""

    kind: Literal["transformers", "groundingdino", "none"] = Field(
        "transformers",
        description="adapter that loads the weights; none = no model: imported suggestions only",
    )
    model: str = Field(
        "IDEA-Research/grounding-dino-tiny",
        description="Hub id, a local folder or .pth file, or a public file's name",
    )
    revision: str = Field("main", description="Hub revision; ignored for a local path")
    sha256: str | None = Field(
        None, pattern=_SHA256, description="of the weights file; others are refused; null = not checked"
    )
    config: Literal["SwinT_OGC", "SwinB"] | None = Field(
        None, description="groundingdino only: architecture; null = as the file's public name says"
    )
    prompt_score: Literal["mean", "max"] = Field(
        "mean", description="a box's score for a prompt: mean or max over the prompt's tokens"
    )
    texts: Literal["joint", "per_category"] = Field(
        "joint", description="per_category = a text each: slower, but a prompt changes only its own scores"
    )
    batch_size: int = Field(0, ge=0, le=512, description="images per forward pass; 0 = found automatically")


class SegmenterParams(Section):
    """The SAM that turns boxes into masks."""

    kind: Literal["segment_anything", "transformers", "none"] = Field(
        "segment_anything", description="adapter that loads the weights; none = boxes only"
    )
    model: str = Field(
        "sam_vit_b_01ec64.pth",
        description="Hub id, a local folder or .pth file, or a public file's name",
    )
    revision: str = Field("main", description="Hub revision; ignored for a local path")
    sha256: str | None = Field(
        None, pattern=_SHA256, description="of the weights file; others are refused; null = not checked"
    )
    build: Literal["vit_b", "vit_l", "vit_h", "tiny"] | None = Field(
        None, description="segment_anything only: architecture; null = as the file's public name says"
    )


class MaskParams(Section):
    """What is taken over from a segmenter's mask."""

    max_hole: float = Field(0.01, ge=0, le=1, description="share of the mask; smaller holes are filled")
    max_island: float = Field(0.01, ge=0, le=1, description="share of the mask; smaller islands are removed")
    min_box_iou: float = Field(
        0.0, ge=0, le=1, description="IoU of the mask's box with the detector's; below, the box has no mask"
    )


class AutolabelParams(Section):
    """What the models propose."""

    taxonomy: Path = Field(Path("taxonomy.yaml"), description="categories with prompts and thresholds")
    detector: DetectorParams = Field(default_factory=DetectorParams)
    segmenter: SegmenterParams = Field(default_factory=SegmenterParams)
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto = cuda, mps or cpu, in that order"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of the models' sums; auto = half precision on cuda, float32 elsewhere"
    )
    min_side: float = Field(1.0, ge=0, description="pixels; a box with a shorter side is dropped")
    nms_iou: float = Field(0.6, ge=0, le=1, description="IoU; a lower-scored overlapping box is dropped")
    containment: float | None = Field(
        None, gt=0, le=1, description="share of a box inside another of its category; null = may be nested"
    )
    across: Literal["keep_best", "keep_both"] = Field(
        "keep_best", description="keep_both = boxes of different categories may overlap"
    )
    max_boxes: int = Field(100, ge=1, le=10_000, description="boxes per image, best scores first")
    keep_rejects: bool = Field(False, description="true = dropped boxes keep a row, with the reason")
    masks: MaskParams = Field(default_factory=MaskParams)
    min_score: float = Field(
        0.05, ge=0, le=1, description="boxes from here on are kept aside; thresholds above need no model"
    )
    workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="processes with models; 0 = one per GPU, or one per core as memory allows",
    )
    max_pixels: int = Field(100_000_000, ge=1, description="per image; larger ones are not read, and fail")
    max_failures: int = Field(100, ge=0, description="images; with more than so many the stage stops")
    shard_size: int = Field(64, ge=1, le=100_000, description="images; what a killed run repeats at most")
