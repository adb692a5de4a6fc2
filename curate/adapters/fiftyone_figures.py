"""How far labels can be relied on: agreement of the people, and doubts of the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from curate.project_tables import ProjectTables


def of_images(pairs: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float | None, float | None]]:
    """F1 and mean box IoU of the annotators of each image that several looked at.

    Each is over all pairs of two people, as in `curate.agreement.image_scores`; None = nobody drew anything,
    or nothing that another drew too.

    Args:
        pairs: Rows of the pairs table.

    Examples:
        >>> row = {"annotation_a": "a", "annotation_b": "b", "category_a": "car", "category_b": "car"}
        >>> alone = {"annotation_a": "c", "annotation_b": None, "category_a": "car", "category_b": None}
        >>> of_images([{"image_id": "x", "box_iou": 0.8, **row}, {"image_id": "x", "box_iou": None, **alone}])
        {'x': (0.6666666666666666, 0.8)}
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    for row in pairs:
        one = sums[row["image_id"]]
        one[0] += (row["annotation_a"] is not None) + (row["annotation_b"] is not None)
        if row["box_iou"] is not None:
            one[1] += row["category_a"] == row["category_b"]
            one[2] += 1
            one[3] += row["box_iou"]
    return {
        key: (2 * same / objects if objects else None, iou / matched if matched else None)
        for key, (objects, same, matched, iou) in sums.items()
    }


def of_objects(snapshot: ProjectTables) -> dict[str, dict[str, Any]]:
    """Figures of labels by annotation_id.

    `agreement_iou` is the mean box IoU with what others drew there, of an object of the consensus that of the
    drawings that it was made from; `label_error` the probability that the label is wrong, of the model's box
    that it speaks against the label, with its `label_error_kind`.
    """
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    drawn: dict[str, list[float]] = defaultdict(list)
    for row in snapshot.pairs or ():
        if row["box_iou"] is not None:
            drawn[row["annotation_a"]].append(row["box_iou"])
            drawn[row["annotation_b"]].append(row["box_iou"])
    for key, ious in drawn.items():
        found[key]["agreement_iou"] = sum(ious) / len(ious)
    for row in snapshot.objects:
        ious = [iou for key in row["made_from"] for iou in drawn.get(key, ())]
        if ious:
            found[row["annotation_id"]]["agreement_iou"] = sum(ious) / len(ious)
    for doubts in snapshot.label_errors.values():
        for doubt in doubts:
            for key in filter(None, (doubt.label_id, doubt.suggestion_id)):
                known = found[key].get("label_error", -1.0)
                if doubt.probability > known:
                    found[key] |= {"label_error": doubt.probability, "label_error_kind": doubt.kind}
    return found
