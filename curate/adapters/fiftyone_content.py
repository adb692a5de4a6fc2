"""What the app shows of a project: which samples with which digests, and their values once they are written.

Digests come from the tables as they are stored (`fiftyone_digests`), so that a sync in which little changed
makes few Python objects: of 100,000 images with a million labels, only those of the samples that it writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from curate import project_tables, schema
from curate.adapters import fiftyone_digests, fiftyone_rules, fiftyone_samples, fiftyone_values
from curate.adapters.fiftyone_digests import TableDigest, of_text
from curate.adapters.fiftyone_rules import RuleMatches
from curate.adapters.fiftyone_samples import (
    CONSENSUS,
    DISPUTED,
    MODEL,
    REJECTED,
    UNKNOWN,
    Layout,
    SampleDraft,
    annotator_fields,
)
from curate.project_tables import StoredTables
from curate.row_hashes import UInt64s, mixed

_FORMAT: Final = "2"  # of the samples: another one, and each is written again
_CHUNK, _BATCH = 20_000, 200  # images whose rows are in memory, and of which they are Python objects


@dataclass(frozen=True, slots=True)
class Content:
    """What the app can show.

    Attributes:
        layout: Fields of all samples.
        digests: By image_id, of the images that have an upright file, in the order of the table; one changes
            with everything that its sample shows.
        unreadable: Dropped images that never got an upright file.
        removed: Images whose raw file is gone, and their upright file with it.
        missing: image_ids of the images whose upright file has vanished.
        rules: Those of rules.yaml.
    """

    layout: Layout
    digests: Mapping[str, str]
    unreadable: int
    removed: int
    missing: frozenset[str]
    rules: Sequence[RuleMatches]
    _tables: StoredTables
    _ruled: Mapping[str, list[str]]

    def batches(self, image_ids: Sequence[str]) -> Iterator[list[SampleDraft]]:
        """The samples of some images, a few hundred at a time, in the order of the table.

        Args:
            image_ids: Of `digests`, in its order.

        Raises:
            TableError: A table is damaged, or was written since the digests were made of it.
        """
        for some in _runs(image_ids, _CHUNK):
            rows = self._tables.of(some)
            for few in _runs(some, _BATCH):
                yield fiftyone_samples.drafts(rows.records(few), self.layout, self._ruled)


def read(root: Path, *, stage: str, rules: Sequence[RuleMatches] = (), kept: Path | None = None) -> Content:
    """Look at the tables of every stage up to `stage`.

    Args:
        root: The project's folder.
        stage: One of `project_tables.STAGES`.
        rules: Those of rules.yaml, with what they are about.
        kept: File with what was read of the tables before (`fiftyone_digests`); none by default.

    Raises:
        TableError: No stage has run, or a table is damaged.
        StorageError: `kept` cannot be written.
    """
    return of_tables(project_tables.find(root.resolve(), stage=stage), rules=rules, kept=kept)


def of_tables(found: StoredTables, *, rules: Sequence[RuleMatches] = (), kept: Path | None = None) -> Content:
    """Read what the dataset shows from tables that were found.

    Raises:
        TableError: A table is damaged.
        StorageError: `kept` cannot be written.
    """
    columns = ("image_id", "path", "drop_reason")
    images = pa.concat_tables(
        [pa.schema([schema.IMAGES.arrow.field(name) for name in columns]).empty_table()]
        + [piece.replace_schema_metadata(None) for piece in found.pieces("images", columns)]
    )
    image_ids = images["image_id"].combine_chunks()
    tables = fiftyone_digests.read(found, image_ids, kept)
    layout, ruled = _layout(tables), fiftyone_rules.by_image(rules)
    hashes = _digests(found, tables, image_ids.to_pylist(), ruled)
    digests: dict[str, str] = {}
    unreadable, removed, missing = 0, 0, set()
    rows = (images[name].to_pylist() for name in columns)
    for key, path, reason, digest in zip(*rows, hashes.tolist(), strict=True):
        if reason == "removed":
            removed += 1
        elif path is None:
            unreadable += 1
        elif not os.path.exists(f"{found.root}/{path}"):  # noqa: PTH110 - of a hundred thousand
            missing.add(key)
        else:
            digests[key] = f"{digest:016x}"
    return Content(
        layout, digests, unreadable, removed, frozenset(missing), rules, _tables=found, _ruled=ruled
    )


def _layout(tables: Mapping[str, TableDigest]) -> Layout:
    """Fields that the tables need."""
    model, human, consensus = (
        dict(tables[name].facts) if name in tables else {} for name in ("model", "human", "consensus")
    )
    names = annotator_fields(human)
    fields = [MODEL] * ("model" in tables) + sorted(set(names.values()))
    fields += [CONSENSUS, DISPUTED] if "consensus" in tables else []
    fields += [REJECTED] if "rejected" in model else []
    outlined = {names[person or UNKNOWN] for person, drawn in human.items() if drawn}
    outlined |= {MODEL} if model.get("object") else set()
    outlined |= {REJECTED} if model.get("rejected") else set()
    outlined |= {CONSENSUS} if consensus.get("object") else set()
    questions = tables["settled"].facts if "settled" in tables else ()
    kinds = fiftyone_values.fields(tables["images"].facts, questions)
    return Layout(tuple(fields), tuple(name for name in fields if name in outlined), kinds, names)


def _digests(
    found: StoredTables,
    tables: Mapping[str, TableDigest],
    image_ids: Sequence[str],
    ruled: Mapping[str, Sequence[str]],
) -> UInt64s:
    """One of each image: its row, and the sum of what stands everywhere else about it."""
    place = {key: number for number, key in enumerate(image_ids)}
    sums = np.zeros(len(image_ids), np.uint64)
    for name, table in tables.items():
        if name != "images":
            sums += table.sums

    def say(about: Iterable[tuple[str, object]], name: str) -> None:
        for key, value in about:
            if key in place:
                with np.errstate(over="ignore"):
                    sums[place[key]] += of_text(f"{name} {value}")

    say(((one.image_id, one) for one in found.queue or ()), "queue")
    say(found.splits.items(), "split")
    say(found.label_errors.items(), "label error")
    say(ruled.items(), "rules")
    return mixed(
        mixed(tables["images"].sums, sums), of_text(f"{_FORMAT} {schema.SCHEMA_VERSION} {found.root}")
    )


def _runs(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
