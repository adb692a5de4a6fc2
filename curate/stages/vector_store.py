"""Vectors of images and of crops of them, made once for whichever stage asks first, dedupe or embed.

    <folder>/shard_assignment.parquet    which images make one shard
    <folder>/shards/<shard>/             vectors by image and file, box, and key of what made them
    <folder>/<stage>.keys                keys that a stage uses; what no stage uses is removed
    <folder>/lock                        one process at a time

It is a cache and no output: both stages write it, and neither depends on the other's run.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, system, tables
from curate.errors import StorageError
from curate.labeling.run import embedding_worker, shard_assignment, shard_files, vector_files
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.embedding_worker import WHOLE, Embedded, Encoder, ToEmbed
from curate.labeling.run.shard_dispatch import Dispatch
from curate.ports import Engine
from curate.records import FloatArray

_COLUMNS: Final = ("image_id", "path", "width", "height", "upright_sha256", "drop_reason")
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
        content_ids: Of images that have another one than their image_id.
    """

    shards: Path
    by_image: dict[str, Embedded] = field(default_factory=dict)
    shard_of: dict[str, list[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    version: str | None = None
    content_ids: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_image)

    def take(self, results: Iterator[tuple[ImageFile, Embedded]]) -> None:
        """Remember where the vectors of a shard are."""
        for image, result in results:
            self.by_image[image.image_id] = result
            if image.content_id != image.image_id:
                self.content_ids[image.image_id] = image.content_id
            self.shard_of.setdefault(image.shard, []).append(image.image_id)
            self.keys.add(result.key)
            self.version = result.version

    def by_shard(
        self, *, whole_only: bool = False
    ) -> Iterator[tuple[list[str], Mapping[vector_files.VectorKey, FloatArray]]]:
        """Images of a shard, in order, and their vectors by image_id; `WHOLE` is the box of a whole image."""
        for shard, ids in self.shard_of.items():
            keys = {self.by_image[one].key for one in ids}
            image_of = {self.content_ids.get(one, one): one for one in ids}  # of none an earlier file
            files = shard_files.ShardFiles(self.shards / shard)
            found: dict[vector_files.VectorKey, FloatArray] = {}
            for one in keys:
                kept = vector_files.read(files, one, whole_only=whole_only)
                found |= {(image_of[of], box): vector for (of, box), vector in kept.items() if of in image_of}
            yield ids, found

    def of_images(self) -> tuple[list[str], FloatArray]:
        """N image_ids, and (N, D) float32 of unit length; D is 0 where there is no vector.

        The vectors are a file that is mapped into memory, has no name, and goes with the array.

        Raises:
            StorageError: The disk is full or refuses.
        """
        ids: list[str] = []
        if not self.by_image:
            return ids, np.zeros((0, 0), dtype=np.float32)
        try:
            with tempfile.TemporaryFile(dir=self.shards) as file:
                for some, found in self.by_shard(whole_only=True):
                    # Written, not assigned to the map: there a full disk would end the process.
                    file.write(np.stack([found[one, WHOLE] for one in some]).astype(np.float32).tobytes())
                    ids += some
                file.flush()
                return ids, np.memmap(file, dtype=np.float32, mode="r").reshape(len(ids), -1)
        except OSError as error:
            raise tables.storage_error(error, self.shards) from error


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Place where vectors are kept, and how missing ones are made.

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

    @contextmanager
    def make(
        self,
        stage: str,
        images: pa.Table,
        wanted: pa.Array,
        dispatch: Dispatch,
        *,
        boxes: Callable[[str], FloatArray] = lambda _: _NO_BOXES,
    ) -> Iterator[Vectors]:
        """Make the vectors that are missing; no other process changes any until the block ends.

        Args:
            stage: That asks: its vectors, of this encoder, are kept until it asks for others.
            images: `with_files`: those that are not wanted today keep their shard too.
            wanted: image_ids of those that shall have a vector.
            dispatch: Takes the images that fail.
            boxes: (n, 4) xyxy pixels of an image, by image_id, whose crops shall have a vector too.

        Yields:
            Where they are, to be read within the block.

        Raises:
            InputError: Too many images fail.
            ModelError: The model cannot do it here.
            StorageError: Another process uses the store, or the disk is full or refuses.
        """
        with _locked(self.folder):
            yield self._make(stage, images, wanted, dispatch, boxes)

    def _make(
        self,
        stage: str,
        images: pa.Table,
        wanted: pa.Array,
        dispatch: Dispatch,
        boxes: Callable[[str], FloatArray],
    ) -> Vectors:
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
        used = _read(self.folder / f"{stage}.keys")
        for batch in results:
            made.take(dispatch.good(batch))
            if not made.keys <= used:  # at once: if this run is killed, another stage must not remove them
                used |= made.keys
                _write(used, self.folder / f"{stage}.keys")
        if made.keys:  # else all failed, which says nothing of what was made before
            live = set(pc.unique(rows["shard"]).to_pylist())
            _write(made.keys, self.folder / f"{stage}.keys")
            shard_files.remove_stale(made.shards, live=live, keys=_in_use(self.folder), labels=set())
        return made


def with_files(path: Path) -> pa.Table:
    """Columns of `ImageFile`, but for the shard, and drop_reason of the images of a table with a file.

    Raises:
        TableError: The table is missing, damaged or of another version.
    """
    rows = tables.read(path, schema.IMAGES, columns=list(_COLUMNS))
    removed = pc.fill_null(pc.equal(rows["drop_reason"], "removed"), False)  # of these the row is left
    return rows.filter(pc.and_(pc.is_valid(rows["path"]), pc.invert(removed)))


def forget(folder: Path, stage: str) -> None:
    """A stage uses no vectors any more: what no other stage uses is removed.

    While another process is at the store, that is left to the next run that makes vectors.

    Raises:
        StorageError: The disk refuses.
    """
    names = folder / f"{stage}.keys"
    if not names.exists():
        return
    try:
        names.unlink(missing_ok=True)
    except OSError as error:
        raise tables.storage_error(error, names) from error
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(folder))
        except StorageError:
            return
        shards, keys = folder / "shards", _in_use(folder)
        live = {path.name for path in shards.iterdir()} if keys and shards.is_dir() else set()
        shard_files.remove_stale(shards, live=live, keys=keys, labels=set())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the store.

    Raises:
        StorageError: One is in it, or the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(system.locked(folder / "lock"))
        except OSError as error:
            raise tables.storage_error(error, folder) from error
        yield


def _in_use(folder: Path) -> set[str]:
    """What all stages use."""
    return {key for path in folder.glob("*.keys") for key in _read(path)}


def _read(path: Path) -> set[str]:
    """What a stage uses."""
    return set(path.read_text(encoding="utf-8").split()) if path.exists() else set()


def _write(keys: set[str], path: Path) -> None:
    with tables.replacing(path) as partial:
        partial.write_text("".join(f"{key}\n" for key in sorted(keys)), encoding="utf-8")
