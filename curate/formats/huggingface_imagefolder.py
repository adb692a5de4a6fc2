"""Hugging Face's ImageFolder for object detection: <split>/<image> with <split>/metadata.parquet.

`objects` holds `bbox` (COCO's `[x, y, width, height]` in pixels), `categories` (names), `segmentation` and
`polygon`, as a release has them.
Read are metadata.jsonl and metadata.parquet; written is Parquet, whose types are told: of JSON `datasets`
guesses them file by file, and refuses splits of which one has no object.

Source:
    https://huggingface.co/docs/datasets/image_dataset#object-detection
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats import huggingface, split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, Labels, Problem, polygon_rings

_NAMES = ("metadata.jsonl", "metadata.parquet")
_ROWS = 1_000  # that are written at a time
_TEXTS = pa.list_(pa.string())
_SEGMENTATION = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
_SCHEMA = pa.schema(
    [
        ("file_name", pa.string()),
        ("image_id", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("license", pa.string()),
        ("attribution", pa.string()),
        (
            "objects",
            pa.struct(
                [
                    ("id", _TEXTS),
                    ("bbox", pa.list_(pa.list_(pa.float64()))),
                    ("categories", _TEXTS),
                    ("iscrowd", pa.list_(pa.int8())),
                    ("segmentation", pa.list_(_SEGMENTATION)),
                    ("polygon", pa.list_(pa.list_(pa.list_(pa.float64())))),
                ]
            ),
        ),
    ]
)


def read(path: Path) -> Labels:
    """Open a folder with such a file in it, or in the folders of its splits.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else paths_below(path, *_NAMES)
    if not files:
        raise InputError(f"{path} holds no {' and no '.join(_NAMES)}")
    labels = Labels("imagefolder", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    for file in files:
        folder = file.parent.relative_to(root).as_posix() if root.is_dir() else "."
        for number, row in _rows(file, problems):
            image = huggingface.taken_image(row, (), file, number, problems)
            if image is None:
                continue
            beside = file.parent / image.name
            yield replace(
                image,
                split=split_names.of_folders(f"{folder}/{file.name}"),
                path=beside if beside.is_file() else None,
            )


def _rows(file: Path, problems: list[Problem]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as opened:
            rows = (row for batch in opened.iter_batches(_ROWS) for row in batch.to_pylist())
            yield from enumerate(rows, 1)
        return
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = taken(partial(_row, line), problems, file=file, line=number, entry=f"line {number}")
            if row is not None:
                yield number, row


def _row(line: str) -> Mapping[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
        raise EntryError("damaged", "has no file_name")
    return row


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a folder per split."""
    del about  # names of categories stand at each object
    losses = Losses("mask", "polygon", "crowd", "object_id", "split", "empty", "license", "attribution")
    opened: dict[str, tuple[pq.ParquetWriter, list[dict[str, Any]]]] = {}
    try:
        for image in images:
            losses.look(image)
            split = image.split or "train"
            name = files.place(image, split)
            if split not in opened:
                opened[split] = (pq.ParquetWriter(folder / split / "metadata.parquet", _SCHEMA), [])
            writer, rows = opened[split]
            rows.append(_written(image, name, losses))
            if len(rows) == _ROWS:
                _flush(writer, rows)
        for writer, rows in opened.values():
            _flush(writer, rows)
    finally:
        for writer, _ in opened.values():
            writer.close()
    return losses


def _flush(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> None:
    writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
    rows.clear()


def _written(image: LabeledImage, name: str, losses: Losses) -> dict[str, Any]:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    width, height = image.size
    boxes = [one.box() or (0.0, 0.0, 0.0, 0.0) for one in image.objects]
    rles: Sequence[str | None] = [one.mask(image.size) for one in image.objects]
    polygons = [polygon_rings(one.polygons) for one in image.objects]
    for one, rings in zip(image.objects, polygons, strict=True):
        losses.outline(one, written=bool(rings))
    return {
        "file_name": name,
        "image_id": image.image_id,
        "width": width,
        "height": height,
        "license": image.license,
        "attribution": image.attribution,
        "objects": {
            "id": [one.object_id for one in image.objects],
            "bbox": [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes],
            "categories": [one.category for one in image.objects],
            "iscrowd": [int(one.is_crowd) for one in image.objects],
            "segmentation": [
                None if rle is None else {"size": [height, width], "counts": rle} for rle in rles
            ],
            "polygon": polygons,
        },
    }
