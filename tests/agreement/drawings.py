"""Answers of a few people, written briefly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import schema
from curate.agreement.by_annotator import Answers, sort_out
from curate.agreement.clusters import Clusters
from curate.records import Annotation, Box
from tests.builders import annotation, image_id

Drawn = Sequence[tuple[str, Box]]


def rows(work: Mapping[tuple[str, str], Drawn | None]) -> list[Annotation]:
    """Rows of people's work: (image, person) to objects; an empty list = looked, None = skipped."""
    made = []
    for (image, person), drawn in work.items():
        if drawn is None:
            made.append(annotation(image, None, None, annotator_id=person, outcome="skipped"))
        elif not drawn:
            made.append(annotation(image, None, None, annotator_id=person))
        for index, (category, box) in enumerate(drawn or ()):
            made.append(
                annotation(
                    image, category, box, annotator_id=person, annotation_id=f"{image}-{person}-{index}"
                )
            )
    return made


def table(annotations: Sequence[Annotation]) -> pa.Table:
    return pa.Table.from_pylist([row.row() for row in annotations], schema=schema.ANNOTATIONS.arrow)


def answers(work: Mapping[tuple[str, str], Drawn | None]) -> Answers:
    images = {image_id(image) for image, _ in work}
    return sort_out(table(rows(work)), planned=images)


def category_votes(answers: Answers, clusters: Clusters, categories: Sequence[str]) -> NDArray[np.float64]:
    """How many members of each cluster chose each category: (clusters, categories)."""
    column = {name: index for index, name in enumerate(categories)}
    codes = np.array([column.get(name, -1) for name in answers.names], dtype=np.intp)
    cells = clusters.number * len(categories) + codes[answers.category[clusters.members]]
    counts = np.bincount(cells, minlength=len(clusters) * len(categories))
    return counts.reshape(len(clusters), len(categories)).astype(np.float64)
