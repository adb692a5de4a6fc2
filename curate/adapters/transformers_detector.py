"""Grounding DINO in the format of transformers, as a Detector."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.adapters import torch_device
from curate.errors import ModelError
from curate.extras import require
from curate.labeling import prompts
from curate.params import DetectorParams
from curate.records import Category, Detections, FloatArray, UInt8Image

_MODEL_TYPES = ("grounding-dino", "mm-grounding-dino")
# What decides a local model's boxes; reports and cards beside them do not.
_MODEL_FILES = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer*.json",
    "vocab.txt",
    "*.safetensors",
    "*.bin",
)


class TransformersDetector:
    """A Grounding DINO checkpoint of the Hub or of a local folder, read once, in evaluation mode."""

    def __init__(self, settings: DetectorParams, *, device: str) -> None:
        """Load the weights.

        Args:
            settings: `model` is a local folder, which is read without any network, or a Hub id.
            device: auto, cpu, cuda or mps.

        Raises:
            ModelError: Missing, damaged, of another kind, or the device is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        self._torch = require("torch", extra="autolabel")
        self._device = torch_device.choose(device)
        self._prompt_score = settings.prompt_score
        local = _local_folder(settings.model)
        self._processor, self._model = _load(settings, local)
        self._model.to(self._device).float().eval()  # small checkpoints may be stored in half precision
        self._max_tokens = int(self._model.config.max_text_len)
        if local is not None:
            files = sorted({file for pattern in _MODEL_FILES for file in local.glob(pattern)})
            self._version = f"{local.name}@{torch_device.digest(files)}"
        else:
            commit = getattr(self._model.config, "_commit_hash", None)
            self._version = f"{settings.model}@{commit[:12] if commit else settings.revision}"

    @property
    def model_version(self) -> str:
        """Hub id @ commit, or folder name @ 12 hex digits of its files' sha256."""
        return self._version

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """Boxes of every category, from the lowest threshold of all on; one forward pass a text.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; smaller ones are padded.
            categories: What to look for.

        Raises:
            ParamsError: A prompt is longer than the model reads.
            ModelError: The device has no memory left.
        """
        if not images:
            return []
        pixels = self._processor.image_processor(
            list(images), return_tensors="pt", input_data_format="channels_last"
        )
        return prompts.detect(
            [(image.shape[1], image.shape[0]) for image in images],
            categories,
            functools.partial(self._forward, pixels, len(images)),
            offsets=self._offsets,
            max_tokens=self._max_tokens,
            how=self._prompt_score,
        )

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        tokens = self._processor.tokenizer(text, return_offsets_mapping=True)
        return [(int(start), int(stop)) for start, stop in tokens["offset_mapping"]]

    def _forward(self, pixels: Any, images: int, text: str) -> tuple[FloatArray, FloatArray]:
        tokens = self._processor.tokenizer([text] * images, return_tensors="pt")
        with torch_device.enough_memory(images), self._torch.inference_mode():
            output = self._model(**pixels.to(self._device), **tokens.to(self._device))
            return output.pred_boxes.float().cpu().numpy(), output.logits.float().sigmoid().cpu().numpy()


def _local_folder(model: str) -> Path | None:
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():  # transformers would guess a model from the folder's name
            raise ModelError(f"detector model {model} holds no config.json: set autolabel.detector.model")
        return path
    if path.exists() or model.count("/") > 1 or model.startswith((".", "/", "~")):
        raise ModelError(
            f"detector model {model} is no folder: set autolabel.detector.model to one, or a Hub id"
        )
    return None


def _load(settings: DetectorParams, local: Path | None) -> tuple[Any, Any]:
    transformers = require("transformers", extra="autolabel")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    source = str(local) if local is not None else settings.model
    options = {"local_files_only": True} if local is not None else {"revision": settings.revision}
    try:
        config = transformers.AutoConfig.from_pretrained(source, **options)
        if config.model_type not in _MODEL_TYPES:
            raise ModelError(
                f"detector model {source} is a {config.model_type}, expected one of {', '.join(_MODEL_TYPES)}"
            )
        processor = transformers.AutoProcessor.from_pretrained(source, **options)
        model, report = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(
            source, output_loading_info=True, **options
        )
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        require("safetensors", extra="autolabel").SafetensorError,
    ) as error:
        raise ModelError(
            f"detector model {source} cannot be loaded: {torch_device.first_line(error)}"
        ) from error
    wrong = sorted(report["missing_keys"]) + sorted(key for key, *_ in report["mismatched_keys"])
    if wrong:
        raise ModelError(
            f"detector model {source} lacks {len(wrong)} weights, such as {wrong[0]}: fetch it again"
        )
    return processor, model
