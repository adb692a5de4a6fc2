"""Why each image is in the plan, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.qa import uncertainty
from curate.qa.strata import (
    ACCEPTED,
    ASKED,
    AUDIT,
    CHOSEN,
    CONTROL,
    RARE,
    REASONS,
    UNCERTAIN,
    Membership,
    Pool,
)

Ints = NDArray[np.int64]


def of(pool: Pool, members: Membership, planned: Ints, reason: Ints) -> NDArray[np.object_]:
    """(P,) the words for every planned image; None where the reason says it all.

    Args:
        pool: All kept images.
        members: Who is in which part.
        planned: (P,) places of the planned images among them.
        reason: (P,) their main reasons.
    """
    texts = np.full(len(planned), None, dtype=object)
    texts[reason == AUDIT] = "drawn at random for an earlier, smaller data set"
    texts[(reason == AUDIT) & members.drawn[planned]] = "drawn at random"
    texts[reason == CONTROL] = "drawn at random, to be labelled from nothing"
    texts[reason == ASKED] = "somebody asked for a look, in decisions.csv"
    rows = np.flatnonzero(reason == UNCERTAIN)
    texts[rows] = uncertainty.words(pool.doubt, planned[rows], pool.found, pool.names, pool.thresholds)
    rows = np.flatnonzero(reason == CHOSEN)
    texts[rows] = _choice(pool, members, planned[rows])
    rows = np.flatnonzero(reason == RARE)
    texts[rows] = _categories(pool, planned[rows])
    rows = np.flatnonzero(reason == ACCEPTED)
    texts[rows] = _confidence(pool, planned[rows])
    _add_others(texts, members, planned, reason)
    return texts


def _choice(pool: Pool, members: Membership, images: Ints) -> list[str]:
    """Which criteria spoke for each of some images, as it was when they were chosen."""
    now = {pick.image: pick.why() for pick in members.picks}
    before = pool.evidence.earlier_words if pool.evidence is not None else {}
    return [
        now.get(image) or before.get(pool.ids[image], "chosen in an earlier round")
        for image in images.tolist()
    ]


def _categories(pool: Pool, images: Ints) -> list[str]:
    """The categories that models suggest on each of some images."""
    wanted = np.zeros(len(pool.ids), dtype=np.bool_)
    wanted[images] = True
    found = pool.found
    rows = np.flatnonzero(found.shown & (found.categories >= 0) & wanted[found.images])
    shown: dict[int, set[str]] = {}
    for image, category in zip(found.images[rows].tolist(), found.categories[rows].tolist(), strict=True):
        shown.setdefault(image, set()).add(pool.names[category])
    return [
        "suggested: " + ", ".join(sorted(shown.get(image, {"nothing any more"}))) for image in images.tolist()
    ]


def _confidence(pool: Pool, images: Ints) -> list[str]:
    """How far over its threshold the least confident box of each of some images is."""
    found = pool.found
    rows = np.flatnonzero(found.shown & (found.categories >= 0))
    over = found.scores[rows] - pool.thresholds[found.categories[rows]]
    min_margin = np.full(len(pool.ids), np.inf)
    np.fmin.at(
        min_margin, found.images[rows], over
    )  # an imported box may have no score; such images are looked at
    boxes = np.bincount(found.images[rows], minlength=len(pool.ids))
    return [
        f"no human looked: {number} suggestions, each {margin:.2f} or more over a fitted threshold"
        for number, margin in zip(boxes[images].tolist(), min_margin[images].tolist(), strict=True)
    ]


def _add_others(texts: NDArray[np.object_], members: Membership, planned: Ints, reason: Ints) -> None:
    """The further parts that an image is in, after the words of its main reason."""
    also = members.member[:, planned].copy()
    real = np.flatnonzero(reason < len(also))
    also[reason[real], real] = False
    for row in np.flatnonzero(also.any(axis=0)).tolist():
        others = "also " + ", ".join(REASONS[part] for part in np.flatnonzero(also[:, row]))
        texts[row] = others if texts[row] is None else f"{texts[row]}; {others}"
