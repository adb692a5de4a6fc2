"""The tables as the samples that FiftyOne shows; nothing here needs FiftyOne itself."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from curate.adapters import fiftyone_figures, fiftyone_rules, fiftyone_values
from curate.adapters.fiftyone_values import Kind, Value, field_name
from curate.geometry import masks
from curate.project_tables import ProjectTables, Support
from curate.records import Annotation, BoolArray, Box, ImageRecord
from curate.review_lists import Disagreement

MODEL, CONSENSUS, ANNOTATOR = "model", "consensus", "annotator_"
REJECTED, DISPUTED = "rejected", "disputed"
OUTLINES: Final = "_outlines"  # after the name of a label field: the polygons of its objects
KEPT, DROPPED, DISAGREEMENT, SKIPPED, UNREADABLE = "kept", "dropped", "disagreement", "skipped", "unreadable"
SPLITS = ("train", "validation", "test")
OUR_TAGS = frozenset({KEPT, DROPPED, DISAGREEMENT, SKIPPED, UNREADABLE, *SPLITS})
UNKNOWN: Final = "unknown"  # whoever the server did not name
_NO_DRAWING = frozenset({"skipped", "failed", "unreadable"})


@dataclass(frozen=True, slots=True)
class Shape:
    """An object as FiftyOne wants it.

    Attributes:
        label: Category.
        annotation_id: Key of its row.
        box: x, y, width, height as shares of the image, each in [0, 1].
        mask: (h, w) pixels inside the box; None = box only.
        rings: Outline as drawn, shares of the image; empty = it was not drawn as one.
        score: A model's, or the confidence of the consensus, in [0, 1].
        facts: Further columns by name, where they have a value.
    """

    label: str
    annotation_id: str
    box: Box
    mask: BoolArray | None
    rings: tuple[tuple[tuple[float, float], ...], ...]
    score: float | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SampleDraft:
    """Image as FiftyOne wants it.

    Attributes:
        image: Its row.
        path: Absolute path of the upright file.
        tags: Some of `OUR_TAGS`.
        values: By field (`fiftyone_values`).
        labels: Rows by label field; an empty tuple: somebody looked, nothing there. `shape` decodes the
            masks later, one image at a time.
        support: What its objects of the consensus rest on, by annotation_id.
        figures: Of labels, by annotation_id (`fiftyone_figures.of_objects`).
    """

    image: ImageRecord
    path: Path
    tags: tuple[str, ...]
    values: Mapping[str, Value]
    labels: Mapping[str, tuple[Annotation, ...]] = field(default_factory=dict)
    support: Mapping[str, Support] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields of all samples.

    Attributes:
        label_fields: Every label field that any table names, in the order of the sidebar.
        outlined: Those of them of which an object has an outline.
        value_fields: Every value field with its type.
        annotators: The label field of each person.
    """

    label_fields: tuple[str, ...]
    outlined: tuple[str, ...]
    value_fields: Mapping[str, Kind]
    annotators: Mapping[str, str]


def drafts(snapshot: ProjectTables, layout: Layout, ruled: Mapping[str, Sequence[str]]) -> list[SampleDraft]:
    """Turn tables into samples: one per image that has an upright file.

    Args:
        snapshot: The tables, of all images or of some.
        layout: Fields.
        ruled: Names of the rules of rules.yaml about each image.
    """
    labels = _labels(snapshot, layout.annotators)
    queue = {entry.image_id: entry for entry in snapshot.queue or ()}
    agreement = fiftyone_figures.of_images(snapshot.pairs or ())
    figures = fiftyone_figures.of_objects(snapshot)
    support = snapshot.support
    own: dict[str, dict[str, Support]] = defaultdict(dict)
    for row in snapshot.objects:
        own[row["image_id"]][row["annotation_id"]] = support[row["annotation_id"]]
    found = []
    for image in snapshot.images:
        if image.path is not None:
            key = image.image_id
            values = fiftyone_values.of_image(image, snapshot, layout.value_fields)
            rules = ruled.get(key)
            values[fiftyone_rules.FIELD] = None if rules is None else list(rules)
            values["agreement_f1"], values["mean_iou"] = agreement.get(key, (None, None))
            found.append(
                _draft(
                    image, snapshot.root / image.path, labels[key], queue.get(key), values, own[key], figures
                )
            )
    return found


def annotator_fields(annotators: Iterable[str | None]) -> dict[str, str]:
    """A field name for every annotator: letters, digits and underscores, different for different people.

    Whoever the server did not name is `UNKNOWN`.

    >>> annotator_fields(["jo@x.org", "jo@y.org", "simulated-1@demo.invalid"])["simulated-1@demo.invalid"]
    'annotator_simulated_1'
    """
    people = sorted({person or UNKNOWN for person in annotators})
    short = {person: field_name("", person.partition("@")[0]) for person in people}
    fields: dict[str, str] = {}
    for person in people:
        name = short[person] if list(short.values()).count(short[person]) == 1 else field_name("", person)
        while f"{ANNOTATOR}{name}" in fields.values():
            name += "_"
        fields[person] = f"{ANNOTATOR}{name}"
    return fields


def shape(row: Annotation, support: Support | None = None, *, width: int, height: int) -> Shape:
    """An annotation relative to its image, with the part of the mask that lies in the box.

    Args:
        row: An annotation that has a box.
        support: What it rests on, where it is of the consensus: its confidence stands where a model's score
            does.
        width: Upright pixels of the image.
        height: Upright pixels of the image.
    """
    x1, y1, x2, y2 = _clipped(row.bbox_xyxy or (0.0, 0.0, 0.0, 0.0), width, height)
    mask = None
    if row.rle is not None:
        whole = masks.decode(row.rle, width=width, height=height)
        mask = whole[math.floor(y1) : math.ceil(y2), math.floor(x1) : math.ceil(x2)]
    facts = {
        name: getattr(row, name)
        for name in ("prompt", "model_version", "parent_id", "lead_time_s", "reject_reason")
        if getattr(row, name) is not None
    }
    facts |= {field_name("attribute_", name): ", ".join(chosen) for name, chosen in row.attributes}
    score = row.score
    if support is not None:
        score = support.confidence if score is None else score
        facts |= {"votes": support.votes, "annotators": support.annotators}
    return Shape(
        label=row.category or "",
        annotation_id=row.annotation_id,
        box=(x1 / width, y1 / height, max(0.0, x2 - x1) / width, max(0.0, y2 - y1) / height),
        mask=mask if mask is not None and mask.any() else None,
        rings=_rings(row.polygon, width, height),
        score=score,
        facts=facts,
    )


def _labels(snapshot: ProjectTables, names: Mapping[str, str]) -> dict[str, dict[str, list[Annotation]]]:
    """Rows by image, then by label field."""
    labels: dict[str, dict[str, list[Annotation]]] = defaultdict(lambda: defaultdict(list))
    for row in snapshot.model or ():
        labels[row.image_id][REJECTED if row.outcome == "rejected" else MODEL].append(row)
    for row in snapshot.human or ():
        labels[row.image_id][names[row.annotator_id or UNKNOWN]].append(row)
    for row in snapshot.consensus or ():
        if row.outcome != "disputed":
            labels[row.image_id][CONSENSUS].append(row)
    for entry in snapshot.objects:
        if entry["outcome"] == "disputed":
            labels[entry["image_id"]][DISPUTED].append(_disputed(entry))
    return labels


def _disputed(entry: Mapping[str, Any]) -> Annotation:
    return Annotation(
        annotation_id=entry["annotation_id"],
        image_id=entry["image_id"],
        origin="consensus",
        outcome="disputed",
        reject_reason=entry["reject_reason"],
        category=entry["category"],
        bbox_xyxy=tuple(entry["bbox_xyxy"]),
        rle=entry["rle"],
    )


def _draft(  # noqa: PLR0917 - what is known of one image
    image: ImageRecord,
    path: Path,
    labels: Mapping[str, list[Annotation]],
    doubt: Disagreement | None,
    values: dict[str, Value],
    support: Mapping[str, Support],
    figures: Mapping[str, Mapping[str, Any]],
) -> SampleDraft:
    values["disagreement"] = doubt.reason if doubt else None
    split = values["split"]
    outcomes = {row.outcome for rows in labels.values() for row in rows}
    tags = [DROPPED if image.drop_reason else KEPT]
    tags += [str(split)] if split in SPLITS else []
    tags += [DISAGREEMENT] if doubt else []
    tags += [tag for tag in (SKIPPED, UNREADABLE) if tag in outcomes]
    drawn = {
        name: tuple(row for row in rows if row.bbox_xyxy is not None)
        for name, rows in labels.items()
        if any(row.outcome not in _NO_DRAWING for row in rows)
    }
    return SampleDraft(image, path, tuple(tags), values, drawn, support, figures)


def _rings(polygon: str | None, width: int, height: int) -> tuple[tuple[tuple[float, float], ...], ...]:
    if polygon is None:
        return ()
    return tuple(
        tuple((x / width, y / height) for x, y in zip(ring[::2], ring[1::2], strict=True))
        for ring in json.loads(polygon)
    )


def _clipped(box: Box, width: int, height: int) -> Box:
    x1, y1, x2, y2 = box
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
