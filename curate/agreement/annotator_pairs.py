"""Each two annotators of an image compared: which of their objects are the same, and how alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import schema
from curate.agreement.by_annotator import Answers
from curate.errors import RecordError
from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.geometry.matching import Indices, assign_by_category

Size = tuple[int, int]  # width, height in upright pixels
Edge = tuple[int, int, float]  # two objects that can be one, and how alike they are
Values = NDArray[np.float64]


@dataclass(slots=True)
class Pairs:
    """Columns of the comparison; one row a matched pair, or an object that only one of two drew.

    Attributes:
        images: Image of each row.
        annotators_a: First annotator, smaller in sort order.
        annotators_b: Second annotator.
        a: Index into `Answers` of the first's object; -1 = only the second drew it.
        b: Index into `Answers` of the second's object; -1 = only the first drew it.
        box_iou: None where unmatched.
        mask_iou: None where unmatched or a mask is missing.
        gain: How alike they are (`similarity`); None where unmatched.
        edges: For each image every two objects of two annotators that can be one.
    """

    images: list[str] = field(default_factory=list)
    annotators_a: list[str] = field(default_factory=list)
    annotators_b: list[str] = field(default_factory=list)
    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    box_iou: list[float | None] = field(default_factory=list)
    mask_iou: list[float | None] = field(default_factory=list)
    gain: list[float | None] = field(default_factory=list)
    edges: dict[str, list[Edge]] = field(default_factory=dict)

    def table(self, answers: Answers) -> pa.Table:
        """The `pairs` table."""
        counts: dict[tuple[str, str, str], int] = {}
        indices = []
        for key in zip(self.images, self.annotators_a, self.annotators_b, strict=True):
            indices.append(counts.get(key, 0))
            counts[key] = indices[-1] + 1
        columns = {
            "image_id": self.images,
            "annotator_a": self.annotators_a,
            "annotator_b": self.annotators_b,
            "pair_index": indices,
            "annotation_a": _taken(answers.annotation_ids, self.a),
            "annotation_b": _taken(answers.annotation_ids, self.b),
            "category_a": _taken(answers.categories, self.a),
            "category_b": _taken(answers.categories, self.b),
            "box_iou": self.box_iou,
            "mask_iou": self.mask_iou,
        }
        return pa.table(columns, schema=schema.PAIRS.arrow)


def compare(
    answers: Answers, images: Iterable[str], sizes: Mapping[str, Size], *, iou_threshold: float
) -> Pairs:
    """Match the objects of each two annotators of each image.

    Args:
        answers: What people drew.
        images: Images to compare, each with two or more annotators.
        sizes: Width and height of every image, upright pixels.
        iou_threshold: Least box IoU of a match.

    Returns:
        Rows in the order of images, annotators, then matches, only first's, only second's.

    Raises:
        RecordError: A mask is damaged or of another size than its image; the message names it.
    """
    pairs = Pairs()
    for image_id in images:
        annotators = answers.by_image[image_id].items()
        for (name_a, drawn_a), (name_b, drawn_b) in combinations(annotators, 2):
            alike = similarity(answers, drawn_a, drawn_b, sizes[image_id], iou_threshold=iou_threshold)
            found = _match(answers, drawn_a, drawn_b, alike)
            pairs.annotators_a += [name_a] * len(found)
            pairs.annotators_b += [name_b] * len(found)
            pairs.images += [image_id] * len(found)
            for a, b, box, mask, gain in found:
                pairs.a.append(a)
                pairs.b.append(b)
                pairs.box_iou.append(box)
                pairs.mask_iou.append(mask)
                pairs.gain.append(gain)
            rows, columns = np.nonzero(alike.gain)
            pairs.edges.setdefault(image_id, []).extend(
                zip(
                    drawn_a[rows].tolist(),
                    drawn_b[columns].tolist(),
                    alike.gain[rows, columns].tolist(),
                    strict=True,
                )
            )
    return pairs


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike the objects of two annotators are.

    Attributes:
        box_iou: (N, M) in [0, 1].
        mask_iou: (N, M) in [0, 1]; NaN where one of the two has no mask.
        gain: (N, M) what a match is worth, in (0, 1]; 0 where the two cannot be one object.
    """

    box_iou: Values
    mask_iou: Values
    gain: Values


def similarity(
    answers: Answers, drawn_a: Indices, drawn_b: Indices, size: Size, *, iou_threshold: float
) -> Similarity:
    """Compare the objects of two annotators: boxes by their IoU, masks by theirs.

    Two objects can be one if their boxes, or their masks where both have one, overlap by at least the
    threshold. A match is worth the IoU of the boxes; where both have masks, the mean of both IoU.

    Raises:
        RecordError: A mask is damaged or of another size than its image; the message names it.
    """
    boxes = box_iou(answers.boxes[drawn_a], answers.boxes[drawn_b])
    overlap = np.full(boxes.shape, np.nan)
    with_a, with_b = (
        np.array([place for place, i in enumerate(drawn) if answers.rles[i] is not None], dtype=np.intp)
        for drawn in (drawn_a, drawn_b)
    )
    if len(with_a) and len(with_b):
        overlap[np.ix_(with_a, with_b)] = mask_iou(answers, drawn_a[with_a], drawn_b[with_b], size)
    alike = np.fmax(boxes, overlap) >= iou_threshold
    worth = np.where(np.isnan(overlap), boxes, (boxes + np.nan_to_num(overlap)) / 2)
    return Similarity(boxes, overlap, np.where(alike, worth, 0.0))


def mask_iou(answers: Answers, some: Indices, others: Indices, size: Size) -> Values:
    """IoU (N, M) of masks by their indices.

    Raises:
        RecordError: A mask is damaged or of another size than its image; the message names it.
    """
    rles = [[answers.rles[i] or "" for i in indices] for indices in (some, others)]
    try:
        return masks.rle_iou(*rles, width=size[0], height=size[1])
    except RecordError as error:
        wrong = next(i for i in (*some, *others) if not _fits(answers.rles[i] or "", size))
        raise RecordError(
            f"annotation {answers.annotation_ids[wrong]}: {error}: run the stage pull again"
        ) from error


def _fits(rle: str, size: Size) -> bool:
    try:
        return int(masks.run_lengths(rle).sum()) == size[0] * size[1]
    except RecordError:
        return False


def _match(answers: Answers, drawn_a: Indices, drawn_b: Indices, alike: Similarity) -> list[_Row]:
    """Matched pairs, then what only the first drew, then what only the second drew."""
    rows, columns = assign_by_category(
        alike.gain, [answers.categories[i] for i in drawn_a], [answers.categories[i] for i in drawn_b]
    )
    found: list[_Row] = []
    for row, column in sorted(zip(rows.tolist(), columns.tolist(), strict=True)):
        overlap = float(alike.mask_iou[row, column])
        found.append(
            (
                int(drawn_a[row]),
                int(drawn_b[column]),
                float(alike.box_iou[row, column]),
                None if np.isnan(overlap) else overlap,
                float(alike.gain[row, column]),
            )
        )
    found += [(a, -1, None, None, None) for place, a in enumerate(drawn_a.tolist()) if place not in set(rows)]
    found += [
        (-1, b, None, None, None) for place, b in enumerate(drawn_b.tolist()) if place not in set(columns)
    ]
    return found


_Row = tuple[int, int, float | None, float | None, float | None]


def _taken(values: Sequence[str], indices: Sequence[int]) -> list[str | None]:
    return [values[i] if i >= 0 else None for i in indices]
