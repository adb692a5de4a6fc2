"""An image encoder in the format of transformers, as an Embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.adapters import torch_device, transformers_files
from curate.adapters.transformers_files import Classes, Source
from curate.errors import ModelError
from curate.extras import require
from curate.params import SemanticParams
from curate.records import FloatArray, UInt8Image

# Heads that models are trained with and that answer another question than this one.
_HEADS = ("classifier.", "cls_classifier.", "distillation_classifier.", "head.", "decoder.", "lm_head.")
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
        if settings.model is None:
            raise ModelError("no image encoder: set dedupe.semantic.model to a Hub id or a folder")
        self._torch = require("torch", extra="semantic")
        self._device = torch_device.choose(settings.device, setting="dedupe.semantic.device")
        self._batch_size = settings.batch_size
        loaded = transformers_files.load(
            Source(
                settings.model,
                settings.revision,
                noun="image encoder",
                setting="dedupe.semantic",
                extra="semantic",
            ),
            Classes("AutoImageProcessor", "AutoModel"),
            optional=lambda name: name.startswith(_POOLER),
            unneeded=lambda name: name.startswith(_HEADS),
        )
        self._processor, self._version = loaded.processor, loaded.version
        self._model = loaded.model.to(self._device)
        self._pooled = not loaded.missing  # its pooler is trained

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
        with (
            torch_device.enough_memory(len(images), setting="dedupe.semantic.batch_size"),
            self._torch.inference_mode(),
        ):
            raw = self._features(pixels["pixel_values"].to(self._device)).float()
            vectors: FloatArray = self._torch.nn.functional.normalize(raw, dim=1).cpu().numpy()
        if vectors.ndim != 2 or not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3).all():
            raise ModelError(f"image encoder {self._version} gives no finite vectors: take another model")
        return vectors

    def _features(self, pixels: Any) -> Any:
        if hasattr(self._model, "get_image_features"):
            return self._model.get_image_features(pixel_values=pixels).pooler_output
        output = self._model(pixel_values=pixels)
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None and self._pooled:
            return pooled.flatten(1)
        last = output.last_hidden_state
        return last.mean(dim=1) if last.ndim == 3 else last.flatten(2).mean(dim=2)
