"""The figures of agreement, with intervals: over all, by category, by two annotators, by image.

Everything is computed from sums over images (`tally`), so that the same code gives a figure and its
resampled values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from curate.agreement import chance
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster, category_votes
from curate.agreement.pairs import Pairs
from curate.intervals import Figure, Scale, Sums, resampled_sums, t_interval

Values = NDArray[np.float64]
# Of each group of pairs: objects drawn by either, matched pairs, matched pairs of one category, their summed
# box IoU, matched pairs with two masks, their summed mask IoU.
_OBJECTS, _MATCHED, _SAME, _BOX_IOU, _MASKS, _MASK_IOU = range(6)
_MEASURES = 6


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of every image that several annotators looked at.

    Attributes:
        images: N ids, sorted.
        categories: K names, sorted.
        annotators: P pairs of annotators, sorted.
        per_image: (N, F) contributions, laid out by the offsets below.
        total: (F,) sums over images.
        resampled: (R, F) sums over resampled images.
    """

    images: list[str]
    categories: list[str]
    annotators: list[tuple[str, str]]
    per_image: csr_array
    total: Sums
    resampled: Sums

    def figure(
        self, compute: Callable[[Sums], Values], n: Callable[[Sums], Values], *, scale: Scale = "share"
    ) -> Figure:
        """A figure with its interval, from functions of sums (..., F)."""
        value = float(compute(self.total))
        count = round(float(n(self.total)))
        if np.isnan(value):
            return Figure(None, None, None, count)
        ends = t_interval(value, compute(self.resampled), len(self.images), scale=scale)
        low, high = ends or (None, None)
        return Figure(value, low, high, count)

    def group(self, index: int) -> slice:
        """Columns of a group's measures: 0 = all, then the categories, then the pairs of annotators."""
        return slice(index * _MEASURES, (index + 1) * _MEASURES)

    def marginals(self, index: int) -> tuple[slice, slice]:
        """Columns (K + 1) of the first's and of the second's categories, of matched and of missed objects.

        Args:
            index: 0 = all matched pairs, 1 = all pairs with "missed" as the last category, then the matched
                pairs of each pair of annotators.
        """
        width = len(self.categories) + 1
        start = _MEASURES * (1 + len(self.categories) + len(self.annotators)) + 2 * width * index
        return slice(start, start + width), slice(start + width, start + 2 * width)

    def units(self) -> tuple[int, slice]:
        """Column of the units' disagreement, and columns (K) of their categories."""
        start = self.marginals(2 + len(self.annotators))[0].start
        return start, slice(start + 1, start + 1 + len(self.categories))


def tally(answers: Answers, pairs: Pairs, clusters: Sequence[Cluster], *, resamples: int, seed: int) -> Tally:
    """Add up the comparison of each image, and resample the images.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects, for the alpha.
        resamples: Of images, for the intervals.
        seed: Of the resamples.
    """
    images = answers.overlapped()
    empty = Tally(
        images=images,
        categories=sorted(set(answers.categories)),
        annotators=sorted(set(zip(pairs.annotators_a, pairs.annotators_b, strict=True))),
        per_image=csr_array((0, 0)),
        total=np.zeros(0),
        resampled=np.zeros((0, 0)),
    )
    cells = [*_pair_cells(empty, answers, pairs), *_unit_cells(empty, answers, clusters)]
    rows, columns, values = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    shape = (len(images), empty.units()[1].stop)
    per_image = csr_array(coo_array((values, (rows, columns)), shape=shape))
    return Tally(
        images=empty.images,
        categories=empty.categories,
        annotators=empty.annotators,
        per_image=per_image,
        total=np.asarray(per_image.sum(axis=0)).ravel(),
        resampled=resampled_sums(per_image, resamples=resamples, seed=seed),
    )


def f1(tallied: Tally, group: int) -> Figure:
    """Detection F1 of one annotator against another, symmetric; a match of another category is a miss.

    Source:
        2 TP / (2 TP + FP + FN) (van Rijsbergen 1979) = 2 x matched pairs of one category / objects of both.
    """
    columns = tallied.group(group)
    return tallied.figure(
        lambda sums: _share(2 * sums[..., columns][..., _SAME], sums[..., columns][..., _OBJECTS]),
        lambda sums: sums[..., columns][..., _OBJECTS],
    )


def mean_box_iou(tallied: Tally, group: int) -> Figure:
    """Mean box IoU of matched pairs."""
    columns = tallied.group(group)
    return tallied.figure(
        lambda sums: _share(sums[..., columns][..., _BOX_IOU], sums[..., columns][..., _MATCHED]),
        lambda sums: sums[..., columns][..., _MATCHED],
    )


def mean_mask_iou(tallied: Tally, group: int) -> Figure:
    """Mean mask IoU of matched pairs in which both have a mask."""
    columns = tallied.group(group)
    return tallied.figure(
        lambda sums: _share(sums[..., columns][..., _MASK_IOU], sums[..., columns][..., _MASKS]),
        lambda sums: sums[..., columns][..., _MASKS],
    )


def kappa(tallied: Tally, index: int, group: int = 0) -> Figure:
    """Cohen's kappa on categories; see `Tally.marginals` for `index`, `Tally.group` for `group`."""
    first, second = tallied.marginals(index)
    same = tallied.group(group).start + _SAME
    return tallied.figure(
        lambda sums: chance.kappa_from_sums(sums[..., same], sums[..., first], sums[..., second]),
        lambda sums: sums[..., first].sum(axis=-1),
        scale="signed",
    )


def category_kappa(tallied: Tally, category: int) -> Figure:
    """Cohen's kappa of one category against all others, on matched pairs."""
    first, second = (columns.start + category for columns in tallied.marginals(0))
    same, matched = tallied.group(1 + category).start + _SAME, tallied.group(0).start + _MATCHED

    def compute(sums: Sums) -> Values:
        a, b, both, n = sums[..., first], sums[..., second], sums[..., same], sums[..., matched]
        return chance.kappa_from_sums(
            n - a - b + 2 * both, np.stack([a, n - a], axis=-1), np.stack([b, n - b], axis=-1)
        )

    return tallied.figure(compute, lambda sums: sums[..., matched], scale="signed")


def alpha(tallied: Tally) -> Figure:
    """Krippendorff's nominal alpha on the categories of clusters of two or more annotators."""
    unlike, categories = tallied.units()
    return tallied.figure(
        lambda sums: chance.alpha_from_sums(sums[..., unlike], sums[..., categories]),
        lambda sums: sums[..., categories].sum(axis=-1),
        scale="signed",
    )


Cells = tuple[NDArray[np.intp], NDArray[np.intp], Values]


def _pair_cells(layout: Tally, answers: Answers, pairs: Pairs) -> list[Cells]:
    """Contributions (image, column, value) of every row of the comparison."""
    count = len(layout.categories)
    code = {name: index for index, name in enumerate(layout.categories)}
    codes = np.array([*(code[name] for name in answers.categories), count], dtype=np.intp)  # -1: missed
    row_of = {image_id: row for row, image_id in enumerate(layout.images)}
    pair_of = {names: index for index, names in enumerate(layout.annotators)}
    image = np.array([row_of[image_id] for image_id in pairs.images], dtype=np.intp)
    people = [pair_of[names] for names in zip(pairs.annotators_a, pairs.annotators_b, strict=True)]
    pair = np.array(people, dtype=np.intp)
    a, b = (codes[np.array(indices, dtype=np.intp)] for indices in (pairs.a, pairs.b))
    box_iou = np.array([np.nan if iou is None else iou for iou in pairs.box_iou], dtype=np.float64)
    mask_iou = np.array([np.nan if iou is None else iou for iou in pairs.mask_iou], dtype=np.float64)
    matched, masked = ~np.isnan(box_iou), ~np.isnan(mask_iou)
    cells: list[Cells] = []

    def add(where: NDArray[np.bool_], columns: NDArray[np.intp] | int, values: Values | float) -> None:
        cells.append(
            (
                image[where],
                np.broadcast_to(columns, image.shape)[where],
                np.broadcast_to(values, image.shape)[where],
            )
        )

    same = matched & (a == b)
    present_a, present_b = a < count, b < count
    by_group = [(0 * a, 0 * b, matched), (1 + a, 1 + b, same), (1 + count + pair, 1 + count + pair, matched)]
    for group_a, group_b, counted in by_group:
        first, second = group_a * _MEASURES, group_b * _MEASURES
        add(present_a, first + _OBJECTS, 1.0)
        add(present_b, second + _OBJECTS, 1.0)
        add(counted, first + _MATCHED, 1.0)
        add(same, first + _SAME, 1.0)
        add(counted, first + _BOX_IOU, box_iou)
        add(counted & masked, first + _MASKS, 1.0)
        add(counted & masked, first + _MASK_IOU, mask_iou)
    everything = np.ones_like(matched)
    step = layout.marginals(1)[0].start - layout.marginals(0)[0].start
    start_a, start_b = (columns.start for columns in layout.marginals(0))
    for where, index in ((matched, 0 * pair), (everything, 0 * pair + 1), (matched, 2 + pair)):
        add(where, start_a + step * index + a, 1.0)
        add(where, start_b + step * index + b, 1.0)
    return cells


def _unit_cells(layout: Tally, answers: Answers, clusters: Sequence[Cluster]) -> list[Cells]:
    """Contributions of clusters of two or more annotators."""
    several = [group for group in clusters if len(group.members) > 1]
    row_of = {image_id: row for row, image_id in enumerate(layout.images)}
    image = np.array([row_of[group.image_id] for group in several], dtype=np.intp)
    votes = category_votes(answers, several, layout.categories)
    unlike, categories = layout.units()
    unit, column = np.nonzero(votes)
    return [
        (image, np.full(len(image), unlike, dtype=np.intp), chance.unit_disagreement(votes)),
        (image[unit], column + categories.start, votes[unit, column]),
    ]


def _share(numerator: Values, denominator: Values) -> Values:
    out = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0))
