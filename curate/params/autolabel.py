"""`autolabel`: what the models propose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.section import Section


class DetectorParams(Section):
    """The Grounding DINO that proposes boxes."""

    kind: Literal["transformers", "groundingdino"] = Field(
        "transformers", description="adapter that loads the weights"
    )
    model: str = Field(
        "IDEA-Research/grounding-dino-tiny", description="Hub id, or a local folder or .pth file"
    )
    revision: str = Field("main", description="Hub revision; ignored for a local path")
    config: str | None = Field(None, description="groundingdino only: SwinT_OGC or SwinB")
    prompt_score: Literal["mean", "max"] = Field(
        "mean", description="a box's score for a prompt: mean or max over the prompt's tokens"
    )
    batch_size: int = Field(4, ge=1, le=512, description="images a forward pass")


class SegmenterParams(Section):
    """The SAM that turns boxes into masks."""

    kind: Literal["segment_anything", "none"] = Field("segment_anything", description="none = boxes only")
    build: Literal["vit_b", "vit_l", "vit_h", "tiny"] = Field(
        "vit_b", description="architecture of the checkpoint"
    )
    checkpoint: Path = Field(Path("models/sam_vit_b_01ec64.pth"), description="local .pth file")


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
    min_side: float = Field(1.0, ge=0, description="pixels; a box with a shorter side is dropped")
    nms_iou: float = Field(0.6, ge=0, le=1, description="IoU; a lower-scored overlapping box is dropped")
    containment: float | None = Field(
        None, gt=0, le=1, description="share of a box inside another of its category; null = may be nested"
    )
    across: Literal["keep_best", "keep_both"] = Field(
        "keep_best", description="keep_both = boxes of different categories may overlap"
    )
    max_boxes: int = Field(100, ge=1, le=10_000, description="boxes an image, best scores first")
    keep_rejects: bool = Field(False, description="true = dropped boxes keep a row, with the reason")
    masks: MaskParams = Field(default_factory=MaskParams)
    shard_size: int = Field(64, ge=1, le=100_000, description="images; what a killed run repeats at most")
