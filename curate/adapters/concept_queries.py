"""SAM 3 as a detector: it finds every instance of a short phrase, one phrase at a time.

A box's score for a phrase is what SAM 3 itself takes: how well the box fits the phrase, times how sure the
model is that the phrase is in the image at all. Images and phrases are encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from curate.adapters import token_spans, torch_device
from curate.adapters.torch_device import Place
from curate.adapters.transformers_files import Loaded
from curate.extras import require
from curate.labeling import prompts
from curate.labeling.prompts import Prompt, PromptScore, TextPass
from curate.records import Category, Detections, FloatArray, UInt8Image


class ConceptQueries:
    """A loaded model and how it is asked."""

    def __init__(self, loaded: Loaded, place: Place, how: PromptScore, *, apart: bool = False) -> None:
        """Bring the model to its device.

        Args:
            loaded: On the CPU.
            place: Where it shall run.
            how: Without meaning here: one score a phrase.
            apart: Without meaning here: no phrase knows of another.
        """
        del how, apart
        self._torch = require("torch", extra="autolabel")
        self._processor, self._place = loaded.processor, place
        self._model = loaded.model.to(place.device)
        torch_device.in_full_precision(self._model.detr_decoder.box_head, place)
        self._max_tokens = int(self._model.config.text_config.max_position_embeddings)
        self._texts: dict[str, tuple[Any, Any]] = {}

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """See `TransformersDetector.detect`; at least one image."""
        asked = [Prompt(category.name, phrase) for category in categories for phrase in category.prompts]
        floor = min(category.threshold for category in categories)
        pixels = self._processor.image_processor(
            list(images), return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"]
        parts: list[list[Detections]] = [[] for _ in images]
        with torch_device.enough_memory(len(images)), self._place.computing():
            seen = self._model.get_vision_features(self._place.put(pixels))
            for prompt in asked:
                boxes, scores = self._ask(seen, prompt, len(images))
                text = TextPass("", (prompt,), ((0, 1),))
                for number, image in enumerate(images):
                    height, width = image.shape[:2]
                    parts[number].append(
                        prompts.detections(
                            boxes[number],
                            scores[number],
                            text,
                            width=width,
                            height=height,
                            floor=floor,
                            how="max",
                        )
                    )
        return [prompts.joined(of_image) for of_image in parts]

    def _ask(self, seen: Any, prompt: Prompt, images: int) -> tuple[FloatArray, FloatArray]:
        """Boxes (N, Q, 4) cxcywh as shares of the image; scores (N, Q, 1)."""
        embedded, mask = self._encoded(prompt)
        embedded = SimpleNamespace(pooler_output=embedded.pooler_output.expand(images, -1, -1))
        output = self._model(vision_embeds=seen, text_embeds=embedded, attention_mask=mask.expand(images, -1))
        scores = output.pred_logits.float().sigmoid() * output.presence_logits.float().sigmoid()
        corners = output.pred_boxes.float().cpu().numpy()
        low, high = corners[..., :2], corners[..., 2:]
        return np.concatenate([(low + high) / 2, high - low], axis=-1), scores[..., None].cpu().numpy()

    def _encoded(self, prompt: Prompt) -> tuple[Any, Any]:
        """What the text encoder makes of a phrase, once in a process, and the mask of its tokens."""
        if prompt.phrase not in self._texts:
            self._check(prompt)
            tokens = self._processor.tokenizer(
                prompt.phrase, padding="max_length", max_length=self._max_tokens, return_tensors="pt"
            )
            ids, mask = self._place.put(tokens["input_ids"]), self._place.put(tokens["attention_mask"])
            self._texts[prompt.phrase] = (self._model.get_text_features(ids, attention_mask=mask), mask)
        return self._texts[prompt.phrase]

    def _check(self, prompt: Prompt) -> None:
        token_spans.check(
            self._processor.tokenizer, prompt.phrase, category=prompt.category, max_tokens=self._max_tokens
        )
