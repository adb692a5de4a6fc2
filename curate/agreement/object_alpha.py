"""Krippendorff's alpha over objects: where they are and whether they are there, in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from curate.agreement.annotator_pairs import Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster
from curate.agreement.image_sums import ImageSums, Resampled, divided
from curate.geometry.boxes import Boxes, box_iou
from curate.intervals import Figure

_MOST_BOXES = 2_000  # of which every two are compared to know what chance gives; drawn evenly beyond


def add(sums: ImageSums, answers: Answers, clusters: Sequence[Cluster], sizes: Mapping[str, Size]) -> float:
    """Add what `figure` needs.

    A unit is a joint object; its values are what each person who looked at the image drew of it: a box, or
    nothing. The distance of two boxes is 1 - IoU, and 1 where their categories differ; of a box and nothing
    1; of nothing and nothing 0. What the distance of any two values would be by chance is computed from all
    values of all units, boxes relative to the size of their image.

    Returns:
        The mean distance of two boxes by chance. It is taken as the same for every resample: it is a property
        of the scenes.

    Source:
        Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), for any distance; IoU as the distance
        of
        boxes: Nassar, Pavon-Harr, Bosch and McCulloh, Assessing data quality of annotations with Krippendorff
        alpha for applications in computer vision (arXiv:1912.10107, 2019). Nothing as a value of its own is
        ours: leaving missing objects out would call people who miss different halves perfect.
    """
    boxes, categories = [], []
    for group in clusters:
        looked = len(answers.by_image[group.image_id])
        if looked < 2:
            continue
        drawn = list(group.members)
        missing = looked - len(drawn)
        names = np.array([answers.categories[i] for i in drawn], dtype=object)
        apart = 1 - box_iou(answers.boxes[drawn], answers.boxes[drawn])
        apart = np.where(names[:, None] == names[None, :], apart, 1.0)
        np.fill_diagonal(apart, 0.0)
        unlike = (apart.sum() + 2 * len(drawn) * missing) / (looked - 1)
        sums.add_one(("alpha", "unlike"), group.image_id, unlike)
        sums.add_one(("alpha", "boxes"), group.image_id, len(drawn))
        sums.add_one(("alpha", "values"), group.image_id, looked)
        width, height = sizes[group.image_id]
        boxes.append(answers.boxes[drawn] / [width, height, width, height])
        categories += names.tolist()
    return _chance(np.concatenate(boxes), categories) if boxes else 1.0


def _chance(boxes: Boxes, categories: Sequence[str]) -> float:
    """Mean distance of two boxes of the whole."""
    rows = np.unique(np.linspace(0, len(boxes) - 1, min(len(boxes), _MOST_BOXES)).astype(np.intp))
    names = np.array(categories, dtype=object)[rows]
    apart = np.where(names[:, None] == names[None, :], 1 - box_iou(boxes[rows], boxes[rows]), 1.0)
    others = len(rows) * (len(rows) - 1)
    return float((apart.sum() - np.trace(apart)) / others) if others else 1.0


def figure(found: Resampled, chance_distance: float) -> Figure:
    """The alpha: 1 = everybody drew the same, 0 = chance.

    Args:
        found: Sums of `add`.
        chance_distance: What `add` returned.
    """
    values, boxes = found.of(("alpha", "values")), found.of(("alpha", "boxes"))
    nothings = values - boxes
    pairs = values * (values - 1)
    expected = divided(boxes * (boxes - 1) * chance_distance + 2 * boxes * nothings, pairs)
    observed = divided(found.of(("alpha", "unlike")), values)
    alpha = 1 - divided(observed, expected)
    nothing = "no image was seen by two people who drew something"
    over = ("alpha", "values")
    return found.figure(alpha, n=found.count(over), over=over, nothing=nothing, scale="signed")
