"""The configuration `augmented` of a release: copies of training images, in Parquet files beside data/."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from curate.errors import ReleaseError
from curate.geometry import masks
from curate.images.pixel_limit import open_any_size
from curate.records import BoolArray, UInt8Image
from curate.release import columns, object_rows, object_support, parquet
from curate.release.augmentation import Augmented, Recipe, apply
from curate.release.release_content import Content

CONFIG: Final = "augmented"
TRAIN: Final = "train"
_JPEG_QUALITY = 95
_LOSSY = (".jpg", ".jpeg", ".webp")  # of parents whose copies are JPEGs; all others become PNGs


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to be made: the parent's index in the content, the number of the copy, and its seed."""

    parent: int
    number: int
    seed: int


def pattern(digest: str) -> str:
    """The glob of the files, relative to the release folder."""
    return parquet.pattern(TRAIN, digest).replace("data/", f"{CONFIG}/")


def write(
    folder: Path,
    content: Content,
    split_of: Sequence[str],
    recipe: Recipe,
    *,
    digest: str,
    row_group_size: int,
) -> Iterator[int]:
    """Write the copies, yielding their number after each row group; only training images have any.

    Args:
        folder: Of the release, with data/ written.
        content: Images and objects.
        split_of: Split of each image.
        recipe: How copies are made.
        digest: Of the release; part of the files' names.
        row_group_size: Copies per row group.

    Raises:
        InputError: An image file has disappeared, or does not decode.
        ReleaseError: A mask does not fit its image; a copy has a parent that is no training image.
    """
    (folder / CONFIG).mkdir()
    shards = [
        shard
        for shard in parquet.plan_shards(content, split_of, digest=digest)
        if shard.name.startswith(f"data/{TRAIN}-")
    ]
    parts = [(number, shard) for number in range(recipe.copies) for shard in shards]
    for place, (number, shard) in enumerate(parts):
        name = pattern(digest).replace("*", f"{place:05d}-of-{len(parts):05d}")
        ids = [content.ids[index] for index in shard.images.tolist()]
        copies = [
            Copy(index, number, recipe.replay_seed(image_id, number))
            for index, image_id in zip(shard.images.tolist(), ids, strict=True)
        ]
        yield from _write_file(folder / name, content, copies, recipe, row_group_size)
    refuse_other_parents(folder)


def refuse_other_parents(folder: Path) -> None:
    """Read back whose copies were written.

    Raises:
        ReleaseError: A parent is no training image.
    """
    train = _column(folder.glob(f"data/{TRAIN}-*.parquet"), "image_id")
    parents = _column(folder.glob(f"{CONFIG}/*.parquet"), "parent_id")
    strange = parents.filter(pc.invert(pc.is_in(parents, value_set=train)))
    if len(strange):
        raise ReleaseError(
            f"{len(strange)} augmented copies are not of training images, the first is of {strange[0]}: "
            "this is a fault of curate, please report it"
        )


def _column(files: Iterator[Path], name: str) -> pa.Array:
    found = [pq.read_table(path, columns=[name]).column(name).combine_chunks() for path in sorted(files)]
    return pa.concat_arrays(found) if found else pa.array([], pa.string())


def _write_file(
    path: Path, content: Content, copies: Sequence[Copy], recipe: Recipe, row_group_size: int
) -> Iterator[int]:
    layout = columns.schema((*content.columns(), *columns.AUGMENTED), content.categories)
    own = threading.local()

    def make(copy: Copy) -> tuple[bytes, Augmented, dict[str, list[Any]]]:
        if not hasattr(own, "pipeline"):
            own.pipeline = recipe.pipeline()
        return _made(content, copy, own.pipeline)

    with (
        pq.ParquetWriter(
            path,
            layout,
            compression="snappy",
            use_dictionary=["source", "split", "license"],
            write_page_index=True,
        ) as writer,
        ThreadPoolExecutor(parquet.THREADS, thread_name_prefix="augment") as threads,
    ):
        for start in range(0, len(copies), row_group_size):
            group = copies[start : start + row_group_size]
            writer.write_table(_table(content, group, list(threads.map(make, group)), layout))
            yield len(group)


def _made(content: Content, copy: Copy, pipeline: Any) -> tuple[bytes, Augmented, dict[str, list[Any]]]:
    """The file of a copy, what became of the picture, and the parent's objects as a release holds them."""
    objects = object_rows.of_image(content, copy.parent)
    with open_any_size(io.BytesIO(parquet.read_image(content, copy.parent))) as file:
        pixels: UInt8Image = np.asarray(file.convert("RGB"))
    height, width = pixels.shape[:2]
    shapes = [
        _shape(*pair, width=width, height=height)
        for pair in zip(objects["segmentation"], objects["polygon"], strict=True)
    ]
    made = apply(pipeline, pixels, objects["bbox"], shapes, seed=copy.seed)
    return _encoded(made.pixels, _suffix(content, copy.parent)), made, objects


def _shape(segmentation: Any, polygon: Any, *, width: int, height: int) -> BoolArray | None:
    """The mask of an object; of one that has an outline alone, what lies within."""
    rle = segmentation["counts"] if segmentation else None
    if rle is None and polygon:
        rle = masks.from_polygons(polygon, width=width, height=height)
    return None if rle is None else masks.decode(rle, width=width, height=height)


def _suffix(content: Content, index: int) -> str:
    return ".jpg" if Path(content.images.column("path")[index].as_py()).suffix.lower() in _LOSSY else ".png"


def _encoded(pixels: UInt8Image, suffix: str) -> bytes:
    file = io.BytesIO()
    if suffix == ".jpg":
        Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _table(content: Content, group: Sequence[Copy], made: Sequence[Any], layout: pa.Schema) -> pa.Table:
    rows = content.images.take(pa.array([copy.parent for copy in group]))
    parents = rows.column("image_id").to_pylist()
    ids = [
        hashlib.sha256(f"{parent}\x1f{copy.seed}".encode()).hexdigest()
        for parent, copy in zip(parents, group, strict=True)
    ]
    names = [f"{key}{_suffix(content, copy.parent)}" for key, copy in zip(ids, group, strict=True)]
    columns_made: dict[str, list[Any]] = {
        "image": [{"bytes": file, "path": name} for (file, _, _), name in zip(made, names, strict=True)],
        "image_id": ids,
        "width": [one.pixels.shape[1] for _, one, _ in made],
        "height": [one.pixels.shape[0] for _, one, _ in made],
        "split": [TRAIN] * len(group),
        "objects": [_objects(one, objects) for _, one, objects in made],
        "answers": [
            object_support.answers(row) for row in rows.select(["answers", "answers_confidence"]).to_pylist()
        ],
        "parent_id": parents,
        "replay_seed": [copy.seed for copy in group],
    }
    arrays = [
        pa.array(columns_made[field.name], field.type)
        if field.name in columns_made
        else rows.column(field.name)
        for field in layout
    ]
    return pa.Table.from_arrays(arrays, schema=layout)


def _objects(made: Augmented, parent: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The objects that are left, where they are now; an outline becomes a mask."""
    height, width = made.pixels.shape[:2]
    kept = {name: [values[index] for index in made.index] for name, values in parent.items()}
    return {
        **kept,
        "bbox": made.boxes,
        "area": [
            box[2] * box[3] if shape is None else float(shape.sum())
            for box, shape in zip(made.boxes, made.shapes, strict=True)
        ],
        "segmentation": [
            None if shape is None else {"size": [height, width], "counts": masks.encode(shape)}
            for shape in made.shapes
        ],
        "polygon": [None] * len(made.index),
    }
