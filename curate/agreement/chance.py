"""Agreement beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha, Gwet's AC1, and their errors.

Each is None where it is undefined (nothing to compare, or one category only, so that chance alone explains
everything), never 1 and never NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.agreement import chance_sums
from curate.agreement.chance_sums import Level
from curate.errors import RecordError


def cohen_kappa(confusion: ArrayLike, *, weights: ArrayLike | None = None) -> float | None:
    """Cohen's kappa of two annotators.

    Args:
        confusion: (K, K) counts or shares; row = the first's category, column = the second's.
        weights: (K, K) how bad each disagreement is, 0 on the diagonal; 1 everywhere else by default.

    Returns:
        At most 1; 0 = chance; None if there are no pairs, or chance alone would give full agreement.

    Raises:
        RecordError: Not square, or shapes differ.

    Source:
        Cohen, A coefficient of agreement for nominal scales (1960); with weights: Weighted kappa (1968).

    Examples:
        >>> round(cohen_kappa([[88, 14, 18], [10, 40, 10], [2, 6, 12]]), 4)
        0.4915
    """
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim != np.ndim([[0]]) or counts.shape[0] != counts.shape[1]:
        raise RecordError(f"expected a confusion matrix (K, K), got {counts.shape}")
    badness = 1.0 - np.eye(len(counts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if badness.shape != counts.shape:
        raise RecordError(f"expected weights {counts.shape}, got {badness.shape}")
    total = counts.sum()
    if total <= 0:
        return None
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total**2
    expected = float((badness * chance).sum())
    if expected < chance_sums.TINY:
        return None
    return float(1.0 - (badness * counts / total).sum() / expected)


def fleiss_kappa(votes: ArrayLike) -> float | None:
    """Fleiss' kappa of many annotators.

    Args:
        votes: (U, K) how many annotators put unit u into category k; the same number for every unit.

    Raises:
        RecordError: The units have different numbers of annotators.

    Source:
        Fleiss, Measuring nominal scale agreement among many raters (1971).

    Examples:
        >>> votes = [[0, 3], [3, 0], [1, 2]]  # three units, three annotators, two categories
        >>> round(fleiss_kappa(votes), 3)
        0.55
    """
    counts = np.asarray(votes, dtype=np.float64)
    if counts.size == 0:
        return None
    raters = counts.sum(axis=1)
    if (raters != raters[0]).any():
        raise RecordError("Fleiss' kappa needs the same number of annotators for every unit")
    if raters[0] <= 1:
        return None
    agreed = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    if 1.0 - chance < chance_sums.TINY:
        return None
    return float((agreed.mean() - chance) / (1.0 - chance))


def krippendorff_alpha(votes: ArrayLike) -> float | None:
    """Krippendorff's alpha for nominal data; annotators may be missing.

    Args:
        votes: (U, K) how many annotators put unit u into category k. Units with one annotator say nothing.

    Source:
        Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), nominal data, many observers.

    Examples:
        >>> votes = [[2, 0], [0, 2], [1, 1], [1, 0]]  # only one annotator looked at the last unit
        >>> round(krippendorff_alpha(votes), 3)
        0.444
    """
    counts = np.asarray(votes, dtype=np.float64)
    if counts.size == 0:
        return None
    return _defined(
        chance_sums.alpha_from_sums(
            chance_sums.unit_disagreement(counts).sum(), chance_sums.pairable(counts).sum(axis=0)
        )
    )


def percent_agreement(votes: ArrayLike) -> float | None:
    """Share of the pairs of annotators of a unit that chose the same category, averaged over units.

    Args:
        votes: (U, K) how many annotators put unit u into category k. Units with one annotator say nothing.

    Examples:
        >>> percent_agreement([[2, 0], [1, 1]])
        0.5
    """
    counts = chance_sums.pairable(np.asarray(votes, dtype=np.float64))
    raters = counts.sum(axis=-1)
    counts, raters = counts[raters > 1], raters[raters > 1]
    if not len(counts):
        return None
    return float((((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))).mean())


def gwet_ac1(votes: ArrayLike) -> float | None:
    """Gwet's AC1: agreement beyond chance that stays high where one category prevails.

    Where nearly all units are of one category, kappa is low whatever people do; AC1 is not. Read both beside
    the percent agreement.

    Args:
        votes: (U, K) how many annotators put unit u into category k; K categories could have been chosen.

    Returns:
        None if no unit has two annotators, or there is one category only.

    Source:
        Gwet, Computing inter-rater reliability and its variance in the presence of high agreement (British
        Journal of Mathematical and Statistical Psychology 61, 2008); with missing answers as in Gwet,
        Handbook of inter-rater reliability (2014).

    Examples:
        >>> round(gwet_ac1([[2, 0], [2, 0], [2, 0], [1, 1]]), 3)
        0.68
    """
    counts = np.asarray(votes, dtype=np.float64)
    agreed = percent_agreement(counts)
    if agreed is None or counts.shape[1] <= 1:
        return None
    raters = counts.sum(axis=1)
    shares = (counts[raters > 0] / raters[raters > 0, None]).mean(axis=0)
    return float(chance_sums.ac1_from_shares(np.asarray(agreed), shares))


def krippendorff_alpha_of(votes: ArrayLike, values: ArrayLike, *, level: Level) -> float | None:
    """Krippendorff's alpha for ordered or measured data; annotators may be missing.

    Args:
        votes: (U, K) how many annotators gave unit u the value k.
        values: (K,) the values, rising; ordinal data use their order only.
        level: What a difference between two values means. Ratio data are at least 0.

    Source:
        Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section E: the metric differences.

    Examples:
        >>> votes = [[2, 0, 0], [0, 1, 1], [0, 0, 2]]
        >>> round(krippendorff_alpha_of(votes, [1, 2, 3], level="interval"), 3)
        0.828
    """
    counts = chance_sums.pairable(np.asarray(votes, dtype=np.float64))
    if not counts.size:
        return None
    raters = counts.sum(axis=1)
    counts, raters = counts[raters > 1], raters[raters > 1]
    totals = counts.sum(axis=0)
    coincidences = np.einsum("uc,uk,u->ck", counts, counts, 1 / np.maximum(raters - 1, 1))
    coincidences -= np.diag((counts / np.maximum(raters - 1, 1)[:, None]).sum(axis=0))
    distance = chance_sums.metric(totals, np.asarray(values, dtype=np.float64), level)
    expected = float((distance * np.outer(totals, totals)).sum())
    if expected < chance_sums.TINY:
        return None
    return float(1 - (totals.sum() - 1) * (distance * coincidences).sum() / expected)


def cohen_kappa_error(confusion: ArrayLike) -> float | None:
    """The standard error of Cohen's kappa, for independent units; None where kappa is.

    Source:
        Fleiss, Cohen and Everitt, Large sample standard errors of kappa and weighted kappa (Psychological
        Bulletin 72, 1969), equation 13.

    Examples:
        >>> round(cohen_kappa_error([[20, 5], [10, 15]]), 4)
        0.127
    """
    counts = np.asarray(confusion, dtype=np.float64)
    kappa = cohen_kappa(counts)
    if kappa is None:
        return None
    n = counts.sum()
    shares = counts / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(rows @ columns)
    on = np.diag(shares) * (1 - np.add(rows, columns) * (1 - kappa)) ** 2
    off = shares * np.add.outer(columns, rows) ** 2
    variance = on.sum() + (1 - kappa) ** 2 * (off.sum() - np.trace(off)) - (kappa - chance * (1 - kappa)) ** 2
    return float(np.sqrt(max(variance, 0.0) / n) / (1 - chance))


def standard_error(votes: ArrayLike, statistic: Callable[[ArrayLike], float | None]) -> float | None:
    """The standard error of any of these figures, by leaving out one unit at a time; units are independent.

    Args:
        votes: (U, K).
        statistic: Such as `gwet_ac1`.

    Returns:
        None with fewer than two units, or where a figure is undefined without one of them.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11: the jackknife.
    """
    counts = np.asarray(votes, dtype=np.float64)
    without = [statistic(np.delete(counts, unit, axis=0)) for unit in range(len(counts))]
    known = [value for value in without if value is not None]
    if len(counts) < 2 or len(known) < len(counts):
        return None
    return float(np.sqrt((len(known) - 1) / len(known) * ((np.array(known) - np.mean(known)) ** 2).sum()))


def _defined(value: NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)


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
    ac1 = gwet_ac1(counts)
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
        Landis, Psychological Bulletin 86, 1979) holds only where there is no agreement beyond

    Examples:
        >>> round(fleiss_kappa_error([[0, 3], [3, 0], [1, 2]]), 3)
        0.465
    """
    counts = np.asarray(votes, dtype=np.float64)
    kappa = fleiss_kappa(counts)
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
    return standard_error(counts[counts.sum(axis=1) > 1], krippendorff_alpha)


def _shares(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each unit's annotators in each category, and the mean of these shares."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return shares, shares.mean(axis=0)


def _linearized(
    counts: NDArray[np.float64], figure: float, by_chance: float, unit_chance: NDArray[np.float64]
) -> float | None:
    """The error of (agreement - chance) / (1 - chance) from what each unit adds to it.

    Args:
        counts: (U, K) votes, of units with an annotator.
        figure: Of all units.
        by_chance: Agreement by
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
