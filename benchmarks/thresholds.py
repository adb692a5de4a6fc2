"""Whether `curate thresholds fit` keeps what it promises: many fits whose true precision is known.

`python -m benchmarks.thresholds`
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks import demo_detections, result
from benchmarks.demo_detections import FLOOR
from benchmarks.result import Target
from curate.labeling.suggestion_outcomes import Verdicts
from curate.labeling.thresholds import Ladder
from demo.evaluate_models import evaluation_scene
from demo.scenes import HELD_OUT_SEEDS

NAME = "thresholds"
COMMAND = "python -m benchmarks.thresholds"
FITS = 100 if result.quick() else 2_000
SCENES = 20 if result.quick() else 1_200  # of the demo, held out from training
ANSWERED = (100, 300)  # images that people judged, of those scenes
PRECISION, CONFIDENCE = 0.9, 0.95
GUESSED = 30  # boxes that a guess rests on at least
LOWEST = 0.2  # score from which the made-up detectors suggest


@dataclass(frozen=True, slots=True)
class Sample:
    """Judged suggestions, best score first: scores (N,), right (N,), image numbers (N,)."""

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    images: NDArray[np.int64]

    @classmethod
    def ordered(cls, scores: NDArray[Any], right: NDArray[np.bool_], images: NDArray[np.int64]) -> Sample:
        """The suggestions in any order."""
        order = np.argsort(-scores, kind="stable")
        return cls(scores[order].astype(np.float32), right[order], images[order])


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A detector of which everything is known.

    A suggestion with score s is right with the probability 1 / (1 + exp(-z)), z = offset + slope * (s - 0.5)
    + together * a normal variate of its image. Scores lie in 0.2..1, three eighths of them above 0.7.

    Attributes:
        name: For the table.
        images: That people judged.
        boxes: An image, on average (Poisson); 1 = exactly one.
        offset: See above.
        slope: See above; 0 = a score says nothing.
        together: How much the boxes of one image are right or wrong together.
    """

    name: str
    images: int
    boxes: float
    offset: float
    slope: float
    together: float

    def draw(self, rng: np.random.Generator) -> Sample:
        """Suggestions on so many new images, as people judge them."""
        one = np.ones(self.images, dtype=np.int64)
        counts = one if self.boxes == 1 else rng.poisson(self.boxes, self.images)
        images = np.repeat(np.arange(self.images), counts)
        scores = LOWEST + (1 - LOWEST) * rng.beta(2, 1.5, len(images))
        shift = self.together * rng.normal(size=self.images)[images]
        return Sample.ordered(scores, rng.random(len(images)) < self._right(scores, shift), images)

    def truth(self) -> dict[float, float]:
        """Precision from each whole hundredth on, by integration over scores and images."""
        shares = (np.arange(40_000) + 0.5) / 40_000
        scores = LOWEST + (1 - LOWEST) * stats.beta.ppf(shares, 2, 1.5)
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        by_node = [self._right(scores, self.together * node) for node in nodes]
        right = np.average(by_node, axis=0, weights=weights)
        steps = np.arange(round(LOWEST * 100), 100) / 100
        return {float(step): float(right[scores >= step].mean()) for step in steps}

    def _right(self, scores: NDArray[np.float64], shift: Any) -> NDArray[np.float64]:
        return np.asarray(1 / (1 + np.exp(-(self.offset + self.slope * (scores - 0.5) + shift))))


# In the last three no threshold is good enough: each that is found breaks the promise.
MADE_UP = (
    MadeUp("a box per image", 300, 1, 1.7, 4, 0),
    MadeUp("three boxes per image", 300, 3, 1.7, 4, 0),
    MadeUp("three that go together", 300, 3, 2.3, 5, 2),
    MadeUp("three that go together, few images", 100, 3, 2.3, 5, 2),
    MadeUp("eight that go together", 300, 8, 2.3, 5, 2),
    MadeUp("a score that says nothing, a box per image", 300, 1, math.log(0.8999 / 0.1001), 0, 0),
    MadeUp("a score that says nothing, three boxes", 300, 3, math.log(0.8999 / 0.1001), 0, 0),
    MadeUp("a score that says nothing, three that go together", 300, 3, 3.4154, 0, 2),
)


def measure() -> None:
    """Fit many times and count the promises that were broken."""
    made_up = [_tally(case.name, case.images, case.draw, case.truth()) for case in MADE_UP]
    demo = list(_demo())
    content = {
        "fits": FITS,
        "precision": PRECISION,
        "confidence": CONFIDENCE,
        "made_up": made_up,
        "demo": demo,
        "scenes": SCENES,
        "versions": result.versions("numpy", "scipy"),
    }
    broken = max(row["broken"] for row in [*made_up, *demo])
    promise = Target(
        f"`curate thresholds fit`: promises of precision {PRECISION:g} that were broken, worst case",
        100 * (1 - CONFIDENCE),
        100 * broken,
        "%",
        at_most=True,
    )
    result.save(NAME, content, command=COMMAND, targets=[promise])


def _tally(
    name: str, images: int, draw: Callable[[np.random.Generator], Sample], truth: Mapping[float, float]
) -> dict[str, Any]:
    """Fit to `FITS` samples, and look each threshold up in the truth."""
    rng = np.random.default_rng(0)
    found, guessed = [], []
    for _ in range(FITS):
        sample = draw(rng)
        ladder = Ladder.of(sample.scores, sample.right, sample.images, floor=min(truth))
        _, refuted = ladder.test(PRECISION, 1 - CONFIDENCE)
        estimate = ladder.sample.right / ladder.sample.boxes
        found.append(_lowest(ladder, refuted))
        guessed.append(_lowest(ladder, (estimate >= PRECISION) & (ladder.sample.boxes >= GUESSED)))
    good = [step for step, precision in truth.items() if precision >= PRECISION]
    known = [step for step in found if step is not None]
    return {
        "name": name,
        "images": images,
        "broken": _broken(found, truth),
        "guess_broken": _broken(guessed, truth),
        "found": len(known) / FITS,
        "median": result.median(known) if known else None,
        "ideal": min(good) if good else None,
    }


def _lowest(ladder: Ladder, passed: NDArray[np.bool_]) -> float | None:
    return round(float(ladder.candidates[passed][-1]), 2) if passed.any() else None


def _broken(steps: Sequence[float | None], truth: Mapping[float, float]) -> float:
    """Share of the fits whose threshold has too low a precision in truth."""
    return sum(step is not None and truth[step] < PRECISION for step in steps) / len(steps)


@dataclass(frozen=True, slots=True)
class Known:
    """A fixed set of judged suggestions that stands for all there are.

    Attributes:
        boxes: Ordered by image.
        borders: (C + 1,) where each of C images begins.
    """

    boxes: Sample
    borders: NDArray[np.intp]

    @classmethod
    def of(cls, judged: Verdicts, category: str) -> Known:
        """The suggestions of one category; images without any are there too."""
        rows = np.flatnonzero(judged.categories == category)
        rows = rows[np.argsort(judged.images[rows], kind="stable")]
        boxes = Sample(judged.scores[rows], judged.right[rows], judged.images[rows])
        return cls(boxes, np.searchsorted(boxes.images, np.arange(judged.judged + 1)))

    def draw(self, answered: int, rng: np.random.Generator) -> Sample:
        """The suggestions of so many images, drawn with return."""
        chosen = rng.integers(0, len(self.borders) - 1, answered)
        rows = [np.arange(self.borders[image], self.borders[image + 1]) for image in chosen]
        at = np.concatenate(rows)
        images = np.repeat(np.arange(answered), [len(part) for part in rows])
        return Sample.ordered(self.boxes.scores[at], self.boxes.right[at], images)

    def truth(self) -> dict[float, float]:
        """Precision from each whole hundredth on that has a box."""
        steps = [step / 100 for step in range(round(FLOOR * 100), 100)]
        above = {step: self.boxes.right[self.boxes.scores >= np.float32(step)] for step in steps}
        return {step: float(right.mean()) for step, right in above.items() if len(right)}


def _demo() -> Iterator[dict[str, Any]]:
    """The demo's detector: some scenes are all there is, and fits see a part of them."""
    judged = _judged_scenes()
    for category in sorted(set(judged.categories)):
        known = Known.of(judged, category)
        for answered in ANSWERED:
            yield _tally(category, answered, functools.partial(known.draw, answered), known.truth())


def _judged_scenes() -> Verdicts:
    """What the demo's detector suggests on held-out scenes, judged by what was drawn there."""
    detector, categories = demo_detections.detector(), demo_detections.categories()
    truths, found = [], []
    for index in range(SCENES):
        scene = evaluation_scene(HELD_OUT_SEEDS, index)
        truths.append([(entry.category, entry.bbox_xyxy) for entry in scene.objects])
        found += [demo_detections.suggested(boxes) for boxes in detector.detect([scene.image], categories)]
    return demo_detections.judged(truths, found)


INTRO = """## Thresholds with a promise

`curate thresholds fit` promises a precision of {precision:g} with a confidence of {confidence:g}: of all fits
at most {allowed:.0f}% may end in a threshold whose true precision is lower. Here the truth is known, and
{fits:,} fits are made for each row. *Guess* is what is done without a bound: the lowest threshold that has
the precision among at least {guessed} judged boxes. *Found* is how often there was a threshold at all; where
that is rare, more images must be judged. The ideal threshold is the lowest that truly has the precision.

Made-up detectors, whose boxes may be right or wrong together in one image; for the last three no threshold is
good enough, and each that is found breaks the promise:

"""
DEMO = """
The demo's detector on {scenes:,} held-out scenes, which stand for all images there are; a fit sees so many of
them, drawn with return:

"""


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    text = INTRO.format(**content, allowed=100 * (1 - content["confidence"]), guessed=GUESSED)
    text += _table(content["made_up"]) + DEMO.format(**content) + _table(content["demo"])
    return text + "\n" + result.footer(content)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    header = ["detector", "images", "broken", "guess broken", "found", "median", "ideal"]
    lines = [
        [
            row["name"],
            f"{row['images']:,}",
            f"{100 * row['broken']:.1f}%",
            f"{100 * row['guess_broken']:.1f}%",
            f"{100 * row['found']:.0f}%",
            "-" if row["median"] is None else f"{row['median']:.2f}",
            "-" if row["ideal"] is None else f"{row['ideal']:.2f}",
        ]
        for row in rows
    ]
    return result.table(header, lines, numbers=6)


if __name__ == "__main__":
    measure()
