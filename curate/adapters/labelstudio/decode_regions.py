"""What one person drew on one task, from Label Studio's regions to rows.

An object is a rectangle or a polygon with at most one mask, by these rules:

1. Brush strokes whose `parentID` is a rectangle or polygon (or the other way round), and those with our own
   pair of ids, are its mask, all together: the page makes a region of each detached stroke.
2. A stroke of which nothing of that kind is said belongs to the outline that it has a relation with, and else
   to one of the same category, if its bounding box overlaps the outline's by an IoU of at least `PAIR_IOU`;
   best first, one stroke an outline. A relation alone says nothing: people draw them between two objects.
3. The row has the outline's box and category and the strokes' pixels as mask. Where a person changed the box
   and left the suggested mask, and the two overlap by less than `PAIR_IOU`, the mask is dropped and counted,
   or the answer is unreadable, as the parameter `moved_box` says.
4. A stroke left alone is an object with its own bounding box. A rectangle left alone has no mask.
5. A polygon keeps its corners, cut at the image's edge; without a stroke its mask is the polygon filled by
   COCO's rule. A polygon inside another of its category whose `parentID` is that other one is a hole in it;
   one put under a hole in the same way is an island, an object of its own, and may have holes again.
6. A rotated rectangle is the upright box around it, with its corners as polygon and no mask.
7. `parent_id` is the annotation_id in the region's id; a region drawn by hand has none.
8. Identical objects of an answer (category, box, mask, corners) are one, and counted. What is said of any of
   them is said of it; where they say different things the kept one counts, and that is counted.
9. Choices about an object are its attributes; those of a stroke that is its mask, or of a hole in it, count
   where the outline has none of that name. Choices about the whole image, texts and notes are the answer's.
   Other controls are kept raw and counted.
10. If any region that is drawn on the image cannot be read, the answer is unreadable: one row that says so,
    no object and no "nothing there", all regions kept raw, and the reasons counted.

An answer without an object is one row with outcome "empty", a skipped one is one row "skipped".
`annotation_id` is made of task, annotator and region id. No number of the server enters a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from curate.adapters.labelstudio import encode_regions, polygons
from curate.adapters.labelstudio.region_shapes import Shape, UnreadableError, is_shape, read_shape, with_holes
from curate.geometry import boxes, masks
from curate.records import Annotation, derived_id

PAIR_IOU: Final = 0.5
MOVED_BOX: Final = "box moved, its mask not"
IDENTICAL, MASK_DROPPED = "identical object", "mask of a box that was moved"
_TWICE, _DRAWN_THEN_SKIPPED = "region id twice", "drawn, then skipped"
_ANSWERED_TWICE = "attribute of a mask or hole that its outline has otherwise"
_IDENTICAL_ANSWERED = "attribute of an identical object that the kept one has otherwise"
_CHOICES, _TEXT = "choices", "textarea"
_UNTOUCHED = "prediction"  # the `origin` of a suggestion that nobody changed
_CHANGED = frozenset({"prediction-changed", "manual"})

_Attributes = dict[str, tuple[str, ...]]
MovedBox = Literal["drop_mask", "queue"]


@dataclass(frozen=True, slots=True)
class Work:
    """One person's answer to one task, as the server keeps it.

    Attributes:
        task_id: Our key.
        image_id: Image that was shown.
        width: Upright pixels, from our own tables.
        height: The same.
        annotator_id: The person's name on the server.
        regions: The `result` list.
        skipped: The person declined.
        lead_time_s: Seconds, as the browser measured them.
        created_at: ISO 8601 of the server.
        updated_at: The same.
        taxonomy_digest: What was shown when the answer was given; None = not known.
        guideline_digest: The same.
        refused: Why nothing of it can be believed; None = nothing speaks against it.
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
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the regions say.

    Attributes:
        rows: One row per object, or one of outcome "empty", "skipped" or "unreadable"; by annotation_id.
        choices: Answers about the whole image, by control.
        comment: Texts and notes, a line each; None without any.
        raw: Regions that are kept as they are.
        kept_raw: Why regions of a readable answer are kept raw, with how many of them.
        unreadable: Why the answer cannot be read, with how many regions; empty if it can.
        corrected: What was put right in a readable answer (`IDENTICAL`, `MASK_DROPPED`), and how often.
    """

    rows: tuple[Annotation, ...]
    choices: Mapping[str, tuple[str, ...]]
    comment: str | None
    raw: tuple[Mapping[str, Any], ...]
    kept_raw: Mapping[str, int]
    unreadable: Mapping[str, int]
    corrected: Mapping[str, int]


@dataclass(slots=True)
class _Found:
    """Regions, sorted out."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    raw: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    unreadable: Counter[str] = field(default_factory=Counter)
    corrected: Counter[str] = field(default_factory=Counter)


def read(work: Work, categories: Sequence[str], *, moved_box: MovedBox = "drop_mask") -> Reading:
    """The rows of one person's answer, by the rules above.

    Args:
        work: The answer.
        categories: Names that the project knows.
        moved_box: What becomes of a suggested mask that stayed where it was when its box was moved away.
    """
    found = _sorted_out(work, categories)
    if work.refused is not None:
        found.unreadable[work.refused] += 1
    raw = found.raw
    if work.skipped:
        drawn = [r for r in work.regions if is_shape(r) and r.get("origin") != _UNTOUCHED]
        raw = [(_DRAWN_THEN_SKIPPED, region) for region in drawn]
        rows = [_row(work, "skipped")]
        found.unreadable.clear()
    else:
        rows = [] if found.unreadable else _objects(work, found, moved_box)
        if found.unreadable:
            rows, raw = [_row(work, "unreadable")], [("", region) for region in work.regions]
        rows = rows or [_row(work, "empty")]
    return Reading(
        rows=tuple(sorted(rows, key=lambda row: row.annotation_id)),
        choices=found.choices,
        comment="\n".join(found.texts) or None,
        raw=tuple(region for _, region in raw),
        kept_raw=Counter() if found.unreadable else Counter(reason for reason, _ in raw),
        unreadable=found.unreadable,
        corrected=Counter() if found.unreadable else found.corrected,
    )


def _sorted_out(work: Work, categories: Sequence[str]) -> _Found:
    found = _Found()
    drawn = {str(region.get("id")) for region in work.regions if is_shape(region)}
    for region in work.regions:
        if region.get("from_name") == encode_regions.CAPTION:
            continue  # ours: who drew the candidate
        found.texts += _notes(region)
        kind, identity = region.get("type"), str(region.get("id", ""))
        try:
            if is_shape(region):
                if identity in found.shapes:
                    raise UnreadableError(_TWICE)  # noqa: TRY301 - said like all others
                found.shapes[identity] = read_shape(region, categories, width=work.width, height=work.height)
            elif kind in {_CHOICES, _TEXT} and identity not in drawn:
                _about_the_image(region, found)
            elif kind == _CHOICES:
                choices = tuple(str(choice) for choice in region["value"]["choices"])
                found.attributes.setdefault(identity, {})[str(region["from_name"])] = choices
            elif kind != encode_regions.RELATION:
                of_region = identity in drawn
                found.raw.append((f"{kind} of a region" if of_region else f"control of type {kind}", region))
        except UnreadableError as reason:
            found.unreadable[str(reason)] += 1
        except (KeyError, TypeError):
            found.raw.append((f"incomplete {kind}", region))
    return found


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


def _objects(work: Work, found: _Found, moved_box: MovedBox) -> list[Annotation]:
    links = {str(one["id"]): str(one["parentID"]) for one in work.regions if one.get("parentID")}
    outlines = {key: shape for key, shape in found.shapes.items() if not shape.stroke}
    strokes = {key: shape for key, shape in found.shapes.items() if shape.stroke}
    try:
        outlines, holes = with_holes(outlines, links, width=work.width, height=work.height)
    except UnreadableError as reason:
        found.unreadable[str(reason)] += 1
        return []
    masks_of = _paired(outlines, strokes, links, work.regions)
    drawn: dict[str, Shape] = {}
    for key, outline in outlines.items():
        painted = [strokes[stroke] for stroke in masks_of.get(key, ())]
        if painted and _left_behind(outline, painted, work):
            if moved_box == "queue":
                found.unreadable[MOVED_BOX] += 1
            found.corrected[MASK_DROPPED] += 1
            painted = []
        drawn[key] = replace(outline, rle=_united(painted, work)) if painted else outline
    taken = {stroke for painted in masks_of.values() for stroke in painted}
    drawn.update((key, stroke) for key, stroke in strokes.items() if key not in taken)
    parts = {key: (*masks_of.get(key, ()), *holes.get(key, ())) for key in drawn}
    attributes = {key: _attributes(key, parts[key], found) for key in drawn}
    return [_object(work, key, drawn[key], attributes[key]) for key in _distinct(drawn, attributes, found)]


def _attributes(key: str, parts: Sequence[str], found: _Found) -> dict[str, tuple[str, ...]]:
    """What is said of an object, of its outline or of its strokes and holes."""
    attributes = dict(found.attributes.get(key, {}))
    for part in parts:
        for name, values in found.attributes.get(part, {}).items():
            found.corrected[_ANSWERED_TWICE] += attributes.setdefault(name, values) != values
    return attributes


def _paired(
    outlines: Mapping[str, Shape],
    strokes: Mapping[str, Shape],
    parents: Mapping[str, str],
    regions: Iterable[Mapping[str, Any]],
) -> dict[str, list[str]]:
    """The strokes of each outline, by rules 1 and 2."""
    owner: dict[str, str] = {}
    for stroke in strokes:
        parent_keys = [parents.get(stroke, ""), *(key for key in outlines if parents.get(key) == stroke)]
        parent_keys += [key for key in outlines if encode_regions.mask_region_id(key) == stroke]
        linked = next((key for key in parent_keys if key in outlines), None)
        if linked is not None:
            owner[stroke] = linked
    alone = [key for key in outlines if key not in owner.values()]
    loose = [key for key in strokes if key not in owner]
    if alone and loose:
        relations = {
            frozenset((str(region.get("from_id")), str(region.get("to_id"))))
            for region in regions
            if region.get("type") == encode_regions.RELATION
        }
        iou = boxes.box_iou([outlines[key].box for key in alone], [strokes[key].box for key in loose])
        candidates = [
            (frozenset((outline, stroke)) not in relations, -float(iou[i, j]), outline, stroke)
            for i, outline in enumerate(alone)
            for j, stroke in enumerate(loose)
            if iou[i, j] >= PAIR_IOU
        ]
        for unrelated, _, outline, stroke in sorted(candidates):
            same = outlines[outline].category == strokes[stroke].category
            if (same or not unrelated) and stroke not in owner and outline not in owner.values():
                owner[stroke] = outline
    found: dict[str, list[str]] = {}
    for stroke, outline in owner.items():
        found.setdefault(outline, []).append(stroke)
    return found


def _left_behind(outline: Shape, painted: Sequence[Shape], work: Work) -> bool:
    """Whether a person changed the box and left its suggested mask elsewhere."""
    if outline.origin not in _CHANGED or any(stroke.origin != _UNTOUCHED for stroke in painted):
        return False
    united = masks.bbox(_united(painted, work), width=work.width, height=work.height)
    return united is None or float(boxes.box_iou([outline.box], [united])[0, 0]) < PAIR_IOU


def _united(painted: Sequence[Shape], work: Work) -> str:
    """The pixels of all strokes."""
    rles = [stroke.rle for stroke in painted if stroke.rle is not None]
    if len(rles) == 1:
        return rles[0]
    whole = masks.decode(rles[0], width=work.width, height=work.height)
    for rle in rles[1:]:
        whole |= masks.decode(rle, width=work.width, height=work.height)
    return masks.encode(whole)


def _distinct(drawn: Mapping[str, Shape], attributes: Mapping[str, _Attributes], found: _Found) -> list[str]:
    """One of each identical object: the suggestion if there is one, else that of the least id (rule 8)."""
    kept: dict[tuple[object, ...], str] = {}
    for key in sorted(drawn, key=lambda key: (encode_regions.suggestion_of(key) is None, key)):
        shape = drawn[key]
        first = kept.setdefault((shape.category, shape.box, shape.rle, shape.rings), key)
        if first == key:
            continue
        found.corrected[IDENTICAL] += 1
        for name, values in attributes[key].items():
            attributes[first][name] = kept_values = attributes[first].get(name) or values
            if values and set(values) != set(kept_values):
                found.corrected[_IDENTICAL_ANSWERED] += 1
    return list(kept.values())


def _object(work: Work, identity: str, shape: Shape, attributes: Mapping[str, tuple[str, ...]]) -> Annotation:
    return _row(
        work,
        "object",
        identity,
        category=shape.category,
        bbox_xyxy=shape.box,
        rle=shape.rle,
        polygon=polygons.rings_json(shape.rings) if shape.rings else None,
        parent_id=encode_regions.suggestion_of(identity),
        attributes=tuple(sorted((name, values) for name, values in attributes.items() if values)),
    )


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
