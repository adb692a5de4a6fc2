"""An image encoder in the format of transformers, as an Embedder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.adapters import torch_device
from curate.errors import ModelError
from curate.extras import require
from curate.params import SemanticParams
from curate.records import FloatArray, UInt8Image

_MODEL_FILES = ("config.json", "preprocessor_config.json", "processor_config.json", "*.safetensors", "*.bin")
_POOLER = ("pooler.", "vision_model.pooler.")


class TransformersEmbedder:
    """DINOv2, CLIP, SigLIP, ViT, ConvNeXt and others, of the Hub or of a local folder, in evaluation mode.

    The vector of an image is what the model projects it to (`get_image_features` of CLIP and its kin), else
    its pooled output, else the mean over its tokens or places.
    """

    def __init__(self, settings: SemanticParams) -> None:
        """Load the weights.

        Args:
            settings: `model` is a local folder, which is read without any network, or a Hub id.

        Raises:
            ModelError: None named, missing, damaged, or the device is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        if settings.model is None:
            raise ModelError("no image encoder: set dedupe.semantic.model to a Hub id or a folder")
        self._torch = require("torch", extra="semantic")
        self._device = torch_device.choose(settings.device, setting="dedupe.semantic.device")
        self._batch_size = settings.batch_size
        local = _local_folder(settings.model)
        self._processor, self._model, self._pooled = _load(settings, local)
        self._model.to(self._device).float().eval()  # small checkpoints may be stored in half precision
        if local is not None:
            files = sorted({file for pattern in _MODEL_FILES for file in local.glob(pattern)})
            self._version = f"{local.resolve().name}@{torch_device.digest(files)}"
        else:
            commit = getattr(self._model.config, "_commit_hash", None)
            self._version = f"{settings.model}@{commit[:12] if commit else settings.revision}"

    @property
    def model_version(self) -> str:
        """Hub id @ commit, or folder name @ 12 hex digits of its files' sha256."""
        return self._version

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        """Unit vectors (N, D) float32.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; the model's own processor resizes them.

        Raises:
            ModelError: The device has no memory left, or the model answers with something else than vectors.
        """
        if not images:
            return np.zeros((0, self._width()), dtype=np.float32)
        parts = [
            self._forward(images[start : start + self._batch_size])
            for start in range(0, len(images), self._batch_size)
        ]
        return np.concatenate(parts)

    def _width(self) -> int:
        blank = np.zeros((64, 64, 3), dtype=np.uint8)
        return int(self._forward([blank]).shape[1])

    def _forward(self, images: Sequence[UInt8Image]) -> FloatArray:
        pixels = self._processor(list(images), return_tensors="pt", input_data_format="channels_last")
        try:
            with self._torch.inference_mode():
                raw = self._features(pixels["pixel_values"].to(self._device)).float()
                vectors: FloatArray = self._torch.nn.functional.normalize(raw, dim=1).cpu().numpy()
        except self._torch.OutOfMemoryError as error:
            raise ModelError(
                f"the device has no memory for {len(images)} images: set dedupe.semantic.batch_size lower"
            ) from error
        if vectors.ndim != 2 or not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3).all():
            raise ModelError(f"image encoder {self._version} gives no finite vectors: take another model")
        return vectors

    def _features(self, pixels: Any) -> Any:
        if hasattr(self._model, "get_image_features"):
            return self._model.get_image_features(pixel_values=pixels)
        output = self._model(pixel_values=pixels)
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None and self._pooled:
            return pooled.flatten(1)
        last = output.last_hidden_state
        return last.mean(dim=1) if last.ndim == 3 else last.flatten(2).mean(dim=2)


def _local_folder(model: str) -> Path | None:
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():  # transformers would guess a model from the folder's name
            raise ModelError(f"image encoder {model} holds no config.json: set dedupe.semantic.model")
        return path
    if path.exists() or model.count("/") > 1 or model.startswith((".", "/", "~")):
        raise ModelError(f"image encoder {model} is no folder: set dedupe.semantic.model to one, or a Hub id")
    return None


def _load(settings: SemanticParams, local: Path | None) -> tuple[Any, Any, bool]:
    """Processor, model, and whether the weights hold its pooler."""
    transformers = require("transformers", extra="semantic")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    source = str(local) if local is not None else settings.model
    options = {"local_files_only": True} if local is not None else {"revision": settings.revision}
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(source, **options)
        model, report = transformers.AutoModel.from_pretrained(source, output_loading_info=True, **options)
    except (
        *torch_device.DAMAGED,
        ValueError,
        require("safetensors", extra="semantic").SafetensorError,
    ) as error:
        raise ModelError(
            f"image encoder {source} cannot be loaded: {torch_device.first_line(error)}"
        ) from error
    missing = [key for key in report["missing_keys"] if not key.startswith(_POOLER)]
    wrong = sorted(missing) + sorted(key for key, *_ in report["mismatched_keys"])
    if wrong:
        raise ModelError(
            f"image encoder {source} lacks {len(wrong)} weights, such as {wrong[0]}: fetch it again"
        )
    return processor, model, len(missing) == len(report["missing_keys"])
