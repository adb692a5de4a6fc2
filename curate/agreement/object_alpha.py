"""Krippendorff's alpha over objects: where they are and whether they are there, in one figure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curate.agreement.annotator_pairs import Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.geometry.boxes import Boxes, box_iou
from curate.geometry.grouped_matching import paired_iou
from curate.geometry.matching import Indices
from curate.intervals import Figure

_MAX_BOXES = 2_000  # of which every two are compared to know what chance gives; drawn evenly beyond


@dataclass(frozen=True, slots=True)
class ChanceBoxes:
    """Sample of the boxes, evenly drawn: what two of them have in common by chance.

    Attributes:
        boxes: (S, 4) xyxy relative to the size of their image.
        category: (S,) index into the categories.
    """

    boxes: Boxes
    category: Indices

    def distance(self) -> float:
        """Mean distance of two of them; 1 where there are fewer than two."""
        apart = np.where(
            self.category[:, None] == self.category[None, :], 1 - box_iou(self.boxes, self.boxes), 1.0
        )
        others = len(self.boxes) * (len(self.boxes) - 1)
        return float((apart.sum() - np.trace(apart)) / others) if others else 1.0


def together(parts: Sequence[ChanceBoxes]) -> ChanceBoxes:
    """Join the samples of parts of the images, in order, to that of all images."""
    boxes = np.concatenate([np.zeros((0, 4)), *(part.boxes for part in parts)])
    return ChanceBoxes(boxes, np.concatenate([np.zeros(0, np.intp), *(part.category for part in parts)]))


def drawn_by_several(answers: Answers, clusters: Clusters) -> Indices:
    """The objects of images that two or more looked at, in the order of their clusters."""
    several = answers.looks[clusters.image] > 1
    return clusters.members[several[clusters.number]]


def add(  # noqa: PLR0917 - one call
    sums: ImageSums,
    answers: Answers,
    clusters: Clusters,
    sizes: Mapping[str, Size],
    first: int = 0,
    of: int | None = None,
) -> ChanceBoxes:
    """Add what `figure` needs.

    A unit is a joint object; its values are what each person who looked at the image drew of it: a box, or
    nothing. The distance of two boxes is 1 - IoU, and 1 where their categories differ; of a box and nothing
    1; of nothing and nothing 0. What the distance of any two values would be by chance is computed from all
    values of all units, boxes relative to the size of their image.

    Args:
        sums: Where to.
        answers: What people drew on these images.
        clusters: Of all objects of these images.
        sizes: Width and height of every image, upright pixels.
        first: Number of the first of `drawn_by_several` among those of all images.
        of: How many there are in all; None = these.

    Returns:
        Boxes whose mean distance is that of two by chance. It is taken as the same for every resample: it is
        a property of the scenes.

    Source:
        Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), for any distance; IoU as the distance
        of boxes: Nassar, Pavon-Harr, Bosch and McCulloh, Assessing data quality of annotations with
        Krippendorff alpha for applications in computer vision (arXiv:1912.10107, 2019). Nothing as a value of
        its own is ours: leaving missing objects out would call people who miss different halves perfect.
    """
    looked = answers.looks[clusters.image]
    several = looked > 1
    unlike: Values = np.zeros(len(clusters))
    for size in np.unique(clusters.sizes[several]).tolist():
        these, members = clusters.of_size(size)
        names, corners = answers.category[members], answers.boxes[members]
        for i, j in itertools.combinations(range(size), 2):
            apart = 1 - paired_iou(corners[:, i], corners[:, j])
            unlike[these] += 2 * np.where(names[:, i] == names[:, j], apart, 1.0)
    missing = looked - clusters.sizes
    unlike = (unlike + 2 * clusters.sizes * missing) / np.maximum(looked - 1, 1)
    image = clusters.image[several]
    sums.add(("alpha", "unlike"), image, unlike[several])
    sums.add(("alpha", "boxes"), image, clusters.sizes[several])
    sums.add(("alpha", "values"), image, looked[several])
    members = drawn_by_several(answers, clusters)
    whole = len(members) if of is None else of
    drawn = np.unique(np.linspace(0, max(0, whole - 1), min(whole, _MAX_BOXES)).astype(np.intp))
    some = members[drawn[(drawn >= first) & (drawn < first + len(members))] - first]
    wide = np.array([sizes[answers.images[image]] for image in answers.image[some].tolist()]).reshape(-1, 2)
    return ChanceBoxes(answers.boxes[some] / np.tile(wide, 2), answers.category[some])


def figure(found: Resampled, chance_distance: float) -> Figure:
    """The alpha: 1 = everybody drew the same, 0 = chance.

    Args:
        found: Sums of `add`.
        chance_distance: `ChanceBoxes.distance` of all images.
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


def observed(found: Resampled) -> Figure:
    """Agreement before chance: 1 - the mean distance of what two people drew of one object.

    Args:
        found: Sums of `add`.
    """
    values = 1 - divided(found.of(("alpha", "unlike")), found.of(("alpha", "values")))
    over = ("alpha", "values")
    nothing = "no image was seen by two people who drew something"
    return found.figure(values, n=found.count(over), over=over, nothing=nothing)
