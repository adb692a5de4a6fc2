"""Labels of a data set that a model's predictions contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from curate.agreement import label_errors
from curate.agreement.label_errors import ImageView, LabelError
from curate.agreement.objectlab import Boxes
from curate.check.dataset import DataSet
from curate.check.finding import Mark, Row
from curate.check.ingested_image import SeenImage
from curate.check.label_findings import PlacedLabels, upright_boxes
from curate.errors import InputError
from curate.formats.record import LabeledObject
from curate.records import Box

MIN_PROBABILITY: Final = 0.5  # from which a disagreement is told
_WORDS: Final = {
    "missed": "the model sees a {suggested} ({score:.2f}) where nothing is labelled",
    "spurious": "a {category} where the model sees nothing",
    "category": "a {category}; the model sees a {suggested} ({score:.2f})",
    "location": "a {category} whose box has an IoU of {iou:.2f} with the model's",
}
Known = Mapping[str, PlacedLabels]


def find(
    dataset: DataSet, predictions: DataSet, by_place: Mapping[str, SeenImage]
) -> Iterator[tuple[str, Row]]:
    """Disagreements in which the label is more likely wrong than the model, the surest first.

    Where there are too few objects to say how likely (`label_errors.MIN_CASES`), all are told.

    Args:
        dataset: The labels.
        predictions: A model's objects on the same images, each with a score.
        by_place: What ingest saw.

    Raises:
        InputError: A prediction has no score, or none is of an image of the data set.
    """
    labels, found = (upright_boxes(one, by_place) for one in (dataset, predictions))
    shared = sorted(labels.keys() & found.keys())
    if not shared:
        raise InputError(f"{predictions.path} has no prediction for an image of {dataset.path}")
    for place in shared:
        if any(one.score is None for one, _ in found[place].objects):
            raise InputError(f"{predictions.path}: a prediction for {place} has no score from 0 to 1")
    for one in label_errors.find(_view(place, labels, found) for place in shared):
        if one.probability is None or one.probability > MIN_PROBABILITY:
            yield "label_error", _row(one, dataset, labels, found)


def _view(place: str, labels: Known, found: Known) -> ImageView:
    drawn, made = labels[place].objects, found[place].objects
    numbers = [[str(at) for at in range(len(rows))] for rows in (drawn, made)]
    return ImageView(place, _boxes(drawn), numbers[0], _boxes(made), numbers[1])


def _boxes(rows: Sequence[tuple[LabeledObject, Box]]) -> Boxes:
    return Boxes(
        np.array([box for _, box in rows], dtype=np.float64).reshape(-1, 4),
        np.array([one.category for one, _ in rows], dtype=object),
        np.array([one.score or 0.0 for one, _ in rows], dtype=np.float64),
    )


def _row(one: LabelError, dataset: DataSet, labels: Known, found: Known) -> Row:
    label = None if one.label_id is None else labels[one.image_id].objects[int(one.label_id)]
    made = None if one.found_id is None else found[one.image_id].objects[int(one.found_id)]
    marks = tuple(Mark(box, known.category) for known, box in filter(None, (label, made)))
    sure = "too few objects to say how likely" if one.probability is None else f"likely {one.probability:.0%}"
    text = _WORDS[one.kind].format(
        category=one.category, suggested=one.suggested, score=one.score or 0.0, iou=one.iou or 0.0
    )
    return Row(
        images=(one.image_id,),
        splits=tuple(sorted(dataset.splits[one.image_id])),
        category=one.category or one.suggested or "",
        file=labels[one.image_id].file,
        line=0 if label is None else label[0].line,
        entry="" if label is None else label[0].entry,
        detail=f"{one.kind}: {text}; {sure}",
        marks=marks,
    )
