"""The image encoders that params.yaml asks for. A module of its own, so that workers import it by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from curate.adapters import torch_device
from curate.adapters.torchvision_embedder import TorchvisionEmbedder
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams, SemanticParams
from curate.ports import Embedder

VECTORS: Final = Path(".cache/embeddings")  # of the stages dedupe and embed


def encoder(settings: EmbeddingsParams) -> Encoder:
    """Load the image encoder.

    Raises:
        ModelError: Weights are missing, damaged or of another architecture, or the device is not there.
        MissingExtraError: The packages of the model are not installed.
    """
    on_gpu = torch_device.choose(settings.device, setting="embeddings.device").type != "cpu"
    return Encoder(embedder(settings), on_gpu=on_gpu, batch_size=settings.batch_size)


def embedder(settings: EmbeddingsParams) -> Embedder:
    """The model itself; see `encoder`."""
    if settings.kind == "torchvision":
        return TorchvisionEmbedder(settings)
    return TransformersEmbedder(settings, setting="embeddings", sha256=settings.sha256)


def semantic_encoder(settings: SemanticParams) -> Encoder:
    """Load the encoder of dedupe's step by meaning; see `encoder`."""
    on_gpu = torch_device.choose(settings.device, setting="dedupe.semantic.device").type != "cpu"
    return Encoder(TransformersEmbedder(settings), on_gpu=on_gpu, batch_size=settings.batch_size)
