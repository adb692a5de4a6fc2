"""Score thresholds from which suggestions reach a wanted precision, with a stated confidence.

A point estimate keeps its promise about every second time. Here each candidate threshold is a hypothesis,
"from this score on, precision is below the target", and a category's threshold is the lowest whose hypothesis
is refuted. All candidates of a category together refute a true hypothesis with a probability of at most
1 - confidence (family-wise error):

- one candidate is refuted where the Clopper-Pearson lower bound of the precision reaches the target, with the
  boxes counted as `confidence_bounds.effective_boxes` says, because boxes of one image are not independent;
- the candidates stand in the fixed order from the highest score to the lowest. The error is shared out
  evenly over a few starting points, and what a refuted candidate had goes on to the next below it.

The starting points depend on scores and images, never on what was right. Exact where boxes are independent
and precision does not fall as the score rises; benchmarks/thresholds.py measures how often the promise is
kept, with boxes of an image that go together too.

Source:
    Angelopoulos, Bates, Candes, Jordan and Lei, Learn then Test: Calibrating Predictive Algorithms to
    Achieve Risk Control (2021); the order with starting points is the fallback procedure of
    Wiens, A fixed sequence Bonferroni procedure for testing multiple endpoints (Pharmaceutical Statistics 2,
    2003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.labeling import confidence_bounds
from curate.labeling.confidence_bounds import Floats, Sample
from curate.labeling.suggestion_outcomes import Verdicts
from curate.records import Category

STEPS = 100  # candidates are whole hundredths
_ROUNDING = 1e-6  # of float32 scores against hundredths
_MORE = (1.5, 2, 3, 5, 10, 20, 50)  # times as many images


@dataclass(frozen=True, slots=True)
class Target:
    """Precision that is promised, and how sure.

    Attributes:
        precision: Least share of suggestions that are right, in (0, 1).
        confidence: Probability that the promise of a category holds, in (0, 1).
        together: The confidence holds for all categories at once (Bonferroni), not for each.
    """

    precision: float
    confidence: float
    together: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The threshold of one category.

    Attributes:
        category: Its name.
        before: The threshold of the taxonomy.
        floor: The lowest threshold that can be judged; suggestions below were never made.
        threshold: The lowest that keeps the promise; None where none does.
        boxes: Suggestions judged from `threshold` on, or from `floor` on where there is none.
        right: How many of them are right.
        images: In how many images they lie.
        at_least: Lower bound of their precision.
        recall_before: Share of the drawn objects that suggestions found so far; NaN where none was drawn.
        recall: The same from `threshold` on.
        objects: Drawn objects, one for each annotator who drew it.
        images_needed: About so many judged images would do, where no threshold keeps the promise; None where
            no number of them is likely to.
    """

    category: str
    before: float
    floor: float
    threshold: float | None
    boxes: int
    right: int
    images: int
    at_least: float
    recall_before: float
    recall: float
    objects: int
    images_needed: int | None


def fit(
    categories: Sequence[Category], verdicts: Verdicts, lowest: Mapping[str, float], target: Target
) -> list[Fit]:
    """Fit the threshold of every category.

    Args:
        categories: Of the taxonomy.
        verdicts: What people said of the suggestions.
        lowest: By category, the score from which suggestions were made, as far as that is known: at most
            the lowest score of them all. A category without any may be left out.
        target: The promise.
    """
    level = (1 - target.confidence) / (len(categories) if target.together else 1)
    return [_fit(category, verdicts, lowest.get(category.name), target, level) for category in categories]


def _fit(category: Category, verdicts: Verdicts, lowest: float | None, target: Target, level: float) -> Fit:
    mine = np.flatnonzero(verdicts.categories == category.name)
    mine = mine[np.argsort(-verdicts.scores[mine], kind="stable")]
    floor = _floor(category.threshold, lowest)
    found = verdicts.object_scores[verdicts.object_categories == category.name]
    ladder = Ladder.of(verdicts.scores[mine], verdicts.right[mine], verdicts.images[mine], floor=floor)
    low, refuted = ladder.test(target.precision, level)
    passed = np.flatnonzero(refuted)
    step = int(passed[-1]) if len(passed) else len(low) - 1
    threshold = float(ladder.candidates[step]) if len(passed) else None
    now = max(category.threshold, floor)
    return Fit(
        category=category.name,
        before=category.threshold,
        floor=floor,
        threshold=threshold,
        boxes=int(ladder.sample.boxes[step]) if len(low) else 0,
        right=int(ladder.sample.right[step]) if len(low) else 0,
        images=int(ladder.sample.images[step]) if len(low) else 0,
        at_least=float(low[step]) if len(low) else 0.0,
        recall_before=_recall(found, now),
        recall=_recall(found, now if threshold is None else threshold),
        objects=len(found),
        images_needed=None if len(passed) else ladder.images_needed(target.precision, level, verdicts.judged),
    )


def _floor(threshold: float, lowest: float | None) -> float:
    """The lowest score that suggestions are known to have been made from, in hundredths where possible."""
    if lowest is None:
        return threshold
    hundredths = math.floor((lowest + _ROUNDING) * STEPS) / STEPS
    return threshold if hundredths <= threshold <= lowest + _ROUNDING else hundredths


def _recall(found: NDArray[np.float32], threshold: float) -> float:
    return float((found >= np.float32(threshold)).mean()) if len(found) else math.nan


@dataclass(frozen=True, slots=True)
class Ladder:
    """The candidates for one category, from the highest score to the lowest.

    Attributes:
        candidates: (T,) thresholds that have at least one box.
        sample: Tallies of the boxes from each candidate on, T of them.
    """

    candidates: Floats
    sample: Sample

    @classmethod
    def of(
        cls,
        scores: NDArray[np.float32],
        right: NDArray[np.bool_],
        images: NDArray[np.int64],
        *,
        floor: float,
    ) -> Ladder:
        """Candidates down to `floor` for boxes that are ordered best score first."""
        steps = np.arange(STEPS, math.ceil(floor * STEPS - _ROUNDING) - 1, -1) / STEPS
        candidates = np.unique(np.append(steps[steps >= floor], floor))[::-1]
        counts = np.searchsorted(-scores, -candidates.astype(np.float32), side="right")
        there = counts > 0
        return cls(candidates[there], Sample.of(right, images).at(counts[there]))

    def test(self, precision: float, level: float) -> tuple[Floats, NDArray[np.bool_]]:
        """Lower bound of the precision from each candidate on, and whether it is refuted to be too low.

        Args:
            precision: The target.
            level: Probability of refuting any hypothesis that is true, at most.
        """
        weights = self._weights(precision, level)
        low, refuted = np.zeros(len(weights)), np.zeros(len(weights), dtype=np.bool_)
        carried = 0.0
        for step, weight in enumerate(weights):
            carried += weight
            if carried > 0:
                here = self.sample.at(np.array([step + 1]))
                low[step] = _bound(here, carried)[0]
                refuted[step] = low[step] >= precision
                carried = carried if refuted[step] else 0.0
        return low, refuted

    def images_needed(self, precision: float, level: float, judged: int) -> int | None:
        """About how many judged images would do, if they were like those that there are."""
        share = self.sample.right / self.sample.boxes
        boxes = confidence_bounds.effective_boxes(self.sample, level)
        for more in _MORE:
            if (confidence_bounds.lower(share, boxes * more, level) >= precision).any():
                return math.ceil(judged * more)
        return None

    def _weights(self, precision: float, level: float) -> Floats:
        """The level that each candidate has of its own: equal parts at a few starting points.

        They lie where certain numbers of images are reached: all that have a box, then fewer in equal ratios
        of at most 2, down to the least number that could reach the target with every box right.
        """
        weights = np.zeros(len(self.candidates))
        images = self.sample.images
        if not len(images):
            return weights
        starts = 1
        while images[-1] > (min_images := _min_images(precision, level, starts)) * 2 ** (starts - 1):
            if images[-1] < _min_images(precision, level, starts + 1):
                break
            starts += 1
        for count in np.geomspace(images[-1], min(min_images, images[-1]), starts):
            weights[np.searchsorted(images, count - _ROUNDING)] += level / starts
        return weights


def _min_images(precision: float, level: float, starts: int) -> float:
    """Images, all right, whose bound at a part of the level reaches the target."""
    return math.log(level / starts) / math.log(precision)


def _bound(sample: Sample, level: float) -> Floats:
    return confidence_bounds.lower(
        sample.right / sample.boxes, confidence_bounds.effective_boxes(sample, level), level
    )
