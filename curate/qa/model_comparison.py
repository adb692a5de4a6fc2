"""Two detectors on the images with known answers: each one's figures, and their difference image by image.

Both looked at the same images, so that the difference is paired: one drawing of images serves both, and what
is hard for both cancels out. A suggestion is right where it matches a known object of its category one to one
with the least IoU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.geometry.grouped_matching import Grouped, match_groups
from curate.intervals import Figure
from curate.qa import bootstrap_figures
from curate.qa.bootstrap_figures import MIN_IMAGES, TOO_FEW, Resampled, Resampling, quotient
from curate.qa.joined_answers import grouped

Values = NDArray[np.float64]
ALL: Final = "all"
_SUMS: Final = 4  # known objects, suggestions, right ones, their IoU
_KNOWN, _FOUND, _RIGHT, _IOU = range(_SUMS)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of one category, or of all (`ALL`).

    Attributes:
        category: Name.
        figure: precision, recall, f1 or mean_iou (of right suggestions).
        before: Of the one detector, in [0, 1].
        after: Of the other.
        difference: after - before, in [-1, 1], with the interval of the paired difference.
        objects: Known ones.
    """

    category: str
    figure: str
    before: Figure
    after: Figure
    difference: Figure
    objects: int


def compare(
    known: pa.Table,
    before: pa.Table,
    after: pa.Table,
    image_ids: Sequence[str],
    names: Sequence[str],
    *,
    iou_threshold: float,
    how: Resampling,
) -> list[Compared]:
    """Compare two detectors; intervals are made from resampled images (`curate.intervals.t_interval`).

    Args:
        known: Rows of `annotations` with the known answers.
        before: Suggestions of the one detector, rejected ones too, which are left out.
        after: Of the other.
        image_ids: The images that both looked at; what is on others is left out.
        names: Categories of the taxonomy.
        iou_threshold: Least IoU of a match, in (0, 1].
        how: Of the intervals.

    Source:
        F1: van Rijsbergen, Information Retrieval (1979). Paired resampling of the cases: Efron and
        Tibshirani, An Introduction to the Bootstrap (1993), chapter 8.
    """
    answers = _grouped(known, image_ids, names)
    sides = [_sums(answers, _grouped(side, image_ids, names), len(image_ids), names, iou_threshold)
             for side in (before, after)]  # fmt: skip
    width = (len(names) + 1) * _SUMS
    parts = np.concatenate([side.reshape(len(image_ids), width) for side in sides], axis=1)
    drawn = bootstrap_figures.resampled(parts, np.arange(len(image_ids)), how)
    present = (sides[0] + sides[1]).sum(axis=2) > 0  # (images, categories)
    return [
        made
        for column, name in enumerate([ALL, *names])
        for made in _compared(drawn, column, name, len(names) + 1, int(present[:, column].sum()))
    ]


def _compared(drawn: Resampled, column: int, name: str, columns: int, informative: int) -> list[Compared]:
    def of(side: int, figure: Callable[[Values], Values]) -> Callable[[Values], Values]:
        start = (side * columns + column) * _SUMS
        return lambda sums: figure(sums[..., start : start + _SUMS])

    def figure(compute: Callable[[Values], Values], *, signed: bool = False) -> Figure:
        made = drawn.figure(compute, scale="signed" if signed else "share", images=informative)
        if made.value is not None and informative < MIN_IMAGES:  # of this category
            return Figure(None, None, None, informative, TOO_FEW)
        return made

    made = []
    for what, measure in _FIGURES.items():
        before, after = of(0, measure), of(1, measure)

        def difference(
            sums: Values, a: Callable[..., Values] = before, b: Callable[..., Values] = after
        ) -> Values:
            return b(sums) - a(sums)

        made.append(
            Compared(
                name,
                what,
                figure(before),
                figure(after),
                figure(difference, signed=True),
                int(drawn.total[column * _SUMS + _KNOWN]) if drawn.images else 0,
            )
        )
    return made


_FIGURES: Final[dict[str, Callable[[Values], Values]]] = {
    "precision": lambda sums: quotient(sums[..., _RIGHT], sums[..., _FOUND]),
    "recall": lambda sums: quotient(sums[..., _RIGHT], sums[..., _KNOWN]),
    "f1": lambda sums: quotient(2 * sums[..., _RIGHT], sums[..., _FOUND] + sums[..., _KNOWN]),
    "mean_iou": lambda sums: quotient(sums[..., _IOU], sums[..., _RIGHT]),
}


def _grouped(rows: pa.Table, image_ids: Sequence[str], names: Sequence[str]) -> Grouped:
    """The objects on these images, of these categories, ordered by image."""
    ids = pa.array(image_ids, pa.string())
    rows = rows.filter(
        pc.and_(
            pc.equal(rows["outcome"], "object"),
            pc.and_(
                pc.is_in(rows["image_id"], value_set=ids),
                pc.is_in(rows["category"], value_set=pa.array(names, pa.string())),
            ),
        )
    )
    image = np.asarray(pc.index_in(rows["image_id"], value_set=ids).to_numpy(), dtype=np.int64)
    order = np.argsort(image, kind="stable")
    return grouped(rows.take(pa.array(order)), image[order], list(names))


def _sums(known: Grouped, found: Grouped, images: int, names: Sequence[str], iou_threshold: float) -> Values:
    """(images, 1 + categories, _SUMS); the first column is all categories together."""
    matches = match_groups(found, known, names, iou_threshold=iou_threshold)
    same = found.categories[matches.a] == known.categories[matches.b]
    right = found.take(matches.a[same])

    def total(which: Grouped, weights: Values | None = None) -> Values:
        cells = np.bincount(
            which.group * len(names) + which.categories, weights=weights, minlength=images * len(names)
        ).reshape(images, len(names))
        return np.asarray(np.concatenate([cells.sum(axis=1, keepdims=True), cells], axis=1), np.float64)

    return np.stack([total(known), total(found), total(right), total(right, matches.iou[same])], axis=2)
