"""What the app shows of a project: which samples with which digests, and their values once they are written.

Digests come from the tables as they are stored (`curate.row_hashes`), so that a sync in which little changed
makes few Python objects: of 100,000 images with a million labels, only those of the samples that it writes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import project_tables, schema
from curate.adapters import fiftyone_rules, fiftyone_samples, fiftyone_values
from curate.adapters.fiftyone_rules import RuleMatches
from curate.adapters.fiftyone_samples import (
    ANNOTATOR,
    CONSENSUS,
    DISPUTED,
    MODEL,
    REJECTED,
    Layout,
    SampleDraft,
    annotator_fields,
)
from curate.project_tables import ArrowTables
from curate.row_hashes import UInt64s, mixed, row_hashes

_FORMAT: Final = "2"  # of the samples: another one, and each is written again
# Columns that no sample shows; all others count, so that none can be forgotten.
_UNSHOWN: Final = ("created_at", "updated_at", "task_id", "taxonomy_digest", "guideline_digest")


@dataclass(frozen=True, slots=True)
class Content:
    """What the app can show.

    Attributes:
        layout: Fields of all samples.
        digests: By image_id, of the images that have an upright file, in the order of the table; one changes
            with everything that its sample shows.
        unreadable: Dropped images that never got an upright file.
        removed: Images whose raw file is gone, and their upright file with it.
        missing: Images whose upright file has vanished.
        rules: Those of rules.yaml.
    """

    layout: Layout
    digests: Mapping[str, str]
    unreadable: int
    removed: int
    missing: int
    rules: Sequence[RuleMatches]
    _tables: ArrowTables
    _ruled: Mapping[str, list[str]]

    def drafts(self, image_ids: Collection[str]) -> list[SampleDraft]:
        """The samples of some images, in the order of the table."""
        return fiftyone_samples.drafts(self._tables.records(image_ids), self.layout, self._ruled)


def read(root: Path, *, stage: str, rules: Sequence[RuleMatches] = ()) -> Content:
    """Look at the tables of every stage up to `stage`.

    Args:
        root: The project's folder.
        stage: One of `project_tables.STAGES`.
        rules: Those of rules.yaml, with what they are about.

    Raises:
        TableError: No stage has run, or a table is damaged.
    """
    found = project_tables.read(root.resolve(), stage=stage)
    layout, ruled = _layout(found), fiftyone_rules.by_image(rules)
    hashes = _digests(found, layout, ruled)
    images = found.images
    digests: dict[str, str] = {}
    counts = dict.fromkeys(("unreadable", "removed", "missing"), 0)
    columns = (images[name].to_pylist() for name in ("image_id", "path", "drop_reason"))
    for key, path, reason, digest in zip(*columns, hashes.tolist(), strict=True):
        if reason == "removed":
            counts["removed"] += 1
        elif path is None:
            counts["unreadable"] += 1
        elif not os.path.exists(f"{found.root}/{path}"):  # noqa: PTH110 - of a hundred thousand
            counts["missing"] += 1
        else:
            digests[key] = f"{digest:016x}"
    return Content(layout, digests, **counts, rules=rules, _tables=found, _ruled=ruled)


def _layout(found: ArrowTables) -> Layout:
    """Fields that the tables need, found without reading rows."""
    annotators = [] if found.human is None else pc.unique(found.human["annotator_id"]).to_pylist()
    names = annotator_fields(name or fiftyone_samples.UNKNOWN for name in annotators)
    rejected = _with(found.model, "outcome", "rejected")
    fields = [MODEL] * (found.model is not None) + sorted(set(names.values()))
    fields += [CONSENSUS, DISPUTED] if found.consensus is not None else []
    fields += [REJECTED] if rejected is not None and rejected.num_rows else []
    lines = [
        *((name, _with(found.human, "annotator_id", person)) for person, name in names.items()),
        (MODEL, _with(found.model, "outcome", "object")),
        (REJECTED, rejected),
        (CONSENSUS, _with(found.consensus, "outcome", "object")),
    ]
    outlined = {
        name for name, rows in lines if rows is not None and rows["polygon"].null_count < rows.num_rows
    }
    values: dict[str, set[str]] = {}
    for attributes in found.images["attributes"].chunks:
        for name, value in _pairs(attributes):
            values.setdefault(name, set()).add(value)
    controls = {
        name
        for answers in (() if found.settled is None else found.settled["answers"].chunks)
        for name in answers.keys.unique().to_pylist()
    }
    kinds = fiftyone_values.fields(values, controls)
    return Layout(tuple(fields), tuple(name for name in fields if name in outlined), kinds, names)


def _with(table: pa.Table | None, column: str, value: str) -> pa.Table | None:
    if table is None:
        return None
    if column == "annotator_id" and value == fiftyone_samples.UNKNOWN:
        return table.filter(pc.is_null(table[column]))
    return table.filter(pc.equal(table[column], value))


def _pairs(attributes: pa.MapArray) -> Iterator[tuple[str, str]]:
    """Each name with each of its values, once."""
    both = pa.table({"name": attributes.keys, "value": attributes.items})
    once = both.group_by(["name", "value"]).aggregate([])
    yield from zip(once["name"].to_pylist(), once["value"].to_pylist(), strict=True)


def _digests(found: ArrowTables, layout: Layout, ruled: Mapping[str, Sequence[str]]) -> UInt64s:
    """One of each image: its row, and the sum of what stands in all other tables about it."""
    keys = found.images["image_id"]
    place = {key: number for number, key in enumerate(keys.to_pylist())}
    sums = np.zeros(len(keys), np.uint64)

    def add(table: pa.Table | None, name: str, field: UInt64s | None = None) -> None:
        if table is None or not table.num_rows:
            return
        hashes = mixed(row_hashes(table, without=_UNSHOWN), _of(name))
        hashes = hashes if field is None else mixed(hashes, field)
        at = pc.fill_null(pc.index_in(table["image_id"], value_set=keys), -1).to_numpy()
        np.add.at(sums, at[at >= 0], hashes[at >= 0])

    def say(about: Iterable[tuple[str, object]], name: str) -> None:
        for key, value in about:
            if key in place:
                with np.errstate(over="ignore"):
                    sums[place[key]] += _of(f"{name} {value}")

    human = found.human
    add(found.model, "model")
    add(human, "human", None if human is None else _field_hashes(human["annotator_id"], layout.annotators))
    add(found.consensus, "consensus")
    add(found.pairs, "pairs")
    add(found.objects, "objects")
    add(found.plan, "plan")
    add(found.settled, "settled")
    say(((one.image_id, one) for one in found.queue or ()), "queue")
    say(found.splits.items(), "split")
    say(found.label_errors.items(), "label error")
    say(ruled.items(), "rules")
    return mixed(
        mixed(row_hashes(found.images), sums), _of(f"{_FORMAT} {schema.SCHEMA_VERSION} {found.root}")
    )


def _field_hashes(annotators: pa.ChunkedArray, names: Mapping[str, str]) -> UInt64s:
    """Of the name of the field that each row is shown in."""
    coded = annotators.combine_chunks().dictionary_encode()
    people = coded.dictionary.to_pylist()
    hashes = np.array([_of(names[person]) for person in people] + [_of(ANNOTATOR)], np.uint64)
    return np.asarray(hashes[pc.fill_null(coded.indices, len(people)).to_numpy(zero_copy_only=False)])


def _of(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))
