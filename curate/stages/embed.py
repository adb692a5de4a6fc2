"""Stage embed: a vector for each image, and for crops of objects; what images are among each other."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import embeddings, schema, tables
from curate.embeddings import EMBEDDING_FIGURES, EMBEDDINGS, OBJECT_EMBEDDINGS, load_embeddings
from curate.errors import InputError
from curate.labeling.run import embedding_worker, external_sort, shard_assignment, shard_files, vector_files
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.embedding_worker import WHOLE, Embedded, Encoder, ToEmbed
from curate.labeling.run.failures import Failures
from curate.labeling.run.shard_dispatch import Dispatch
from curate.params import EmbeddingsParams
from curate.ports import Engine
from curate.records import FloatArray, StageReport
from curate.stages import embed_objects
from curate.stages.embed_objects import Objects
from curate.vectors.nearest import nearest
from curate.vectors.neighborhood_scores import NEIGHBORS, figures
from curate.vectors.projection import project


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
        shards: Folder of finished vectors; it outlives a kill, and what is in it is not computed again.
    """

    table: Path
    objects: Path
    figures: Path
    look_alikes: Path
    failures: Path
    shards: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside.

    Attributes:
        encoder: Loads the model; called once in each worker of the engine, so it must be picklable.
        engine: Where it runs.
    """

    encoder: Callable[[], Encoder]
    engine: Engine


def run(params: EmbeddingsParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Make the vectors that are missing, and write all that are wanted.

    Vectors are kept by the content of the image (image_id is its digest), the box, and the encoder's version.
    A run that was killed repeats at most a shard a worker and ends in the same tables. Without
    `params.model` the tables are empty, and the stage says that nothing was asked for.

    Raises:
        InputError: No image is kept, or more than `params.max_failures` fail.
        ModelError: The model cannot do it here.
        TableError: A table is missing, damaged or of another version.
        StorageError: The disk is full or refuses.
    """
    images = _wanted(inputs.images, params)
    if params.model is None:
        return _off(images.num_rows, outputs)
    kept = shard_assignment.assign(images, outputs.shards / "shard_assignment.parquet", params.shard_size)
    source = {"suggestions": inputs.suggestions, "consensus": inputs.consensus}.get(params.objects)
    objects = embed_objects.read(source, set(kept["image_id"].to_pylist()))
    made = _Made(outputs.shards / "shards")
    dispatch = Dispatch(
        Failures(params.max_failures, section="embeddings"),
        max_pixels=params.max_pixels,
        section="embeddings",
    )
    offers = (
        [ToEmbed(image, objects.boxes(image.image_id)) for image in shard] for shard in dispatch.offer(kept)
    )
    results = ports.engine.map_batches(
        functools.partial(embedding_worker.making, ports.encoder, made.shards),
        offers,
        label="embed, images",
        total=kept.num_rows,
    )
    for batch in results:
        made.take(dispatch.good(batch))
    external_sort.gather(made.images(), len(made), outputs.table, kind=EMBEDDINGS)
    external_sort.gather(
        made.objects(objects), objects.n_of(made.by_image), outputs.objects, kind=OBJECT_EMBEDDINGS
    )
    n_lost = _write_failures(dispatch.failures, objects, made.by_image, outputs.failures)
    shard_files.remove_stale(
        made.shards, live=set(pc.unique(kept["shard"]).to_pylist()), keys=made.keys, labels=set()
    )
    look_alikes = embed_objects.write_look_alikes(
        outputs.objects, outputs.look_alikes, neighbors=params.neighbors
    )
    method = _write_figures(outputs)
    failed = len(dispatch.failures)
    counts = [("images", kept.num_rows), ("vectors", len(made)), ("failed", failed)]
    if params.objects != "none":
        counts += [("objects", len(objects) - n_lost), ("objects without a vector", n_lost)]
        counts += [("look-alikes labelled differently", look_alikes)]
    metrics = {
        "model_version": made.version,
        "map": method,
        **({"failed_by_reason": dispatch.failures.by_reason()} if failed else {}),
    }
    return StageReport("embed", tuple(counts), metrics)


@dataclass(slots=True)
class _Made:
    """What workers have left in their shards.

    Attributes:
        shards: Folder of the folders of shards.
        by_image: What became of each image that has a vector.
        shard_of: Images of each shard, in order.
        keys: Of the files of vectors that hold.
        version: Of the encoder; None where no image came to it.
    """

    shards: Path
    by_image: dict[str, Embedded] = field(default_factory=dict)
    shard_of: dict[str, list[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    version: str | None = None

    def __len__(self) -> int:
        return len(self.by_image)

    def take(self, results: Iterator[tuple[ImageFile, Embedded]]) -> None:
        """Remember where the vectors of a shard are."""
        for image, result in results:
            self.by_image[image.image_id] = result
            self.shard_of.setdefault(image.shard, []).append(image.image_id)
            self.keys.add(result.key)
            self.version = result.version

    def images(self) -> Iterator[pa.Table]:
        """Rows of `EMBEDDINGS`, a shard at a time."""
        for ids, found in self._shards():
            vectors = np.stack([found[one, WHOLE] for one in ids])
            versions = [self.by_image[one].version for one in ids]
            yield pa.table([ids, versions, embeddings.column(vectors)], schema=EMBEDDINGS.arrow)

    def objects(self, wanted: Objects) -> Iterator[pa.Table]:
        """Rows of `OBJECT_EMBEDDINGS`, a shard at a time."""
        for ids, found in self._shards():
            rows = [row for one in ids for row in wanted.with_vectors(one, self.by_image[one])]
            if rows:
                vectors = np.stack([found[row.image_id, row.box_key] for row in rows])
                columns = [
                    [row.annotation_id for row in rows],
                    [row.image_id for row in rows],
                    [row.category for row in rows],
                    [self.by_image[row.image_id].version for row in rows],
                    embeddings.column(vectors),
                ]
                yield pa.table(columns, schema=OBJECT_EMBEDDINGS.arrow)

    def _shards(self) -> Iterator[tuple[list[str], Mapping[vector_files.VectorKey, FloatArray]]]:
        for shard, ids in self.shard_of.items():
            keys = {self.by_image[one].key for one in ids}
            files = shard_files.ShardFiles(self.shards / shard)
            yield ids, {key: row for one in keys for key, row in vector_files.read(files, one).items()}


def _wanted(path: Path, params: EmbeddingsParams) -> pa.Table:
    """image_id, path, width and height of the images that shall have a vector."""
    names = ["image_id", "path", "width", "height", "drop_reason"]
    rows = tables.read(path, schema.IMAGES, columns=names)
    kept = pc.is_null(rows["drop_reason"])
    if params.images == "all":  # of what ingest dropped there is no file
        there = pc.and_(pc.is_valid(rows["path"]), pc.not_equal(rows["drop_reason"], "removed"))
        kept = pc.or_(kept, pc.fill_null(there, False))
    found = rows.filter(kept).drop_columns("drop_reason")
    if not found.num_rows:
        raise InputError(
            f"{path} keeps no image: look at its drop_reason column, then run ingest and dedupe again"
        )
    return found


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
