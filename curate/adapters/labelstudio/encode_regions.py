"""A model's suggestions to Label Studio regions: what push sends. `reading` is the way back.

A pre-annotation is a rectangle with the region id `curate-<annotation_id>`; its mask, if it has one, is a
brush region `curate-<annotation_id>-mask` whose `parentID` is the rectangle, so that the labeler sees the
pair as one entry with a child.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from curate.errors import AnnotationToolError, RecordError
from curate.geometry import brush_rle, masks
from curate.ports import TaskDraft
from curate.records import Annotation, BoolArray, Box

IMAGE, BOX, MASK, POLYGON = "image", "box", "mask", "polygon"  # names of the controls
CAPTION = "caption"  # the control that shows who drew a region, where candidates are shown
RECTANGLES, BRUSHES, POLYGONS, RELATION = "rectanglelabels", "brushlabels", "polygonlabels", "relation"
_PREFIX, _MASK_SUFFIX = "curate-", "-mask"
_OUTSIDE = 0.01  # pixels that rounding may push a box over the edge
_PERCENT = 100.0


def region_id(annotation_id: str) -> str:
    """Id of the rectangle that shows a pre-annotation."""
    return _PREFIX + annotation_id


def mask_region_id(rectangle_id: str) -> str:
    """Id of the brush region that belongs to a rectangle of ours."""
    return rectangle_id + _MASK_SUFFIX


def encode_task(task: TaskDraft, categories: Sequence[str]) -> list[dict[str, Any]]:
    """The regions of a task's pre-annotations, checked: the server itself accepts anything.

    Args:
        task: Its rows without an object ("empty") give no region.
        categories: Names that the project knows.

    Raises:
        AnnotationToolError: A box outside the image, an unknown category, or a mask of another size.
    """
    regions: list[dict[str, Any]] = []
    captions = dict(task.captions)
    for row in _suggested(task):
        where = _suggestion(row, task)
        box = _checked_box(row, task, categories)
        category = str(row.category)
        rectangle = rectangle_region(region_id(row.annotation_id), box, category, task.width, task.height)
        regions.append(rectangle if row.score is None else {**rectangle, "score": row.score})
        own = [rectangle["id"]]
        if row.rle is not None:
            try:
                rle = brush_rle.from_coco(row.rle, width=task.width, height=task.height)
            except RecordError as error:
                raise AnnotationToolError(f"{where}: {error}") from error
            if rle is not None:
                regions.append(_brush_region(rectangle["id"], rle, category, task.width, task.height))
                own.append(mask_region_id(rectangle["id"]))
        regions += [_attribute(rectangle["id"], name, values, task) for name, values in row.attributes]
        if row.annotation_id in captions:
            caption = {"value": {"text": [captions[row.annotation_id]]}}
            regions += [
                {**_region(one, CAPTION, "textarea", task.width, task.height), **caption} for one in own
            ]
    return regions


def _attribute(identity: str, name: str, values: Sequence[str], task: TaskDraft) -> dict[str, Any]:
    """What is said of an object."""
    return {
        **_region(identity, name, "choices", task.width, task.height),
        "value": {"choices": list(values)},
    }


def check_task(task: TaskDraft, categories: Sequence[str]) -> None:
    """The errors of `encode_task` without its work: no mask is drawn.

    Raises:
        AnnotationToolError: A box outside the image, an unknown category, or a mask of another size.
    """
    for row in _suggested(task):
        _checked_box(row, task, categories)
        if row.rle is not None:
            try:
                masks.area(row.rle, width=task.width, height=task.height)
            except RecordError as error:
                raise AnnotationToolError(f"{_suggestion(row, task)}: {error}") from error


def _suggested(task: TaskDraft) -> list[Annotation]:
    return [
        row
        for row in task.pre_annotations
        if row.outcome == "object" and row.bbox_xyxy is not None and row.category is not None
    ]


def _suggestion(row: Annotation, task: TaskDraft) -> str:
    return f"pre-annotation {row.annotation_id} of {task.path}"


def _checked_box(row: Annotation, task: TaskDraft, categories: Sequence[str]) -> Box:
    where = _suggestion(row, task)
    if row.category not in categories:
        raise AnnotationToolError(f"{where} has category {row.category!r}, which taxonomy.yaml does not name")
    if row.bbox_xyxy is None:
        raise AnnotationToolError(f"{where} has no box")
    return _inside(row.bbox_xyxy, task, where)


def rectangle_region(identity: str, box: Box, category: str, width: int, height: int) -> dict[str, Any]:
    """A rectangle: pixels in, percent of the image out."""
    x1, y1, x2, y2 = box
    value = {
        "x": x1 / width * _PERCENT,
        "y": y1 / height * _PERCENT,
        "width": (x2 - x1) / width * _PERCENT,
        "height": (y2 - y1) / height * _PERCENT,
        "rotation": 0,
        RECTANGLES: [category],
    }
    return {**_region(identity, BOX, RECTANGLES, width, height), "value": value}


def brush_region(rectangle_id: str, mask: BoolArray, category: str) -> dict[str, Any]:
    """The brush region (mask: (H, W)) that belongs to a rectangle."""
    height, width = mask.shape
    return _brush_region(rectangle_id, brush_rle.encode(mask), category, width, height)


def suggestion_of(identity: str) -> str | None:
    """The annotation_id of the pre-annotation that a region was; None if it was drawn by hand."""
    return identity.removeprefix(_PREFIX).removesuffix(_MASK_SUFFIX) if identity.startswith(_PREFIX) else None


def utc(timestamp: str | None) -> str | None:
    """The server's ISO 8601 in UTC with microseconds, always written the same way."""
    if timestamp is None:
        return None
    return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _brush_region(
    rectangle_id: str, rle: list[int], category: str, width: int, height: int
) -> dict[str, Any]:
    region = _region(mask_region_id(rectangle_id), MASK, BRUSHES, width, height)
    value = {"format": "rle", "rle": rle, BRUSHES: [category]}
    return {**region, "parentID": rectangle_id, "value": value}


def _region(identity: str, control: str, kind: str, width: int, height: int) -> dict[str, Any]:
    return {
        "id": identity,
        "type": kind,
        "from_name": control,
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }


def _inside(box: Box, task: TaskDraft, where: str) -> Box:
    x1, y1, x2, y2 = box
    if min(x1, y1) < -_OUTSIDE or x2 > task.width + _OUTSIDE or y2 > task.height + _OUTSIDE:
        raise AnnotationToolError(f"{where}: box {box} is outside the image of {task.width} x {task.height}")
    inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(task.width)), min(y2, float(task.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise AnnotationToolError(f"{where}: box {box} has no area")
    return inside
