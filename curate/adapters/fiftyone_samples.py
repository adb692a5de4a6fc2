"""The tables as the samples that FiftyOne shows; nothing here needs FiftyOne itself."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from curate.adapters import fiftyone_values
from curate.adapters.fiftyone_values import Kind, Value, field_name
from curate.geometry import masks
from curate.project_tables import Disagreement, ProjectTables, Support
from curate.records import Annotation, BoolArray, Box, ImageRecord

MODEL, CONSENSUS, ANNOTATOR = "model", "consensus", "annotator_"
REJECTED, DISPUTED = "rejected", "disputed"
OUTLINES: Final = "_outlines"  # after the name of a label field: the polygons of its objects
KEPT, DROPPED, DISAGREEMENT, SKIPPED, UNREADABLE = "kept", "dropped", "disagreement", "skipped", "unreadable"
SPLITS = ("train", "validation", "test")
OUR_TAGS = frozenset({KEPT, DROPPED, DISAGREEMENT, SKIPPED, UNREADABLE, *SPLITS})
_UNKNOWN = "unknown"  # whoever the server did not name
_NO_DRAWING = frozenset({"skipped", "failed", "unreadable"})
_FORMAT: Final = "1"  # of the samples: another one, and each is written again


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
    """One image as FiftyOne wants it.

    Attributes:
        image: Its row.
        path: Absolute path of the upright file.
        tags: Some of `OUR_TAGS`.
        values: By field (`fiftyone_values`).
        labels: Rows by label field; an empty tuple: somebody looked, nothing there. `shape` decodes the
            masks later, one image at a time.
        support: What its objects of the consensus rest on, by annotation_id.
    """

    image: ImageRecord
    path: Path
    tags: tuple[str, ...]
    values: Mapping[str, Value]
    labels: Mapping[str, tuple[Annotation, ...]] = field(default_factory=dict)
    support: Mapping[str, Support] = field(default_factory=dict)

    def digest(self) -> str:
        """Changes with everything that a sample shows of the tables."""
        rows = {name: [_told(row) for row in found] for name, found in self.labels.items()}
        support = {key: [one.confidence, one.votes, one.annotators] for key, one in self.support.items()}
        size = self.image.width, self.image.height
        whole = [_FORMAT, str(self.path), size, self.tags, self.values, rows, support]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Drafts:
    """What the app can show.

    Attributes:
        samples: In the order of the table.
        label_fields: Every label field that any table names, in the order of the sidebar.
        outlined: Those of them of which an object has an outline.
        value_fields: Every value field with its type.
        unreadable: Dropped images that never got an upright file.
        removed: Images whose raw file is gone, and their upright file with it.
        missing: Images whose upright file has vanished.
        support: What objects of the consensus rest on, by annotation_id.
    """

    samples: tuple[SampleDraft, ...]
    label_fields: tuple[str, ...]
    outlined: tuple[str, ...]
    value_fields: Mapping[str, Kind]
    unreadable: int
    removed: int
    missing: int
    support: Mapping[str, Support] = field(default_factory=dict)


def drafts(snapshot: ProjectTables) -> Drafts:
    """Turn the tables into samples: one an image that has an upright file."""
    names = annotator_fields(row.annotator_id or _UNKNOWN for row in snapshot.human or ())
    labels = _labels(snapshot, names)
    queue = {entry.image_id: entry for entry in snapshot.queue or ()}
    support = snapshot.support
    own: dict[str, dict[str, Support]] = defaultdict(dict)
    for row in snapshot.objects:
        own[row["image_id"]][row["annotation_id"]] = support[row["annotation_id"]]
    kinds = fiftyone_values.fields(snapshot)
    samples, unreadable, removed, missing = [], 0, 0, 0
    for image in snapshot.images:
        if image.drop_reason == "removed":
            removed += 1
        elif image.path is None:
            unreadable += 1
        elif not (path := (snapshot.root / image.path).resolve()).exists():
            missing += 1
        else:
            values = fiftyone_values.of_image(image, snapshot, kinds)
            key = image.image_id
            samples.append(_draft(image, path, labels[key], queue.get(key), values, own[key]))
    fields = [MODEL] * (snapshot.model is not None) + sorted(set(names.values()))
    fields += [CONSENSUS, DISPUTED] if snapshot.consensus is not None else []
    fields += [REJECTED] if any(row.outcome == "rejected" for row in snapshot.model or ()) else []
    outlined = {
        name
        for draft in samples
        for name, rows in draft.labels.items()
        if any(row.polygon is not None for row in rows)
    }
    return Drafts(
        tuple(samples),
        tuple(fields),
        tuple(name for name in fields if name in outlined),
        kinds,
        unreadable,
        removed,
        missing,
        support,
    )


def annotator_fields(annotators: Iterable[str]) -> dict[str, str]:
    """A field name for every annotator: letters, digits and underscores, different for different people.

    >>> annotator_fields(["jo@x.org", "jo@y.org", "simulated-1@demo.invalid"])["simulated-1@demo.invalid"]
    'annotator_simulated_1'
    """
    people = sorted(set(annotators))
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
        labels[row.image_id][names[row.annotator_id or _UNKNOWN]].append(row)
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
) -> SampleDraft:
    values["disagreement"] = doubt.reason if doubt else None
    values["disagreement_f1"] = doubt.f1 if doubt else None
    values["mean_iou"] = doubt.mean_iou if doubt else None
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
    return SampleDraft(image, path, tuple(tags), values, drawn, support)


def _told(row: Annotation) -> list[Any]:
    box = None if row.bbox_xyxy is None else [round(float(edge), 3) for edge in row.bbox_xyxy]
    masks_ = hashlib.sha256(f"{row.rle} {row.polygon}".encode()).hexdigest()[:16]
    return [
        row.annotation_id,
        row.category,
        box,
        masks_,
        row.score,
        row.prompt,
        row.model_version,
        row.parent_id,
    ]


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
