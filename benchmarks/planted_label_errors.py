"""Labels of which some are made wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_annotators import Drawn
from curate.agreement.label_errors import KINDS
from curate.geometry import boxes

PLANTED = 0.03  # of the objects, for each kind
_SPREAD = 0.02  # standard deviation of a careful person's edges, as a share of the box's side
_TRIES = 50

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labeled:
    """The labels of one image.

    Attributes:
        labels: What is labelled.
        wrong: Kind of each label's error; None = right.
        lost: (N, 4) boxes of true objects that were left out.
    """

    labels: Drawn
    wrong: Sequence[str | None]
    lost: NDArray[np.float64]


def plant(
    there: Drawn, rng: np.random.Generator, *, size: tuple[int, int], categories: Sequence[str]
) -> Labeled:
    """Labels as a careful person draws them, some of them made wrong."""
    corners, names, lost = [], [], []
    wrong: list[str | None] = []
    for box, name in zip(*there, strict=True):
        drawn = int(rng.random() / PLANTED)
        kind = KINDS[drawn] if drawn < len(KINDS) else None
        if kind == "missed":
            lost.append(box)
            continue
        side = np.tile(box[2:] - box[:2], 2)
        corners.append(_misplaced(box, rng) if kind == "location" else box + side * rng.normal(0, _SPREAD, 4))
        names.append(
            str(rng.choice([one for one in categories if one != name])) if kind == "category" else name
        )
        wrong.append(kind if kind in {"location", "category"} else None)
        elsewhere = _elsewhere(box, there[0], rng, size) if kind == "spurious" else None
        if elsewhere is not None:
            corners.append(elsewhere)
            names.append(name)
            wrong.append(kind)
    clipped = boxes.clip(np.array(corners).reshape(-1, 4), width=size[0], height=size[1])
    return Labeled((clipped, names), wrong, np.array(lost).reshape(-1, 4))


def _elsewhere(box: Row, there: Row, rng: np.random.Generator, size: tuple[int, int]) -> Row | None:
    """A box of the same size that no object touches much; None where there is hardly room."""
    side = box[2:] - box[:2]
    for _ in range(_TRIES):
        corner = rng.uniform(0, np.maximum(np.array(size) - side, 1))
        moved = np.concatenate([corner, corner + side])
        if boxes.box_iou([moved], there).max() < 0.1:
            return moved
    return None


def _misplaced(box: Row, rng: np.random.Generator) -> Row:
    """Half beside its object, or too small, or too large: an IoU of 0.3 to 0.6."""
    side = box[2:] - box[:2]
    if rng.random() < 0.5:
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.45)
        return np.asarray(box + np.tile(side * far * np.array([np.cos(turn), np.sin(turn)]), 2))
    grown = rng.choice([rng.uniform(0.55, 0.75), rng.uniform(1.3, 1.8)])
    middle = (box[2:] + box[:2]) / 2
    return np.concatenate([middle - side * grown / 2, middle + side * grown / 2])
