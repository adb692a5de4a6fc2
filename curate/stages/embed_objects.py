"""Objects whose crops have a vector, and those of them that look alike and are labelled differently."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from curate import embeddings, schema, tables
from curate.embeddings import OBJECT_EMBEDDINGS
from curate.labeling.run.embedding_worker import Embedded
from curate.labeling.run.shard_files import box_key
from curate.records import Box, FloatArray
from curate.vectors.look_alikes import LookAlike, look_alikes

COLUMNS: Final = (
    "annotation_id", "image_id", "category", "neighbor_id", "neighbor_image_id", "neighbor_category",
    "cosine", "other_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Object:
    """Object of an image that gets a vector.

    Attributes:
        annotation_id: Of its row.
        image_id: Of its image.
        category: As labelled.
        box: xyxy, upright pixels.
    """

    annotation_id: str
    image_id: str
    category: str
    box: Box

    @property
    def box_key(self) -> bytes:
        """What its vector is kept under."""
        return box_key(np.asarray(self.box))


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of each image."""

    of_image: Mapping[str, tuple[Object, ...]]

    def __len__(self) -> int:
        return sum(map(len, self.of_image.values()))

    def boxes(self, image_id: str) -> FloatArray:
        """(n, 4) float32 xyxy of an image."""
        found = [one.box for one in self.of_image.get(image_id, ())]
        return np.asarray(found, dtype=np.float32).reshape(-1, 4)

    def with_vectors(self, image_id: str, made: Embedded) -> list[Object]:
        """The objects of an image that have a vector."""
        found = self.of_image.get(image_id, ())
        return [one for one, without in zip(found, made.without, strict=True) if not without]

    def n_of(self, made: Mapping[str, Embedded]) -> int:
        """How many have a vector."""
        return sum(len(self.with_vectors(image, one)) for image, one in made.items())

    def without_vectors(self, made: Mapping[str, Embedded]) -> Iterator[tuple[Object, str]]:
        """Yield the objects that have no vector, with why."""
        for image, found in self.of_image.items():
            result = made.get(image)
            if result is None:
                yield from ((one, "an image that has none") for one in found)
                continue
            for one, without in zip(found, result.without, strict=True):
                if without:
                    yield one, f"a box without a pixel, or without a direction for {result.version}"


def read(path: Path | None, images: Collection[str], *, earlier: bool = False) -> Objects:
    """The objects of these images in a table of annotations, of an `earlier` round or not; none without one.

    Raises:
        TableError: Missing, damaged, or of another version.
    """
    if path is None:
        return Objects({})
    found: dict[str, list[Object]] = {}
    names = ["annotation_id", "image_id", "category", "bbox_xyxy", "outcome"]
    for piece in tables.pieces(path, schema.ANNOTATIONS, columns=names, earlier=earlier):
        for row in piece.to_pylist():
            if row["outcome"] == "object" and row["bbox_xyxy"] is not None and row["image_id"] in images:
                one = Object(row["annotation_id"], row["image_id"], row["category"], tuple(row["bbox_xyxy"]))
                found.setdefault(row["image_id"], []).append(one)
    return Objects({image: tuple(rows) for image, rows in found.items()})


def write_look_alikes(table: Path, path: Path, *, neighbors: int) -> tuple[int, int]:
    """The objects whose nearest object has another category, as a CSV of `COLUMNS`.

    Returns:
        How many these are, and how many objects could be compared with none of another image.

    Raises:
        TableError: The table of vectors is damaged.
        StorageError: The disk is full or refuses.
    """
    rows = tables.read(table, OBJECT_EMBEDDINGS)
    found: list[LookAlike] = []
    alone = 0
    if rows.num_rows:
        vectors = embeddings.matrix(rows["vector"], table)
        categories, images = (rows[name].to_pylist() for name in ("category", "image_id"))
        found, alone = look_alikes(vectors, categories, images, neighbors=neighbors)
    names = rows.select(COLUMNS[:3]).to_pylist() if found else []
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in found:
            pair = (*names[one.row].values(), *names[one.neighbor].values())
            writer.writerow((*pair, f"{one.cosine:.4f}", f"{one.other_share:.2f}"))
    return len(found), alone
