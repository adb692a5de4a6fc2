"""Annotation rows to Label Studio regions and back.

Out: a pre-annotation is a rectangle with the region id `curate-<annotation_id>`; its mask, if it has one, is
a brush region `curate-<annotation_id>-mask` whose `parentID` is the rectangle, so that the labeler sees the
pair as one entry with a child.

Back, an object is a rectangle with at most one brush region:

1. They belong together if the server says so (`parentID` in either direction, or a relation), else if their
   ids are such a pair, else if they have the same category and the mask's own bounding box overlaps the
   rectangle by an IoU of at least `PAIR_IOU`, best first: who draws by hand seldom links.
2. The row has the rectangle's box and category and the brush's mask as they stand, even where a person moved
   one and left the other. Of two categories the rectangle's counts.
3. A brush region left alone is an object with its own bounding box. A rectangle left alone has no mask.
4. A rotated rectangle becomes the upright box around it. The labelling interface offers no rotation.
5. Coordinates are cut at the image's edge. A rectangle without area or a brush without pixels is no object.
6. `parent_id` is the annotation_id in the region's id; a region drawn by hand has none.
7. Any other kind of region, an unknown category, or a turned image is an error that names the task:
   nothing is dropped silently.

An annotation without an object is one row with outcome "empty", a skipped one is one row "skipped".
`annotation_id` is made of task, annotator and region id. No number of the server enters a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from curate.adapters.labelstudio import brush
from curate.errors import AnnotationToolError, RecordError
from curate.geometry import boxes, masks
from curate.ports import TaskDraft
from curate.records import Annotation, Box, derived_id

IMAGE, BOX, MASK, POLYGON = "image", "box", "mask", "polygon"  # names of the controls
RECTANGLES, BRUSHES, POLYGONS, RELATION = "rectanglelabels", "brushlabels", "polygonlabels", "relation"
PAIR_IOU = 0.5
_PREFIX, _MASK_SUFFIX = "curate-", "-mask"
_OUTSIDE = 0.01  # pixels that rounding may push a box over the edge
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Work:
    """One person's answer to one task, as the server keeps it.

    Attributes:
        task_id: Our key.
        image_id: Image that was shown.
        width: Upright pixels.
        height: Upright pixels.
        annotator_id: The person's name on the server.
        regions: The `result` list.
        skipped: The person declined.
        lead_time_s: Seconds, as the browser measured them.
        created_at: ISO 8601 of the server.
    """

    task_id: str
    image_id: str
    width: int
    height: int
    annotator_id: str
    regions: Sequence[Mapping[str, Any]]
    skipped: bool
    lead_time_s: float | None
    created_at: str | None


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
    for row in _suggested(task):
        where = _suggestion(row, task)
        box = _checked_box(row, task, categories)
        category = str(row.category)
        rectangle = rectangle_region(region_id(row.annotation_id), box, category, task.width, task.height)
        regions.append(rectangle if row.score is None else {**rectangle, "score": row.score})
        if row.rle is not None:
            try:
                mask = masks.decode(row.rle, width=task.width, height=task.height)
            except RecordError as error:
                raise AnnotationToolError(f"{where}: {error}") from error
            if mask.any():
                regions.append(brush_region(rectangle["id"], mask, category))
    return regions


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


def brush_region(
    rectangle_id: str, mask: np.ndarray[Any, np.dtype[np.bool_]], category: str
) -> dict[str, Any]:
    """The brush region (mask: (H, W)) that belongs to a rectangle."""
    height, width = mask.shape
    region = _region(mask_region_id(rectangle_id), MASK, BRUSHES, width, height)
    value = {"format": "rle", "rle": brush.encode(mask), BRUSHES: [category]}
    return {**region, "parentID": rectangle_id, "value": value}


def decode_work(work: Work, categories: Sequence[str]) -> list[Annotation]:
    """The rows of one person's answer, by the rules above.

    Args:
        work: The answer.
        categories: Names that the project knows.

    Raises:
        AnnotationToolError: A region that no rule covers.
    """
    if work.skipped:
        return [_row(work, "skipped")]
    rectangles, brushes = _read_regions(work, categories)
    partner = _pairs(work.regions, rectangles, brushes)
    rows = []
    for identity, (box, category) in rectangles.items():
        mask_id = partner.get(identity)
        rle = brushes[mask_id][0] if mask_id is not None else None
        rows.append(_object(work, identity, category, box, rle))
    for identity, (rle, box, category) in brushes.items():
        if identity not in partner.values():
            rows.append(_object(work, identity, category, box, rle))
    return sorted(rows, key=lambda row: row.annotation_id) or [_row(work, "empty")]


def utc(timestamp: str | None) -> str | None:
    """The server's ISO 8601 in UTC with microseconds, always written the same way."""
    if timestamp is None:
        return None
    return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read_regions(
    work: Work, categories: Sequence[str]
) -> tuple[dict[str, tuple[Box, str]], dict[str, tuple[str, Box, str]]]:
    """Rectangles (box, category) and brushes (COCO counts, bounding box, category) by region id."""
    rectangles: dict[str, tuple[Box, str]] = {}
    brushes: dict[str, tuple[str, Box, str]] = {}
    for region in work.regions:
        kind, identity = region.get("type"), str(region.get("id", ""))
        if kind == RELATION:
            continue
        if kind not in {RECTANGLES, BRUSHES}:
            raise AnnotationToolError(
                f"{_where(work)}: regions of type {kind!r} are not in the configuration"
            )
        if identity in rectangles or identity in brushes:
            raise AnnotationToolError(
                f"{_where(work)}: two regions have the id {identity!r}: delete one there"
            )
        if region.get("image_rotation"):
            raise AnnotationToolError(
                f"{_where(work)}: the image was turned while labelling: turn it back there"
            )
        category = _category(work, region, str(kind), categories)
        if kind == BRUSHES:
            if (decoded := _decode_brush(work, region)) is not None:
                brushes[identity] = (*decoded, category)
        elif (box := _pixels(region["value"], work)) is not None:
            rectangles[identity] = (box, category)
    return rectangles, brushes


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


def _category(work: Work, region: Mapping[str, Any], kind: str, categories: Sequence[str]) -> str:
    names = region["value"].get(kind) or []
    if len(names) != 1 or names[0] not in categories:
        raise AnnotationToolError(
            f"{_where(work)}: a region has the categories {names}, expected one of {', '.join(categories)}: "
            "correct it there"
        )
    return str(names[0])


def _pixels(value: Mapping[str, Any], work: Work) -> Box | None:
    """The upright box in pixels, cut at the edge, in float32; None without area."""
    left, top = value["x"] / _PERCENT * work.width, value["y"] / _PERCENT * work.height
    across, down = value["width"] / _PERCENT * work.width, value["height"] / _PERCENT * work.height
    turn = math.radians(value.get("rotation") or 0.0)  # clockwise around the top left corner
    xs = [left + u * math.cos(turn) - v * math.sin(turn) for u in (0.0, across) for v in (0.0, down)]
    ys = [top + u * math.sin(turn) + v * math.cos(turn) for u in (0.0, across) for v in (0.0, down)]
    cut = boxes.clip([[min(xs), min(ys), max(xs), max(ys)]], width=work.width, height=work.height)
    x1, y1, x2, y2 = (float(np.float32(edge)) for edge in cut[0])
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _decode_brush(work: Work, region: Mapping[str, Any]) -> tuple[str, Box] | None:
    """COCO counts and bounding box; None without pixels."""
    try:
        mask = brush.decode(region["value"].get("rle") or [], width=work.width, height=work.height)
    except AnnotationToolError as error:
        raise AnnotationToolError(f"{_where(work)}: {error}") from error
    rle = masks.encode(mask)
    box = masks.bbox(rle, width=work.width, height=work.height)
    return None if box is None else (rle, box)


def _pairs(
    regions: Iterable[Mapping[str, Any]],
    rectangles: Mapping[str, tuple[Box, str]],
    brushes: Mapping[str, tuple[str, Box, str]],
) -> dict[str, str]:
    """Brush id by rectangle id, each at most once, by rule 1."""
    partner: dict[str, str] = {}
    links = [(str(region.get("id", "")), str(region.get("parentID") or "")) for region in regions]
    links += [(str(r.get("from_id")), str(r.get("to_id"))) for r in regions if r.get("type") == RELATION]
    links += [(mask_region_id(identity), identity) for identity in rectangles]
    for one, other in links:
        for rectangle, mask in ((one, other), (other, one)):
            free = rectangle not in partner and mask not in partner.values()
            if rectangle in rectangles and mask in brushes and free:
                partner[rectangle] = mask
    alone = [identity for identity in rectangles if identity not in partner]
    loose = [identity for identity in brushes if identity not in partner.values()]
    if not alone or not loose:
        return partner
    iou = boxes.box_iou([rectangles[key][0] for key in alone], [brushes[key][1] for key in loose])
    candidates = [
        (-float(iou[i, j]), rectangle, mask)
        for i, rectangle in enumerate(alone)
        for j, mask in enumerate(loose)
        if iou[i, j] >= PAIR_IOU and rectangles[rectangle][1] == brushes[mask][2]
    ]
    for _, rectangle, mask in sorted(candidates):
        if rectangle not in partner and mask not in partner.values():
            partner[rectangle] = mask
    return partner


def _object(work: Work, identity: str, category: str, box: Box, rle: str | None) -> Annotation:
    parent = (
        identity.removeprefix(_PREFIX).removesuffix(_MASK_SUFFIX) if identity.startswith(_PREFIX) else None
    )
    row = _row(work, "object", identity, category=category, bbox_xyxy=box)
    return replace(row, rle=rle, parent_id=parent)


def _row(work: Work, outcome: Any, *identity: str, **values: Any) -> Annotation:
    return Annotation(
        annotation_id=derived_id("human", work.task_id, work.annotator_id, *(identity or (outcome,))),
        image_id=work.image_id,
        origin="human",
        annotator_id=work.annotator_id,
        task_id=work.task_id,
        lead_time_s=work.lead_time_s,
        created_at=utc(work.created_at),
        outcome=outcome,
        **values,
    )


def _where(work: Work) -> str:
    return f"task {work.task_id} as {work.annotator_id} answered it"
