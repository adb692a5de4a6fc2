"""Vectors in the app: a map, search by similarity, figures of each image, and look-alikes.

All of it is read from the tables of the stage embed; nothing is computed here. It is written again only where
those tables, or the images of the dataset, changed.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate import embeddings, tables
from curate.adapters import fiftyone_dataset
from curate.adapters.fiftyone_samples import CONSENSUS, MODEL
from curate.embeddings import EMBEDDING_FIGURES, EMBEDDINGS, Embeddings, load_embeddings
from curate.errors import TableError
from curate.extras import require

MAP, SIMILARITY = "curate_map", "curate_similarity"  # brain keys
UNUSUAL, DIFFERENTLY = "most unusual", "look-alikes labelled differently"  # saved views
_FIGURES: Final = ("uniqueness", "representativeness", "outlier")
_LOOK_ALIKE, _LOOK_ALIKES = "look_alike", "look_alikes"  # highest share, and one text per object
_DONE: Final = "curate_vectors"  # of the dataset's info: digest of what was written


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of the vectors.

    Attributes:
        changed: Something was written.
        line: In words.
    """

    changed: bool
    line: str


def show(dataset: Any, root: Path) -> Shown:
    """Bring what the app shows of the vectors up to date.

    Args:
        dataset: Of the project, synced.
        root: The project's folder.

    Raises:
        TableError: A table of the stage embed is damaged.
        MissingExtraError: FiftyOne is not installed.
    """
    path = root / embeddings.PATH
    there = path.exists() and tables.count(path, EMBEDDINGS) > 0
    ids = fiftyone_dataset.sample_ids(dataset) if there else {}
    digest = _digest(path.parent, list(ids.values())) if there else None
    if dataset.info.get(_DONE) == digest:
        told = (
            f"map and similarity of {tables.count(path, EMBEDDINGS):,} images, as before" if there else None
        )
        return Shown(False, told or str(load_embeddings(path).absent))
    found = load_embeddings(path)
    _clear(dataset)
    if found.absent is None:
        _write(dataset, found, path.parent, ids)
    dataset.info[_DONE] = digest
    dataset.save()
    if found.absent is not None:
        return Shown(True, found.absent)
    n_without = int((found.rows(list(ids)) < 0).sum())
    return Shown(True, f"map and similarity of {len(ids) - n_without:,} images, {n_without:,} have no vector")


def save_views(dataset: Any, *, anew: bool) -> None:
    """The saved views that answer with vectors; they go where there are none.

    Args:
        dataset: Of the project, synced.
        anew: Also those that are there.
    """
    chosen: Mapping[str, Callable[[Any], Any]] = {
        UNUSUAL: lambda view: view.exists("outlier").sort_by("outlier", reverse=True),
        DIFFERENTLY: lambda view: view.exists(_LOOK_ALIKE).sort_by(_LOOK_ALIKE, reverse=True),
    }
    there = dataset.info.get(_DONE) is not None
    for name, choose in chosen.items():
        if not there:
            if dataset.has_saved_view(name):
                dataset.delete_saved_view(name)
            continue
        if dataset.has_saved_view(name) and not anew:
            continue
        hidden = [path for path in _label_fields(dataset) if path not in {CONSENSUS, MODEL}]
        view = choose(dataset.view())
        dataset.save_view(name, view.exclude_fields(hidden) if hidden else view, overwrite=True)


def _label_fields(dataset: Any) -> list[str]:
    fo = require("fiftyone", extra="fiftyone")
    return [
        path
        for kind in (fo.Detections, fo.Polylines)
        for path in dataset.get_field_schema(ftype=fo.EmbeddedDocumentField, embedded_doc_type=kind)
    ]


def _clear(dataset: Any) -> None:
    for key in (MAP, SIMILARITY):
        if key in dataset.list_brain_runs():
            dataset.delete_brain_run(key)
    schema = dataset.get_field_schema()
    old = [name for name in (*_FIGURES, _LOOK_ALIKE, _LOOK_ALIKES) if name in schema]
    if old:
        dataset.delete_sample_fields(old)


def _write(dataset: Any, found: Embeddings, folder: Path, sample_of: Mapping[str, str]) -> None:
    fo = require("fiftyone", extra="fiftyone")
    brain = require("fiftyone.brain", extra="fiftyone")
    figures = tables.read(folder / "figures.parquet", EMBEDDING_FIGURES).to_pydict()
    if tuple(figures["image_id"]) != found.image_ids:
        raise TableError(f"{folder / 'figures.parquet'} is of other vectors: run the stage embed again")
    shown = [row for row, key in enumerate(found.image_ids) if key in sample_of]
    ids = [sample_of[found.image_ids[row]] for row in shown]
    for name in _FIGURES:
        dataset.add_sample_field(name, fo.FloatField)
        values = {one: figures[name][row] for one, row in zip(ids, shown, strict=True)}
        dataset.set_values(name, values, key_field="id")
    worst, told = _look_alikes(folder / "look_alikes.csv")
    dataset.add_sample_field(_LOOK_ALIKE, fo.FloatField)
    dataset.add_sample_field(_LOOK_ALIKES, fo.ListField, subfield=fo.StringField)
    listed = {key: sample_of[key] for key in worst if key in sample_of}
    dataset.set_values(_LOOK_ALIKE, {one: worst[key] for key, one in listed.items()}, key_field="id")
    dataset.set_values(_LOOK_ALIKES, {one: told[key] for key, one in listed.items()}, key_field="id")
    view = dataset.select(ids, ordered=True)
    points: NDArray[np.float64] = np.array([figures["map_x"], figures["map_y"]], dtype=np.float64).T[shown]
    brain.compute_visualization(view, points=points, brain_key=MAP, progress=False)
    # Its "cosine" is that of centered vectors. Distances do not change by centering, and those of unit
    # vectors rise as their cosine falls.
    brain.compute_similarity(
        view,
        embeddings=found.vectors[shown],
        brain_key=SIMILARITY,
        backend="sklearn",
        metric="euclidean",
        progress=False,
    )


def _look_alikes(path: Path) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Read which objects look like ones of another category: highest share and texts by image_id."""
    worst: dict[str, float] = {}
    told: dict[str, list[str]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key, share = row["image_id"], float(row["other_share"])
                worst[key] = max(share, worst.get(key, 0.0))
                told[key].append(
                    f"{row['category']} looks like {row['neighbor_category']} of "
                    f"{row['neighbor_image_id'][:12]}, cosine {float(row['cosine']):.2f}"
                )
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise TableError(f"{path} is damaged ({error}): run the stage embed again") from error
    return worst, told


def _digest(folder: Path, ids: list[str]) -> str:
    total = hashlib.sha256("\n".join(sorted(ids)).encode())
    for name in ("embeddings.parquet", "figures.parquet", "look_alikes.csv"):
        if not (folder / name).exists():
            raise TableError(f"{folder / name} does not exist: run the stage embed again")
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
