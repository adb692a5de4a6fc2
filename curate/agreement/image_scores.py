"""How much people agree on each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.geometry.matching import Indices

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of each comparison of two people (Q,), in the order of `Pairs.image`.

    Attributes:
        n_first: Objects of the first.
        n_second: Objects of the second.
        matched: Matched pairs.
        same: Matched pairs of one category.
        iou: Sum of the box IoU of matched pairs.
    """

    n_first: Indices
    n_second: Indices
    matched: Indices
    same: Indices
    iou: Values

    @property
    def score(self) -> Values:
        """F1, where nothing drawn by both is full agreement: 1."""
        objects = self.n_first + self.n_second
        return np.where(objects > 0, 2 * self.same / np.maximum(objects, 1), 1.0)


@dataclass(frozen=True, slots=True)
class ImageScore:
    """Sums of the comparisons of each two annotators of an image.

    Attributes:
        objects: Objects of both.
        same: Matched pairs of one category.
        matched: Matched pairs.
        iou: Sum of the box IoU of matched pairs.
    """

    objects: int = 0
    same: int = 0
    matched: int = 0
    iou: float = 0.0

    @property
    def f1(self) -> float | None:
        """F1 of the annotators; None where nobody drew anything."""
        return 2 * self.same / self.objects if self.objects else None

    @property
    def mean_iou(self) -> float | None:
        """Mean box IoU of matched pairs; None without any."""
        return self.iou / self.matched if self.matched else None


def of_pairs(answers: Answers, pairs: Pairs) -> PairScores:
    """The scores of each two annotators of an image; also where neither drew anything."""
    matched = pairs.matched
    same = matched & (answers.category[pairs.a] == answers.category[pairs.b]) if len(pairs.a) else matched

    def counted(flags: NDArray[np.bool_]) -> Indices:
        return np.bincount(pairs.comparison[flags], minlength=len(pairs.image))

    sums = np.bincount(pairs.comparison, np.nan_to_num(pairs.box_iou), minlength=len(pairs.image))
    iou = sums.astype(np.float64)
    return PairScores(counted(pairs.a >= 0), counted(pairs.b >= 0), counted(matched), counted(same), iou)


def of_images(answers: Answers, pairs: Pairs) -> Mapping[str, ImageScore]:
    """The scores of all images that at least two annotators looked at."""
    scores = of_pairs(answers, pairs)
    images, place = np.unique(pairs.image, return_inverse=True)
    columns = (scores.n_first + scores.n_second, scores.same, scores.matched, scores.iou)
    objects, same, matched, iou = (np.bincount(place, column, minlength=len(images)) for column in columns)
    rows = zip(
        images.tolist(),
        *(column.astype(int).tolist() for column in (objects, same, matched)),
        iou.tolist(),
        strict=True,
    )
    return {answers.images[image]: ImageScore(*values) for image, *values in rows}
