"""An image encoder in the format of transformers, as an Embedder; its text tower, where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curate.adapters import torch_device, transformers_files
from curate.adapters.transformers_files import Classes, Source
from curate.embeddings import directions
from curate.errors import ModelError
from curate.extras import require
from curate.params import EmbeddingsParams, SemanticParams
from curate.records import FloatArray, UInt8Image

# Heads that models are trained with and that answer another question than this one.
_HEADS = ("classifier.", "cls_classifier.", "distillation_classifier.", "head.", "decoder.", "lm_head.")
_POOLER = ("pooler.", "vision_model.pooler.")
# What the processors of image encoders make; of SigLIP 2 with any aspect (NaFlex) all three.
_INPUTS = ("pixel_values", "pixel_attention_mask", "spatial_shapes")
_SIGLIP = "siglip"  # its texts are padded to one length, as in its training


class TransformersEmbedder:
    """DINOv2, CLIP, SigLIP and SigLIP 2, ViT, ConvNeXt and others, of the Hub or of a local folder.

    The vector of an image is what the model projects it to (`get_image_features` of CLIP and its kin), else
    its pooled output, else the mean over its tokens or places.
    """

    def __init__(
        self,
        settings: SemanticParams | EmbeddingsParams,
        *,
        setting: str = "dedupe.semantic",
        sha256: str | None = None,
    ) -> None:
        """Load the weights.

        Args:
            settings: `model` is a local folder, which is read without any network, or a Hub id.
            setting: The section's name, for messages.
            sha256: The main weights file must have it; None = any.

        Raises:
            ModelError: None named, missing, damaged, another digest, or the device is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        if settings.model is None:
            raise ModelError(f"no image encoder: set {setting}.model to a Hub id or a folder")
        self._torch = require("torch", extra="semantic")
        self._device = torch_device.choose(settings.device, setting=f"{setting}.device")
        self._batch_size, self._setting = settings.batch_size, setting
        self._source = Source(
            settings.model,
            settings.revision,
            noun="image encoder",
            setting=setting,
            sha256=sha256,
            extra="semantic",
        )
        loaded = transformers_files.load(
            self._source,
            Classes("AutoImageProcessor", "AutoModel"),
            optional=lambda name: name.startswith(_POOLER),
            unneeded=lambda name: name.startswith(_HEADS),
        )
        self._processor, self._version, self._config = loaded.processor, loaded.version, loaded.config
        self._model = loaded.model.to(self._device)
        self._pooled = not loaded.missing  # its pooler is trained

    @property
    def model_version(self) -> str:
        """Hub id @ commit, or folder name @ 12 hex digits of its files' sha256."""
        return self._version

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        """Unit vectors (N, D) float32; NaN where the model gives an image no direction.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; the model's own processor resizes them.

        Raises:
            DeviceMemoryError: The device has no memory left.
            ModelError: The model answers with something else than vectors.
        """
        if not images:
            return np.zeros((0, self._width()), dtype=np.float32)
        step = self._batch_size or len(images)
        parts = [self._forward(images[start : start + step]) for start in range(0, len(images), step)]
        return np.concatenate(parts)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (N, D) float32 of texts, in the space of the images.

        Args:
            texts: Such as "a photo of a stop sign"; CLIP and SigLIP were trained on captions.

        Raises:
            ModelError: The model has no text tower, gives a text no direction, or a text is longer than it
                reads.
        """
        if not hasattr(self._model, "get_text_features"):
            raise ModelError(
                f"image encoder {self._version} reads no text: set {self._setting}.model to a CLIP"
            )
        tokens = transformers_files.tokenizer(self._source)
        longest = int(self._config.text_config.max_position_embeddings)
        for text in texts:
            count = len(tokens(text)["input_ids"])
            if count > longest:
                raise ModelError(f"text of {count} tokens, {self._version} reads {longest}: make it shorter")
        one_length = self._config.model_type.startswith(_SIGLIP)
        how = {"padding": "max_length", "max_length": longest} if one_length else {"padding": True}
        given = tokens(list(texts), return_tensors="pt", **how)
        inputs = {
            name: tensor.to(self._device)
            for name, tensor in given.items()
            if name in ("input_ids", "attention_mask")
        }
        with self._torch.inference_mode():
            vectors = self._unit(self._model.get_text_features(**inputs).pooler_output)
        if not np.isfinite(vectors).all():  # no order of images would follow from it
            raise ModelError(f"image encoder {self._version} gives a text no direction: check its weights")
        return vectors

    def _width(self) -> int:
        blank = np.zeros((64, 64, 3), dtype=np.uint8)
        return int(self._forward([blank]).shape[1])

    def _forward(self, images: Sequence[UInt8Image]) -> FloatArray:
        pixels = self._processor(list(images), return_tensors="pt", input_data_format="channels_last")
        with (
            torch_device.enough_memory(len(images), setting=f"{self._setting}.batch_size"),
            self._torch.inference_mode(),
        ):
            inputs = {name: pixels[name].to(self._device) for name in _INPUTS if name in pixels}
            return self._unit(self._features(inputs))

    def _unit(self, raw: Any) -> FloatArray:
        vectors: FloatArray = raw.float().cpu().numpy()
        if vectors.ndim != 2:
            raise ModelError(f"image encoder {self._version} gives no vectors: take another model")
        return directions(vectors)

    def _features(self, inputs: Mapping[str, Any]) -> Any:
        if hasattr(self._model, "get_image_features"):
            return self._model.get_image_features(**inputs).pooler_output
        output = self._model(**inputs)
        pooled = getattr(output, "pooler_output", None)
        if pooled is not None and self._pooled:
            return pooled.flatten(1)
        last = output.last_hidden_state
        return last.mean(dim=1) if last.ndim == 3 else last.flatten(2).mean(dim=2)
