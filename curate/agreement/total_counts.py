"""Counts of all images, for the sums of some of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from curate.agreement import category_figures, object_alpha
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters


@dataclass(frozen=True, slots=True)
class TotalCounts:
    """How much there is in all, and where some images stand in it.

    Attributes:
        images: How many somebody looked at.
        boxes: Objects of images that several looked at.
        raters: Objects by how many people drew them (`category_figures.raters`).
        first_image: Number of the first of these images among all.
        first_box: The same of the objects.
    """

    images: int
    boxes: int
    raters: Counter[int]
    first_image: int = 0
    first_box: int = 0


def count(answers: Answers, clusters: Clusters) -> TotalCounts:
    """The counts of these images, as if they were all."""
    boxes = len(object_alpha.drawn_by_several(answers, clusters))
    return TotalCounts(len(answers.images), boxes, category_figures.raters(clusters))


def together(parts: Sequence[TotalCounts]) -> list[TotalCounts]:
    """Add up the counts of the parts of the images; each part gets the total and its own beginning."""
    whole = TotalCounts(
        sum(part.images for part in parts),
        sum(part.boxes for part in parts),
        sum((part.raters for part in parts), Counter()),
    )
    images = itertools.accumulate((part.images for part in parts), initial=0)
    boxes = itertools.accumulate((part.boxes for part in parts), initial=0)
    firsts = zip(images, boxes, strict=True)
    return [
        replace(whole, first_image=image, first_box=box)
        for _, (image, box) in zip(parts, firsts, strict=False)
    ]
