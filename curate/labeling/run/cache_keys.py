"""What each kind of intermediate result depends on, as digests: a result is used again under its key only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from curate import fingerprint
from curate.geometry import boxes, masks
from curate.images import load_upright
from curate.labeling import mask_cleanup, nms, prompts, taxonomy
from curate.labeling.run import decoding, shard_files, suggestion_rows
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.records import Category

# What says how fast, or where the same weights lie, and never what comes out.
_NO_MATTER = {"batch_size", "model", "sha256"}


@dataclass(frozen=True, slots=True)
class Text:
    """What a detector is asked for at a time.

    Attributes:
        categories: With thresholds lowered to the least score that is remembered.
        key: Of the raw boxes.
    """

    categories: tuple[Category, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Under what a run keeps its results.

    Attributes:
        version: Of the models.
        texts: In the order in which the detector is asked.
        masks: Of raw masks; None without a segmenter.
        labels: Of finished rows.
    """

    version: str
    texts: tuple[Text, ...]
    masks: str | None
    labels: str

    @property
    def raw(self) -> set[str]:
        """The keys of raw boxes and masks."""
        return {text.key for text in self.texts} | ({self.masks} if self.masks else set())


def of_run(params: AutolabelParams, categories: tuple[Category, ...], models: Models) -> Keys:
    """The keys of a run.

    Raw boxes depend on the detector (weights, settings, code) and on all prompts that stand in one text.
    Raw masks depend on the segmenter and on their box. Finished rows depend on those and on everything else.
    """
    where = [params.device, params.precision]
    detector = [models.detector.model_version, _settings(params.detector), *where]
    detector.append(_code(load_upright, decoding, prompts, models.detector))
    texts = tuple(
        Text(group, _digest("boxes", *detector, [list(c.prompts) for c in group], group[0].threshold))
        for group in _groups(params, categories)
    )
    of_masks = None
    if models.segmenter is not None:
        code = _code(load_upright, decoding, models.segmenter)
        of_masks = _digest("masks", models.segmenter.model_version, _settings(params.segmenter), *where, code)
    rest = params.model_dump(
        mode="json", exclude={"detector", "segmenter", "shard_size", "workers", "max_failures", "taxonomy"}
    )
    code = _code(boxes, mask_cleanup, masks, nms, suggestion_rows, shard_files)
    labels = _digest(
        "labels", [text.key for text in texts], of_masks, taxonomy.digest(categories), rest, code
    )
    return Keys(models.version, texts, of_masks, labels)


def _groups(params: AutolabelParams, categories: tuple[Category, ...]) -> list[tuple[Category, ...]]:
    """The categories of each text, with one least score for all of them."""
    groups = [categories] if params.detector.texts == "joint" else [(category,) for category in categories]
    lowest = [min(params.min_score, *(category.threshold for category in group)) for group in groups]
    return [
        tuple(replace(category, threshold=min_score) for category in group)
        for group, min_score in zip(groups, lowest, strict=True)
    ]


def _settings(section: Any) -> dict[str, Any]:
    values: dict[str, Any] = section.model_dump(mode="json", exclude=_NO_MATTER)
    return values


def _code(*parts: object) -> str:
    """Digest of the code of modules, or of the modules that define models, with all that they import."""
    names = [part.__name__ if isinstance(part, ModuleType) else type(part).__module__ for part in parts]
    return fingerprint.digest(*names, without=fingerprint.DECIDES_NOTHING)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def prompt_names(categories: Sequence[Category]) -> dict[str, str]:
    """The category of each prompt; taxonomy.yaml gives a prompt to one only."""
    return {prompt: category.name for category in categories for prompt in category.prompts}
