"""The FiftyOne dataset of a project: built aside, then put in place of the earlier one.

What people added in the app stays: sample tags, label tags, saved views, and fields of their own.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.adapters.fiftyone_samples import (
    ANNOTATOR,
    CONSENSUS,
    DISAGREEMENT,
    DROPPED,
    KEPT,
    MODEL,
    NUMBER_FIELDS,
    OUR_TAGS,
    TEXT_FIELDS,
    Drafts,
    SampleDraft,
    shape,
)
from curate.progress import track

_OUR_FIELD = re.compile(
    rf"^({MODEL}|{CONSENSUS}|{ANNOTATOR}.*|sources|{'|'.join(TEXT_FIELDS + NUMBER_FIELDS)})$"
)
_FIFTYONES_FIELDS = frozenset({"id", "filepath", "tags", "metadata", "created_at", "last_modified_at"})
_GROUPS = {
    "curation": (
        "drop_reason",
        "drop_detail",
        "dup_group",
        "variant_of",
        "dup_relation",
        "dup_correlation",
        "dup_hamming",
        "disagreement_f1",
        "disagreement",
        "split",
    ),
    "source": ("sources", "license", "attribution", "attributes", "captured_at", "format"),
    "quality": ("brightness", "contrast", "sharpness"),
}  # of the sidebar
_BATCH = 200  # samples an insert


def build(fo: Any, name: str, content: Drafts, colours: Mapping[str, str]) -> Any:
    """Fill a dataset aside, then let it take the name: a killed run loses nothing that people added.

    Args:
        fo: The `fiftyone` module, connected to the database.
        name: Name of the dataset; an earlier one of that name is replaced.
        content: The samples.
        colours: "#rrggbb" by category.

    Returns:
        The persistent dataset.
    """
    aside = f"{name}-being-built"
    if fo.dataset_exists(aside):
        fo.delete_dataset(aside)
    earlier = fo.load_dataset(name) if fo.dataset_exists(name) else None
    added = _added_by_people(earlier) if earlier is not None else _Added()
    dataset = (
        earlier.clone(aside, persistent=True) if earlier is not None else fo.Dataset(aside, persistent=True)
    )
    dataset.clear()
    ours = [path for path in dataset.get_field_schema() if _OUR_FIELD.match(path)]
    if ours:
        dataset.delete_sample_fields(ours)
    _declare(fo, dataset, content)
    batch: list[Any] = []
    for draft in track(content.samples, total=len(content.samples), label="view"):
        batch.append(_sample(fo, draft, content, added))
        if len(batch) == _BATCH:
            dataset.add_samples(batch, progress=False)
            batch = []
    if batch:
        dataset.add_samples(batch, progress=False)
    _dress(fo, dataset, content, colours)
    if earlier is not None:
        earlier.delete()
    dataset.name = name
    return dataset


@dataclass(frozen=True, slots=True)
class _Added:
    """What people added to an earlier dataset.

    Attributes:
        tags: Sample tags that are not ours, by image_id.
        label_tags: By annotation_id.
        values: Fields that are not ours: by name, then by image_id.
    """

    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label_tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _added_by_people(dataset: Any) -> _Added:
    schema = dataset.get_field_schema()
    if "image_id" not in schema:
        return _Added()
    keys = dataset.values("image_id")
    foreign = [name for name in schema if name not in _FIFTYONES_FIELDS and not _OUR_FIELD.match(name)]
    label_tags: dict[str, tuple[str, ...]] = {}
    for name in filter(_is_label_field, schema):
        paths = [f"{name}.detections.annotation_id", f"{name}.detections.tags"]
        for ids, tags in zip(*dataset.values(paths), strict=True):  # a list a sample, or None
            for key, given in zip(ids or (), tags or (), strict=True):
                label_tags.update({key: tuple(given)} if given else {})
    return _Added(
        tags={
            key: tuple(tag for tag in tags or () if tag not in OUR_TAGS)
            for key, tags in zip(keys, dataset.values("tags"), strict=True)
        },
        label_tags=label_tags,
        values={name: dict(zip(keys, dataset.values(name), strict=True)) for name in foreign},
    )


def _is_label_field(name: str) -> bool:
    return name in {MODEL, CONSENSUS} or name.startswith(ANNOTATOR)


def _declare(fo: Any, dataset: Any, content: Drafts) -> None:
    """All fields, also those that no sample fills: a saved view may ask for them."""
    for name in content.label_fields:
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    for name in TEXT_FIELDS:
        dataset.add_sample_field(name, fo.StringField)
    dataset.add_sample_field("sources", fo.ListField, subfield=fo.StringField)
    for name in NUMBER_FIELDS:
        dataset.add_sample_field(name, fo.FloatField)


def _sample(fo: Any, draft: SampleDraft, content: Drafts, added: _Added) -> Any:
    image = draft.image
    key, width, height = image.image_id, image.width or 1, image.height or 1
    sample = fo.Sample(
        filepath=str(draft.path),
        tags=list(dict.fromkeys((*draft.tags, *added.tags.get(key, ())))),
        metadata=fo.ImageMetadata(
            size_bytes=draft.path.stat().st_size,
            mime_type=mimetypes.guess_type(draft.path)[0],
            width=width,
            height=height,
            num_channels=3,
        ),
    )
    sample["sources"] = list(image.sources)
    for name, value in draft.values.items():
        sample[name] = value
    for name, values in added.values.items():
        sample[name] = values.get(key)
    for name in content.label_fields:
        if (rows := draft.labels.get(name)) is not None:
            shapes = [
                shape(row, content.support.get(row.annotation_id), width=width, height=height) for row in rows
            ]
            detections = [
                fo.Detection(
                    label=one.label,
                    bounding_box=list(one.box),
                    mask=one.mask,
                    confidence=one.score,
                    tags=list(added.label_tags.get(one.annotation_id, ())),
                    annotation_id=one.annotation_id,
                    **one.facts,
                )
                for one in shapes
            ]
            sample[name] = fo.Detections(detections=detections)
    return sample


def _dress(fo: Any, dataset: Any, content: Drafts, colours: Mapping[str, str]) -> None:
    """Colours of the taxonomy, and views under their names."""
    values = [{"value": name, "color": color} for name, color in colours.items()]
    fields = [
        {"path": name, "colorByAttribute": "label", "valueColors": values} for name in content.label_fields
    ]
    app = dataset.app_config
    app.color_scheme = fo.ColorScheme(color_by="value", fields=fields, opacity=0.5)
    app.active_fields = fo.ActiveFields(
        paths=list(content.label_fields[-1:])
    )  # others: one click in the sidebar
    app.sidebar_groups = _sidebar(fo, dataset, content.label_fields)
    dataset.save()
    views = {
        KEPT: dataset.match_tags(KEPT),
        DROPPED: dataset.match_tags(DROPPED).sort_by("drop_reason"),
        # Inside a group the keeper goes first: null sorts before every reason.
        "duplicate groups": dataset.exists("dup_group").sort_by([("dup_group", 1), ("drop_reason", 1)]),
        "doubtful duplicates": dataset.exists("dup_correlation").sort_by("dup_correlation"),
        "disagreements": dataset.match_tags(DISAGREEMENT).sort_by("disagreement_f1"),
    }
    for name, view in views.items():
        dataset.save_view(name, view, overwrite=True)


def _sidebar(fo: Any, dataset: Any, label_fields: tuple[str, ...]) -> list[Any]:
    """What a curator filters by first; technical fields are there, but folded."""
    placed = {path for paths in _GROUPS.values() for path in paths} | set(label_fields)
    schema = dataset.get_field_schema(flat=True)
    others = [path for path in dataset.get_field_schema() if path not in placed | {"tags", "metadata"}]
    metadata = [path for path in schema if path.startswith("metadata.")]
    return [
        fo.SidebarGroupDocument(name="tags", paths=["tags", "_label_tags"], expanded=True),
        fo.SidebarGroupDocument(name="labels", paths=list(label_fields), expanded=True),
        *(fo.SidebarGroupDocument(name=name, paths=list(paths)) for name, paths in _GROUPS.items()),
        fo.SidebarGroupDocument(name="other", paths=others, expanded=False),
        fo.SidebarGroupDocument(name="metadata", paths=metadata, expanded=False),
    ]
