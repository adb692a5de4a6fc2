"""The models that params.yaml asks for. A module of its own, so that workers can import it by name."""

from __future__ import annotations

from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.labeling.labeler import Models
from curate.params import AutolabelParams
from curate.ports import Detector, Segmenter


def models(settings: AutolabelParams) -> Models:
    """Load the detector and the segmenter.

    Raises:
        ModelError: Weights are missing, damaged or of another architecture, or the device is not there.
        MissingExtraError: The packages of a model are not installed.
    """
    return Models(_detector(settings), _segmenter(settings))


def _detector(settings: AutolabelParams) -> Detector:
    if settings.detector.kind == "groundingdino":
        return GroundingDinoDetector(settings.detector, device=settings.device)
    return TransformersDetector(settings.detector, device=settings.device)


def _segmenter(settings: AutolabelParams) -> Segmenter | None:
    if settings.segmenter.kind == "none":
        return None
    return SegmentAnythingSegmenter(settings.segmenter, device=settings.device)
