"""Which two results a person is asked to compare: sides and order at random, repeats, attention checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from curate.records import derived_id

Kind = Literal["vote", "repeat", "attention"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question: which of two results looks better?

    Attributes:
        comparison_id: Deterministic; no name of a model shows in it.
        image_id: What is shown.
        left: Model of the left side.
        right: Model of the right side.
        kind: vote; repeat = asked before, with the sides exchanged; attention = the clean image against a
            spoilt one, which everybody who looks gets right.
    """

    comparison_id: str
    image_id: str
    left: str
    right: str
    kind: Kind


CLEAN, SPOILT = "(clean)", "(spoilt)"  # the two of an attention check; no names of models


def plan(
    results: Mapping[str, Sequence[str]],
    *,
    images: int,
    round_images: int,
    repeat_share: float,
    attention_share: float,
    seed: int,
) -> list[Comparison]:
    """Comparisons in the order in which they are asked: round by round, and within a round at random.

    Each draw is a hash of the seed and of what it is about, never of what else is there. So a new image, a
    new model or a result that fails leaves every other comparison as it was, and the votes that it has.

    Args:
        results: Models with a result, by image.
        images: How many are shown at most; drawn at random.
        round_images: Images of a round.
        repeat_share: Chance of each vote to be asked twice, 0 to 1.
        attention_share: Attention checks for each vote, 0 to 1; an image may have several.
        seed: Of everything that is drawn.
    """
    able = [image for image, models in results.items() if len(models) > 1]
    chosen = sorted(able, key=lambda image: _drawn(seed, "image", image))[:images]
    asked = [
        (place // round_images, _drawn(seed, "order", one.comparison_id), one)
        for place, image in enumerate(chosen)
        for one in _of_image(image, results[image], repeat_share, attention_share, seed, first=place == 0)
    ]
    return [one for _, _, one in sorted(asked, key=lambda place: place[:2])]


def _of_image(
    image: str, models: Sequence[str], repeat_share: float, attention_share: float, seed: int, *, first: bool
) -> Iterator[Comparison]:
    """Those of one image; the first image has a check in any case, where checks are wanted."""
    pairs = list(combinations(sorted(models), 2))
    for pair in pairs:
        left, right = _sides(seed, image, *pair)
        yield _comparison(image, left, right, "vote")
        if _drawn(seed, "repeat", image, *pair) < repeat_share:
            yield _comparison(image, right, left, "repeat")
    checks = int(attention_share * len(pairs) + _drawn(seed, "attention", image))
    for k in range(max(checks, first and attention_share > 0)):
        yield _comparison(image, *_sides(seed, image, CLEAN, SPOILT, k), "attention", k)


def _drawn(*parts: str | int) -> float:
    """A number in [0, 1] that depends on these parts alone."""
    return int(derived_id(*parts), 16) / 16**24


def _sides(seed: int, image: str, first: str, second: str, k: int = 0) -> tuple[str, str]:
    return (first, second) if _drawn(seed, "sides", image, first, second, k) < 0.5 else (second, first)


def _comparison(image: str, left: str, right: str, kind: Kind, k: int = 0) -> Comparison:
    return Comparison(derived_id("vote", image, left, right, kind, k), image, left, right, kind)
