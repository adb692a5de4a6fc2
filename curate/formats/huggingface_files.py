"""The files of a Hugging Face data set: Parquet as on the Hub, or Arrow as `save_to_disk` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats import split_names

_ROWS = 64  # of a batch: their images are in memory
_SAVED = "dataset_dict.json"  # beside the folders of the splits
_SHARD = re.compile(r"(\w+)-\d{5}-of-\d{5}\b")  # the Hub's names of splits have no hyphens


def files(path: Path) -> list[Path]:
    """Parquet in a folder, else in data/, else below; else what `save_to_disk` left; or the one file.

    Beside data/ may lie other configurations, such as the augmented copies of a release.

    Raises:
        InputError: There is none.
    """
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    found = found or paths_below(path, "*.parquet")
    found = found or sorted(path.glob("data-*.arrow")) or sorted(path.glob("*/data-*.arrow"))
    if not found:
        raise InputError(f"{path} holds no Parquet file: name a release, or a folder of Parquet with images")
    return found


def split(file: Path, root: Path) -> str | None:
    """The split of a file's rows: of its folder's name, else of its own.

    What `save_to_disk` wrote, and names as the Hub has them (`holdout-00000-of-00001.parquet`), say of
    splits by any name; else only the usual names count, as `part_1.parquet` is none.

    Args:
        file: One of `files`.
        root: What these were asked for.
    """
    if file.suffix == ".arrow" and (file.parent.parent / _SAVED).is_file():
        return split_names.of_folder(file.parent.name) or file.parent.name
    place = file.relative_to(root).as_posix() if root.is_dir() else file.name
    if found := split_names.of_folders(place):
        return found
    shard = _SHARD.match(file.name)
    return split_names.of_folder(shard[1]) or shard[1] if shard else split_names.of_file(file.name)


def schema(file: Path) -> pa.Schema:
    """The columns, with the metadata that `datasets` writes.

    Raises:
        InputError: The file is damaged.
    """
    try:
        if file.suffix == ".arrow":
            with _stream(file) as opened:
                return opened.schema
        return pq.read_schema(file)
    except (OSError, pa.ArrowInvalid) as error:
        kind = "Arrow" if file.suffix == ".arrow" else "Parquet"
        raise InputError(f"{file} is no {kind} file: {error}") from error


def rows(file: Path, *, content: bool) -> Iterator[dict[str, Any]]:
    """Every row; `content` = with the images' bytes."""
    names = schema(file).names
    if file.suffix != ".arrow":
        columns = [name for name in names if name != "image"]
        columns += (["image"] if content else _place_columns(schema(file))) if "image" in names else []
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_ROWS, columns=columns):
                yield from batch.to_pylist()
        return
    with _stream(file) as opened:
        for whole in opened:
            for start in range(0, whole.num_rows, _ROWS):
                yield from _without_bytes(whole.slice(start, _ROWS), names, content)


def _without_bytes(batch: pa.RecordBatch, names: Sequence[str], content: bool) -> list[dict[str, Any]]:
    if not content and "image" in names:
        kept = _place_columns(batch.schema)
        if kept == ["image.path"]:
            paths = pa.StructArray.from_arrays([batch.column("image").field("path")], ["path"])
            batch = batch.set_column(names.index("image"), "image", paths)
        elif not kept:
            batch = batch.drop_columns(["image"])
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def _place_columns(columns: pa.Schema) -> list[str]:
    """What says where the images were, without their bytes; nothing where the column holds bytes alone."""
    kind = columns.field("image").type
    if pa.types.is_struct(kind):
        return ["image.path"] if kind.get_field_index("path") >= 0 else []
    return [] if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else ["image"]


def picture(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Path and bytes of a row's image: as `datasets` writes them, bytes alone, or a path alone."""
    value = row.get("image")
    if isinstance(value, bytes):
        return {"bytes": value}
    if isinstance(value, str):
        return {"path": value}
    return value if isinstance(value, Mapping) else {}


@contextmanager
def _stream(file: Path) -> Iterator[pa.RecordBatchStreamReader]:
    with pa.memory_map(str(file)) as mapped, pa.ipc.open_stream(mapped) as opened:
        yield opened
