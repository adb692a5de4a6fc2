"""Grounding DINO and MM-Grounding-DINO of transformers: all prompts in as few texts as it can read."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from curate.adapters import token_spans, torch_device
from curate.adapters.encoded_once import encoded_once
from curate.adapters.torch_device import Place
from curate.adapters.transformers_files import Loaded
from curate.labeling import prompts
from curate.labeling.prompts import PromptScore
from curate.records import Category, Detections, FloatArray, UInt8Image


class GroundingTexts:
    """A loaded model and how it is asked."""

    def __init__(self, loaded: Loaded, place: Place, how: PromptScore, *, apart: bool = False) -> None:
        """Bring the model to its device.

        Args:
            loaded: On the CPU.
            place: Where it shall run.
            how: A box's score for a prompt: mean or max over the prompt's tokens.
            apart: A text of its own for each category.
        """
        self._processor, self._place, self._how, self._apart = loaded.processor, place, how, apart
        self._model = loaded.model.to(place.device)
        self._backbone = self._model.model.backbone = encoded_once(self._model.model.backbone)
        heads = {id(head): head for head in self._model.bbox_embed}
        first = self._model.model.encoder_output_bbox_embed
        for head in {**heads, id(first): first}.values():
            torch_device.in_full_precision(head, place)  # 8 bits of a coordinate would be pixels
        self._max_tokens = int(loaded.config.max_text_len)

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """See `TransformersDetector.detect`; at least one image."""
        pixels = self._processor.image_processor(
            list(images), return_tensors="pt", input_data_format="channels_last"
        )
        try:
            with torch_device.enough_memory(len(images)):
                there = {name: self._place.put(tensor) for name, tensor in pixels.items()}
            return prompts.detect(
                [(image.shape[1], image.shape[0]) for image in images],
                categories,
                functools.partial(self._forward, there, len(images)),
                tokenize=functools.partial(token_spans.tokens, self._processor.tokenizer),
                max_tokens=self._max_tokens,
                how=self._how,
                apart=self._apart,
            )
        finally:
            self._backbone.forget()

    def _forward(self, pixels: dict[str, Any], images: int, text: str) -> tuple[FloatArray, FloatArray]:
        tokens = self._processor.tokenizer([text] * images, return_tensors="pt")
        with torch_device.enough_memory(images), self._place.computing():
            output = self._model(**pixels, **{name: self._place.put(ids) for name, ids in tokens.items()})
            return output.pred_boxes.float().cpu().numpy(), output.logits.float().sigmoid().cpu().numpy()
