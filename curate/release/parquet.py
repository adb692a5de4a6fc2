"""Parquet files with embedded images, as the `datasets` library and the Hub's viewer expect them.

Class names and the image type stand in the schema's metadata under "huggingface". Written by pyarrow in row
groups: memory holds one row group, whatever the size of the release.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.errors import InputError, RecordError
from curate.images.pixel_limit import open_any_size
from curate.images.strip_metadata import without_metadata
from curate.release import columns, object_rows, object_support
from curate.release.release_content import Content

DIGITS = 12  # of the content's digest in a file's name
_SHARD_BYTES = 500_000_000  # the Hub's own limit for the shards it writes
_GROUP_BYTES = 128_000_000  # of images in a row group, whatever `row_group_size` says
THREADS = 4  # that read, strip and check images; decoding leaves the interpreter free


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file to be: its name in the folder, and the images in it (indices into the content)."""

    name: str
    images: NDArray[np.intp]


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

    Images stand in the order of their ids, so that a row's place changes only by what comes and goes.

    Args:
        content: Images and objects.
        splits: Split of each image.
        digest: Of the content, hex; its first digits stand in the names.

    Raises:
        InputError: An image file has disappeared.
    """
    sizes = np.array([_size(*row) for row in _files(content)], dtype=np.int64)
    names = np.array(splits)
    shards = []
    for split in dict.fromkeys(splits):
        members = np.flatnonzero(names == split)
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

    Every image is stripped of metadata and decoded once as it will be read.

    Raises:
        InputError: An image file has disappeared, or does not decode.
        ReleaseError: A mask does not fit its image.
    """
    layout = columns.schema(content.columns(), content.categories)
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = ["source", "split", "license", "attribution"]  # what repeats; image bytes never do
    with (
        pq.ParquetWriter(
            path, layout, compression="snappy", use_dictionary=texts, write_page_index=True
        ) as writer,
        ThreadPoolExecutor(THREADS, thread_name_prefix="release") as threads,
    ):
        for group in _groups(content, shard, row_group_size):
            images = list(threads.map(partial(read_image, content), group))
            rows = _table(content, group, images, path.name.partition("-")[0], layout)
            writer.write_table(rows, row_group_size=len(group))
            yield len(group)


def _groups(content: Content, shard: Shard, max_rows: int) -> Iterator[list[int]]:
    """Images of the row groups: bounded in number and in bytes."""
    files = _files(content)
    group: list[int] = []
    held = 0
    for index in shard.images.tolist():
        group.append(index)
        held += _size(*files[index])
        if len(group) == max_rows or held >= _GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _table(
    content: Content, group: Sequence[int], images: Sequence[bytes], split: str, layout: pa.Schema
) -> pa.Table:
    rows = content.images.take(pa.array(group))
    names = [f"{image_id}{Path(path).suffix}" for image_id, path in _files_of(rows)]
    made = {
        "image": [{"bytes": data, "path": name} for data, name in zip(images, names, strict=True)],
        "split": [split] * len(group),
        "objects": [object_rows.of_image(content, index) for index in group],
        "answers": [
            object_support.answers(row) for row in rows.select(["answers", "answers_confidence"]).to_pylist()
        ],
    }
    arrays = [
        pa.array(made[field.name], field.type) if field.name in made else rows.column(field.name)
        for field in layout
    ]
    return pa.Table.from_arrays(arrays, schema=layout)


def _files(content: Content) -> list[tuple[str, str]]:
    return _files_of(content.images)


def _files_of(images: pa.Table) -> list[tuple[str, str]]:
    return list(zip(images.column("image_id").to_pylist(), images.column("path").to_pylist(), strict=True))


def _size(image_id: str, path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError as error:
        raise _vanished(image_id, path) from error


def read_image(content: Content, index: int) -> bytes:
    """The file of an image without its metadata, decoded once.

    Raises:
        InputError: It has disappeared, does not decode, or is of another size than its table says.
    """
    image_id, path, width, height = (
        content.images.column(name)[index].as_py() for name in ("image_id", "path", "width", "height")
    )
    try:
        data = without_metadata(Path(path).read_bytes())
        with open_any_size(io.BytesIO(data)) as picture:
            picture.load()
            size = picture.size
    except FileNotFoundError as error:
        raise _vanished(image_id, path) from error
    except (RecordError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} (image {image_id[:12]}) is damaged: {error}: run dvc repro") from error
    if size != (width, height):
        raise InputError(
            f"{path} (image {image_id[:12]}) is {size[0]} x {size[1]} pixels, its table says "
            f"{width} x {height}: run dvc repro"
        )
    return data


def _vanished(image_id: str, path: str) -> InputError:
    return InputError(f"{path} (image {image_id[:12]}) has disappeared: run dvc repro")
