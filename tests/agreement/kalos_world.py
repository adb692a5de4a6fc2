"""A made world on which KaLOS was asked once; see `test_kalos.py`."""

from __future__ import annotations

import numpy as np

from curate.agreement import chance
from curate.agreement.annotator_pairs import compare
from curate.agreement.clusters import cluster
from tests.agreement.drawings import Drawn, answers, category_votes
from tests.builders import HEIGHT, WIDTH

PEOPLE = ("ann", "ben", "cem")
NAMES = ("stop", "park")


def world() -> dict[tuple[str, str], Drawn | None]:
    """Forty images of up to four objects that no person places quite right, and some miss or misname."""
    rng = np.random.default_rng(16)
    work: dict[tuple[str, str], Drawn | None] = {}
    for number in range(40):
        truth = [
            (NAMES[rng.integers(2)], 5.0 + 38 * place, rng.integers(10, 60))
            for place in range(rng.integers(0, 5))
        ]
        for person in PEOPLE:
            drawn = []
            for name, left, top in truth:
                if rng.random() < 0.15:
                    continue
                called = NAMES[1 - NAMES.index(name)] if rng.random() < 0.1 else name
                dx, dy = rng.integers(-2, 3, size=2).tolist()
                drawn.append((called, (left + dx, float(top + dy), left + dx + 30.0, float(top + dy) + 30.0)))
            work[f"image {number}", person] = drawn
    return work


def ours() -> float | None:
    """Krippendorff's alpha of joint objects, "missing" a name of its own; an empty image is a unit, too."""
    found = answers(world())
    pairs = compare(
        found, found.overlapped(), dict.fromkeys(found.images, (WIDTH, HEIGHT)), iou_threshold=0.5
    )
    groups = cluster(found, pairs)
    votes = category_votes(found, groups, NAMES)
    missing = len(PEOPLE) - votes.sum(axis=1, keepdims=True)
    empty = len(found.images) - len(np.unique(groups.image))
    nothing = np.tile([0.0, 0.0, float(len(PEOPLE))], (empty, 1))
    return chance.krippendorff_alpha(np.concatenate([np.hstack([votes, missing]), nothing]))
