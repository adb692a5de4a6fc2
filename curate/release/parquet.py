"""Parquet files with embedded images, as the `datasets` library and the Hub's viewer expect them.

Class names and the image type stand in the schema's metadata under "huggingface". Written by pyarrow in row
groups: memory holds one row group, whatever the size of the release.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.errors import InputError, RecordError, ReleaseError
from curate.geometry import boxes, masks
from curate.images.strip_metadata import without_metadata
from curate.release import support
from curate.release.content import Content

DIGITS = 12  # of the content's digest in a file's name
_SHARD_BYTES = 500_000_000  # the Hub's own limit for the shards it writes
_GROUP_BYTES = 128_000_000  # of images in a row group, whatever `row_group_size` says
_SEGMENTATION = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
_OBJECTS = pa.struct(
    [
        ("id", pa.list_(pa.string())),
        ("bbox", pa.list_(pa.list_(pa.float32(), 4))),
        ("category", pa.list_(pa.int64())),
        ("category_name", pa.list_(pa.string())),
        ("area", pa.list_(pa.float32())),
        ("iscrowd", pa.list_(pa.int8())),
        ("segmentation", pa.list_(_SEGMENTATION)),
        ("confidence", pa.list_(pa.float32())),
        ("made_from", pa.list_(pa.list_(pa.string()))),
    ]
)
_ANSWER = pa.struct(
    [("question", pa.string()), ("answers", pa.list_(pa.string())), ("confidence", pa.float32())]
)
_COLUMNS = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("image_id", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("objects", _OBJECTS),
        ("license", pa.string()),
        ("attribution", pa.string()),
        ("confidence", pa.float32()),
        ("review", pa.string()),
        ("answers", pa.list_(_ANSWER)),
    ]
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file to be: its name in the folder, and the images in it (indices into the content)."""

    name: str
    images: NDArray[np.intp]


def schema(categories: Sequence[str]) -> pa.Schema:
    """The Arrow schema, with the features of `datasets` in its metadata.

    "Sequence" and the one-element list are the forms that every version of `datasets` since 2 reads; the
    newer "List" would shut out older readers.
    """

    def value(dtype: str) -> dict[str, Any]:
        return {"dtype": dtype, "_type": "Value"}

    def sequence(feature: dict[str, Any], **more: int) -> dict[str, Any]:
        return {"feature": feature, **more, "_type": "Sequence"}

    features = {
        "image": {"_type": "Image"},
        "image_id": value("string"),
        "width": value("int32"),
        "height": value("int32"),
        "objects": {
            "id": sequence(value("string")),
            "bbox": sequence(sequence(value("float32"), length=4)),
            "category": sequence({"names": list(categories), "_type": "ClassLabel"}),
            "category_name": sequence(value("string")),
            "area": sequence(value("float32")),
            "iscrowd": sequence(value("int8")),
            "segmentation": [{"size": sequence(value("int32")), "counts": value("string")}],
            "confidence": sequence(value("float32")),
            "made_from": sequence(sequence(value("string"))),
        },
        "license": value("string"),
        "attribution": value("string"),
        "confidence": value("float32"),
        "review": value("string"),
        "answers": [
            {
                "question": value("string"),
                "answers": sequence(value("string")),
                "confidence": value("float32"),
            }
        ],
    }
    return _COLUMNS.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def pattern(split: str, digest: str) -> str:
    """The glob of the files of a split, relative to the release folder: what the card names.

    The digest stands in it because `datasets` keys its cache of a local folder by the folder's name and by
    these patterns only, never by what the files hold: two releases in `data/release`, one after the other,
    would share one key, and the second would be read as the first.

    Args:
        split: Name of the split.
        digest: Of the release's content, hex.
    """
    return f"data/{split}-{digest[:DIGITS]}-*.parquet"


def plan_shards(content: Content, splits: Sequence[str], *, digest: str) -> list[Shard]:
    """Divide each split into files of about 500 MB of images, named as `pattern` says.

    Images stand in the order of their ids, which are hashes; only the first with an object goes to the
    front, so that a first look at a split shows one.

    Args:
        content: Images and objects.
        splits: Split of each image.
        digest: Of the content, hex; its first digits stand in the names.

    Raises:
        InputError: An image file has disappeared.
    """
    sizes = np.array([_size(*row) for row in _files(content)], dtype=np.int64)
    names = np.array(splits)
    with_objects = np.diff(content.offsets) > 0
    shards = []
    for split in dict.fromkeys(splits):
        members = np.flatnonzero(names == split)
        first = int(np.argmax(with_objects[members]))
        members = np.concatenate([members[first : first + 1], np.delete(members, first)])
        count = max(1, math.ceil(int(sizes[members].sum()) / _SHARD_BYTES))
        # by bytes, not by number of images; never more files than images
        before = np.cumsum(sizes[members]) - sizes[members]
        part = np.minimum(before * count // max(1, int(sizes[members].sum())), count - 1)
        filled = np.unique(part)
        shards += [
            Shard(
                pattern(split, digest).replace("*", f"{number:05d}-of-{len(filled):05d}"),
                members[part == which],
            )
            for number, which in enumerate(filled)
        ]
    return sorted(shards, key=lambda shard: shard.name)


def write_shard(path: Path, shard: Shard, content: Content, *, row_group_size: int) -> Iterator[int]:
    """Write one file, yielding the number of images after each row group.

    Raises:
        InputError: An image file has disappeared.
    """
    layout = schema(content.categories)
    path.parent.mkdir(parents=True, exist_ok=True)
    text_only = ["license", "attribution"]  # image bytes never repeat: a dictionary would only cost memory
    with pq.ParquetWriter(path, layout, compression="snappy", use_dictionary=text_only) as writer:
        group: list[int] = []
        images: list[bytes] = []
        held = 0
        for index in shard.images.tolist():
            group.append(index)
            images.append(_read(content, index))
            held += len(images[-1])
            if len(group) == row_group_size or held >= _GROUP_BYTES:
                writer.write_table(_table(content, group, images, layout), row_group_size=len(group))
                yield len(group)
                group, images, held = [], [], 0
        if group:
            writer.write_table(_table(content, group, images, layout), row_group_size=len(group))
            yield len(group)


def _table(content: Content, group: Sequence[int], images: Sequence[bytes], layout: pa.Schema) -> pa.Table:
    rows = content.images.take(pa.array(group))
    names = [f"{image_id}{Path(path).suffix}" for image_id, path in _files_of(rows)]
    columns = {
        "image": [{"bytes": data, "path": name} for data, name in zip(images, names, strict=True)],
        "objects": [_objects(content, index) for index in group],
        "answers": [
            support.answers(row) for row in rows.select(["answers", "answers_confidence"]).to_pylist()
        ],
    }
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else rows.column(field.name)
        for field in layout
    ]
    return pa.Table.from_arrays(arrays, schema=layout)


def _objects(content: Content, index: int) -> dict[str, list[Any]]:
    start, stop = content.offsets[index], content.offsets[index + 1]
    rows = content.objects.slice(start, stop - start)
    width, height = (content.images.column(name)[index].as_py() for name in ("width", "height"))
    corners = boxes.as_boxes(rows.column("bbox_xyxy").to_pylist())
    rles, names = (rows.column(name).to_pylist() for name in ("rle", "category"))
    ids = rows.column("annotation_id").to_pylist()
    areas = boxes.area(corners).tolist()
    for row, rle in enumerate(rles):
        if rle is not None:
            areas[row] = _mask_area(ids[row], rle, width, height)
    return {
        "id": ids,
        "bbox": boxes.xyxy_to_xywh(corners).tolist(),
        "category": [content.categories.index(name) for name in names],
        "category_name": names,  # for readers of plain Parquet, who see no class labels
        "area": areas,
        "iscrowd": [int(outcome == "disputed") for outcome in rows.column("outcome").to_pylist()],
        "segmentation": [None if rle is None else {"size": [height, width], "counts": rle} for rle in rles],
        "confidence": rows.column("confidence").to_pylist(),
        "made_from": [made or [] for made in rows.column("made_from").to_pylist()],
    }


def _mask_area(annotation_id: str, rle: str, width: int, height: int) -> int:
    try:
        return masks.area(rle, width=width, height=height)
    except RecordError as error:
        raise ReleaseError(f"annotation {annotation_id} of the consensus: {error}: run pull again") from error


def _files(content: Content) -> list[tuple[str, str]]:
    return _files_of(content.images)


def _files_of(images: pa.Table) -> list[tuple[str, str]]:
    return list(zip(images.column("image_id").to_pylist(), images.column("path").to_pylist(), strict=True))


def _size(image_id: str, path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError as error:
        raise _vanished(image_id, path) from error


def _read(content: Content, index: int) -> bytes:
    image_id, path = (content.images.column(name)[index].as_py() for name in ("image_id", "path"))
    try:
        return without_metadata(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise _vanished(image_id, path) from error


def _vanished(image_id: str, path: str) -> InputError:
    return InputError(f"{path} (image {image_id[:12]}) has disappeared: run dvc repro")
