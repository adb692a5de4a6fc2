"""Leaks: images of a project that another data set holds too, found in an index of that data set."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate import tables
from curate.dedupe import candidates as search
from curate.dedupe import duplicate_pairs, feature_index, id_rows, image_columns
from curate.dedupe.feature_index import Index
from curate.dedupe.features import Recipe
from curate.dedupe.groups import RELATIONS, Matches
from curate.dedupe.image_columns import ListedFiles
from curate.errors import TableError
from curate.params import DedupeParams
from curate.ports import Engine
from curate.records import StageReport
from curate.stages import update_index

COLUMNS: Final = ("image_id", "place", "other_id", "other_place", "relation", "hamming", "correlation")
IDENTICAL: Final = "identical"  # the same bytes


@dataclass(frozen=True, slots=True)
class Inputs:
    """Table and index that are compared.

    Attributes:
        images: The project's images table.
        base: Index of the other data set; it is only read.
        base_images: Images table of the other data set, as an index keeps what was in it earlier; None = all
            of the index counts.
    """

    images: Path
    base: Path
    base_images: Path | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that are written.

    Attributes:
        leaks: CSV of `COLUMNS`: every pair that is the same picture, by image_id.
        index: The project's own index, brought up to date.
    """

    leaks: Path
    index: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the comparison needs."""

    engine: Engine
    batch_size: int = 64


def run(params: DedupeParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Compare all usable images of the table with all of the index that counts.

    Raises:
        TableError: The table or the index is missing, damaged, or the index was made with other settings.
        InputError: An image of the table has disappeared or is damaged.
        StorageError: The disk is full or refuses.
    """
    recipe = Recipe.of(params)
    base = feature_index.reading(inputs.base)
    _refuse_another_recipe(base, recipe, inputs.base)
    listed = image_columns.read(inputs.images)
    usable = listed.usable.copy()
    filling = update_index.hashing(recipe, ports.engine, ports.batch_size)
    with feature_index.writing(outputs.index, update_index.contents(recipe)) as (features, _):
        lost = filling.update(features, inputs.images, usable, listed.content_ids)
        usable[list(lost)] = False
        rows = np.flatnonzero(usable)
        mine = duplicate_pairs.Side(update_index.features(features), features.find(listed.content_ids[rows]))
    theirs = duplicate_pairs.Side(update_index.features(base), _counting(base, inputs.base_images))
    bits = params.max_hamming
    if bits is None:
        bits = search.radius(len(rows) + len(theirs), recipe)
    found = duplicate_pairs.compare(
        mine, recipe, max_hamming=bits, min_correlation=params.min_correlation, base=theirs
    )
    same_bytes = id_rows.places_of(listed.ids[rows], base.ids[theirs.rows])
    leaks = _with_identical(found.matches, same_bytes, len(theirs))
    hit = np.zeros(len(usable), np.bool_)
    hit[rows[leaks.first]] = True
    # Rows of the index instead of places in the side, for the file.
    leaks = replace(leaks, second=theirs.rows[leaks.second])
    _write(leaks, base, image_columns.files(inputs.images, hit), outputs.leaks)
    counts = (
        ("images", len(rows)),
        ("images in the index", len(theirs)),
        ("leaks", int(hit.sum())),
        ("pairs", len(leaks.first)),
        *([("not compared, they killed their worker", len(lost))] if lost else []),
    )
    return StageReport("against", counts)


def _refuse_another_recipe(base: Index, recipe: Recipe, folder: Path) -> None:
    if base.digest == recipe.digest():
        return
    ours: Mapping[str, Any] = asdict(recipe)
    differing = [name for name in ours if ours[name] != base.settings.get(name)]
    if not differing:
        raise TableError(f"{folder} was made by another version of curate or of a decoder: make it again")
    listed = ", ".join(f"dedupe.{name} {base.settings.get(name)} (here {ours[name]})" for name in differing)
    raise TableError(f"{folder} was made with {listed}: set params.yaml alike, or make the index again")


def _counting(base: Index, images: Path | None) -> NDArray[np.int64]:
    """Rows of the index, in order of image_id: those of usable images as they are, where there is a table."""
    if images is None:
        return id_rows.latest_rows(base.ids)
    listed = image_columns.read(images)
    rows = base.find(listed.content_ids[listed.usable])
    rows = rows[rows >= 0]
    return rows[id_rows.sorted_rows(base.ids[rows])]


def _with_identical(matches: Matches, same_bytes: NDArray[np.int64], count: int) -> Matches:
    """Matches, those of the same bytes with a relation of their own, by first, then second.

    Args:
        matches: By place.
        same_bytes: (N,) place of the image of the same bytes among `count` others; -1 = none.
        count: Of the others.
    """
    first = np.flatnonzero(same_bytes >= 0)
    second = same_bytes[first]
    known = np.isin(matches.first * count + matches.second, first * count + second)
    rest = matches.take(~known)
    ones = np.ones(len(first), np.float32)
    every = Matches(
        np.concatenate([rest.first, first]),
        np.concatenate([rest.second, second]),
        np.concatenate([rest.hamming, np.zeros(len(first), np.uint16)]),
        np.concatenate([rest.correlation, ones]),
        np.concatenate([rest.relation, np.full(len(first), -1, np.int8)]),
    )
    return every.take(np.lexsort((every.second, every.first)))


def _write(leaks: Matches, base: Index, files: Iterator[ListedFiles], path: Path) -> None:
    """The images of `files` are those with a leak, in order; `leaks` has theirs in the same order."""
    order, starts = np.unique(leaks.first, return_index=True)
    ends = [*starts[1:].tolist(), len(leaks.first)] if len(order) else []
    bounds = zip(starts.tolist(), ends, strict=True)
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in files:
            for key, place in zip(image_columns.id_texts(one.ids), one.places, strict=True):
                start, end = next(bounds)
                others = leaks.second[start:end]
                texts = zip(image_columns.id_texts(base.ids[others]), base.places(others), strict=True)
                for at, other in zip(range(start, end), texts, strict=True):
                    kind = int(leaks.relation[at])
                    relation = RELATIONS[kind] if kind >= 0 else IDENTICAL
                    figures = (relation, int(leaks.hamming[at]), f"{leaks.correlation[at]:.4f}")
                    writer.writerow((key, place, *other, *figures))
