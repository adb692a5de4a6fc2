"""RT-DETR, RF-DETR, D-FINE and their kin: a detector that was trained on labels of its own.

It reads no prompt. Each of its labels belongs to the category of taxonomy.yaml that has it as its name or as
one of its prompts, whatever the case, and with "_" and "-" for spaces. A box's score for a label is the
sigmoid of the model's logit for that pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.adapters import torch_device
from curate.adapters.torch_device import Place
from curate.adapters.transformers_files import Loaded
from curate.errors import ParamsError
from curate.labeling import prompts
from curate.labeling.prompts import Prompt, PromptScore, TextPass
from curate.records import Category, Detections, FloatArray, UInt8Image


class ClosedLabels:
    """A loaded model and how its labels are read."""

    def __init__(self, loaded: Loaded, place: Place, how: PromptScore, *, apart: bool = False) -> None:
        """Bring the model to its device.

        Args:
            loaded: On the CPU.
            place: Where it shall run.
            how: Without meaning here: one score a label.
            apart: Without meaning here, and refused: nothing is asked.

        Raises:
            ParamsError: `apart` is set.
        """
        del how
        if apart:
            raise ParamsError(
                f"autolabel.detector.texts: a {loaded.config.model_type} reads no texts, set it to joint"
            )
        self._processor, self._place = loaded.processor, place
        self._model = loaded.model.to(place.device)
        names = loaded.config.id2label
        self._labels = [str(names[number]) for number in range(loaded.config.num_labels)]

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """See `TransformersDetector.detect`; at least one image.

        Raises:
            ParamsError: A label of the model belongs to no category.
        """
        asked = _prompts(self._labels, categories)
        text = TextPass("", asked, tuple((number, number + 1) for number in range(len(asked))))
        floor = min(category.threshold for category in categories)
        prepared = self._processor(list(images), return_tensors="pt", input_data_format="channels_last")
        with torch_device.enough_memory(len(images)):
            boxes, scores = self._forward({name: self._place.put(value) for name, value in prepared.items()})
        return [
            prompts.detections(
                boxes[number],
                scores[number],
                text,
                width=image.shape[1],
                height=image.shape[0],
                floor=floor,
                how="max",
            )
            for number, image in enumerate(images)
        ]

    def _forward(self, prepared: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
        """Boxes (N, Q, 4) cxcywh as shares of the image; scores (N, Q, L)."""
        with self._place.computing():
            output = self._model(**prepared)
            scores = output.logits[..., : len(self._labels)].float().sigmoid()
            return output.pred_boxes.float().cpu().numpy(), scores.cpu().numpy()


def _prompts(labels: Sequence[str], categories: Sequence[Category]) -> tuple[Prompt, ...]:
    """The category of each label, with the phrase that stands for it in the tables."""
    known: dict[str, Prompt] = {}
    for category in categories:
        known.setdefault(_plain(category.name), Prompt(category.name, category.prompts[0]))
        for phrase in category.prompts:
            known[_plain(phrase)] = Prompt(category.name, phrase)
    unknown = [label for label in labels if _plain(label) not in known]
    if unknown:
        raise ParamsError(
            f"the detector's label {unknown[0]!r} is no category of taxonomy.yaml and no prompt of one: add "
            f"it there ({len(unknown)} of its {len(labels)} labels are unknown)"
        )
    return tuple(known[_plain(label)] for label in labels)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
