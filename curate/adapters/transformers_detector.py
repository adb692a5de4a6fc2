"""Zero-shot detectors in the format of transformers, as a Detector."""

from __future__ import annotations

from collections.abc import Sequence

from curate.adapters import torch_device, transformers_files
from curate.adapters.grounding_texts import GroundingTexts
from curate.adapters.owl_queries import OwlQueries
from curate.adapters.torch_device import Precision
from curate.adapters.transformers_files import Source
from curate.params import DetectorParams
from curate.records import Category, Detections, UInt8Image

# How a model is asked: all prompts in one text, or each prompt for itself.
_KINDS: dict[str, type[GroundingTexts | OwlQueries]] = {
    "grounding-dino": GroundingTexts,
    "mm-grounding-dino": GroundingTexts,
    "owlvit": OwlQueries,
    "owlv2": OwlQueries,
}


class TransformersDetector:
    """Grounding DINO, MM-Grounding-DINO, OWL-ViT or OWLv2, of the Hub or of a local folder, read once."""

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
        place = torch_device.place(device, precision)
        loaded = transformers_files.load(
            Source(
                settings.model,
                settings.revision,
                noun="detector model",
                setting="autolabel.detector",
                sha256=settings.sha256,
            ),
            processor="AutoProcessor",
            model="AutoModelForZeroShotObjectDetection",
            kinds=_KINDS,
        )
        self._asked = _KINDS[loaded.config.model_type](
            loaded, place, settings.prompt_score, apart=settings.texts == "per_category"
        )
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
            ParamsError: A prompt is longer than the model reads.
            DeviceMemoryError: The device has no memory for so many images.
        """
        return self._asked.detect(images, categories) if images else []
