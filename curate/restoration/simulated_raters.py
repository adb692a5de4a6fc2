"""Raters that are a program: for trying the stage vote without people. Their votes mean nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit

from curate.restoration import degradation
from curate.restoration.comparison_plan import CLEAN, Comparison


class SimulatedRaters:
    """Prefer the result with the better figure, with logistic noise; attention checks they pass."""

    def __init__(
        self,
        figures: Mapping[tuple[str, str], float],
        *,
        higher_is_better: bool,
        noise: float,
        number: int,
        seed: int,
    ) -> None:
        """Set up the raters.

        Args:
            figures: Of each pair and model.
            higher_is_better: Of the metric.
            noise: Times the spread of differences; more = closer to tossing a coin.
            number: Raters.
            seed: Of their noise; an answer depends on the comparison and the rater alone.
        """
        self._figures, self._sign = figures, 1.0 if higher_is_better else -1.0
        spread = float(np.std(list(figures.values()))) if figures else 0.0
        self._scale = noise * spread or 1.0
        self.names = tuple(f"simulated-{k + 1}" for k in range(number))
        self._seed = seed

    def ask(self, comparisons: Sequence[Comparison]) -> list[tuple[Comparison, str, str]]:
        """The comparison, the rater, and the model that was liked better; one per comparison and rater.

        Only of comparisons that `knows` says they can answer.
        """
        return [(one, rater, self._choice(one, rater)) for one in comparisons for rater in self.names]

    def knows(self, one: Comparison) -> bool:
        """Whether both results have a figure; attention checks need none."""
        return one.kind == "attention" or all(
            (one.pair_id, model) in self._figures for model in (one.left, one.right)
        )

    def _choice(self, one: Comparison, rater: str) -> str:
        if one.kind == "attention":
            return CLEAN
        left, right = (self._figures[one.pair_id, model] for model in (one.left, one.right))
        rng = degradation.generator("vote", self._seed, one.comparison_id, rater)
        likes_left = rng.random() < expit(self._sign * (left - right) / self._scale)
        return one.left if likes_left else one.right
