"""The models that params.yaml asks for. A module of its own, so that workers can import it by name."""

from __future__ import annotations

from curate.adapters import torch_device
from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.ports import Detector, Segmenter


def models(settings: AutolabelParams) -> Models:
    """Load the detector and the segmenter.

    Raises:
        ModelError: Weights are missing, damaged or of another architecture, or the device is not there.
        MissingExtraError: The packages of a model are not installed.
    """
    on_gpu = torch_device.choose(settings.device).type != "cpu"
    return Models(detector(settings), _segmenter(settings), on_gpu=on_gpu)


def detector(settings: AutolabelParams) -> Detector:
    """Load the detector alone.

    Raises:
        ModelError: As `models`.
        MissingExtraError: As `models`.
    """
    adapter = GroundingDinoDetector if settings.detector.kind == "groundingdino" else TransformersDetector
    return adapter(settings.detector, device=settings.device, precision=settings.precision)


def _segmenter(settings: AutolabelParams) -> Segmenter | None:
    if settings.segmenter.kind == "none":
        return None
    own = settings.segmenter.kind == "segment_anything"
    adapter = SegmentAnythingSegmenter if own else TransformersSegmenter
    return adapter(settings.segmenter, device=settings.device, precision=settings.precision)
