"""What one person drew on one task, from Label Studio's regions to rows.

An object is a rectangle or a polygon with at most one brush region, by these rules:

1. A rectangle or polygon and a brush belong together if the server says so (`parentID` in either direction,
   or a relation), else if their ids are a pair of ours, else if they have the same category and the mask's
   own bounding box overlaps the outline's by an IoU of at least `PAIR_IOU`, best first: who draws by hand
   seldom links.
2. The row has the outline's box and category and the brush's mask as they stand, even where a person moved
   one and left the other. Of two categories the outline's counts.
3. A brush region left alone is an object with its own bounding box. A rectangle left alone has no mask.
4. A polygon keeps its corners; without a brush its mask is the polygon filled by COCO's rule.
5. A rotated rectangle is the upright box around it, with its four corners as polygon and no mask: it is no
   outline of the object. The region is kept raw as well.
6. Coordinates are cut at the image's edge. An outline without area or a brush without pixels is no object.
7. `parent_id` is the annotation_id in the region's id; a region drawn by hand has none.
8. Choices about the whole image, and texts and notes, are the answer's, not an object's.
9. Whatever else there is - other controls, unknown categories, turned images, damaged masks, what was drawn
   before a skip - is kept raw with a reason, and counted.

An answer without an object is one row with outcome "empty", a skipped one is one row "skipped".
`annotation_id` is made of task, annotator and region id. No number of the server enters a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curate.adapters.labelstudio import brush_rle, encode_regions, polygons
from curate.errors import AnnotationToolError
from curate.geometry import boxes, masks
from curate.records import Annotation, Box, derived_id

PAIR_IOU = 0.5
ROTATED, TWICE, TURNED, DRAWN_THEN_SKIPPED = (
    "rotated rectangle",
    "region id twice",
    "image turned while labelling",
    "drawn, then skipped",
)
_KINDS = {encode_regions.RECTANGLES, encode_regions.BRUSHES, encode_regions.POLYGONS}
_CHOICES, _TEXT = "choices", "textarea"
_UNTOUCHED = "prediction"  # the `origin` of a suggestion that nobody changed
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
        updated_at: The same.
        taxonomy_digest: What was shown when the answer was given; None = not known.
        guideline_digest: The same.
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
    updated_at: str | None = None
    taxonomy_digest: str | None = None
    guideline_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the regions say.

    Attributes:
        rows: One row an object, or one of outcome "empty" or "skipped"; ordered by annotation_id.
        choices: Answers about the whole image, by control.
        comment: Texts and notes, a line each; None without any.
        raw: Regions that are kept as they are.
        reasons: Why, with how many of them.
    """

    rows: tuple[Annotation, ...]
    choices: Mapping[str, tuple[str, ...]]
    comment: str | None
    raw: tuple[Mapping[str, Any], ...]
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A region of a kind that makes objects."""

    category: str
    box: Box
    rle: str | None = None
    polygon: str | None = None


@dataclass(slots=True)
class _Found:
    """Regions, sorted out."""

    outlines: dict[str, _Shape] = field(default_factory=dict)
    brushes: dict[str, _Shape] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    raw: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


class _KeptRawError(Exception):
    """No rule reads this region; says why."""


def read(work: Work, categories: Sequence[str]) -> Reading:
    """The rows of one person's answer, by the rules above.

    Args:
        work: The answer.
        categories: Names that the project knows.
    """
    found = _sorted_out(work, categories)
    if work.skipped:
        drawn = [r for r in work.regions if r.get("type") in _KINDS and r.get("origin") != _UNTOUCHED]
        found.raw = [(DRAWN_THEN_SKIPPED, region) for region in drawn]
        rows = [_row(work, "skipped")]
    else:
        rows = _objects(work, found) or [_row(work, "empty")]
    return Reading(
        rows=tuple(sorted(rows, key=lambda row: row.annotation_id)),
        choices=found.choices,
        comment="\n".join(found.texts) or None,
        raw=tuple(region for _, region in found.raw),
        reasons=Counter(reason for reason, _ in found.raw),
    )


def _sorted_out(work: Work, categories: Sequence[str]) -> _Found:
    found = _Found()
    shapes = {str(r.get("id")) for r in work.regions if r.get("type") in _KINDS}
    for region in work.regions:
        found.texts += _notes(region)
        try:
            _sort(work, region, categories, shapes, found)
        except _KeptRawError as reason:
            found.raw.append((str(reason), region))
        except (KeyError, TypeError, ValueError, OverflowError):
            found.raw.append((f"incomplete {region.get('type')}", region))
    return found


def _sort(
    work: Work, region: Mapping[str, Any], categories: Sequence[str], shapes: Container[str], found: _Found
) -> None:
    kind, inside = region.get("type"), str(region.get("id", "")) in shapes
    if kind in _KINDS:
        _add_shape(work, region, categories, found)
    elif kind in {_CHOICES, _TEXT} and not inside:
        _about_the_image(region, found)
    elif kind != encode_regions.RELATION:
        raise _KeptRawError(f"{kind} of a region" if inside else f"control of type {kind}")


def _add_shape(work: Work, region: Mapping[str, Any], categories: Sequence[str], found: _Found) -> None:
    kind, identity = str(region["type"]), str(region.get("id", ""))
    if identity in found.outlines or identity in found.brushes:
        raise _KeptRawError(TWICE)
    if region.get("image_rotation"):
        raise _KeptRawError(TURNED)
    category = _category(region, kind, categories)
    if kind == encode_regions.BRUSHES:
        shape = _brush(work, region, category)
    else:
        shape = _rectangle(work, region, category) if kind == encode_regions.RECTANGLES else None
        if kind == encode_regions.POLYGONS:
            shape = _polygon(work, region["value"], category)
    if shape is not None:
        (found.brushes if kind == encode_regions.BRUSHES else found.outlines)[identity] = shape
        if kind == encode_regions.RECTANGLES and region["value"].get("rotation"):
            found.raw.append((ROTATED, region))


def _category(region: Mapping[str, Any], kind: str, categories: Sequence[str]) -> str:
    names = region["value"].get(kind) or []
    if len(names) != 1:
        raise _KeptRawError(f"{len(names)} categories")
    if names[0] not in categories:
        raise _KeptRawError(f"unknown category {names[0]}")
    return str(names[0])


def _rectangle(work: Work, region: Mapping[str, Any], category: str) -> _Shape | None:
    """The upright box in pixels, cut at the edge, in float32; None without area."""
    value = region["value"]
    if value.get("rotation"):
        corners = polygons.rotated(value, width=work.width, height=work.height)
        around = polygons.box(polygons.cut(corners, width=work.width, height=work.height))
        return None if around is None else _Shape(category, around, polygon=polygons.rings_json(corners))
    left, top = value["x"] / _PERCENT * work.width, value["y"] / _PERCENT * work.height
    right = left + value["width"] / _PERCENT * work.width
    below = top + value["height"] / _PERCENT * work.height
    inside = boxes.clip([[left, top, right, below]], width=work.width, height=work.height)
    x1, y1, x2, y2 = (float(np.float32(edge)) for edge in inside[0])
    return _Shape(category, (x1, y1, x2, y2)) if x1 < x2 and y1 < y2 else None


def _polygon(work: Work, value: Mapping[str, Any], category: str) -> _Shape | None:
    corners = polygons.ring(value, width=work.width, height=work.height)
    if corners is None:
        raise _KeptRawError("polygon of fewer than three corners")
    around = polygons.box(corners)
    if around is None:
        return None
    rle = polygons.rle(corners, width=work.width, height=work.height)
    return _Shape(category, around, rle, polygons.rings_json(corners))


def _brush(work: Work, region: Mapping[str, Any], category: str) -> _Shape | None:
    """COCO counts and bounding box; None without pixels."""
    try:
        rle = brush_rle.to_coco(region["value"].get("rle") or [], width=work.width, height=work.height)
    except AnnotationToolError as error:
        raise _KeptRawError("damaged mask") from error
    box = masks.bbox(rle, width=work.width, height=work.height) if rle is not None else None
    return None if box is None else _Shape(category, box, rle)


def _about_the_image(region: Mapping[str, Any], found: _Found) -> None:
    control, value = str(region["from_name"]), region["value"]
    if region["type"] == _CHOICES:
        found.choices[control] = tuple(str(choice) for choice in value["choices"])
    else:
        texts = value["text"]
        found.texts += [f"{control}: {text}" for text in ([texts] if isinstance(texts, str) else texts)]


def _notes(region: Mapping[str, Any]) -> list[str]:
    """What the person wrote beside a region, on the page's panel."""
    notes = (region.get("meta") or {}).get("text") or []
    return [str(note) for note in ([notes] if isinstance(notes, str) else notes)]


def _objects(work: Work, found: _Found) -> list[Annotation]:
    partner = _pairs(work.regions, found)
    rows = []
    for identity, shape in found.outlines.items():
        mask = partner.get(identity)
        rows.append(_object(work, identity, shape, found.brushes[mask].rle if mask else shape.rle))
    taken = set(partner.values())
    rows += [_object(work, key, shape, shape.rle) for key, shape in found.brushes.items() if key not in taken]
    return rows


def _pairs(regions: Iterable[Mapping[str, Any]], found: _Found) -> dict[str, str]:
    """Brush id by outline id, each at most once, by rule 1."""
    partner: dict[str, str] = {}
    taken: set[str] = set()

    def join(outline: str, mask: str) -> None:
        if outline in partner or mask in taken:
            return
        partner[outline] = mask
        taken.add(mask)

    links = [(str(region.get("id", "")), str(region.get("parentID") or "")) for region in regions]
    links += [
        (str(r.get("from_id")), str(r.get("to_id")))
        for r in regions
        if r.get("type") == encode_regions.RELATION
    ]
    links += [(encode_regions.mask_region_id(identity), identity) for identity in found.outlines]
    for one, other in links:
        for outline, mask in ((one, other), (other, one)):
            if outline in found.outlines and mask in found.brushes:
                join(outline, mask)
    alone = [identity for identity in found.outlines if identity not in partner]
    loose = [identity for identity in found.brushes if identity not in taken]
    if not alone or not loose:
        return partner
    iou = boxes.box_iou([found.outlines[key].box for key in alone], [found.brushes[key].box for key in loose])
    candidates = [
        (-float(iou[i, j]), outline, mask)
        for i, outline in enumerate(alone)
        for j, mask in enumerate(loose)
        if iou[i, j] >= PAIR_IOU and found.outlines[outline].category == found.brushes[mask].category
    ]
    for _, outline, mask in sorted(candidates):
        join(outline, mask)
    return partner


def _object(work: Work, identity: str, shape: _Shape, rle: str | None) -> Annotation:
    parent = encode_regions.suggestion_of(identity)
    shown = {"category": shape.category, "bbox_xyxy": shape.box, "polygon": shape.polygon}
    return _row(work, "object", identity, rle=rle, parent_id=parent, **shown)


def _row(work: Work, outcome: Any, *identity: str, **values: Any) -> Annotation:
    return Annotation(
        annotation_id=derived_id("human", work.task_id, work.annotator_id, *(identity or (outcome,))),
        image_id=work.image_id,
        origin="human",
        annotator_id=work.annotator_id,
        task_id=work.task_id,
        lead_time_s=work.lead_time_s,
        created_at=encode_regions.utc(work.created_at),
        updated_at=encode_regions.utc(work.updated_at),
        taxonomy_digest=work.taxonomy_digest,
        guideline_digest=work.guideline_digest,
        outcome=outcome,
        **values,
    )
