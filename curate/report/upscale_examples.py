"""Examples at 100%: one place of the original, of the small image and of each result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

from curate.images import pixel_limit, pixel_statistics
from curate.params.upscale import BICUBIC
from curate.report import full_size_crops
from curate.report.drawing import Picture
from curate.report.restoration_inputs import RestorationFacts

_SIDE: Final = 320  # pixels of an example
_NEAR: Final = 64  # pixels of a side in which a result is furthest from the original
_MAX_EXAMPLES: Final = 6  # examples
_TRIED: Final = 40  # losses of a model that are looked at for one that is sharper
_BY: Final = "psnr"
_DAMAGED: Final = (OSError, SyntaxError, ValueError)
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the pictures of an example.

    Attributes:
        name: original | low resolution | a model.
        picture: At 100%, of the example's place.
        figures: What was measured on the whole result, by metric.
    """

    name: str
    picture: Picture
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Example:
    """One pair: the original, the small image with each pixel enlarged, and every result."""

    pair_id: str
    why: str
    split: str
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """A result that is sharper than the bicubic one of its image, and further from the original.

    Attributes:
        model: Which.
        pair_id: Which.
        psnr: Of bicubic and of the model, dB.
        sharpness: Variance of the Laplacian of the luma of the whole: original, bicubic, model.
        shown: Original, bicubic, model where the model is furthest off.
    """

    model: str
    pair_id: str
    psnr: tuple[float, float]
    sharpness: tuple[float, float, float]
    shown: tuple[Shown, ...]


def losses(facts: RestorationFacts) -> dict[str, tuple[int, int]]:
    """Count for each model the results that lose to bicubic in PSNR, and all that can be compared."""
    found = {}
    for model in facts.models:
        differences = _differences(facts, model) if model != BICUBIC else []
        if differences:
            found[model] = (sum(one < 0 for one, _ in differences), len(differences))
    return found


def sharper_but_less_true(facts: RestorationFacts) -> Loss | None:
    """The largest loss in PSNR to bicubic by a result that is sharper than bicubic's; None = no such."""
    worse = sorted(
        (difference, model, pair)
        for model in facts.models
        if model != BICUBIC
        for difference, pair in _differences(facts, model)
        if difference < 0
    )
    for _, model, pair in worse[:_TRIED]:
        found = _loss(facts, model, pair)
        if found is not None and found.sharpness[2] > found.sharpness[1]:
            return found
    return None


def examples(facts: RestorationFacts) -> list[Example]:
    """Choose at most six pairs, from the largest gain of models over bicubic to the largest loss.

    Without such a comparison the first ones in the order of their ids.
    """
    gains: dict[str, float] = {}
    for model in facts.models:
        for difference, pair in _differences(facts, model) if model != BICUBIC else []:
            gains[pair] = max(gains.get(pair, -np.inf), difference)
    every = sorted(gains, key=lambda pair: (-gains[pair], pair)) or sorted(
        {pair for _, pair in facts.results} & set(facts.pairs)
    )
    places = sorted({round(at) for at in np.linspace(0, len(every) - 1, min(_MAX_EXAMPLES, len(every)))})
    found = []
    for place in places:
        pair = every[place]
        why = f"best model {gains[pair]:+.2f} dB against bicubic" if pair in gains else ""
        example = _example(facts, pair, why)
        if example is not None:
            found.append(example)
    return found


def _differences(facts: RestorationFacts, model: str) -> list[tuple[float, str]]:
    values = facts.values
    return [
        (value - values[_BY, BICUBIC, pair], pair)
        for (metric, one, pair), value in values.items()
        if metric == _BY and one == model and (_BY, BICUBIC, pair) in values
    ]


def _example(facts: RestorationFacts, pair: str, why: str) -> Example | None:
    row = facts.pairs[pair]
    try:
        clean = _read(facts.root, row["hr_path"])
        small = _read(facts.root, row["lr_path"])
        results = [
            (model, _read(facts.root, facts.results[model, pair]["path"])) for model in _order(facts, pair)
        ]
    except _DAMAGED:
        return None  # the table names the file; who removed it knows
    box = full_size_crops.middle(clean.size, _SIDE)
    large = small.resize(clean.size, Image.Resampling.NEAREST)
    pictures = [("original", clean), ("low resolution", large), *results]
    shown = tuple(_shown(facts, pair, name, image, box) for name, image in pictures)
    return Example(pair, why, row["split"] or "not known", shown)


def _order(facts: RestorationFacts, pair: str) -> Sequence[str]:
    """Bicubic first: what each model is compared with."""
    return sorted(
        (model for model in facts.models if (model, pair) in facts.results), key=lambda m: (m != BICUBIC, m)
    )


def _loss(facts: RestorationFacts, model: str, pair: str) -> Loss | None:
    paths = [facts.pairs[pair]["hr_path"], *(facts.results[one, pair]["path"] for one in (BICUBIC, model))]
    try:
        images = [_read(facts.root, path) for path in paths]
    except _DAMAGED:
        return None
    if len({image.size for image in images}) > 1:
        return None
    box = _worst_place(*(np.asarray(image.convert("L"), dtype=np.float64) for image in images))
    names = ("original", BICUBIC, model)
    return Loss(
        model,
        pair,
        psnr=(facts.values[_BY, BICUBIC, pair], facts.values[_BY, model, pair]),
        sharpness=tuple(pixel_statistics.measure(image).sharpness for image in images),  # type: ignore[arg-type]
        shown=tuple(_shown(facts, pair, name, image, box) for name, image in zip(names, images, strict=True)),
    )


def _worst_place(clean: NDArray[np.float64], plain: NDArray[np.float64], made: NDArray[np.float64]) -> Box:
    """The part of the page's size around where the model's error exceeds bicubic's most."""
    more = uniform_filter((made - clean) ** 2 - (plain - clean) ** 2, _NEAR)
    row, column = np.unravel_index(int(more.argmax()), more.shape)
    height, width = clean.shape
    across, down = min(_SIDE, width), min(_SIDE, height)
    left = int(np.clip(column - across // 2, 0, width - across))
    top = int(np.clip(row - down // 2, 0, height - down))
    return left, top, left + across, top + down


def _shown(facts: RestorationFacts, pair: str, name: str, image: Image.Image, box: Box) -> Shown:
    figures: dict[str, Any] = {
        metric: value for (metric, model, one), value in facts.values.items() if (model, one) == (name, pair)
    }
    return Shown(name, full_size_crops.picture(image.crop(box)), figures)


def _read(root: Path, path: str) -> Image.Image:
    with pixel_limit.any_size(), Image.open(root / path) as image:
        return image.convert("RGB")
