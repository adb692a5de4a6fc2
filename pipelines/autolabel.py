"""DVC stage autolabel: what Grounding DINO and SAM propose."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.params import AutolabelParams, Params
from curate.ports import Detector, Segmenter
from curate.records import StageReport
from curate.stages import autolabel
from pipelines import entry


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    settings = params.autolabel
    return autolabel.run(
        settings,
        inputs=autolabel.Inputs(images=Path("data/dedupe/images.parquet"), taxonomy=settings.taxonomy),
        outputs=autolabel.Outputs(
            table=Path("data/autolabel/annotations.parquet"),
            shards=Path(".cache/autolabel"),
            plot=Path("plots/autolabel_scores.csv"),
        ),
        ports=autolabel.Ports(detector=_detector(settings), segmenter=_segmenter(settings)),
    )


def _detector(settings: AutolabelParams) -> Detector:
    if settings.detector.kind == "groundingdino":
        return GroundingDinoDetector(settings.detector, device=settings.device)
    return TransformersDetector(settings.detector, device=settings.device)


def _segmenter(settings: AutolabelParams) -> Segmenter | None:
    if settings.segmenter.kind == "none":
        return None
    return SegmentAnythingSegmenter(settings.segmenter, device=settings.device)


if __name__ == "__main__":
    entry.run("autolabel", main)
