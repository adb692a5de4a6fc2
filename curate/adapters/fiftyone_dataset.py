"""The FiftyOne dataset of a project, brought up to date with the tables: only what changed is written.

Each sample remembers the digest of what it shows, in the same write: a run that is killed leaves samples that
are whole and old or whole and new, and the next one goes on. What people did in the app stays: sample tags,
label tags, saved views, fields of their own, and labels that they changed (`fiftyone_edits`) until they are
pulled.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curate.adapters import fiftyone_edits
from curate.adapters.fiftyone_samples import OUR_TAGS, OUTLINES, Drafts, SampleDraft, Shape, shape
from curate.errors import ViewError
from curate.progress import track

DIGEST, SYNCED = "curate_digest", "curate_labels"  # fields of each sample
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


def sync(fo: Any, name: str, content: Drafts, *, project: str) -> Synced:
    """Bring the dataset up to date.

    Args:
        fo: The `fiftyone` module, connected to the database.
        name: Name of the dataset.
        content: The samples.
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
    _declare(fo, dataset, content)
    known = _known(dataset)
    wanted = {draft.image.image_id: draft for draft in content.samples}
    digests = {key: draft.digest() for key, draft in wanted.items()}
    gone = [sample_id for key, (sample_id, _) in known.items() if key not in wanted]
    if gone:
        dataset.delete_samples(gone)
    fresh = [draft for key, draft in wanted.items() if key not in known]
    stale = [key for key, (_, digest) in known.items() if key in wanted and digest != digests[key]]
    writer = _Writer(fo, dataset, content, digests, dataset.info.get(fiftyone_edits.PULLED, []))
    for some in _batches(list(track(fresh, total=len(fresh), label="view"))):
        dataset.add_samples([writer.new(draft) for draft in some], progress=False, dynamic=False)
    waiting = writer.update([known[key][0] for key in stale], wanted) if stale else 0
    counts = len(fresh), len(stale) - waiting, len(gone), len(wanted) - len(fresh) - len(stale), waiting
    return Synced(dataset, *counts)


def _known(dataset: Any) -> dict[str, tuple[str, str | None]]:
    """Id and digest of each sample by image_id."""
    ids, keys, digests = dataset.values(["id", "image_id", DIGEST])
    return {
        key: (sample, digest)
        for sample, key, digest in zip(ids, keys, digests, strict=True)
        if key is not None
    }


def _declare(fo: Any, dataset: Any, content: Drafts) -> None:
    """All fields, also those that no sample fills: a saved view may ask for them."""
    types = {"text": fo.StringField, "number": fo.FloatField, "flag": fo.BooleanField}
    schema = dataset.get_field_schema()
    wanted: dict[str, dict[str, Any]] = {
        **{
            name: {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Detections}
            for name in content.label_fields
        },
        **{
            name + OUTLINES: {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Polylines}
            for name in content.outlined
        },
        **{
            name: {"ftype": types[kind]}
            if kind in types
            else {"ftype": fo.ListField, "subfield": fo.StringField}
            for name, kind in content.value_fields.items()
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
    facts = {"annotation_id": fo.StringField, "synced": fo.StringField, "reject_reason": fo.StringField}
    numbers = dict.fromkeys(("votes", "annotators"), fo.IntField)
    flat = dataset.get_field_schema(flat=True)
    for name in content.label_fields:
        for fact, kind in {**facts, **numbers}.items():
            if f"{name}.detections.{fact}" not in flat:
                dataset.add_sample_field(f"{name}.detections.{fact}", kind)
    if "image_id_1" not in dataset.get_index_information():
        dataset.create_index("image_id", unique=True, sparse=True)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes and changes samples."""

    fo: Any
    dataset: Any
    content: Drafts
    digests: Mapping[str, str]
    pulled: Sequence[list[str]]

    def new(self, draft: SampleDraft) -> Any:
        """A sample that is not in the dataset yet."""
        sample = self.fo.Sample(filepath=str(draft.path), tags=list(draft.tags))
        self._fill(sample, draft, {})
        return sample

    def update(self, ids: Sequence[str], drafts: Mapping[str, SampleDraft]) -> int:
        """Change samples in place; how many had to be left alone."""
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
            for name in self.content.label_fields
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
        for name in self.content.value_fields:
            sample[name] = draft.values.get(name)
        for name in self.content.label_fields:
            rows = draft.labels.get(name)
            shapes = [
                shape(row, draft.support.get(row.annotation_id), width=width, height=height)
                for row in rows or ()
            ]
            made = [self._detection(one, label_tags.get(one.annotation_id, [])) for one in shapes]
            sample[name] = None if rows is None else self.fo.Detections(detections=made)
            if name in self.content.outlined:
                lines = [self._polyline(one) for one in shapes if one.rings]
                sample[name + OUTLINES] = self.fo.Polylines(polylines=lines) if lines else None
        sample[SYNCED] = fiftyone_edits.synced_ids(draft)
        sample[DIGEST] = self.digests[image.image_id]

    def _detection(self, one: Shape, tags: list[str]) -> Any:
        return self.fo.Detection(
            label=one.label,
            bounding_box=list(one.box),
            mask=one.mask,
            confidence=one.score,
            tags=tags,
            annotation_id=one.annotation_id,
            synced=fiftyone_edits.fingerprint(one.label, one.box),
            **one.facts,
        )

    def _polyline(self, one: Shape) -> Any:
        rings = [list(map(list, ring)) for ring in one.rings]
        return self.fo.Polyline(
            label=one.label, points=rings, closed=True, filled=True, annotation_id=one.annotation_id
        )


def _batches(drafts: Sequence[SampleDraft]) -> Iterator[Sequence[SampleDraft]]:
    for start in range(0, len(drafts), _BATCH):
        yield drafts[start : start + _BATCH]
