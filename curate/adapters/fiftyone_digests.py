"""What each table adds to the digests of the samples, kept between syncs.

A table that is the very file it was (`curate.file_identity`) is not hashed again: where nothing changed, no
table is read. Where a sample is stale, its rows are sought in all tables (`StoredTables.of`).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import fingerprint, tables
from curate.adapters import fiftyone_values
from curate.adapters.fiftyone_samples import ANNOTATOR, UNKNOWN, annotator_fields
from curate.project_tables import StoredTable, StoredTables
from curate.row_hashes import UInt64s, mixed, row_hashes

# Columns that no sample shows; all others count, so that none can be forgotten.
_UNSHOWN: Final = ("created_at", "updated_at", "task_id", "taxonomy_digest", "guideline_digest")
_ABOUT: Final = "about"  # of the kept file: JSON that says of what its sums are


@dataclass(frozen=True, slots=True)
class TableDigest:
    """Hashes of one table's rows, summed for each image.

    Attributes:
        sums: Of each image, in the order of the images table: the sum of the hashes of the rows about it.
        facts: What the fields of all samples follow from, as JSON has it (`_FACTS`).
    """

    sums: UInt64s
    facts: Any


def read(found: StoredTables, image_ids: pa.Array, kept: Path | None = None) -> dict[str, TableDigest]:
    """The digest of each table of rows.

    Args:
        found: The tables.
        image_ids: Column of the images table.
        kept: File with the digests of the last time; made, or replaced where something is new.

    Raises:
        TableError: A table is damaged, or was written since it was found.
        StorageError: The file cannot be written.
    """
    code = fingerprint.digest(__name__)
    about = {"code": code, "images": hashlib.sha256("\n".join(image_ids.to_pylist()).encode()).hexdigest()}
    before = {} if kept is None else _kept(kept, about, found)
    digests = {
        name: before[name] if name in before else _digest(found, name, image_ids) for name in found.files
    }
    found.check_unchanged()
    if kept is not None and digests.keys() - before.keys():
        _keep(kept, about, found, digests)
    return digests


def of_text(text: str) -> np.uint64:
    """A hash of a text, to be mixed with others."""
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _digest(found: StoredTables, name: str, image_ids: pa.Array) -> TableDigest:
    facts: Any = _FACTS[name](found, name) if name in _FACTS else None
    people = annotator_fields(person for person, _ in facts) if name == "human" else {}
    sums = np.zeros(len(image_ids), np.uint64)
    for piece in found.pieces(name):
        at = pc.fill_null(pc.index_in(piece["image_id"], value_set=image_ids), -1).to_numpy()
        hashes = row_hashes(piece, without=() if name == "images" else _UNSHOWN)
        if name != "images":
            hashes = mixed(hashes, of_text(name))
        if name == "human":
            hashes = mixed(hashes, _field_hashes(piece["annotator_id"], people))
        np.add.at(sums, at[at >= 0], hashes[at >= 0])
    return TableDigest(sums, facts)


def _field_hashes(annotators: pa.ChunkedArray, people: Mapping[str, str]) -> UInt64s:
    """Hash the name of the field that each row is shown in."""
    coded = annotators.combine_chunks().dictionary_encode()
    # One that the facts do not have is of a file that was written in between: `read` refuses it.
    names = [people.get(person or UNKNOWN, ANNOTATOR) for person in coded.dictionary.to_pylist()]
    hashes = np.array([of_text(name) for name in (*names, ANNOTATOR)], np.uint64)
    return np.asarray(hashes[pc.fill_null(coded.indices, len(names)).to_numpy(zero_copy_only=False)])


def _outlined_by(column: str) -> Callable[[StoredTables, str], list[tuple[Any, bool]]]:
    """Each value of a column, and whether a row of it has an outline."""

    def facts(found: StoredTables, name: str) -> list[tuple[Any, bool]]:
        seen: dict[Any, bool] = {}
        for piece in found.pieces(name, [column, "polygon"]):
            both = pa.table({"value": piece[column], "outlined": pc.is_valid(piece["polygon"])})
            once = both.group_by(["value", "outlined"]).aggregate([])
            for value, outlined in zip(*once.to_pydict().values(), strict=True):
                seen[value] = seen.get(value, False) or outlined
        return sorted(seen.items(), key=lambda one: one[0] or "")

    return facts


def _attributes(found: StoredTables, name: str) -> dict[str, str]:
    """The kind of each field that an attribute of images has."""
    values: dict[str, set[str]] = {}
    for piece in found.pieces(name, ["attributes"]):
        for key, value in _pairs(piece["attributes"]):
            values.setdefault(key, set()).add(value)
    return dict(fiftyone_values.attribute_kinds(values))


def _pairs(attributes: pa.ChunkedArray) -> Iterator[tuple[str, str]]:
    """Each name with each of its values, once a chunk."""
    for chunk in attributes.chunks:
        once = pa.table({"name": chunk.keys, "value": chunk.items}).group_by(["name", "value"]).aggregate([])
        yield from zip(once["name"].to_pylist(), once["value"].to_pylist(), strict=True)


def _questions(found: StoredTables, name: str) -> list[str]:
    """Names of image-level questions."""
    pieces = found.pieces(name, ["answers"])
    return sorted(
        {
            key
            for piece in pieces
            for chunk in piece["answers"].chunks
            for key in chunk.keys.unique().to_pylist()
        }
    )


_FACTS: Final[Mapping[str, Callable[[StoredTables, str], Any]]] = {
    "images": _attributes,
    "model": _outlined_by("outcome"),
    "human": _outlined_by("annotator_id"),
    "consensus": _outlined_by("outcome"),
    "settled": _questions,
}


def _kept(path: Path, about: Mapping[str, str], found: StoredTables) -> dict[str, TableDigest]:
    """What is known of tables that are the files they were; nothing of a file that cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            content = json.loads(str(file[_ABOUT]))
            if {name: content[name] for name in about} != about:
                return {}
            return {
                name: TableDigest(file[name], facts)
                for name, (identity, facts) in content["tables"].items()
                if name in found.files and identity == _identity(found.files[name])
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return {}  # none yet, or damaged: made again


def _keep(
    path: Path, about: Mapping[str, str], found: StoredTables, digests: Mapping[str, TableDigest]
) -> None:
    """Write what is known of tables that cannot change any more without having another identity."""
    content = {
        name: (_identity(found.files[name]), one.facts)
        for name, one in digests.items()
        if found.files[name].settled
    }
    text = json.dumps({**about, "tables": content})
    path.parent.mkdir(parents=True, exist_ok=True)
    with tables.replacing(path) as partial, partial.open("wb") as file:
        arrays: dict[str, Any] = {_ABOUT: np.array(text), **{name: digests[name].sums for name in content}}
        np.savez(file, **arrays)


def _identity(stored: StoredTable) -> list[str | int]:
    return [str(stored.path), *stored.identity]
