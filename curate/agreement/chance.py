"""Agreement beyond chance: Cohen's kappa, Fleiss' kappa, Krippendorff's alpha.

Each is None where it is undefined (nothing to compare, or one category only, so that chance alone explains
everything), never 1 and never NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RecordError

_TINY = 1e-12  # expected disagreement below this is none


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
    if expected < _TINY:
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
    if 1.0 - chance < _TINY:
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
    return _defined(alpha_from_sums(unit_disagreement(counts).sum(), pairable(counts).sum(axis=0)))


def kappa_from_sums(
    same: NDArray[np.float64], marginal_a: NDArray[np.float64], marginal_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cohen's kappa of many tables at once, from sums that add up over images.

    Args:
        same: (...) pairs with one category.
        marginal_a: (..., K) the first's categories.
        marginal_b: (..., K) the second's categories, with the same total.

    Returns:
        (...) with NaN where undefined.
    """
    total = marginal_a.sum(axis=-1)
    agreed = total * same
    chance = (marginal_a * marginal_b).sum(axis=-1)
    possible = total**2 - chance
    return _ratio(agreed - chance, possible)


def alpha_from_sums(
    disagreement: NDArray[np.float64], by_category: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Krippendorff's alpha of many samples at once, from sums that add up over units.

    Args:
        disagreement: (...) sum of `unit_disagreement`.
        by_category: (..., K) sum of `pairable`.

    Returns:
        (...) with NaN where undefined.
    """
    total = by_category.sum(axis=-1)
    expected = total**2 - (by_category**2).sum(axis=-1)
    return 1.0 - _ratio((total - 1) * disagreement, expected)


def pairable(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The votes (U, K) of units with two or more annotators; zeros for the others."""
    return np.where(votes.sum(axis=-1, keepdims=True) > 1, votes, 0.0)


def unit_disagreement(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordered pairs of unlike values of each unit, over its annotators less one: (U, K) to (U,)."""
    raters = votes.sum(axis=-1)
    return _ratio(raters**2 - (votes**2).sum(axis=-1), raters - 1, undefined=0.0)


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, undefined: float = np.nan
) -> NDArray[np.float64]:
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    out = np.full(np.broadcast(numerator, denominator).shape, undefined)
    return np.asarray(np.divide(numerator, denominator, out=out, where=denominator > _TINY))


def _defined(value: NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
