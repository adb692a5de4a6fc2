"""The FiftyOne dataset of a project, brought up to date with the tables: only what changed is written.

Each sample remembers the digest of what it shows, in the same write: a run that is killed leaves samples that
are whole and old or whole and new, and the next one goes on. What people did in the app stays: sample tags,
label tags, saved views, fields of their own, and labels that they changed (`fiftyone_edits`) until they are
pulled.
"""

from __future__ import annotations

import mimetypes
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curate.adapters import fiftyone_edits
from curate.adapters.fiftyone_content import Content
from curate.adapters.fiftyone_samples import OUR_TAGS, OUTLINES, Layout, SampleDraft, Shape, shape
from curate.errors import ViewError
from curate.progress import track

# Fields of each sample: what it shows, with a word that each write makes anew, and the labels written.
DIGEST, SYNCED = "curate_digest", "curate_labels"
_PROJECT: Final = "curate_project"  # of the dataset's info
_BATCH = 200  # samples an insert


@dataclass(frozen=True, slots=True)
class Synced:
    """What was written.

    Attributes:
        dataset: The persistent dataset.
        added: Samples; the next ones likewise.
        changed: Written again.
        removed: Of images that are no longer there.
        unchanged: Not touched.
        waiting: Not touched though the tables changed, because people edited labels that nobody pulled yet.
    """

    dataset: Any
    added: int
    changed: int
    removed: int
    unchanged: int
    waiting: int

    def line(self) -> str:
        """The counts in words."""
        return (
            f"{self.added:,} new, {self.changed:,} changed, {self.removed:,} removed, "
            f"{self.unchanged:,} as before"
        )


def sync(fo: Any, name: str, content: Content, *, project: str) -> Synced:
    """Bring the dataset up to date.

    Args:
        fo: The `fiftyone` module, connected to the database.
        name: Name of the dataset.
        content: What it shall show.
        project: Identity of the project; another project's dataset of that name is left alone.

    Raises:
        ViewError: The dataset is another project's.
    """
    dataset = fo.load_dataset(name) if fo.dataset_exists(name) else fo.Dataset(name, persistent=True)
    if dataset.info.setdefault(_PROJECT, project) != project:
        raise ViewError(
            f"the database holds a dataset {name!r} of another project: give this one another release.name"
        )
    dataset.persistent = True
    dataset.save()
    _declare(fo, dataset, content.layout)
    known = _known(dataset)
    gone = [sample_id for key, (sample_id, _) in known.items() if key not in content.digests]
    if gone:
        dataset.delete_samples(gone)
    fresh = [key for key in content.digests if key not in known]
    stale = [key for key, digest in content.digests.items() if key in known and known[key][1] != digest]
    writer = _Writer(fo, dataset, content, dataset.info.get(fiftyone_edits.PULLED, []))
    for some in track(_batches(fresh), total=len(fresh), label="view", size=len):
        dataset.add_samples(list(map(writer.new, content.drafts(some))), progress=False, dynamic=False)
    waiting = sum(writer.update([known[key][0] for key in some], some) for some in _batches(stale))
    same = len(content.digests) - len(fresh) - len(stale)
    return Synced(dataset, len(fresh), len(stale) - waiting, len(gone), same, waiting)


def _known(dataset: Any) -> dict[str, tuple[str, str]]:
    """Id and digest of each sample by image_id."""
    ids, keys, digests = dataset.values(["id", "image_id", DIGEST])
    return {
        key: (sample, (digest or "").partition(" ")[0])
        for sample, key, digest in zip(ids, keys, digests, strict=True)
        if key is not None
    }


def _declare(fo: Any, dataset: Any, layout: Layout) -> None:
    """All fields, also those that no sample fills: a saved view may ask for them."""
    types = {"text": fo.StringField, "number": fo.FloatField, "flag": fo.BooleanField}
    schema = dataset.get_field_schema()
    wanted: dict[str, dict[str, Any]] = {
        **{
            name: {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Detections}
            for name in layout.label_fields
        },
        **{
            name + OUTLINES: {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Polylines}
            for name in layout.outlined
        },
        **{
            name: {"ftype": types[kind]}
            if kind in types
            else {"ftype": fo.ListField, "subfield": fo.StringField}
            for name, kind in layout.value_fields.items()
        },
        DIGEST: {"ftype": fo.StringField},
        SYNCED: {"ftype": fo.ListField, "subfield": fo.StringField},
    }
    changed = [
        name for name, how in wanted.items() if name in schema and not isinstance(schema[name], how["ftype"])
    ]
    if changed:  # an attribute that was a number and is a text now: every sample is written again
        dataset.delete_sample_fields(changed)
        dataset.set_field(DIGEST, None).save()
    for name, how in wanted.items():
        if name not in schema or name in changed:
            dataset.add_sample_field(name, **how)
    texts = ("annotation_id", "synced", "reject_reason", "label_error_kind")
    facts = dict.fromkeys(texts, fo.StringField) | dict.fromkeys(("votes", "annotators"), fo.IntField)
    facts |= dict.fromkeys(("agreement_iou", "label_error"), fo.FloatField)
    flat = dataset.get_field_schema(flat=True)
    for name in layout.label_fields:
        for fact, kind in facts.items():
            if f"{name}.detections.{fact}" not in flat:
                dataset.add_sample_field(f"{name}.detections.{fact}", kind)
    if "image_id_1" not in dataset.get_index_information():
        dataset.create_index("image_id", unique=True, sparse=True)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes and changes samples."""

    fo: Any
    dataset: Any
    content: Content
    pulled: Sequence[list[str]]

    def new(self, draft: SampleDraft) -> Any:
        """A sample that is not in the dataset yet."""
        sample = self.fo.Sample(filepath=str(draft.path), tags=list(draft.tags))
        self._fill(sample, draft, {})
        return sample

    def update(self, ids: Sequence[str], keys: Sequence[str]) -> int:
        """Change the samples of some images in place; how many had to be left alone."""
        drafts = {draft.image.image_id: draft for draft in self.content.drafts(keys)}
        waiting = 0
        for sample in self.dataset.select(list(ids)).iter_samples(autosave=True, batch_size=_BATCH):
            if any(list(one.key) not in self.pulled for one in fiftyone_edits.of_labels(sample)):
                waiting += 1
                continue
            draft = drafts[sample["image_id"]]
            people_s = [tag for tag in sample.tags if tag not in OUR_TAGS]
            sample.filepath = str(draft.path)
            sample.tags = list(dict.fromkeys((*draft.tags, *people_s)))
            self._fill(sample, draft, self._label_tags(sample))
        return waiting

    def _label_tags(self, sample: Any) -> dict[str, list[str]]:
        """Tags of labels by annotation_id."""
        return {
            one.annotation_id: list(one.tags)
            for name in self.content.layout.label_fields
            if sample.has_field(name) and sample[name] is not None
            for one in sample[name].detections
            if one.tags and one.has_field("annotation_id")
        }

    def _fill(self, sample: Any, draft: SampleDraft, label_tags: Mapping[str, list[str]]) -> None:
        image = draft.image
        width, height = image.width or 1, image.height or 1
        sample.metadata = self.fo.ImageMetadata(
            size_bytes=draft.path.stat().st_size,
            mime_type=mimetypes.guess_type(draft.path)[0],
            width=width,
            height=height,
            num_channels=3,
        )
        for name in self.content.layout.value_fields:
            sample[name] = draft.values.get(name)
        for name in self.content.layout.label_fields:
            rows = draft.labels.get(name)
            shapes = [
                shape(row, draft.support.get(row.annotation_id), width=width, height=height)
                for row in rows or ()
            ]
            made = [
                self._detection(
                    one, label_tags.get(one.annotation_id, []), draft.figures.get(one.annotation_id, {})
                )
                for one in shapes
            ]
            sample[name] = None if rows is None else self.fo.Detections(detections=made)
            if name in self.content.layout.outlined:
                lines = [self._polyline(one) for one in shapes if one.rings]
                sample[name + OUTLINES] = self.fo.Polylines(polylines=lines) if lines else None
        sample[SYNCED] = fiftyone_edits.synced_ids(draft)
        sample[DIGEST] = f"{self.content.digests[image.image_id]} {uuid.uuid4().hex[:12]}"

    def _detection(self, one: Shape, tags: list[str], figures: Mapping[str, Any]) -> Any:
        return self.fo.Detection(
            label=one.label,
            bounding_box=list(one.box),
            mask=one.mask,
            confidence=one.score,
            tags=tags,
            annotation_id=one.annotation_id,
            synced=fiftyone_edits.fingerprint(one.label, one.box),
            **one.facts,
            **figures,
        )

    def _polyline(self, one: Shape) -> Any:
        rings = [list(map(list, ring)) for ring in one.rings]
        return self.fo.Polyline(
            label=one.label, points=rings, closed=True, filled=True, annotation_id=one.annotation_id
        )


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]
