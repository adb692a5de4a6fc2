"""Agreement beyond chance of many samples at once, from sums that add up over units or images.

What `chance` has for one table of counts; NaN where undefined.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]
TINY = 1e-12  # expected disagreement below this is none


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
    return ratio(agreed - chance, possible)


def weighted_kappa_from_sums(
    badness: NDArray[np.float64],
    marginal_a: NDArray[np.float64],
    marginal_b: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cohen's weighted kappa of many tables at once, from sums that add up over images.

    Args:
        badness: (...) sum of the weights of all pairs.
        marginal_a: (..., K) the first's categories.
        marginal_b: (..., K) the second's categories, with the same total.
        weights: (K, K) how bad each disagreement is.

    Returns:
        (...) with NaN where undefined.
    """
    expected = ((marginal_a @ weights) * marginal_b).sum(axis=-1)
    return 1.0 - ratio(marginal_a.sum(axis=-1) * badness, expected)


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
    return 1.0 - ratio((total - 1) * disagreement, expected)


def ac1_from_shares(agreed: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """AC1 of many samples at once.

    Args:
        agreed: (...) percent agreement.
        shares: (..., K) mean share of the answers of a unit in each category.
    """
    chance = (shares * (1 - shares)).sum(axis=-1) / max(1, shares.shape[-1] - 1)
    return ratio(agreed - chance, 1 - chance)


def metric(totals: NDArray[np.float64], values: NDArray[np.float64], level: Level) -> NDArray[np.float64]:
    """The squared differences (K, K) of Krippendorff's alpha.

    Args:
        totals: (K,) how often each value was given; ordinal data use nothing else.
        values: (K,) rising.
        level: What a difference means.
    """
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "ordinal":
        upto = np.cumsum(totals) - totals / 2  # the rank in the middle of each value's answers
        return np.asarray(np.subtract.outer(upto, upto) ** 2)
    difference = np.subtract.outer(values, values)
    if level == "interval":
        return np.asarray(difference**2)
    return ratio(difference, np.add.outer(values, values), undefined=0.0) ** 2


def pairable(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The votes (U, K) of units with two or more annotators; zeros for the others."""
    return np.where(votes.sum(axis=-1, keepdims=True) > 1, votes, 0.0)


def unit_disagreement(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ordered pairs of unlike values of each unit, over its annotators less one: (U, K) to (U,)."""
    raters = votes.sum(axis=-1)
    return ratio(raters**2 - (votes**2).sum(axis=-1), raters - 1, undefined=0.0)


def ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, undefined: float = np.nan
) -> NDArray[np.float64]:
    """Element by element; `undefined` where the denominator is not positive."""
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    out = np.full(np.broadcast(numerator, denominator).shape, undefined)
    return np.asarray(np.divide(numerator, denominator, out=out, where=denominator > TINY))
