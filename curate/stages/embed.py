"""Stage embed: a vector for each image, and for crops of objects; what images are among each other."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import embeddings, tables
from curate.embeddings import EMBEDDING_FIGURES, EMBEDDINGS, OBJECT_EMBEDDINGS, load_embeddings
from curate.errors import InputError
from curate.labeling.run import external_sort
from curate.labeling.run.embedding_worker import WHOLE, Embedded, Encoder
from curate.labeling.run.failures import Failures
from curate.labeling.run.shard_dispatch import Dispatch
from curate.params import EmbeddingsParams
from curate.ports import Engine
from curate.records import StageReport
from curate.stages import embed_objects, vector_store
from curate.stages.embed_objects import Objects
from curate.stages.vector_store import Vectors, VectorStore
from curate.vectors.nearest import nearest
from curate.vectors.neighborhood_scores import NEIGHBORS, figures
from curate.vectors.projection import project

_STAGE: Final = "embed"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads.

    Attributes:
        images: The table of dedupe, with the files it names.
        suggestions: The table of autolabel; read for `objects: suggestions` only.
        consensus: The consensus of the last run of agreement; read for `objects: consensus` only, and need
            not be there.
    """

    images: Path
    suggestions: Path
    consensus: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: Vectors of images; no row for an image that has none.
        objects: Vectors of crops of objects.
        figures: Uniqueness, representativeness, outlier factor and place on the map of each image.
        look_alikes: CSV of objects whose nearest object has another category (`embed_objects.COLUMNS`).
        failures: CSV of images and objects without a vector: image_id, annotation_id, path, reason, detail.
        vectors: Folder of finished vectors, which dedupe uses too (`vector_store`); it outlives a kill.
    """

    table: Path
    objects: Path
    figures: Path
    look_alikes: Path
    failures: Path
    vectors: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        encoder: Loads the model; called once in each worker of the engine, so it must be picklable.
        engine: Where it runs.
    """

    encoder: Callable[[], Encoder]
    engine: Engine


def run(params: EmbeddingsParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Make the vectors that are missing, and write all that are wanted.

    Vectors are kept by the image and its upright file (`ImageFile.content_id`), the box, and the encoder's
    version.
    A run that was killed repeats at most a shard per worker and ends in the same tables. Without
    `params.model` the tables are empty, and the stage says that nothing was asked for.

    Raises:
        InputError: No image is kept, or more than `params.max_failures` fail.
        ModelError: The model cannot do it here.
        TableError: A table is missing, damaged or of another version.
        StorageError: Another process uses the vectors, or the disk is full or refuses.
    """
    images = vector_store.with_files(inputs.images)
    wanted = _wanted(images, params, inputs.images)
    if params.model is None:
        vector_store.forget(outputs.vectors, _STAGE)
        return _off(len(wanted), outputs)
    early = params.objects == "consensus" and not inputs.consensus.exists()
    source = {"suggestions": inputs.suggestions, "consensus": inputs.consensus}.get(params.objects)
    objects = embed_objects.read(
        None if early else source, set(wanted.to_pylist()), earlier=params.objects == "consensus"
    )
    dispatch = Dispatch(
        Failures(params.max_failures, section="embeddings"),
        max_pixels=params.max_pixels,
        section="embeddings",
    )
    store = VectorStore(outputs.vectors, ports.encoder, ports.engine, params.shard_size)
    with store.make(_STAGE, images, wanted, dispatch, boxes=objects.boxes) as made:
        external_sort.gather(_image_rows(made), len(made), outputs.table, kind=EMBEDDINGS)
        external_sort.gather(
            _object_rows(made, objects), objects.n_of(made.by_image), outputs.objects, kind=OBJECT_EMBEDDINGS
        )
    n_lost = _write_failures(dispatch.failures, objects, made.by_image, outputs.failures)
    look_alikes, alone = embed_objects.write_look_alikes(
        outputs.objects, outputs.look_alikes, neighbors=params.neighbors
    )
    method = _write_figures(outputs)
    failed = len(dispatch.failures)
    counts = [("images", len(wanted)), ("vectors", len(made)), ("failed", failed)]
    if params.objects != "none":
        counts += [("objects", len(objects) - n_lost), ("objects without a vector", n_lost)]
        counts += [("look-alikes labelled differently", look_alikes)]
        counts += [("objects compared with none of another image", alone)] * bool(alone)
        counts += [("rounds of agreement, which objects need", 0)] * early
    metrics = {
        "model_version": made.version,
        "map": method,
        **({"failed_by_reason": dispatch.failures.by_reason()} if failed else {}),
    }
    return StageReport("embed", tuple(counts), metrics)


def _image_rows(made: Vectors) -> Iterator[pa.Table]:
    """Rows of `EMBEDDINGS`, a shard at a time."""
    for ids, found in made.by_shard(whole_only=True):
        vectors = np.stack([found[one, WHOLE] for one in ids])
        versions = [made.by_image[one].version for one in ids]
        yield pa.table([ids, versions, embeddings.column(vectors)], schema=EMBEDDINGS.arrow)


def _object_rows(made: Vectors, objects: Objects) -> Iterator[pa.Table]:
    """Rows of `OBJECT_EMBEDDINGS`, a shard at a time."""
    for ids, found in made.by_shard():
        rows = [row for one in ids for row in objects.with_vectors(one, made.by_image[one])]
        if rows:
            vectors = np.stack([found[row.image_id, row.box_key] for row in rows])
            columns = [
                [row.annotation_id for row in rows],
                [row.image_id for row in rows],
                [row.category for row in rows],
                [made.by_image[row.image_id].version for row in rows],
                embeddings.column(vectors),
            ]
            yield pa.table(columns, schema=OBJECT_EMBEDDINGS.arrow)


def _wanted(images: pa.Table, params: EmbeddingsParams, path: Path) -> pa.Array:
    """image_ids of those that shall have a vector."""
    found = images if params.images == "all" else images.filter(pc.is_null(images["drop_reason"]))
    if not found.num_rows:
        raise InputError(
            f"{path} keeps no image: look at its drop_reason column, then run ingest and dedupe again"
        )
    return found["image_id"].combine_chunks()


def _off(images: int, outputs: Outputs) -> StageReport:
    """Empty tables: every later stage finds a file."""
    written = (
        (outputs.table, EMBEDDINGS),
        (outputs.objects, OBJECT_EMBEDDINGS),
        (outputs.figures, EMBEDDING_FIGURES),
    )
    for path, kind in written:
        tables.write_rows([], path, kind)
    embed_objects.write_look_alikes(outputs.objects, outputs.look_alikes, neighbors=1)
    _write_failures(Failures(0), Objects({}), {}, outputs.failures)
    return StageReport("embed", (("vectors", 0), ("images not asked for", images)))


def _write_figures(outputs: Outputs) -> str:
    """The figures of each image among the others; how the map was made."""
    found = load_embeddings(outputs.table)
    points, method = project(found.vectors)
    values = figures(nearest(found.vectors, NEIGHBORS))
    columns = [
        pa.array(found.image_ids, pa.string()),
        pa.array(points[:, 0]),
        pa.array(points[:, 1]),
        *(
            pa.array(np.asarray(column), from_pandas=True)  # NaN = null
            for column in (values.uniqueness, values.representativeness, values.outlier)
        ),
    ]
    tables.write(pa.table(columns, schema=EMBEDDING_FIGURES.arrow), outputs.figures, EMBEDDING_FIGURES)
    return method


def _write_failures(failures: Failures, objects: Objects, made: Mapping[str, Embedded], path: Path) -> int:
    """What has no vector, by image; how many of them are objects."""
    rows = [(image.image_id, "", image.path, why.reason, why.detail) for image, why in failures]
    lost = [
        (row.image_id, row.annotation_id, "", "no_vector", f"object {row.category} of {why}")
        for row, why in objects.without_vectors(made)
    ]
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image_id", "annotation_id", "path", "reason", "detail"])
        writer.writerows(sorted(rows + lost))
    return len(lost)
