"""The FiftyOne dataset of a project, brought up to date with the tables: only what changed is written.

Each sample remembers the digest of what it shows, in the same write: a run that is killed leaves samples that
are whole and old or whole and new, and the next one goes on. What people did in the app stays: sample tags,
label tags, saved views, fields of their own, and labels that they changed (`fiftyone_edits`) until they are
pulled.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from curate.adapters import fiftyone_documents as documents
from curate.adapters import fiftyone_pulled
from curate.adapters.fiftyone_content import Content
from curate.adapters.fiftyone_documents import DIGEST, SYNCED, StoredSample
from curate.adapters.fiftyone_pulled import Unpulled
from curate.adapters.fiftyone_samples import OUR_TAGS, OUTLINES, Layout, SampleDraft
from curate.errors import ViewError
from curate.extras import require
from curate.progress import track

EVALUATED: Final = "curate_evaluated"  # of the dataset's info; there while the evaluation is of its samples
NAMES: Final = "curate-"  # how the names of our datasets begin
_PROJECT: Final = "curate_project"  # of the dataset's info
_ROOT: Final = "curate_root"  # of the dataset's info: the folder that it was last made from
_OTHER_NAME: Final = "give this one another release.name"
_INDEX: Final = [("image_id", 1), (DIGEST, 1), ("_id", 1)]  # that a sync needs to know of every sample
_BATCH: Final = 1_000  # samples in memory whose images are gone


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync wrote into the dataset.

    Attributes:
        dataset: The persistent dataset.
        added: Samples; the next ones likewise.
        changed: Written again.
        removed: Of images that are no longer there.
        unchanged: Not touched.
        waiting: Not touched though the tables changed, or their image is gone from them, because people
            decided something there that nobody pulled yet.
        missing: Not touched, because their upright file has vanished; it is made again.
    """

    dataset: Any
    added: int
    changed: int
    removed: int
    unchanged: int
    waiting: int
    missing: int

    def line(self) -> str:
        """The counts in words."""
        line = f"{self.added:,} new, {self.changed:,} changed, {self.removed:,} removed, "
        line += f"{self.unchanged:,} as before"
        line += f", {self.waiting:,} waiting" if self.waiting else ""
        return line + (f", {self.missing:,} without their file" if self.missing else "")


def own(fo: Any, name: str, *, project: str, root: Path) -> Any | None:
    """The project's dataset, called by this name from now on; None where it has none.

    One that was called otherwise, as release.name was another, is renamed with all that people decided in it.
    Only one that was last made from this very folder is: a copy of a project has its identity too.

    Args:
        fo: The `fiftyone` module, connected to the database.
        name: What it shall be called.
        project: Identity of the project.
        root: The project's folder.

    Raises:
        ViewError: The dataset of that name is another project's, or its address is taken; or several could be
            the one that is meant.
    """
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
        if dataset.info.get(_PROJECT, project) != project:
            raise ViewError(f"the database holds a dataset {name!r} of another project: {_OTHER_NAME}")
        return dataset
    ours = {_PROJECT: project, _ROOT: str(root)}.items()
    every = (fo.load_dataset(one) for one in fo.list_datasets(f"{NAMES}*"))
    earlier = [one for one in every if ours <= one.info.items()]
    if len(earlier) > 1:
        raise ViewError(
            f"this project has the datasets {' and '.join(one.name for one in earlier)}, and none is {name}: "
            f"call the one that is meant so, in Python: fiftyone.load_dataset(...).name = {name!r}"
        )
    for dataset in earlier:
        before = dataset.name
        with _free(name):
            dataset.name = name
        print(f"FiftyOne: the dataset {before} is called {name} now (release.name)", file=sys.stderr)  # noqa: T201
        return dataset
    return None


@contextmanager
def _free(name: str) -> Iterator[None]:
    """Tell in our words that names which differ in their punctuation alone share an address in the app."""
    try:
        yield
    except ValueError as error:
        raise ViewError(f"the database holds a dataset like {name!r}: {_OTHER_NAME}") from error


def sync(fo: Any, name: str, content: Content, *, project: str, root: Path) -> Synced:
    """Bring the dataset up to date.

    Args:
        fo: The `fiftyone` module, connected to the database.
        name: Name of the dataset.
        content: What it shall show.
        project: Identity of the project; another project's dataset of that name is left alone.
        root: The project's folder.

    Raises:
        ViewError: As `own` says.
    """
    dataset = own(fo, name, project=project, root=root)
    if dataset is None:
        with _free(name):
            dataset = fo.Dataset(name, persistent=True)
    dataset.info.update({_PROJECT: project, _ROOT: str(root)})
    dataset.persistent = True
    dataset.save()
    if dataset.media_type is None:
        dataset.media_type = "image"
    _declare(fo, dataset, content.layout)
    known = _known(dataset)
    absent = known.keys() - content.digests.keys()
    missing = absent & content.missing
    unpulled = Unpulled.of(dataset)
    gone = _without_decisions(dataset, [known[key][0] for key in absent - missing], unpulled, content.layout)
    if gone:
        forget_evaluation(dataset)
        dataset.delete_samples(gone)
    fresh = [key for key in content.digests if key not in known]
    stale = [key for key, digest in content.digests.items() if key in known and known[key][1] != digest]
    fiftyone_pulled.forget_tags(dataset, fresh)
    writer = _Writer(fo, dataset, content, unpulled)
    for some in track(content.batches(fresh), total=len(fresh), label="view", size=len):
        writer.insert(some)
    ids = {key: known[key][0] for key in stale}
    waiting = sum(
        writer.update([ids[one.image.image_id] for one in some], some)
        for some in track(content.batches(stale), total=len(stale), label="view", size=len)
    )
    same = len(content.digests) - len(fresh) - len(stale)
    kept = len(absent) - len(missing) - len(gone)
    counts = len(fresh), len(stale) - waiting, len(gone), same, waiting + kept, len(missing)
    return Synced(dataset, *counts)


def _without_decisions(dataset: Any, ids: Sequence[str], unpulled: Unpulled, layout: Layout) -> list[str]:
    """Ids of the samples that hold no decision of people that was not pulled yet."""
    found = []
    for start in range(0, len(ids), _BATCH):
        some = documents.stored(dataset, ids[start : start + _BATCH], layout.label_fields)
        found += [str(sample["_id"]) for sample in some if not unpulled.in_sample(sample)]
    return found


def forget_evaluation(dataset: Any) -> None:
    """Say that the evaluation is no more of these samples, before the first of them is written."""
    if dataset.info.pop(EVALUATED, None) is not None:
        dataset.save()


def sample_ids(dataset: Any) -> dict[str, str]:
    """Id of each sample by image_id."""
    return {key: sample for key, (sample, _) in _known(dataset).items()}


def _known(dataset: Any) -> dict[str, tuple[str, str]]:
    """Id and digest of each sample by image_id, from an index that holds all three.

    The samples themselves are not read: with their masks they are gigabytes.
    """
    fields = ("_id", "image_id", DIGEST)
    found = dataset._sample_collection.find({"image_id": {"$gt": ""}}, dict.fromkeys(fields, 1)).hint(_INDEX)
    return {one["image_id"]: (str(one["_id"]), (one.get(DIGEST) or "").partition(" ")[0]) for one in found}


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
    dataset._sample_collection.create_index(_INDEX)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes and changes samples, a batch in one write."""

    fo: Any
    dataset: Any
    content: Content
    unpulled: Unpulled

    def insert(self, drafts: Sequence[SampleDraft]) -> None:
        """Make samples."""
        mongo = require("pymongo", extra="fiftyone")
        made = [
            mongo.InsertOne(documents.new(self._shown(draft, {}, draft.tags), self.dataset._doc.id))
            for draft in drafts
        ]
        forget_evaluation(self.dataset)
        self.dataset._bulk_write(made, ids=[])

    def update(self, ids: Sequence[str], drafts: Sequence[SampleDraft]) -> int:
        """Change samples in place; how many had to be left alone."""
        mongo = require("pymongo", extra="fiftyone")
        by_image = {draft.image.image_id: draft for draft in drafts}
        waiting, made, written = 0, [], []
        for sample in documents.stored(self.dataset, ids, self.content.layout.label_fields):
            draft = by_image[sample["image_id"]]
            if self.unpulled.in_labels(sample, draft):
                waiting += 1
                continue
            tags = dict.fromkeys((*draft.tags, *(tag for tag in sample["tags"] or () if tag not in OUR_TAGS)))
            values = self._shown(draft, self._label_tags(sample), list(tags))
            change = {"$set": {**values, "last_modified_at": datetime.now(UTC)}}
            made.append(mongo.UpdateOne({"_id": sample["_id"]}, change))
            written.append(str(sample["_id"]))
        if made:
            forget_evaluation(self.dataset)
            self.dataset._bulk_write(made, ids=written)
        return waiting

    def _shown(self, draft: SampleDraft, label_tags: Mapping[str, list[str]], tags: Sequence[str]) -> Any:
        digest = self.content.digests[draft.image.image_id]
        return documents.shown(draft, self.content.layout, digest, label_tags, tags)

    def _label_tags(self, sample: StoredSample) -> dict[str, list[str]]:
        """Tags of labels by annotation_id."""
        return {
            one["annotation_id"]: list(one["tags"])
            for name in self.content.layout.label_fields
            if sample[name] is not None
            for one in sample[name].detections
            if one["tags"] and one["annotation_id"] is not None
        }
