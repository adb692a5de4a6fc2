"""Agreement on how many objects an image has, beyond chance: Krippendorff's alpha of counts."""

from __future__ import annotations

import numpy as np

from curate.agreement import chance_sums
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.agreement.chance_sums import Level
from curate.agreement.image_scores import PairScores
from curate.agreement.image_sums import ImageSums, Name, Resampled, divided
from curate.intervals import Figure

LEVELS: tuple[Level, ...] = ("ordinal", "interval", "ratio")
_OF, _PAIR = ("counts", "of"), ("counts", "pair")  # beginnings of the sums' names
_NOTHING = "no image was seen by two people, or all counted the same everywhere"


def add(sums: ImageSums, answers: Answers, pairs: Pairs, scores: PairScores) -> None:
    """Add what `compute` needs; a unit is an image, its values are how many objects each person drew."""
    several = answers.looks[answers.look_image] > 1
    drawn = np.diff(answers.look_starts)[several]
    there = np.flatnonzero(answers.looks > 1)
    sums.add(("counts", "images"), there, np.ones(len(there)))
    numbers, code = np.unique(drawn, return_inverse=True)
    names: list[Name] = [(*_OF, number) for number in numbers.tolist()]
    sums.add_each(names, answers.look_image[several], code, np.ones(len(code)))
    low, high = (end(scores.n_first, scores.n_second) for end in (np.minimum, np.maximum))
    wide = int(high.max(initial=0)) + 1
    couples, which = np.unique(low * wide + high, return_inverse=True)
    weights = 2.0 / (answers.looks[pairs.image] - 1)  # each couple in both directions
    both: list[Name] = [(*_PAIR, *divmod(couple, wide)) for couple in couples.tolist()]
    sums.add_each(both, pairs.image, which, weights)


def compute(found: Resampled) -> dict[str, Figure]:
    """`alpha_counts_ordinal`, `alpha_counts_interval` and `alpha_counts_ratio`; see `chance`.

    Args:
        found: Sums of `add`.
    """
    names = [name for name in found.names() if isinstance(name, tuple)]
    values = sorted(name[2] for name in names if name[:2] == _OF)
    couples = sorted(name[2:] for name in names if name[:2] == _PAIR)
    totals = found.many([(*_OF, value) for value in values])
    seen = found.many([(*_PAIR, *couple) for couple in couples])
    numbers = np.array(values, dtype=np.float64)
    a, b = np.searchsorted(numbers, np.array(couples, dtype=np.float64).reshape(-1, 2).T)
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
