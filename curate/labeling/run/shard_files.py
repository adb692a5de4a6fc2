"""What is known about the images of a shard: raw boxes by text, raw masks by box, finished rows.

Each file holds one kind of knowledge under one key, which changes with whatever could change its content
(`curate.labeling.run.cache_keys`), and is written whole. Raw boxes and masks outlive a change of thresholds,
of suppression, of clean-up, of names and colors: those need no model.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate import schema, tables
from curate.errors import TableError
from curate.records import Annotation, Detections, FloatArray, derived_id

# Box -> its mask as the segmenter gave it, COCO compressed counts.
Masks = dict[bytes, str]

_FLOATS = pa.list_(pa.float32())
_TEXTS = pa.list_(pa.string())
_RAW_BOXES = pa.schema(
    [
        ("content_id", pa.string()),  # of an `ImageFile`: not image_id, under which pixels may change
        ("boxes", _FLOATS),
        ("scores", _FLOATS),
        ("prompts", _TEXTS),
        ("queries", pa.list_(pa.int32())),
    ]
)
_RAW_MASKS = pa.schema([("content_id", pa.string()), ("boxes", _FLOATS), ("rles", _TEXTS)])


def box_key(box: FloatArray) -> bytes:
    """A box (4,) as a dictionary's key: its float32 bits."""
    return np.ascontiguousarray(box, dtype=np.float32).tobytes()


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The folder of one shard. Files that are damaged are removed when they are met."""

    folder: Path

    def boxes(self, key: str) -> dict[str, Detections]:
        """Raw boxes by content_id; `categories` are the prompts again: names may have changed since."""
        found = {}
        for row in self._rows(f"boxes-{key}", _RAW_BOXES):
            prompts = tuple(row["prompts"])
            found[row["content_id"]] = Detections(
                np.array(row["boxes"], dtype=np.float32).reshape(-1, 4),
                np.array(row["scores"], dtype=np.float32),
                prompts,
                prompts,
                np.array(row["queries"], dtype=np.intp),
            )
        return found

    def write_boxes(self, key: str, found: Mapping[str, Detections]) -> None:
        """Add what a detector found.

        Raises:
            StorageError: The disk is full or refuses.
        """
        columns = [
            list(found),
            [d.boxes.ravel() for d in found.values()],
            [d.scores for d in found.values()],
            [list(d.prompts) for d in found.values()],
            [d.queries for d in found.values()],
        ]
        self._add(f"boxes-{key}", columns, _RAW_BOXES)

    def masks(self, key: str) -> dict[str, Masks]:
        """Raw masks by content_id."""
        found: dict[str, Masks] = {}
        for row in self._rows(f"masks-{key}", _RAW_MASKS):
            boxes = np.array(row["boxes"], dtype=np.float32).reshape(-1, 4)
            of_image = zip(map(box_key, boxes), row["rles"], strict=True)
            found.setdefault(row["content_id"], {}).update(of_image)
        return found

    def write_masks(self, key: str, found: Mapping[str, Masks]) -> None:
        """Add what a segmenter drew.

        Raises:
            StorageError: The disk is full or refuses.
        """
        columns = [
            list(found),
            [np.frombuffer(b"".join(masks), dtype=np.float32) for masks in found.values()],
            [list(masks.values()) for masks in found.values()],
        ]
        self._add(f"masks-{key}", columns, _RAW_MASKS, *(key for masks in found.values() for key in masks))

    def labels(self, key: str, content_ids: Sequence[str]) -> Path:
        """The file of the finished rows of exactly these images."""
        return self.folder / f"labels-{key}-{_of_images(content_ids)}.parquet"

    def has_labels(self, path: Path) -> bool:
        """Whether that file is there and whole."""
        try:
            tables.read(path, schema.ANNOTATIONS)
        except TableError:  # not yet, of an older schema, or damaged by the disk
            path.unlink(missing_ok=True)
            return False
        return True

    def write_labels(self, path: Path, rows: Sequence[Annotation]) -> None:
        """Write the finished rows of a shard.

        Raises:
            StorageError: The disk is full or refuses.
        """
        # A worker that was given up may still write: each has a name of its own until the file is whole.
        aside = path.with_name(f"aside-{uuid.uuid4().hex}.parquet")
        tables.write_rows([row.row() for row in rows], aside, schema.ANNOTATIONS)
        _into_place(aside, path)

    def tables(self, name: str, columns: pa.Schema) -> Iterator[pa.Table]:
        """The files of a kind and key that have these columns."""
        for path in sorted(self.folder.glob(f"{name}-*.parquet")):
            try:
                table = pq.read_table(path)
            except FileNotFoundError:
                continue
            except (OSError, pa.ArrowInvalid):
                path.unlink(missing_ok=True)
                continue
            if table.schema.equals(columns):
                yield table

    def add(self, name: str, table: pa.Table, *content: str) -> None:
        """One more file of a kind and key.

        Args:
            name: Kind and key.
            table: What to keep.
            content: Texts that say what is in it: its name follows from them.

        Raises:
            StorageError: The disk is full or refuses.
        """
        path = self.folder / f"{name}-{_of_images(content)}.parquet"
        aside = path.with_name(f"aside-{uuid.uuid4().hex}.parquet")
        with tables.replacing(aside) as partial:
            pq.write_table(table, partial, compression="zstd")
        _into_place(aside, path)

    def _rows(self, name: str, columns: pa.Schema) -> Iterator[dict[str, Any]]:
        for table in self.tables(name, columns):
            yield from table.to_pylist()  # of one shard

    def _add(self, name: str, columns: Sequence[Any], kind: pa.Schema, *more: bytes) -> None:
        if not columns[0]:
            return
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, kind, strict=True)]
        self.add(name, pa.table(arrays, schema=kind), *columns[0], *(part.hex() for part in more))


def remove_stale(shards: Path, *, live: set[str], keys: set[str], labels: set[Path]) -> None:
    """Remove what the last run did not use.

    Args:
        shards: Folder of the folders of shards.
        live: Names of the shards that have images.
        keys: Keys of raw boxes and masks that hold.
        labels: Files of finished rows that were used.

    Raises:
        StorageError: The disk refuses.
    """
    try:
        for folder in shards.iterdir() if shards.is_dir() else ():
            for path in folder.iterdir():
                kind, _, key = path.stem.rpartition("-")[0].partition("-")
                used = path in labels if kind == "labels" else key in keys
                if folder.name not in live or not used:
                    path.unlink(missing_ok=True)
            if folder.name not in live:
                folder.rmdir()
    except OSError as error:
        raise tables.storage_error(error, shards) from error


def _of_images(content_ids: Sequence[str]) -> str:
    return derived_id(*content_ids)[:16]


def _into_place(aside: Path, path: Path) -> None:
    try:
        aside.replace(path)
    except OSError as error:
        raise tables.storage_error(error, path) from error
