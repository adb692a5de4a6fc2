"""Planted errors: how many did labelers catch?

A suggestion was made wrong on purpose (`curate.qa.error_injection`). It is caught where the answer does not
agree with it any more; two boxes agree from the IoU threshold on:

- `moved`, `spurious`: no object drawn agrees with the wrong box better than with every suggestion of the
  model.
- `category`: no object of the wrong category agrees with the box.
- `missing`: an object, of whatever category, agrees with the box that was left out.

The model's suggestion may have been wrong in the first place: a labeler who rightly draws nothing where one
was left out counts as one who did not catch it. The figure for `missing` is therefore a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.geometry.boxes import Boxes
from curate.geometry.grouped_matching import best_iou, paired_iou
from curate.intervals import Figure, wilson
from curate.qa.error_injection import KINDS
from curate.qa.joined_answers import Drawn, Flags, Looks

MOVED, CATEGORY, MISSING, SPURIOUS = range(len(KINDS))


@dataclass(frozen=True, slots=True)
class Planted:
    """One row per look at a planted error; arrays (P,).

    Attributes:
        look: Row of `Looks`, rising, none twice.
        kind: Place in `KINDS`.
        wrong: (P, 4) box xyxy as shown; NaN for `missing`.
        wrong_category: Code as shown; -1 for `missing`.
        right: (P, 4) box of the model's suggestion; NaN for `spurious`.
    """

    look: NDArray[np.int64]
    kind: NDArray[np.int64]
    wrong: Boxes
    wrong_category: NDArray[np.int64]
    right: Boxes


def planted(looks: Looks, categories: list[str]) -> Planted:
    """The planted errors as labelers saw them, from the record of what was shown.

    Args:
        looks: All answers.
        categories: Names by code.
    """
    # Where the two categories were merged since, nothing is wrong any more.
    seeded = looks.shown
    merged = pc.and_(
        pc.equal(seeded["seeded_kind"], "category"),
        pc.equal(seeded["wrong_category"], seeded["right_category"]),
    )
    rows = np.flatnonzero(looks.seeded & ~pc.fill_null(merged, False).to_numpy().astype(bool))
    shown = seeded.take(pa.array(rows))
    names = pa.array(categories, pa.string())
    codes = pc.fill_null(pc.index_in(shown["wrong_category"], value_set=names), -1)
    kinds = pc.index_in(shown["seeded_kind"], value_set=pa.array(KINDS))
    return Planted(
        look=rows,
        kind=np.asarray(kinds.to_numpy(), dtype=np.int64),
        wrong=_boxes(shown["wrong_xyxy"]),
        wrong_category=np.asarray(codes.to_numpy(), dtype=np.int64),
        right=_boxes(shown["right_xyxy"]),
    )


def _boxes(column: pa.ChunkedArray) -> Boxes:
    """(N, 4) float64, NaN where there is none."""
    nothing = [float("nan")] * 4
    return np.array([nothing if box is None else box for box in column.to_pylist()]).reshape(-1, 4)


def caught(planted: Planted, drawn: Drawn, suggested: Drawn, *, iou_threshold: float) -> Flags:
    """Whether each planted error was caught, by the rules above.

    Args:
        planted: P looks at planted errors.
        drawn: Objects of all looks.
        suggested: What the model proposes for their images, before anything was planted.
        iou_threshold: From this IoU on two boxes show the same object.

    Returns:
        (P,) flags.
    """
    borders = drawn.objects.borders(int(planted.look.max(initial=-1)) + 2)
    sizes = borders[planted.look + 1] - borders[planted.look]
    row = np.repeat(np.arange(len(planted.look)), sizes)
    within = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    final = borders[planted.look][row] + within
    boxes, categories = drawn.objects.boxes[final], drawn.objects.categories[final]
    wrong, right = (_iou(side[row], boxes) for side in (planted.wrong, planted.right))
    known = best_iou(drawn.objects.take(final), suggested.objects)
    kind = planted.kind[row]
    near = wrong >= iou_threshold
    named = categories == planted.wrong_category[row]
    agrees = np.select(
        [kind == CATEGORY, kind == MISSING], [near & named, right >= iou_threshold], near & (wrong > known)
    )
    any_agrees = np.bincount(row[agrees], minlength=len(planted.look)) > 0
    return np.where(planted.kind == MISSING, any_agrees, ~any_agrees)


def by_kind(planted: Planted, found: Flags) -> dict[str, Figure]:
    """Share caught, of all and of each kind; `n` counts looks."""
    figures = {"all": wilson(int(found.sum()), len(found))}
    for code, name in enumerate(KINDS):
        rows = planted.kind == code
        figures[name] = wilson(int(found[rows].sum()), int(rows.sum()))
    return figures


def _iou(boxes_a: Boxes, boxes_b: Boxes) -> NDArray[np.float64]:
    """Row by row; 0 where a box is missing."""
    return np.nan_to_num(paired_iou(boxes_a, boxes_b), nan=0.0)
