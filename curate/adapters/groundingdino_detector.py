"""Grounding DINO of the groundingdino-py package with the public .pth checkpoints, as a Detector."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from curate.adapters import torch_device
from curate.errors import ModelError
from curate.extras import require
from curate.labeling import prompts
from curate.params import DetectorParams
from curate.records import Category, Detections, FloatArray, UInt8Image

_CONFIGS = {"SwinT_OGC": "GroundingDINO_SwinT_OGC.py", "SwinB": "GroundingDINO_SwinB_cfg.py"}
_TEXT_ENCODER = "bert-base-uncased"
_SHORT_SIDE, _LONG_SIDE = 800, 1333  # pixels, as the public models were trained
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class GroundingDinoDetector:
    """A public Grounding DINO checkpoint, read once, in evaluation mode."""

    def __init__(self, settings: DetectorParams, *, device: str) -> None:
        """Load the weights.

        The package also wants BERT's configuration and vocabulary: a folder `bert-base-uncased` beside the
        checkpoint is taken if it is there, otherwise the Hub's.

        Args:
            settings: `model` is a local .pth file; `config` is SwinT_OGC or SwinB.
            device: auto, cpu, cuda or mps.

        Raises:
            ModelError: Missing, damaged, of another architecture, or the device is not there.
            MissingExtraError: groundingdino-py is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        self._torch = require("torch", extra="autolabel")
        self._device = torch_device.choose(device)
        self._prompt_score = settings.prompt_score
        checkpoint = Path(settings.model).expanduser()
        if not checkpoint.is_file():
            raise ModelError(f"detector checkpoint {checkpoint} does not exist: set autolabel.detector.model")
        if settings.config not in _CONFIGS:
            raise ModelError(
                f"autolabel.detector.config = {settings.config!r}: expected {' or '.join(_CONFIGS)}"
            )
        self._version = f"groundingdino-{settings.config}@{torch_device.digest([checkpoint])}"
        self._model = _build(settings.config, checkpoint.parent / _TEXT_ENCODER, self._device)
        self._read_weights(checkpoint, settings.config)
        self._model.to(self._device).eval()
        self._transform = _transform()
        self._batched = require("groundingdino.util.misc", extra="autolabel").nested_tensor_from_tensor_list

    @property
    def model_version(self) -> str:
        """groundingdino-<config> @ 12 hex digits of the checkpoint's sha256."""
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
        pixels = [self._transform(Image.fromarray(image), None)[0].to(self._device) for image in images]
        return prompts.detect(
            [(image.shape[1], image.shape[0]) for image in images],
            categories,
            functools.partial(self._forward, pixels, len(images)),
            offsets=self._offsets,
            max_tokens=int(self._model.max_text_len),
            how=self._prompt_score,
        )

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        tokens = self._model.tokenizer(text, return_offsets_mapping=True)
        return [(int(start), int(stop)) for start, stop in tokens["offset_mapping"]]

    def _forward(self, pixels: list[Any], images: int, text: str) -> tuple[FloatArray, FloatArray]:
        with (
            torch_device.enough_memory(images),
            self._torch.inference_mode(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of torch, about how the package calls it
            output = self._model(self._batched(pixels), captions=[text] * images)
            boxes = output["pred_boxes"].float().cpu().numpy()
            return boxes, output["pred_logits"].float().sigmoid().cpu().numpy()

    def _read_weights(self, checkpoint: Path, config: str) -> None:
        clean = require("groundingdino.util.misc", extra="autolabel").clean_state_dict
        try:
            content = self._torch.load(checkpoint, map_location="cpu", weights_only=True)
            result = self._model.load_state_dict(clean(content["model"]), strict=False)
        except torch_device.DAMAGED as error:
            raise ModelError(
                f"detector checkpoint {checkpoint} is damaged or no {config}: "
                f"{torch_device.first_line(error)}"
            ) from error
        if result.missing_keys:  # surplus ones are parts of the training
            raise ModelError(
                f"detector checkpoint {checkpoint} is no {config}: it lacks {len(result.missing_keys)} "
                f"weights, such as {result.missing_keys[0]}"
            )


def _build(config: str, text_encoder: Path, device: Any) -> Any:
    """The architecture with random weights; prints and warnings of the packages are hushed."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _build_loudly(config, text_encoder, device)


def _build_loudly(config: str, text_encoder: Path, device: Any) -> Any:
    package = require("groundingdino", extra="autolabel")
    settings = require("groundingdino.util.slconfig", extra="autolabel").SLConfig.fromfile(
        str(Path(package.__file__).parent / "config" / _CONFIGS[config])
    )
    settings.device = str(device)
    settings.use_checkpoint = settings.use_transformer_ckpt = False  # saves memory in training only
    if text_encoder.is_dir():
        settings.text_encoder_type = str(text_encoder)
    require("transformers", extra="autolabel").utils.logging.set_verbosity_error()
    models = require("groundingdino.models", extra="autolabel")
    try:
        return models.build_model(settings)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the text encoder {_TEXT_ENCODER} cannot be loaded: put its folder beside the checkpoint, as "
            f"{text_encoder} ({torch_device.first_line(error)})"
        ) from error


def _transform() -> Any:
    transforms = require("groundingdino.datasets.transforms", extra="autolabel")
    return transforms.Compose(
        [
            transforms.RandomResize([_SHORT_SIDE], max_size=_LONG_SIDE),  # of one size: nothing random
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )
