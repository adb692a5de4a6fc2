"""Vectors of images and of crops of them, made once for whichever stage asks first, dedupe or embed.

    <folder>/shard_assignment.parquet    which images make one shard
    <folder>/shards/<shard>/             vectors by content, box, and key of what made them
    <folder>/<stage>.keys                keys that a stage uses; what no stage uses is removed

It is a cache and no output: both stages write it, and neither depends on the other's run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.labeling.run import embedding_worker, shard_assignment, shard_files, vector_files
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.embedding_worker import WHOLE, Embedded, Encoder, ToEmbed
from curate.labeling.run.shard_dispatch import Dispatch
from curate.ports import Engine
from curate.records import FloatArray

_COLUMNS: Final = ("image_id", "path", "width", "height", "drop_reason")
_NO_BOXES: Final = np.zeros((0, 4), dtype=np.float32)


@dataclass(slots=True)
class Vectors:
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

    def by_shard(self) -> Iterator[tuple[list[str], Mapping[vector_files.VectorKey, FloatArray]]]:
        """Images of a shard, in order, and its vectors; `WHOLE` is the box of a whole image."""
        for shard, ids in self.shard_of.items():
            keys = {self.by_image[one].key for one in ids}
            files = shard_files.ShardFiles(self.shards / shard)
            yield ids, {key: row for one in keys for key, row in vector_files.read(files, one).items()}

    def of_images(self) -> tuple[list[str], FloatArray]:
        """N image_ids, and (N, D) float32 of unit length; D is 0 where there is no vector."""
        ids: list[str] = []
        rows = np.zeros((0, 0), dtype=np.float32)
        for some, found in self.by_shard():
            part = np.stack([found[one, WHOLE] for one in some])
            if not ids:
                rows = np.empty((len(self), part.shape[1]), dtype=np.float32)  # once: there may be millions
            rows[len(ids) : len(ids) + len(some)] = part
            ids += some
        return ids, rows


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Where vectors are kept, and how those that are missing are made.

    Attributes:
        folder: It outlives a kill, and what is in it is not computed again.
        encoder: Loads the model; called once in each worker of the engine, so it must be picklable.
        engine: Where it runs.
        shard_size: Images of a new shard.
    """

    folder: Path
    encoder: Callable[[], Encoder]
    engine: Engine
    shard_size: int = 64

    def make(
        self,
        stage: str,
        images: pa.Table,
        wanted: pa.Array,
        dispatch: Dispatch,
        *,
        boxes: Callable[[str], FloatArray] = lambda _: _NO_BOXES,
    ) -> Vectors:
        """Make the vectors that are missing.

        Args:
            stage: That asks: its vectors, of this encoder, are kept until it asks for others.
            images: `with_files`: those that are not wanted today keep their shard too.
            wanted: image_ids of those that shall have a vector.
            dispatch: Takes the images that fail.
            boxes: (n, 4) xyxy pixels of an image, by image_id, whose crops shall have a vector too.

        Raises:
            InputError: Too many images fail.
            ModelError: The model cannot do it here.
            StorageError: The disk is full or refuses.
        """
        rows = shard_assignment.assign(
            images.drop_columns("drop_reason"), self.folder / "shard_assignment.parquet", self.shard_size
        )
        kept = rows.filter(pc.is_in(rows["image_id"], value_set=wanted))
        made = Vectors(self.folder / "shards")
        offers = (
            [ToEmbed(image, boxes(image.image_id)) for image in shard] for shard in dispatch.offer(kept)
        )
        results = self.engine.map_batches(
            functools.partial(embedding_worker.making, self.encoder, made.shards),
            offers,
            label=f"{stage}, vectors",
            total=kept.num_rows,
        )
        for batch in results:
            made.take(dispatch.good(batch))
        if made.keys:  # else all failed, which says nothing of what was made before
            live = set(pc.unique(rows["shard"]).to_pylist())
            in_use = _use(self.folder, stage, made.keys)
            shard_files.remove_stale(made.shards, live=live, keys=in_use, labels=set())
        return made


def with_files(path: Path) -> pa.Table:
    """image_id, path, width, height and drop_reason of the images of a table that have a file.

    Raises:
        TableError: The table is missing, damaged or of another version.
    """
    rows = tables.read(path, schema.IMAGES, columns=list(_COLUMNS))
    removed = pc.fill_null(pc.equal(rows["drop_reason"], "removed"), False)  # of these the row is left
    return rows.filter(pc.and_(pc.is_valid(rows["path"]), pc.invert(removed)))


def forget(folder: Path, stage: str) -> None:
    """A stage uses no vectors any more: the next stage that makes some removes them."""
    (folder / f"{stage}.keys").unlink(missing_ok=True)


def _use(folder: Path, stage: str, keys: set[str]) -> set[str]:
    """Write down what a stage uses; what all of them do."""
    with tables.replacing(folder / f"{stage}.keys") as partial:
        partial.write_text("".join(f"{key}\n" for key in sorted(keys)), encoding="utf-8")
    return {key for path in folder.glob("*.keys") for key in path.read_text(encoding="utf-8").split()}
