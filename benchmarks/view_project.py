"""A project after agreement, for `benchmarks.view_sync`: many images of a few pictures, with masks."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks import release_project
from curate import project_tables, schema, tables
from curate.geometry import masks
from curate.schema import TableSchema
from tests import builders

PER_IMAGE: Final = 3  # objects
PEOPLE: Final = ("labeler-1@example.invalid", "labeler-2@example.invalid")
WIDTH, HEIGHT = release_project.WIDTH, release_project.HEIGHT
PICTURES: Final = 64  # distinct files; all others are links to them
_NAMES: Final = ("stop_sign", "parking_sign")


def make(root: Path, images: int) -> None:
    """What the stages before the release leave, from a seed: two people drew every object.

    Args:
        root: Of the project, which is made anew.
        images: Images of the table.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "taxonomy.yaml").write_text(builders.TAXONOMY, encoding="utf-8")
    ids = sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(images))
    _pictures(root, ids)
    rng = np.random.default_rng(0)
    corners = rng.uniform((20, 20), (200, 150), (images * PER_IMAGE, 2)).astype(np.float32)
    sizes = rng.uniform(60, 180, (images * PER_IMAGE, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    shapes = [masks.encode(builders.ellipse(tuple(box), size=(WIDTH, HEIGHT))) for box in boxes[:1000]]
    boxes = np.resize(boxes[:1000], boxes.shape)
    drawn = _Drawn(ids, boxes, shapes)
    _write(root / project_tables.DEDUPED, schema.IMAGES, images, _images(ids, rng))
    model = drawn.rows("model", score=rng.uniform(0.4, 1, len(boxes)).astype(np.float32))
    _write(root / project_tables.MODEL, schema.ANNOTATIONS, len(boxes), model)
    people = [drawn.rows("human", annotator_id=[person] * len(boxes)) for person in PEOPLE]
    both = {name: [*people[0][name], *people[1][name]] for name in people[0] if name != "bbox_xyxy"}
    both["bbox_xyxy"] = _boxes(np.concatenate([boxes, boxes]))
    _write(root / project_tables.PULLED, schema.ANNOTATIONS, 2 * len(boxes), both)
    consensus = drawn.rows("consensus")
    _write(root / project_tables.CONSENSUS, schema.ANNOTATIONS, len(boxes), consensus)
    support = {"confidence": rng.uniform(0.5, 1, len(boxes)).astype(np.float32), "votes": [2] * len(boxes)}
    support |= {"annotators": [2] * len(boxes), "made_from": [["a", "b"]] * len(boxes)}
    names = schema.CONSENSUS_OBJECTS.arrow.names
    given = {name: value for name, value in (consensus | support).items() if name in names}
    _write(root / project_tables.OBJECTS, schema.CONSENSUS_OBJECTS, len(boxes), given)
    _write(root / project_tables.SETTLED, schema.CONSENSUS_IMAGES, images, _settled(ids, rng))


def change(root: Path, images: int) -> None:
    """Let the first images have other figures and other answers: all tables but the model's are others."""
    path = root / project_tables.DEDUPED
    table = tables.read(path, schema.IMAGES)
    some = table["image_id"][:images]
    sharpness = table["sharpness"].to_numpy().copy()
    sharpness[:images] += 1000
    _replace(path, schema.IMAGES, table, "sharpness", pa.array(sharpness))
    for place, kind, column, value in (
        (project_tables.PULLED, schema.ANNOTATIONS, "category", _NAMES[0]),
        (project_tables.CONSENSUS, schema.ANNOTATIONS, "category", _NAMES[0]),
        (project_tables.OBJECTS, schema.CONSENSUS_OBJECTS, "votes", 1),
        (project_tables.SETTLED, schema.CONSENSUS_IMAGES, "confidence", 0.25),
    ):
        table = tables.read(root / place, kind)
        chosen = pc.is_in(table["image_id"], value_set=some.combine_chunks())
        new = pc.if_else(chosen, pa.scalar(value, table[column].type), table[column])
        _replace(root / place, kind, table, column, new)


def _replace(path: Path, kind: TableSchema, table: pa.Table, column: str, values: pa.Array) -> None:
    tables.write(table.set_column(table.schema.get_field_index(column), column, values), path, kind)


class _Drawn:
    """Objects that somebody drew; every person has the same ones."""

    def __init__(self, ids: list[str], boxes: NDArray[np.float32], shapes: list[str]) -> None:
        self._ids, self._boxes, self._shapes = ids, boxes, shapes

    def rows(self, origin: str, **more: Any) -> dict[str, Any]:
        rows = len(self._boxes)
        who = more.get("annotator_id", [origin])[0]
        return {
            "annotation_id": [
                hashlib.sha256(f"{who} {row}".encode()).hexdigest()[:24] for row in range(rows)
            ],
            "image_id": np.repeat(self._ids, PER_IMAGE).tolist(),
            "origin": [origin] * rows,
            "category": [_NAMES[row % 2] for row in range(rows)],
            "bbox_xyxy": _boxes(self._boxes),
            "rle": [self._shapes[row % len(self._shapes)] for row in range(rows)],
            "outcome": ["object"] * rows,
            **more,
        }


def _boxes(boxes: NDArray[np.float32]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(boxes.ravel()), 4)


def _images(ids: list[str], rng: np.random.Generator) -> dict[str, Any]:
    figures = [pa.array(rng.uniform(0, 1, len(ids)).astype(np.float32)) for _ in schema.QUALITY]
    return {
        "image_id": ids,
        "path": [_place(key) for key in ids],
        "sources": [[f"made/{number}.jpg"] for number in range(len(ids))],
        "format": ["JPEG"] * len(ids),
        "width": [WIDTH] * len(ids),
        "height": [HEIGHT] * len(ids),
        "bytes": [100_000] * len(ids),
        "attributes": [[("lane", str(number % 4)), ("night", "true")] for number in range(len(ids))],
        "sharpness": rng.uniform(10, 900, len(ids)).astype(np.float32),
        "quality": pa.StructArray.from_arrays(figures, fields=list(schema.QUALITY)),
    }


def _settled(ids: list[str], rng: np.random.Generator) -> dict[str, Any]:
    no = [False] * len(ids)
    return {
        "image_id": ids, "annotators": [2] * len(ids), "held_back": no, "decided": no,
        "confidence": rng.uniform(0.5, 1, len(ids)).astype(np.float32),
        "answers": [[]] * len(ids), "answers_confidence": [[]] * len(ids),
    }  # fmt: skip


def _place(image_id: str) -> str:
    return f"data/ingest/images/{image_id[:2]}/{image_id}.jpg"


def _pictures(root: Path, ids: list[str]) -> None:
    files = [root / f"pictures/{number}.jpg" for number in range(PICTURES)]
    for number, path in enumerate(files):
        release_project.draw(path, number)
    for number, key in enumerate(ids):
        target = root / _place(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(files[number % PICTURES])


def _write(path: Path, kind: TableSchema, rows: int, columns: Mapping[str, Any]) -> None:
    arrays = {
        field.name: pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in kind.arrow
    }
    tables.write(pa.table(arrays, schema=kind.arrow), path, kind)
