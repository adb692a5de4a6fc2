"""Rarity and label disagreement: what the categories that are suggested on an image say for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.qa.choice.greedy import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Told:
    """The category of each image that says most.

    Attributes:
        value: (N,) in [0, 1]; 0 where no category says anything.
        category: (N,) its place in the taxonomy; -1 where the value is 0.
    """

    value: Floats
    category: Ints


def suggested_on(images: Ints, categories: Ints, number: int) -> Ints:
    """(C,) on how many images each category is suggested.

    Args:
        images: (R,) place of the image of each suggestion.
        categories: (R,) its category; -1, unknown, is not counted.
        number: Categories, C.
    """
    known = categories >= 0
    pairs = np.unique(images[known] * number + categories[known])
    return np.bincount(pairs % max(1, number), minlength=number)


def rarity(images: Ints, categories: Ints, total: int, number: int) -> Told:
    """How rare the rarest category is that is suggested on each image.

    Args:
        images: (R,) place of the image of each suggestion.
        categories: (R,) its category; -1 = unknown.
        total: Images, N.
        number: Categories, C.

    Returns:
        ln(N / n) / ln(N), where n images show the category: 1 where it is the only one, 0 where all do.

    Source:
        Inverse document frequency: Sparck Jones, A statistical interpretation of term specificity and its
        application in retrieval (1972), scaled to [0, 1].
    """
    counts = suggested_on(images, categories, number)
    scores = np.log(total / np.maximum(counts, 1)) / np.log(total) if total > 1 else np.zeros(number)
    return top_categories(images, categories, scores, total)


def disagreement(categories: Iterable[tuple[str | None, str | None]]) -> Mapping[str, float]:
    """How often people disagree on each category, from the pairs of an earlier round.

    Args:
        categories: Of each pair of objects: what either person called it; None = that person did not draw it.

    Returns:
        (d + 1) / (n + 2) by category, where n pairs name it and in d of them the two people do not both name
        it. Categories that no pair names are left out.

    Source:
        Laplace's rule of succession: one pair says little.

    Example:
        >>> disagreement([("car", "car"), ("car", "bus"), ("car", None)])
        {'bus': 0.6666666666666666, 'car': 0.6}
    """
    pairs: dict[str, list[int]] = {}
    for one, other in categories:
        for name in {one, other} - {None}:
            pairs.setdefault(str(name), []).append(one != other)
    return {name: (sum(bad) + 1) / (len(bad) + 2) for name, bad in sorted(pairs.items())}


def top_categories(images: Ints, categories: Ints, scores: Floats, total: int) -> Told:
    """The category of the highest score on each image, the first of equals.

    Args:
        images: (R,) place of the image of each suggestion.
        categories: (R,) its category; -1 = unknown.
        scores: (C,) in [0, 1] by category.
        total: Images, N.
    """
    value, category = np.zeros(total), np.full(total, -1, dtype=np.int64)
    known = np.flatnonzero(categories >= 0)
    known = known[scores[categories[known]] > 0]
    order = known[np.lexsort((categories[known], -scores[categories[known]], images[known]))]
    image, first = np.unique(images[order], return_index=True)
    category[image] = categories[order[first]]
    value[image] = scores[category[image]]
    return Told(value, category)
