"""What people answered: annotations sorted out by image and by annotator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import TableError
from curate.geometry.matching import Indices

_CORNERS = 4
Attributes = Sequence[tuple[str, Sequence[str]]]  # question and what was chosen


@dataclass(frozen=True, slots=True)
class Answers:
    """Columns of every object that people drew, and who looked at what.

    Objects are ordered by image, then by content (box, category, mask), so that nothing depends on ids or on
    the order of the rows.

    Attributes:
        annotation_ids: N ids.
        boxes: (N, 4) float64 xyxy, upright pixels.
        categories: N names.
        rles: N COCO compressed counts, or None for a box only.
        polygons: N outlines as they were drawn, or None.
        parents: N ids of pre-annotations, or None.
        attributes: What was chosen of objects, by their index; without those of which nothing was.
        by_image: For each image, for each annotator who looked, the indices of the objects drawn; an empty
            array is an annotator who found nothing. Images and annotators are in sorted order.
        skipped: For each image that somebody skipped, how many did so.
        outside_plan: Rows left out because their image is not in the plan.
        unreadable: Images of which somebody's answer could not be read: that person's look says nothing.
    """

    annotation_ids: list[str]
    boxes: NDArray[np.float64]
    categories: list[str]
    rles: list[str | None]
    polygons: list[str | None]
    parents: list[str | None]
    by_image: Mapping[str, Mapping[str, Indices]]
    skipped: Mapping[str, int]
    outside_plan: int
    unreadable: frozenset[str] = frozenset()
    attributes: Mapping[int, Attributes] = field(default_factory=dict)

    def overlapped(self) -> list[str]:
        """Images that at least two annotators looked at, sorted."""
        return [image_id for image_id, annotators in self.by_image.items() if len(annotators) > 1]

    def owners(self) -> list[str]:
        """Who drew each object."""
        owner = [""] * len(self.categories)
        for annotators in self.by_image.values():
            for person, drawn in annotators.items():
                for index in drawn.tolist():
                    owner[index] = person
        return owner


def sort_out(annotations: pa.Table, *, planned: Set[str]) -> Answers:
    """Group the rows of the `annotations` table by image and annotator.

    An annotator who both skipped an image and drew on it counts as having looked.

    Args:
        annotations: Rows of origin "human".
        planned: Images of the plan; rows on others are left out and counted.

    Raises:
        TableError: A row without annotator, or an object without category or box.
    """
    ids = annotations.column("annotation_id").to_pylist()
    image_ids = annotations.column("image_id").to_pylist()
    people = annotations.column("annotator_id").to_pylist()
    outcomes = annotations.column("outcome").to_pylist()
    categories = annotations.column("category").to_pylist()
    rles = annotations.column("rle").to_pylist()
    boxes = box_column(annotations)
    if None in people:
        raise TableError(f"annotation {ids[people.index(None)]} names no annotator: run the stage pull again")
    planned_rows = [row for row, image_id in enumerate(image_ids) if image_id in planned]
    rows = [row for row in planned_rows if outcomes[row] != "unreadable"]
    objects = [row for row in rows if outcomes[row] == "object"]
    for row in objects:
        if categories[row] is None or np.isnan(boxes[row]).any():
            raise TableError(f"annotation {ids[row]} is an object without category or box: run pull again")
    corners = boxes.tolist()
    objects.sort(key=lambda row: (image_ids[row], corners[row], categories[row], rles[row] or "", ids[row]))
    by_image, skipped = _who_looked(rows, objects, image_ids, people, outcomes)
    parents = annotations.column("parent_id").to_pylist()
    said = annotations.column("attributes").to_pylist()
    polygons = annotations.column("polygon").to_pylist()
    return Answers(
        annotation_ids=[ids[row] for row in objects],
        boxes=boxes[objects].reshape(-1, _CORNERS),
        categories=[categories[row] for row in objects],
        rles=[rles[row] for row in objects],
        polygons=[polygons[row] for row in objects],
        parents=[parents[row] for row in objects],
        by_image=by_image,
        skipped=skipped,
        outside_plan=len(ids) - len(planned_rows),
        unreadable=frozenset(image_ids[row] for row in planned_rows if outcomes[row] == "unreadable"),
        attributes={index: said[row] for index, row in enumerate(objects) if said[row]},
    )


def box_column(annotations: pa.Table) -> NDArray[np.float64]:
    """The boxes (N, 4) of an `annotations` table; NaN where there is none."""
    column = annotations.column("bbox_xyxy").combine_chunks()
    boxes = np.full((len(column), _CORNERS), np.nan)
    there = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    boxes[there] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, _CORNERS)
    return boxes


def _who_looked(
    rows: list[int], objects: list[int], image_ids: list[str], people: list[str], outcomes: list[str]
) -> tuple[dict[str, dict[str, Indices]], dict[str, int]]:
    drawn: dict[tuple[str, str], list[int]] = {
        (image_ids[row], people[row]): [] for row in rows if outcomes[row] != "skipped"
    }
    for index, row in enumerate(objects):
        drawn[image_ids[row], people[row]].append(index)
    by_image: dict[str, dict[str, Indices]] = {}
    for (image_id, person), indices in sorted(drawn.items()):
        by_image.setdefault(image_id, {})[person] = np.array(indices, dtype=np.intp)
    skips = {(image_ids[row], people[row]) for row in rows if outcomes[row] == "skipped"} - set(drawn)
    skipped: dict[str, int] = {}
    for image_id, _ in sorted(skips):
        skipped[image_id] = skipped.get(image_id, 0) + 1
    return by_image, skipped
