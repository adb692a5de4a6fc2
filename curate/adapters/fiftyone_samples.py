"""The tables as the samples that FiftyOne shows; nothing here needs FiftyOne itself."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate.geometry import masks
from curate.project_tables import Disagreement, ProjectTables, Support
from curate.records import Annotation, BoolArray, Box, ImageRecord

MODEL, CONSENSUS, ANNOTATOR = "model", "consensus", "annotator_"
KEPT, DROPPED, DISAGREEMENT, SKIPPED = "kept", "dropped", "disagreement", "skipped"
SPLITS = ("train", "validation", "test")
OUR_TAGS = frozenset({KEPT, DROPPED, DISAGREEMENT, SKIPPED, *SPLITS})
TEXT_FIELDS = (
    "image_id", "drop_reason", "drop_detail", "duplicate_of", "variant_of", "dup_group", "dup_relation",
    "phash", "split", "license", "attribution", "attributes", "format", "captured_at", "disagreement",
)  # fmt: skip
NUMBER_FIELDS = (
    "brightness", "contrast", "sharpness", "disagreement_f1", "dup_hamming", "dup_correlation",
)  # fmt: skip
Value = str | float | None
_UNKNOWN = "unknown"  # whoever the server did not name


@dataclass(frozen=True, slots=True)
class Shape:
    """An object as FiftyOne wants it.

    Attributes:
        label: Category.
        annotation_id: Key of its row.
        box: x, y, width, height as shares of the image, each in [0, 1].
        mask: (h, w) pixels inside the box; None = box only.
        score: A model's, or the confidence of the consensus, in [0, 1].
        facts: Further columns by name, where they have a value.
    """

    label: str
    annotation_id: str
    box: Box
    mask: BoolArray | None
    score: float | None
    facts: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SampleDraft:
    """One image as FiftyOne wants it.

    Attributes:
        image: Its row.
        path: Absolute path of the upright file.
        tags: Some of `OUR_TAGS`.
        values: `TEXT_FIELDS` and `NUMBER_FIELDS` by name.
        labels: Rows of outcome "object" by label field; an empty tuple: somebody looked, nothing there.
            `shape` decodes the masks later, one image at a time.
    """

    image: ImageRecord
    path: Path
    tags: tuple[str, ...]
    values: Mapping[str, Value]
    labels: Mapping[str, tuple[Annotation, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drafts:
    """What the app can show.

    Attributes:
        samples: In the order of the table.
        label_fields: Every label field that any table names, in the order of the sidebar.
        unreadable: Dropped images that never got an upright file.
        removed: Images whose raw file is gone, and their upright file with it.
        missing: Images whose upright file has vanished.
        support: What objects of the consensus rest on, by annotation_id.
    """

    samples: tuple[SampleDraft, ...]
    label_fields: tuple[str, ...]
    unreadable: int
    removed: int
    missing: int
    support: Mapping[str, Support] = field(default_factory=dict)


def drafts(snapshot: ProjectTables) -> Drafts:
    """Turn the tables into samples: one an image that has an upright file."""
    names = annotator_fields(row.annotator_id or _UNKNOWN for row in snapshot.human or ())
    labels: dict[str, dict[str, list[Annotation]]] = defaultdict(lambda: defaultdict(list))
    for row in snapshot.model or ():
        labels[row.image_id][MODEL].append(row)
    for row in snapshot.human or ():
        labels[row.image_id][names[row.annotator_id or _UNKNOWN]].append(row)
    for row in snapshot.consensus or ():
        labels[row.image_id][CONSENSUS].append(row)
    queue = {entry.image_id: entry for entry in snapshot.queue or ()}
    samples, unreadable, removed, missing = [], 0, 0, 0
    for image in snapshot.images:
        if image.drop_reason == "removed":
            removed += 1
        elif image.path is None:
            unreadable += 1
        elif not (path := (snapshot.root / image.path).resolve()).exists():
            missing += 1
        else:
            split = image.split or snapshot.splits.get(image.image_id)
            samples.append(_draft(image, path, labels[image.image_id], queue.get(image.image_id), split))
    fields = [MODEL] * (snapshot.model is not None) + sorted(set(names.values()))
    fields += [CONSENSUS] * (snapshot.consensus is not None)
    return Drafts(tuple(samples), tuple(fields), unreadable, removed, missing, snapshot.support)


def annotator_fields(annotators: Iterable[str]) -> dict[str, str]:
    """A field name for every annotator: letters, digits and underscores, different for different people.

    >>> annotator_fields(["jo@x.org", "jo@y.org", "simulated-1@demo.invalid"])["simulated-1@demo.invalid"]
    'annotator_simulated_1'
    """
    people = sorted(set(annotators))
    short = {person: _slug(person.partition("@")[0]) for person in people}
    fields: dict[str, str] = {}
    for person in people:
        name = short[person] if list(short.values()).count(short[person]) == 1 else _slug(person)
        while f"{ANNOTATOR}{name}" in fields.values():
            name += "_"
        fields[person] = f"{ANNOTATOR}{name}"
    return fields


def shape(row: Annotation, support: Support | None = None, *, width: int, height: int) -> Shape:
    """An annotation relative to its image, with the part of the mask that lies in the box.

    Args:
        row: An annotation of outcome "object".
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
    facts: dict[str, Value] = {
        name: getattr(row, name)
        for name in ("prompt", "model_version", "parent_id", "lead_time_s")
        if getattr(row, name) is not None
    }
    facts |= {f"attribute_{_slug(question)}": ", ".join(chosen) for question, chosen in row.attributes}
    if support is not None:
        facts |= {"votes": support.votes, "annotators": support.annotators}
    known = row.score if support is None or row.score is not None else support.confidence
    return Shape(
        label=row.category or "",
        annotation_id=row.annotation_id,
        box=(x1 / width, y1 / height, max(0.0, x2 - x1) / width, max(0.0, y2 - y1) / height),
        mask=mask if mask is not None and mask.any() else None,
        score=known,
        facts=facts,
    )


def _draft(
    image: ImageRecord,
    path: Path,
    labels: Mapping[str, list[Annotation]],
    doubt: Disagreement | None,
    split: str | None,
) -> SampleDraft:
    values: dict[str, Value] = {name: getattr(image, name, None) for name in (*TEXT_FIELDS, *NUMBER_FIELDS)}
    values["dup_hamming"] = float(image.dup_hamming) if image.dup_hamming is not None else None
    values["phash"] = f"{image.phash:016x}" if image.phash is not None else None
    values["attributes"] = "; ".join(f"{name}={value}" for name, value in image.attributes) or None
    values["split"] = split
    values["disagreement"] = doubt.reason if doubt else None
    values["disagreement_f1"] = doubt.f1 if doubt else None
    tags = [DROPPED if image.drop_reason else KEPT]
    tags += [split] if split in SPLITS else []
    tags += [DISAGREEMENT] if doubt else []
    tags += [SKIPPED] if any(row.outcome == "skipped" for rows in labels.values() for row in rows) else []
    objects = {
        name: tuple(row for row in rows if row.outcome == "object")
        for name, rows in labels.items()
        if any(row.outcome not in ("skipped", "failed") for row in rows)
    }
    return SampleDraft(image, path, tuple(tags), values, objects)


def _clipped(box: Box, width: int, height: int) -> Box:
    x1, y1, x2, y2 = box
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower() or "unnamed"
