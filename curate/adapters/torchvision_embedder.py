"""A classifier of torchvision without its last layer, as an Embedder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from curate.adapters import torch_device, weights
from curate.embeddings import directions
from curate.errors import ModelError
from curate.extras import require
from curate.params import EmbeddingsParams
from curate.records import FloatArray, UInt8Image

_SETTING: Final = "embeddings"


class TorchvisionEmbedder:
    """ResNet, MobileNet, EfficientNet, ConvNeXt, ViT and others that torchvision trained on ImageNet.

    The vector of an image is what the network hands to its last linear layer, which is left out. Images are
    resized and cropped as torchvision did for these weights.
    """

    def __init__(self, settings: EmbeddingsParams) -> None:
        """Load the weights.

        Args:
            settings: `model` is a file that torchvision published, or the name of one that was fetched.

        Raises:
            ModelError: Missing, damaged, of another architecture or digest, or the device is not there.
            MissingExtraError: torch or torchvision is not installed.
        """
        self._torch = require("torch", extra="semantic")
        self._device = torch_device.choose(settings.device, setting=f"{_SETTING}.device")
        path = weights.find(str(settings.model), noun="image encoder", setting=f"{_SETTING}.model")
        what = f"image encoder {path}"
        weights.check(path, settings.sha256, what=what, setting=f"{_SETTING}.sha256")
        build = settings.build or path.stem.rpartition("-")[0]
        models = require("torchvision.models", extra="semantic")
        try:
            model = models.get_model(build, weights=None)
            published = models.get_model_weights(build)
        except ValueError as error:
            raise ModelError(
                f"{what}: torchvision has no architecture {build!r}: set {_SETTING}.build"
            ) from error
        weights.assign(model, weights.read_checkpoint(path, what=what), what=what)
        digest = weights.sha256(path)
        recipe = _recipe(published, digest)
        self._prepare = recipe.transforms()
        self._model = _headless(self._torch, model).eval().to(self._device)
        self._version = f"{build}-{recipe.name}@{digest[:12]}"

    @property
    def model_version(self) -> str:
        """Architecture - how images are prepared @ 12 hex digits of the file's sha256."""
        return self._version

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        """Unit vectors (N, D) float32; NaN where the model gives an image no direction.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes.

        Raises:
            DeviceMemoryError: The device has no memory left.
        """
        planes = [self._planes(image) for image in images] or [self._planes(np.zeros((8, 8, 3), np.uint8))]
        with (
            torch_device.enough_memory(len(images), setting=f"{_SETTING}.batch_size"),
            self._torch.inference_mode(),
        ):
            raw = self._model(self._torch.stack(planes).to(self._device)).flatten(1).float()
            return directions(raw.cpu().numpy())[: len(images)]

    def _planes(self, image: UInt8Image) -> Any:
        return self._prepare(self._torch.from_numpy(image.copy()).permute(2, 0, 1))


def _recipe(published: Any, digest: str) -> Any:
    """The published weights that are this file, whose transforms are right for it; else the first ones.

    torchvision ends the name of a file with the first digits of its sha256.
    """
    of_file = [one for one in published if digest.startswith(Path(one.url).stem.rpartition("-")[2])]
    return (of_file or list(published))[0]


def _headless(torch: Any, model: Any) -> Any:
    """The model with its last linear layer replaced by nothing."""
    linear = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
    if not linear:
        raise ModelError(f"{type(model).__name__} ends in no linear layer: take another architecture")
    parent, _, name = linear[-1].rpartition(".")
    setattr(model.get_submodule(parent), name, torch.nn.Identity())
    return model
