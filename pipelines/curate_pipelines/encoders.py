"""The image encoder that params.yaml asks for. A module of its own, so that workers can import it by name."""

from __future__ import annotations

from curate.adapters import torch_device
from curate.adapters.torchvision_embedder import TorchvisionEmbedder
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams
from curate.ports import Embedder


def encoder(settings: EmbeddingsParams) -> Encoder:
    """Load the encoder.

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
