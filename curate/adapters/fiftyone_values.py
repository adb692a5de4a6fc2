"""What a sample of the app says of its image beside labels: values by field, each field of one type."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Literal

from curate import schema
from curate.adapters import fiftyone_rules
from curate.project_tables import ProjectTables
from curate.records import ImageRecord

Kind = Literal["text", "number", "flag", "texts"]
Value = str | float | bool | list[str] | None
TEXTS: Final = (
    "image_id", "drop_reason", "drop_detail", "duplicate_of", "variant_of", "dup_group", "dup_relation",
    "phash", "split", "license", "attribution", "format", "captured_at", "disagreement", "plan_reason",
    "plan_detail", "arm", "review",
)  # fmt: skip
NUMBERS: Final = (
    "brightness", "contrast", "sharpness", "agreement_f1", "mean_iou", "dup_hamming", "dup_correlation",
    "confidence", "people", "label_error",
)  # fmt: skip
QUALITY, ATTRIBUTE, ANSWER = "quality_", "attribute_", "answer_"
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "why": (
        "drop_reason",
        "drop_detail",
        "plan_reason",
        "plan_detail",
        "review",
        "disagreement",
        fiftyone_rules.FIELD,
    ),
    "people": ("people", "confidence", "agreement_f1", "mean_iou", "label_error"),
    "duplicates": (
        "dup_group",
        "duplicate_of",
        "variant_of",
        "dup_relation",
        "dup_correlation",
        "dup_hamming",
    ),
    "source": ("split", "sources", "license", "attribution", "captured_at", "format"),
    "vectors": ("uniqueness", "representativeness", "outlier", "look_alike", "look_alikes"),
    "quality": (
        "brightness",
        "contrast",
        "sharpness",
        *(f"{QUALITY}{name}" for name in schema.QUALITY.names),
    ),
}  # of the sidebar


def fields(attributes: Mapping[str, Kind], questions: Iterable[str]) -> dict[str, Kind]:
    """Every value field that any table can fill, with its type, also those that no image fills.

    Args:
        attributes: Fields of attributes of images (`attribute_kinds`).
        questions: Names of image-level questions.
    """
    found: dict[str, Kind] = dict.fromkeys(TEXTS, "text")
    found |= dict.fromkeys(NUMBERS, "number")
    found |= dict.fromkeys((f"{QUALITY}{name}" for name in schema.QUALITY.names), "number")
    found |= dict(sorted(attributes.items()))
    return (
        found
        | dict.fromkeys(sorted(field_name(ANSWER, name) for name in questions), "texts")
        | {"sources": "texts", fiftyone_rules.FIELD: "texts"}
    )


def attribute_kinds(attributes: Mapping[str, Collection[str]]) -> dict[str, Kind]:
    """The type of each field that an attribute has: number or flag where each value is one, and text else.

    Args:
        attributes: Values of each attribute of images.

    Examples:
        >>> attribute_kinds({"lane": ["1", "2"], "night": ["true"], "road": ["A 7", "8"]})
        {'attribute_lane': 'number', 'attribute_night': 'flag', 'attribute_road': 'text'}
    """
    values: dict[str, set[str]] = {}
    for name, seen in attributes.items():
        values.setdefault(field_name(ATTRIBUTE, name), set()).update(seen)
    return {name: _kind(seen) for name, seen in values.items()}


def of_image(image: ImageRecord, snapshot: ProjectTables, kinds: Mapping[str, Kind]) -> dict[str, Value]:
    """The values of one image; None or a missing name = it has none."""
    found: dict[str, Any] = {name: getattr(image, name, None) for name in (*TEXTS, *NUMBERS)}
    found["phash"] = None if image.phash is None else f"{image.phash:016x}"
    found["dup_hamming"] = None if image.dup_hamming is None else float(image.dup_hamming)
    found["split"] = image.split or snapshot.splits.get(image.image_id)
    found["sources"] = list(image.sources)
    found |= {f"{QUALITY}{name}": float(value) for name, value in image.quality}
    for name, value in image.attributes:
        field = field_name(ATTRIBUTE, name)
        found[field] = _typed(value, kinds[field])
    planned = snapshot.plan.get(image.image_id)
    if planned is not None:
        found |= {"plan_reason": planned["reason"], "plan_detail": planned["detail"], "arm": planned["arm"]}
    settled = snapshot.settled.get(image.image_id)
    if settled is not None:
        found |= {"people": float(settled["annotators"]), "confidence": settled["confidence"]}
        found["review"] = settled["review"]
        found |= {field_name(ANSWER, name): list(chosen) for name, chosen in settled["answers"]}
    doubts = snapshot.label_errors.get(image.image_id, ())
    found["label_error"] = max((doubt.probability for doubt in doubts), default=None)
    return found


def field_name(prefix: str, text: str) -> str:
    """A sound name of a field.

    Examples:
        >>> field_name("attribute_", "Camera no. 2")
        'attribute_camera_no_2'
    """
    return prefix + (re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower() or "unnamed")


def _kind(values: Iterable[str]) -> Kind:
    some = set(values)
    if some <= {"true", "false"}:
        return "flag"
    try:
        return "number" if all(abs(float(value)) < 1e300 for value in some) else "text"
    except ValueError:
        return "text"


def _typed(value: str, kind: Kind) -> Value:
    if kind == "number":
        return float(value)
    return value == "true" if kind == "flag" else value
