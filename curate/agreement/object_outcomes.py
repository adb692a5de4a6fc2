"""What became of every object in a comparison: whether the other side has it, and how alike the two are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.agreement import mask_measures, vote_rules
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster
from curate.geometry import boxes

SIZES = ("small", "medium", "large")
_SMALL, _MEDIUM = 32.0**2, 96.0**2  # square pixels, as COCO has them


@dataclass(slots=True)
class Outcomes:
    """One row an object in one comparison, in columns.

    Attributes:
        image: The image of each.
        annotator: Who drew it; of a joint object of others: who should have.
        pair: Names of both people, sorted; None where the other side are all others.
        category: Of the object.
        size: One of `SIZES`, by the area of its box.
        matched: Whether the other side has it.
        same: Whether the other side has it and calls it the same.
        measures: Of matched objects by name: "box_iou", "mask_iou", "dice", "boundary_iou", "hausdorff_95";
            None where there is none.
    """

    image: list[str] = field(default_factory=list)
    annotator: list[str] = field(default_factory=list)
    pair: list[tuple[str, str] | None] = field(default_factory=list)
    category: list[str] = field(default_factory=list)
    size: list[str] = field(default_factory=list)
    matched: list[bool] = field(default_factory=list)
    same: list[bool] = field(default_factory=list)
    measures: list[Mapping[str, float | None]] = field(default_factory=list)

    def add(
        self,
        image: str,
        annotator: str,
        pair: tuple[str, str] | None,
        category: str,
        size: str,
        *,
        other_category: str | None,
        measures: Mapping[str, float | None],
    ) -> None:
        """One row; `other_category` None = the other side has no such object."""
        self.image.append(image)
        self.annotator.append(annotator)
        self.pair.append(pair)
        self.category.append(category)
        self.size.append(size)
        self.matched.append(other_category is not None)
        self.same.append(other_category == category)
        self.measures.append(measures)


def size_classes(corners: NDArray[np.float64]) -> list[str]:
    """The class of boxes (N, 4): "small" (under 32 by 32 pixels), "medium" (under 96 by 96) or "large".

    Source:
        COCO's evaluation, https://cocodataset.org/#detection-eval, by the box's area.
    """
    areas = boxes.area(corners)
    return [SIZES[int(area >= _SMALL) + int(area >= _MEDIUM)] for area in areas]


def between_people(answers: Answers, pairs: Pairs, sizes: Mapping[str, Size], *, contours: bool) -> Outcomes:
    """Every object of each two annotators of an image: has the other drawn it?

    Args:
        answers: What people drew.
        pairs: Their comparison.
        sizes: Width and height of every image, upright pixels.
        contours: Whether outlines of masks are compared, which takes about a millisecond a pair of masks.
    """
    found = Outcomes()
    classes = size_classes(answers.boxes)
    for row, image in enumerate(pairs.images):
        a, b = pairs.a[row], pairs.b[row]
        people = (pairs.annotators_a[row], pairs.annotators_b[row])
        measures: dict[str, float | None] = {}
        if a >= 0 and b >= 0:
            measures = {"box_iou": pairs.box_iou[row], "mask_iou": pairs.mask_iou[row]}
            rle_a, rle_b = answers.rles[a], answers.rles[b]
            if contours and rle_a is not None and rle_b is not None:
                width, height = sizes[image]
                alike = mask_measures.compare(rle_a, rle_b, width=width, height=height)
                measures["dice"] = alike.dice
                measures["boundary_iou"] = alike.boundary_iou
                measures["hausdorff_95"] = alike.hausdorff_95
        for mine, other, person in ((a, b, people[0]), (b, a, people[1])):
            if mine >= 0:
                theirs = answers.categories[other] if other >= 0 else None
                category = answers.categories[mine]
                found.add(
                    image, person, people, category, classes[mine], other_category=theirs, measures=measures
                )
    return found


def against_others(
    answers: Answers, clusters: Sequence[Cluster], *, min_votes_share: float
) -> tuple[Outcomes, Outcomes]:
    """Each person's work against what all others of the image agree on, without that person's vote.

    Only images that three or more people looked at say anything. What the others do not settle is left out.

    Args:
        answers: What people drew.
        clusters: Of all objects.
        min_votes_share: As for the consensus (`votes.presence`).

    Returns:
        What people drew (are the others of the same opinion?), and what the others agree on (has the person
        drawn it?).
    """
    drawn, known = Outcomes(), Outcomes()
    owner, classes = answers.owners(), size_classes(answers.boxes)
    for group in clusters:
        looked = answers.by_image[group.image_id]
        if len(looked) < 3:
            continue
        mine = {owner[i]: i for i in group.members}
        for person in looked:
            others = [i for i in group.members if owner[i] != person]
            state = vote_rules.presence(len(others), len(looked) - 1, min_votes_share=min_votes_share)
            name = _majority([answers.categories[i] for i in others])
            if state == "disputed" or (state == "object" and name is None):
                continue
            own = mine.get(person)
            measures: dict[str, float | None] = {}
            if state == "object":
                middle = np.median(answers.boxes[others], axis=0)
                if own is not None:
                    measures = {"box_iou": float(boxes.box_iou([answers.boxes[own]], [middle])[0, 0])}
                there = str(name)
                size = size_classes(middle[None])[0]
                theirs = None if own is None else answers.categories[own]
                known.add(group.image_id, person, None, there, size, other_category=theirs, measures=measures)
            if own is not None:
                theirs = name if state == "object" else None
                category = answers.categories[own]
                drawn.add(
                    group.image_id,
                    person,
                    None,
                    category,
                    classes[own],
                    other_category=theirs,
                    measures=measures,
                )
    return drawn, known


def _majority(names: Sequence[str]) -> str | None:
    """The name that more than half have; None if there is none."""
    if not names:
        return None
    ((name, count),) = Counter(names).most_common(1)
    return name if 2 * count > len(names) else None


def taken(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Numbers with NaN for None."""
    return np.asarray(pa.array(values, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
