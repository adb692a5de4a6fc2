"""params.yaml as pydantic models: every knob, its unit and its range; unknown names are refused.

The comments in params.yaml and docs/parameters.md are held against these models by tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from curate.yamlfile import load_model


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class EngineParams(_Section):
    """Where the stages that look at every image run; results do not depend on it."""

    kind: Literal["local", "ray"] = Field("local", description="local = processes here; ray = a Ray cluster")
    workers: int = Field(0, ge=0, le=65_536, description="processes; 0 = one a core")
    address: str | None = Field(
        None, description="kind ray: an existing cluster, such as auto or host:6379; null = an own one"
    )
    batch_size: int = Field(64, ge=1, le=100_000, description="images a worker takes at a time")
    retries: int = Field(2, ge=0, le=100, description="times an item may kill its worker process again")


class IngestParams(_Section):
    """Which files become images."""

    raw: Path = Field(Path("data/raw"), description="folder tree of raw images")
    sources: str | None = Field(
        None, description="file in `raw` that lists sources with licence and attribution; null = one source"
    )
    mode: Literal["reference", "copy"] = Field(
        "reference", description="reference = share blocks with raw files or the cache; copy = own bytes"
    )
    verify: bool = Field(False, description="true = read unchanged files again and compare their bytes")
    frames: Literal["first", "all", "drop"] = Field(
        "first", description="of animations and files of several pages: the first, all, or drop the file"
    )
    min_side: int = Field(64, ge=1, le=100_000, description="pixels; a shorter upright side drops the image")
    max_pixels: int = Field(
        100_000_000,
        ge=1,
        le=2_000_000_000,
        description="pixels; larger files are dropped before they are decoded",
    )
    max_bytes: int = Field(1 << 30, ge=1, description="bytes; larger files are not decoded")
    max_aspect: float = Field(8.0, ge=1, le=1000, description="ratio; longer side over shorter side")
    jpeg_quality: int = Field(95, ge=1, le=100, description="of upright copies that must be re-encoded")
    retries: int = Field(3, ge=0, le=100, description="of a failed download, with growing pauses")
    timeout_s: float = Field(60.0, gt=0, description="seconds a download may stand still")


class SemanticParams(_Section):
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


class DedupeParams(_Section):
    """Which images are the same picture."""

    hash: Literal["phash", "dhash", "ahash", "whash", "colorhash"] = Field(
        "phash", description="what finds candidates; imagehash's names"
    )
    bits: Literal[64, 256] = Field(64, description="of the hash; 256 for very many images or wide radii")
    decode: Literal["fast", "exact"] = Field(
        "fast", description="fast = luma at reduced size; exact = bit for bit imagehash's hashes"
    )
    max_hamming: int | None = Field(
        None, ge=0, le=256, description="bits between candidates; null = chosen from the number of images"
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
    prefer: tuple[str, ...] = Field((), description="names of sources, best first, whose images are kept")
    decisions: Path | None = Field(None, description="CSV of what people decided about images and pairs")
    semantic: SemanticParams = Field(default_factory=SemanticParams)


class DetectorParams(_Section):
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


class SegmenterParams(_Section):
    """The SAM that turns boxes into masks."""

    kind: Literal["segment_anything", "none"] = Field("segment_anything", description="none = boxes only")
    build: Literal["vit_b", "vit_l", "vit_h", "tiny"] = Field(
        "vit_b", description="architecture of the checkpoint"
    )
    checkpoint: Path = Field(Path("models/sam_vit_b_01ec64.pth"), description="local .pth file")


class MaskParams(_Section):
    """What is taken over from a segmenter's mask."""

    max_hole: float = Field(0.01, ge=0, le=1, description="share of the mask; smaller holes are filled")
    max_island: float = Field(0.01, ge=0, le=1, description="share of the mask; smaller islands are removed")
    min_box_iou: float = Field(
        0.0, ge=0, le=1, description="IoU of the mask's box with the detector's; below, the box has no mask"
    )


class AutolabelParams(_Section):
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


class QaParams(_Section):
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


class LabelStudioParams(_Section):
    """The labelling project. Address and token never stand here: see docs/labelstudio.md."""

    project: str = Field(
        "curate", min_length=1, max_length=50, description="title of the Label Studio project"
    )
    instructions: Path | None = Field(None, description="Markdown file shown to the labelers")
    batch_size: int = Field(250, ge=1, le=5000, description="tasks an import request")
    timeout_s: float = Field(120.0, gt=0, le=3600, description="seconds a request may take")


class AgreementParams(_Section):
    """How much people agree, and what they agree on."""

    iou_threshold: float = Field(0.5, gt=0, le=1, description="IoU; boxes below are not the same object")
    min_votes_share: float = Field(
        0.5, gt=0, le=1, description="share of an image's annotators who must have drawn an object"
    )
    disagreement_f1: float = Field(
        0.8, ge=0, le=1, description="F1; images below are listed for another look"
    )
    bootstrap: int = Field(1000, ge=0, le=100_000, description="resamples of images for intervals; 0 = none")


class ReleaseParams(_Section):
    """What is released."""

    name: str = Field("curated-dataset", min_length=1, max_length=96, description="dataset name, in the card")
    version: str = Field("0.1.0", pattern=r"^\d+\.\d+\.\d+$", description="semantic version")
    license: str = Field("other", description="licence of the annotations, an identifier the Hub knows")
    description: Path | None = Field(None, description="Markdown file that opens the card")
    validation_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    test_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    seed: int = Field(0, ge=0, description="of the split")
    row_group_size: int = Field(100, ge=1, le=10_000, description="images a Parquet row group")


class PublishParams(_Section):
    """Where it goes."""

    target: Literal["folder", "hub"] = Field(
        "folder", description="folder = a copy on disk; hub = Hugging Face Hub"
    )
    folder: Path = Field(Path("data/published"), description="target folder")
    repo: str | None = Field(None, description="target hub: owner/name")
    private: bool = Field(True, description="target hub: visibility of a new repository")


class Params(_Section):
    """All of params.yaml."""

    engine: EngineParams = Field(default_factory=EngineParams)
    ingest: IngestParams = Field(default_factory=IngestParams)
    dedupe: DedupeParams = Field(default_factory=DedupeParams)
    autolabel: AutolabelParams = Field(default_factory=AutolabelParams)
    qa: QaParams = Field(default_factory=QaParams)
    labelstudio: LabelStudioParams = Field(default_factory=LabelStudioParams)
    agreement: AgreementParams = Field(default_factory=AgreementParams)
    release: ReleaseParams = Field(default_factory=ReleaseParams)
    publish: PublishParams = Field(default_factory=PublishParams)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read params.yaml.

    Raises:
        ParamsError: Missing or not YAML; an unknown name (with the nearest known one), a wrong type or a
            value out of range, each with its line and value.
    """
    return load_model(path, Params)
