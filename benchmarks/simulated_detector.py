"""A made-up object detector of a quality that one can choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.simulated_annotators import CATEGORIES, SIZE, Drawn, any_box
from curate.agreement.objectlab import Boxes
from curate.geometry import boxes

_USUAL_DOUBT = 0.2  # 1 - mean score


@dataclass(frozen=True, slots=True)
class Detector:
    """How a detector works; all rates are those of an object of average size.

    Attributes:
        missed: Share of objects that it does not see at all.
        unsure: Share of those it sees with a low score, and with edges twice as far off.
        invented: Objects per image that are none, most of them with a low score.
        misnamed: Share of what it sees that it takes for another category; the lower its score, the more.
        spread: Standard deviation of an edge, as a share of the box's side.
    """

    missed: float
    unsure: float
    invented: float
    misnamed: float
    spread: float


DETECTORS: Mapping[str, Detector] = {
    "strong": Detector(missed=0.005, unsure=0.06, invented=0.15, misnamed=0.01, spread=0.02),
    "good": Detector(missed=0.02, unsure=0.12, invented=0.3, misnamed=0.02, spread=0.03),
    "middling": Detector(missed=0.06, unsure=0.2, invented=0.6, misnamed=0.05, spread=0.04),
}


def look(detector: Detector, there: Drawn, rng: np.random.Generator) -> Boxes:
    """What a detector says of one image."""
    corners, names, scores = [], [], []
    for box, name in zip(*there, strict=True):
        side = box[2:] - box[:2]
        faint = float(np.clip(2.0 - np.sqrt(side.prod()) / 60, 0.4, 1.6))  # small objects are harder
        if rng.random() < detector.missed * faint:
            continue
        low = rng.random() < detector.unsure * faint
        scores.append(float(rng.beta(3, 5) if low else rng.beta(12, 2)))
        wrong = rng.random() < detector.misnamed * (1 - scores[-1]) / _USUAL_DOUBT
        names.append(str(rng.choice([one for one in CATEGORIES if one != name])) if wrong else name)
        moved = rng.standard_t(5, 4) * detector.spread * (2 if low else 1)
        corners.append(box + np.tile(side, 2) * moved)
    for _ in range(rng.poisson(detector.invented)):
        corners.append(any_box(rng))
        names.append(str(rng.choice(CATEGORIES)))
        scores.append(float(rng.beta(1.5, 6)))
    found = boxes.clip(np.array(corners).reshape(-1, 4), width=SIZE[0], height=SIZE[1])
    return Boxes(found, np.array(names, dtype=object), np.array(scores))
