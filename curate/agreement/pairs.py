"""Each two annotators of an image compared: which of their objects are the same, and how alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import pyarrow as pa

from curate import schema
from curate.agreement.by_annotator import Answers
from curate.errors import RecordError
from curate.geometry import masks
from curate.geometry.matching import Indices, match

Size = tuple[int, int]  # width, height in upright pixels


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
    """

    images: list[str] = field(default_factory=list)
    annotators_a: list[str] = field(default_factory=list)
    annotators_b: list[str] = field(default_factory=list)
    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    box_iou: list[float | None] = field(default_factory=list)
    mask_iou: list[float | None] = field(default_factory=list)

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
            found = _match(answers, drawn_a, drawn_b, iou_threshold=iou_threshold)
            pairs.annotators_a += [name_a] * len(found)
            pairs.annotators_b += [name_b] * len(found)
            pairs.images += [image_id] * len(found)
            for a, b, box_iou in found:
                pairs.a.append(a)
                pairs.b.append(b)
                pairs.box_iou.append(box_iou)
                pairs.mask_iou.append(_mask_iou(answers, a, b, sizes[image_id]))
    return pairs


def _match(
    answers: Answers, drawn_a: Indices, drawn_b: Indices, *, iou_threshold: float
) -> list[tuple[int, int, float | None]]:
    """Matched pairs, then what only the first drew (a, -1, None), then what only the second drew."""
    found = match(
        answers.boxes[drawn_a],
        answers.boxes[drawn_b],
        [answers.categories[i] for i in drawn_a],
        [answers.categories[i] for i in drawn_b],
        iou_threshold=iou_threshold,
    )
    matched_a, matched_b = drawn_a[found.a].tolist(), drawn_b[found.b].tolist()
    rows: list[tuple[int, int, float | None]] = list(
        zip(matched_a, matched_b, found.iou.tolist(), strict=True)
    )
    rows += [(a, -1, None) for a in sorted(set(drawn_a.tolist()) - set(matched_a))]
    rows += [(-1, b, None) for b in sorted(set(drawn_b.tolist()) - set(matched_b))]
    return rows


def _mask_iou(answers: Answers, a: int, b: int, size: Size) -> float | None:
    if a < 0 or b < 0:
        return None
    rle_a, rle_b = answers.rles[a], answers.rles[b]
    if rle_a is None or rle_b is None:
        return None
    try:
        return float(masks.rle_iou([rle_a], [rle_b], width=size[0], height=size[1])[0, 0])
    except RecordError as error:
        which = f"{answers.annotation_ids[a]} or {answers.annotation_ids[b]}"
        raise RecordError(f"annotation {which}: {error}: run the stage pull again") from error


def _taken(values: Sequence[str], indices: Sequence[int]) -> list[str | None]:
    return [values[i] if i >= 0 else None for i in indices]
