"""Grounding DINO of the groundingdino-py package with the public .pth checkpoints, as a Detector."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from curate.adapters import public_models, token_spans, torch_device, weights
from curate.adapters.encoded_once import encoded_once
from curate.adapters.torch_device import Precision
from curate.errors import ModelError
from curate.extras import require
from curate.labeling import prompts
from curate.params import DetectorParams
from curate.records import Category, Detections, FloatArray, UInt8Image

_CONFIGS = {"SwinT_OGC": "GroundingDINO_SwinT_OGC.py", "SwinB": "GroundingDINO_SwinB_cfg.py"}
_PUBLIC = {"groundingdino_swint_ogc.pth": "SwinT_OGC", "groundingdino_swinb_cogcoor.pth": "SwinB"}
_SHORT_SIDE, _LONG_SIDE = 800, 1333  # pixels, as the public models were trained
# In the public files and not in the model: what only training needs, and the numbers 0, 1, 2 ... .
_SURPLUS = ("label_enc.weight", "bert.embeddings.position_ids")
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class GroundingDinoDetector:
    """A public Grounding DINO checkpoint, read once, in evaluation mode."""

    def __init__(self, settings: DetectorParams, *, device: str, precision: Precision = "auto") -> None:
        """Load the weights.

        The package also wants BERT: a folder `bert-base-uncased` beside the checkpoint is taken if it is
        there, otherwise the Hub's.

        Args:
            settings: `model` is a local .pth file, or a public one's name; `config` is SwinT_OGC or SwinB.
            device: auto, cpu, cuda or mps.
            precision: See `torch_device.place`.

        Raises:
            ModelError: Missing, damaged, of another architecture or digest, or the device is not there.
            MissingExtraError: groundingdino-py is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        self._place = torch_device.place(device, precision, setting="autolabel.device")
        self._prompt_score = settings.prompt_score
        self._apart = settings.texts == "per_category"
        checkpoint = weights.find(
            settings.model, noun="detector checkpoint", setting="autolabel.detector.model"
        )
        config = _config(settings, checkpoint)
        weights.check(
            checkpoint,
            settings.sha256,
            what=f"detector checkpoint {settings.model}",
            setting="autolabel.detector.sha256",
        )
        files = [checkpoint, *weights.text_encoder_files(checkpoint)]
        self._version = f"groundingdino-{config}@{weights.digest(files)}"
        self._model = _build(config, _text_encoder(checkpoint.parent), self._place.device)
        _read_weights(self._model, checkpoint, config)
        self._model.to(self._place.device).eval()
        self._backbone = self._model.backbone = encoded_once(self._model.backbone)
        for head in {id(head): head for head in self._box_heads()}.values():
            torch_device.in_full_precision(head, self._place)  # 8 bits of a coordinate would be pixels
        self._transform = _transform()
        self._batched = require("groundingdino.util.misc", extra="autolabel").nested_tensor_from_tensor_list

    @property
    def model_version(self) -> str:
        """groundingdino-<config> @ 12 hex digits of the sha256 of the checkpoint, and of BERT beside it."""
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
        if not images:
            return []
        pixels = [self._transform(Image.fromarray(image), None)[0] for image in images]
        try:
            with torch_device.enough_memory(len(images)):
                batch = self._batched([self._place.put(one) for one in pixels])
            return prompts.detect(
                [(image.shape[1], image.shape[0]) for image in images],
                categories,
                functools.partial(self._forward, batch, len(images)),
                tokenize=functools.partial(token_spans.tokens, self._model.tokenizer),
                max_tokens=int(self._model.max_text_len),
                how=self._prompt_score,
                apart=self._apart,
            )
        finally:
            self._backbone.forget()

    def _box_heads(self) -> list[Any]:
        return [*self._model.bbox_embed, self._model.transformer.enc_out_bbox_embed]

    def _forward(self, batch: Any, images: int, text: str) -> tuple[FloatArray, FloatArray]:
        with torch_device.enough_memory(images), self._place.computing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about how the package calls it
            output = self._model(batch, captions=[text] * images)
            boxes = output["pred_boxes"].float().cpu().numpy()
            return boxes, output["pred_logits"].float().sigmoid().cpu().numpy()


def _config(settings: DetectorParams, checkpoint: Path) -> str:
    config = settings.config or _PUBLIC.get(checkpoint.name)
    if config is None:
        raise ModelError(
            f"autolabel.detector.config is not set, and {checkpoint.name} is no public name that says it: "
            f"set it to {' or '.join(_CONFIGS)}"
        )
    return config


def _text_encoder(beside: Path) -> Path:
    """The folder of BERT: configuration, vocabulary, and weights that the checkpoint's replace."""
    if (beside / weights.TEXT_ENCODER).is_dir():
        return beside / weights.TEXT_ENCODER
    public = public_models.TEXT_ENCODER
    hub = require("huggingface_hub", extra="autolabel")
    try:
        folder = hub.snapshot_download(
            public.name, revision=public.revision, allow_patterns=list(public_models.SNAPSHOT_FILES)
        )
        return Path(folder)
    except Exception as error:  # the client has errors of several libraries
        raise ModelError(
            f"the text encoder {public.name} cannot be loaded: run curate models fetch, or put its folder "
            f"beside the checkpoint, as {beside / weights.TEXT_ENCODER} ({torch_device.first_line(error)})"
        ) from error


def _read_weights(model: Any, checkpoint: Path, config: str) -> None:
    what = f"detector checkpoint {checkpoint}"
    content = weights.read_checkpoint(checkpoint, what=what)
    state = content.get("model") if isinstance(content, dict) else None
    clean = require("groundingdino.util.misc", extra="autolabel").clean_state_dict
    weights.assign(
        model, clean(state) if isinstance(state, dict) else None, what=f"{what} ({config})", surplus=_SURPLUS
    )


def _build(config: str, text_encoder: Path, device: Any) -> Any:
    """The architecture with random weights; prints and warnings of the packages are hushed."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _build_loudly(config, text_encoder, device)


def _block_masked(bert_model: Any) -> Any:
    """A BertModel that reads the package's block masks; takes the place of its `BertModelWarper`.

    The warper calls methods that BertModel had until transformers 4. Here the mask, which says of each token
    of a text which others it may look at, goes in as the 4-D summand that BertModel of transformers 5 passes
    on to its attention as it is. Weights keep their names.
    """
    torch = require("torch", extra="autolabel")
    base = require("transformers", extra="autolabel").BertModel

    class BlockMaskedBert(base):  # type: ignore[misc, valid-type]
        def forward(self, *, attention_mask: Any, **rest: Any) -> Any:
            """`attention_mask` is (B, T, T) bool: from token, to token."""
            blocked = torch.finfo(self.dtype).min
            summand = torch.where(attention_mask[:, None].bool(), 0.0, blocked).to(self.dtype)
            return super().forward(attention_mask=summand, **rest)

    with torch.device("meta"):
        masked = BlockMaskedBert(bert_model.config)
    masked.load_state_dict(bert_model.state_dict(), assign=True)
    masked.embeddings = bert_model.embeddings  # its buffers are in no state
    return masked


@contextlib.contextmanager
def in_the_warpers_place() -> Iterator[None]:
    """Let groundingdino-py build a model with transformers 5; what it is without is put back."""
    module = require("groundingdino.models.GroundingDINO.groundingdino", extra="autolabel")
    warper = module.BertModelWarper
    module.BertModelWarper = _block_masked
    try:
        yield
    finally:
        module.BertModelWarper = warper


def _build_loudly(config: str, text_encoder: Path, device: Any) -> Any:
    package = require("groundingdino", extra="autolabel")
    settings = require("groundingdino.util.slconfig", extra="autolabel").SLConfig.fromfile(
        str(Path(package.__file__).parent / "config" / _CONFIGS[config])
    )
    settings.device = str(device)
    settings.use_checkpoint = settings.use_transformer_ckpt = False  # saves memory in training only
    settings.text_encoder_type = str(text_encoder)
    require("transformers", extra="autolabel").utils.logging.set_verbosity_error()
    models = require("groundingdino.models", extra="autolabel")
    try:
        with in_the_warpers_place():
            return models.build_model(settings)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the text encoder {text_encoder} cannot be loaded: fetch it again "
            f"({torch_device.first_line(error)})"
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
