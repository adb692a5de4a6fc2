"""Whether two images that share a hash are one picture: compares their thumbnails and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.candidates import FLAT
from curate.dedupe.features import Features, Recipe
from curate.dedupe.neighbours import Pairs
from curate.dedupe.turns import UPRIGHT, turn_pixels, turns

RELATIONS: Final = ("same", "mirrored", "rotated", "tilted", "cropped", "bordered")
_CHUNK: Final = 4096  # pairs
_SAME_COLOUR: Final = 12.0  # levels of 255


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of each pair.

    Attributes:
        same: (P,) bool.
        correlation: (P,) float32, -1..1, of luma after alignment.
        relation: (P,) int8, index into `RELATIONS`: how second shows first.
    """

    same: NDArray[np.bool_]
    correlation: NDArray[np.float32]
    relation: NDArray[np.int8]


def verify(
    features: Features, pairs: Pairs, recipe: Recipe, *, min_correlation: float, base: Features | None = None
) -> Verified:
    """Compare the images of each pair; memory does not grow with them but for the result.

    Args:
        features: Of the images; `pairs.first` counts in it.
        pairs: From `candidates`.
        recipe: That the features were made with.
        min_correlation: 0..1.
        base: What `pairs.second` counts in; None = `features`.
    """
    other = features if base is None else base
    count = len(pairs.first)
    same = np.zeros(count, dtype=np.bool_)
    correlation = np.zeros(count, dtype=np.float32)
    relation = np.zeros(count, dtype=np.int8)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        first, second = pairs.first[part], pairs.second[part]
        a, b = features.luma[first].astype(np.float32), other.luma[second].astype(np.float32)
        best = np.full(len(first), -2.0, dtype=np.float32)
        for turn in (UPRIGHT, *turns(recipe.turned)):
            found = _correlation(a, turn_pixels(b, turn))
            better = found > best
            best[better] = found[better]
            relation[part][better] = 2 if turn.transposed or turn.flipped else int(turn.mirrored)
        flat = np.minimum(features.contrast[first], other.contrast[second]) < FLAT
        near = np.abs(features.colour[first].astype(np.int16) - other.colour[second]).reshape(len(first), -1)
        both = np.maximum(features.contrast[first], other.contrast[second]) < 2 * FLAT
        same[part] = np.where(flat, both & (near.max(axis=1) <= _SAME_COLOUR), best >= min_correlation)
        correlation[part] = best
    return Verified(same, correlation, relation)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found: NDArray[np.float32] = (a * b).sum(axis=1) / np.maximum(scale, 1e-6)
    return found
