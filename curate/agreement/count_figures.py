"""Agreement on how many objects an image has, beyond chance: Krippendorff's alpha of counts."""

from __future__ import annotations

import numpy as np

from curate.agreement import chance_sums
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.agreement.chance_sums import Level
from curate.agreement.image_scores import PairScores
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.intervals import Figure

LEVELS: tuple[Level, ...] = ("ordinal", "interval", "ratio")
_NOTHING = "no image was seen by two people, or all counted the same everywhere"


def add(sums: ImageSums, answers: Answers, pairs: Pairs, scores: PairScores) -> tuple[Values, Values]:
    """Add what `compute` needs; a unit is an image, its values are how many objects each person drew.

    Returns:
        The distinct numbers (V,), rising; and (P, 2) which two of them people gave to one image.
    """
    several = answers.looks[answers.look_image] > 1
    drawn = np.diff(answers.look_starts)[several]
    there = np.flatnonzero(answers.looks > 1)
    sums.add(("counts", "images"), there, np.ones(len(there)))
    numbers, code = np.unique(drawn, return_inverse=True)
    image = answers.look_image[several]
    names = [("counts", "of", place) for place in range(len(numbers))]
    sums.add_each(names, image, code, np.ones(len(code)))
    low, high = (np.searchsorted(numbers, both) for both in _sorted(scores))
    couples, which = np.unique(low * max(1, len(numbers)) + high, return_inverse=True)
    weights = 2.0 / (answers.looks[pairs.image] - 1)  # each couple in both directions
    sums.add_each([("counts", "pair", place) for place in range(len(couples))], pairs.image, which, weights)
    both = np.stack(np.divmod(couples, max(1, len(numbers))), axis=1)
    return numbers.astype(np.float64), both


def _sorted(scores: PairScores) -> tuple[Values, Values]:
    return np.minimum(scores.n_first, scores.n_second), np.maximum(scores.n_first, scores.n_second)


def compute(found: Resampled, numbers: Values, couples: Values) -> dict[str, Figure]:
    """`alpha_counts_ordinal`, `alpha_counts_interval` and `alpha_counts_ratio`; see `chance`.

    Args:
        found: Sums of `add`.
        numbers: What `add` returned.
        couples: The same.
    """
    totals = found.many([("counts", "of", place) for place in range(len(numbers))])
    seen = found.many([("counts", "pair", place) for place in range(len(couples))])
    a, b = couples[:, 0].astype(np.intp), couples[:, 1].astype(np.intp)
    figures = {}
    whole = totals.sum(axis=1)
    for level in LEVELS:
        if level == "ratio":
            distance = chance_sums.metric(np.zeros(len(numbers)), numbers, level)
            apart, expected = (
                np.broadcast_to(distance[a, b], seen.shape),
                ((totals @ distance) * totals).sum(axis=1),
            )
        else:
            rank = np.cumsum(totals, axis=1) - totals / 2
            places = rank if level == "ordinal" else np.broadcast_to(numbers, totals.shape)
            apart = (places[:, a] - places[:, b]) ** 2
            squares = (totals * places**2).sum(axis=1)
            expected = 2 * (whole * squares - (totals * places).sum(axis=1) ** 2)
        alpha = 1 - divided((whole - 1) * (seen * apart).sum(axis=1), np.round(expected, 9))
        over = ("counts", "images")
        n = found.count(over)
        figures[f"alpha_counts_{level}"] = found.figure(
            alpha, n=n, over=over, nothing=_NOTHING, scale="signed"
        )
    return figures
