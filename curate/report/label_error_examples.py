"""Labels that a model contradicts: counts by kind, and the surest with a picture of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from curate.records import Box
from curate.report.curation import name_of
from curate.report.drawing import Album, Mark, Picture, words
from curate.report.inputs import Facts, cell

SHOWN, _LISTED = 8, 50
_SIDE: Final = 300  # pixels
LABEL, MODEL = "#d55e00", "#0072b2"  # Okabe and Ito's vermilion and blue
KINDS: Final = {
    "missed": "missed: the model finds an object where nothing is labelled",
    "spurious": "spurious: a label where the model finds nothing",
    "category": "category: one object, two names",
    "location": "location: the boxes lie far apart",
}


@dataclass(frozen=True, slots=True)
class Contradicted:
    """One label; `picture` is None where none is shown."""

    image: str
    kind: str
    probability: float | None
    category: str
    suggested: str
    score: float | None
    iou: float | None
    picture: Picture | None
    task: str | None


@dataclass(frozen=True, slots=True)
class Kind:
    """How many there are of a kind; `expected` are label errors. None with a reason where not known."""

    name: str
    meaning: str
    found: int | None
    expected: float | None
    reason: str


def kinds(facts: Facts) -> list[Kind]:
    """Disagreements by kind; empty where the stage has not looked for any."""
    counted = facts.metrics.get("agreement", {}).get("label_errors")
    if not isinstance(counted, Mapping):
        return []
    return [_kind(name, counted.get(name, {})) for name in KINDS]


def _kind(name: str, part: Mapping[str, Any]) -> Kind:
    found, expected = (
        float(number) if isinstance(number := part.get(key), int | float) else None
        for key in ("found", "expected")
    )
    count = None if found is None else round(found)
    return Kind(name, KINDS[name], count, expected, str(part.get("reason") or "not measured"))


def examples(facts: Facts, album: Album) -> list[Contradicted]:
    """The surest of the table, the first with a picture."""
    images = {image.image_id: image for image in facts.tables.images}
    boxes = _model_boxes(facts)
    found = []
    for at, row in enumerate(facts.label_errors[:_LISTED]):
        image = images.get(row.get("image_id", ""))
        if image is None:
            continue
        marks = _marks(row, boxes)
        picture = album.thumbnail(image.path, side=_SIDE, marks=marks) if at < SHOWN else None
        found.append(
            Contradicted(
                image=name_of(image),
                kind=row.get("kind", ""),
                probability=cell(row, "probability"),
                category=words(row.get("category") or ""),
                suggested=words(row.get("suggested") or ""),
                score=cell(row, "score"),
                iou=cell(row, "iou"),
                picture=picture,
                task=facts.links.tasks.get(image.image_id),
            )
        )
    return found


def _marks(row: Mapping[str, str], boxes: Mapping[str, Box]) -> list[Mark]:
    x1, y1, x2, y2 = (cell(row, edge) or 0.0 for edge in ("x1", "y1", "x2", "y2"))
    own = MODEL if row.get("kind") == "missed" else LABEL
    marks = [Mark((x1, y1, x2, y2), own)]
    other = boxes.get(row.get("suggestion_id") or "")
    return [*marks, Mark(other, MODEL)] if other is not None and row.get("kind") != "missed" else marks


def _model_boxes(facts: Facts) -> dict[str, Box]:
    rows = facts.tables.model or ()
    return {row.annotation_id: row.bbox_xyxy for row in rows if row.bbox_xyxy is not None}
