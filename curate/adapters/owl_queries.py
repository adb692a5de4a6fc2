"""OWL-ViT and OWLv2 of transformers: each prompt is a query of its own, so no text is ever split.

A box's score for a prompt is the sigmoid of the model's logit for that pair; `prompt_score` has no meaning
here. Texts do not depend on images and are encoded once in a process; images are encoded once, however many
prompts there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.adapters import token_spans, torch_device
from curate.adapters.torch_device import Place
from curate.adapters.transformers_files import Loaded
from curate.extras import require
from curate.labeling import prompts
from curate.labeling.prompts import Prompt, PromptScore, TextPass
from curate.records import Category, Detections, FloatArray, UInt8Image

_TEXTS = 64  # encoded at once


class OwlQueries:
    """A loaded model and how it is asked."""

    def __init__(self, loaded: Loaded, place: Place, how: PromptScore, *, apart: bool = False) -> None:
        """Bring the model to its device.

        Args:
            loaded: On the CPU.
            place: Where it shall run.
            how: Without meaning here: one score a prompt.
            apart: Without meaning here: no prompt knows of another.
        """
        del how, apart
        self._torch = require("torch", extra="autolabel")
        self._processor, self._place = loaded.processor, place
        self._model = loaded.model.to(place.device)
        self._base = getattr(self._model, loaded.config.model_type)
        torch_device.in_full_precision(self._model.box_head, place)
        # OWLv2 sees a square that is padded at the right and at the bottom; OWL-ViT squeezes into a square.
        self._padded = loaded.config.model_type == "owlv2"
        self._max_tokens = int(loaded.config.text_config.max_position_embeddings)
        self._texts: tuple[tuple[str, ...], Any] = ((), None)

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """See `TransformersDetector.detect`; at least one image."""
        asked = tuple(Prompt(category.name, phrase) for category in categories for phrase in category.prompts)
        floor = min(category.threshold for category in categories)
        text = TextPass("", asked, tuple((number, number + 1) for number in range(len(asked))))
        pixels = self._processor.image_processor(
            list(images), return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"]
        with torch_device.enough_memory(len(images)):
            boxes, scores = self._forward(pixels, self._encoded(asked))
        found = []
        for number, image in enumerate(images):
            height, width = image.shape[:2]
            share = boxes[number] * self._stretch(width, height)
            part = prompts.detections(
                share, scores[number], text, width=width, height=height, floor=floor, how="max"
            )
            found.append(prompts.joined([part]))
        return found

    def _stretch(self, width: int, height: int) -> FloatArray:
        """Factors (4,) that turn cxcywh shares of what the model sees into shares of the image."""
        if not self._padded:
            return np.ones(4, dtype=np.float32)
        side = max(width, height)
        return np.array([side / width, side / height] * 2, dtype=np.float32)

    def _forward(self, pixels: Any, texts: Any) -> tuple[FloatArray, FloatArray]:
        """Boxes (N, Q, 4) cxcywh as shares of what the model sees; scores (N, Q, P)."""
        with self._place.computing():
            grid, _ = self._model.image_embedder(pixel_values=self._place.put(pixels))
            features = grid.flatten(1, 2)
            boxes = self._model.box_predictor(features, grid)
            logits, _ = self._model.class_predictor(features, texts.expand(len(pixels), -1, -1))
            return boxes.float().cpu().numpy(), logits.float().sigmoid().cpu().numpy()

    def _encoded(self, asked: tuple[Prompt, ...]) -> Any:
        """(1, P, D) float32."""
        phrases = tuple(prompt.phrase for prompt in asked)
        if self._texts[0] != phrases:
            for prompt in asked:
                self._check(prompt)
            parts = [self._text(phrases[start : start + _TEXTS]) for start in range(0, len(asked), _TEXTS)]
            self._texts = (phrases, self._torch.cat(parts)[None])
        return self._texts[1]

    def _text(self, phrases: Sequence[str]) -> Any:
        tokens = self._processor.tokenizer(list(phrases), padding="max_length", return_tensors="pt")
        with self._torch.inference_mode():
            ids = {name: self._place.put(tokens[name]) for name in ("input_ids", "attention_mask")}
            features = self._base.get_text_features(**ids).pooler_output
            return self._torch.nn.functional.normalize(features.float(), dim=-1)

    def _check(self, prompt: Prompt) -> None:
        token_spans.check(
            self._processor.tokenizer, prompt.phrase, category=prompt.category, max_tokens=self._max_tokens
        )
