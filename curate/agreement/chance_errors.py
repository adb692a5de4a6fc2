"""Standard errors of agreement beyond chance, for independent units (`chance` has that of Cohen's kappa).

Where units are objects, those of one image depend on each other: the figures of the stage resample images
instead, and give the spread as `se`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.agreement import chance

Values = NDArray[np.float64]


def gwet_ac1_error(votes: ArrayLike) -> float | None:
    """The standard error of Gwet's AC1; None where AC1 is, or with fewer than two units.

    Args:
        votes: (U, K) how many annotators put unit u into category k; annotators may be missing.

    Source:
        Gwet, Computing inter-rater reliability and its variance in the presence of high agreement (British
        Journal of Mathematical and Statistical Psychology 61, 2008), equation 7; with missing answers as in
        Gwet, Handbook of inter-rater reliability (2014), chapter 5.

    Examples:
        >>> round(gwet_ac1_error([[2, 0], [2, 0], [2, 0], [1, 1]]), 3)
        0.397
    """
    counts = np.asarray(votes, dtype=np.float64)
    ac1 = chance.gwet_ac1(counts)
    if ac1 is None:
        return None
    counts = counts[counts.sum(axis=1) > 0]
    shares, mean = _shares(counts)
    wide = counts.shape[1] - 1
    by_chance = float((mean * (1 - mean)).sum()) / wide
    return _linearized(counts, ac1, by_chance, shares @ (1 - mean) / wide)


def fleiss_kappa_error(votes: ArrayLike) -> float | None:
    """The standard error of Fleiss' kappa; None where kappa is, or with fewer than two units.

    Args:
        votes: (U, K) how many annotators put unit u into category k; the same number for every unit.

    Source:
        Gwet, Handbook of inter-rater reliability (2014), chapter 5. The older formula (Fleiss, Nee and
        Landis, Psychological Bulletin 86, 1979) holds only where there is no agreement beyond chance.

    Examples:
        >>> round(fleiss_kappa_error([[0, 3], [3, 0], [1, 2]]), 3)
        0.465
    """
    counts = np.asarray(votes, dtype=np.float64)
    kappa = chance.fleiss_kappa(counts)
    if kappa is None:
        return None
    shares, mean = _shares(counts)
    return _linearized(counts, kappa, float((mean**2).sum()), shares @ mean)


def krippendorff_alpha_error(votes: ArrayLike) -> float | None:
    """The standard error of Krippendorff's nominal alpha, by leaving out one unit at a time.

    Krippendorff himself bootstraps: alpha has no exact formula. Units with one annotator say nothing.

    Args:
        votes: (U, K) how many annotators put unit u into category k; annotators may be missing.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11: the jackknife.
    """
    counts = np.asarray(votes, dtype=np.float64)
    if not counts.size:
        return None
    return chance.standard_error(counts[counts.sum(axis=1) > 1], chance.krippendorff_alpha)


def _shares(counts: Values) -> tuple[Values, Values]:
    """Of each unit the share of its annotators in each category, and the mean of those."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return shares, shares.mean(axis=0)


def _linearized(counts: Values, figure: float, by_chance: float, unit_chance: Values) -> float | None:
    """The error of (agreement - chance) / (1 - chance) from what each unit adds to it.

    Args:
        counts: (U, K) votes, of units with an annotator.
        figure: Of all units.
        by_chance: Agreement by chance.
        unit_chance: (U,) that of each unit's answers.
    """
    units, raters = len(counts), counts.sum(axis=1)
    several = raters > 1
    if units < 2:
        return None
    agreed = np.zeros(units)
    of = raters[several]
    agreed[several] = ((counts[several] ** 2).sum(axis=1) - of) / (of * (of - 1))
    beyond = units / several.sum() * (agreed - by_chance * several) / (1 - by_chance)
    values = beyond - 2 * (1 - figure) * (unit_chance - by_chance) / (1 - by_chance)
    return float(np.sqrt(((values - figure) ** 2).sum() / (units * (units - 1))))
