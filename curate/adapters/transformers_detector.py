"""Detectors in the format of transformers, prompted ones and trained ones, as a Detector."""

from __future__ import annotations

from collections.abc import Sequence

from curate.adapters import torch_device, transformers_files
from curate.adapters.closed_labels import ClosedLabels
from curate.adapters.concept_queries import ConceptQueries
from curate.adapters.grounding_texts import GroundingTexts
from curate.adapters.owl_queries import OwlQueries
from curate.adapters.torch_device import Precision
from curate.adapters.transformers_files import Classes, Source
from curate.params import DetectorParams
from curate.records import Category, Detections, UInt8Image

_PROMPTED = Classes("AutoProcessor", "AutoModelForZeroShotObjectDetection")
_CONCEPTS = Classes("Sam3Processor", "Sam3Model")
_TRAINED = Classes("AutoImageProcessor", "AutoModelForObjectDetection")
_How = type[GroundingTexts | OwlQueries | ConceptQueries | ClosedLabels]
# How a model is asked: all prompts in one text, each prompt for itself, or not at all. LLMDet is an
# MM-Grounding-DINO by its configuration.
_KINDS: dict[str, tuple[_How, Classes]] = {
    "grounding-dino": (GroundingTexts, _PROMPTED),
    "mm-grounding-dino": (GroundingTexts, _PROMPTED),
    "owlvit": (OwlQueries, _PROMPTED),
    "owlv2": (OwlQueries, _PROMPTED),
    "sam3": (ConceptQueries, _CONCEPTS),
    "sam3_video": (ConceptQueries, _CONCEPTS),
    "rt_detr": (ClosedLabels, _TRAINED),
    "rt_detr_v2": (ClosedLabels, _TRAINED),
    "rf_detr": (ClosedLabels, _TRAINED),
    "d_fine": (ClosedLabels, _TRAINED),
}


class TransformersDetector:
    """A model of the Hub or of a local folder, read once.

    Grounding DINO, MM-Grounding-DINO (LLMDet is one), OWL-ViT, OWLv2 and SAM 3 find what the prompts say;
    RT-DETR, RF-DETR and D-FINE what they were trained on.
    """

    def __init__(self, settings: DetectorParams, *, device: str, precision: Precision = "auto") -> None:
        """Load the weights.

        Args:
            settings: `model` is a local folder, which is read without any network, or a Hub id.
            device: auto, cpu, cuda or mps.
            precision: See `torch_device.place`.

        Raises:
            ModelError: Missing, damaged, of another kind or digest, or the device is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        place = torch_device.place(device, precision, setting="autolabel.device")
        loaded = transformers_files.load(
            Source(
                settings.model,
                settings.revision,
                noun="detector model",
                setting="autolabel.detector",
                sha256=settings.sha256,
            ),
            {kind: classes for kind, (_, classes) in _KINDS.items()},
        )
        how, _ = _KINDS[loaded.config.model_type]
        self._asked = how(loaded, place, settings.prompt_score, apart=settings.texts == "per_category")
        self._version = loaded.version

    @property
    def model_version(self) -> str:
        """Hub id @ commit, or folder name @ 12 hex digits of its files' sha256."""
        return self._version

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """Boxes of every category, from the lowest threshold of all on; the images are encoded once.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; smaller ones are padded.
            categories: What to look for.

        Raises:
            ParamsError: A prompt is longer than the model reads, or unknown to it; or a label of a trained
                model is unknown to the taxonomy.
            DeviceMemoryError: The device has no memory for so many images.
        """
        return self._asked.detect(images, categories) if images else []
