"""The files of a Hugging Face data set: Parquet as on the Hub, or Arrow as `save_to_disk` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError

_ROWS = 64  # of a batch: their images are in memory
_SAVED = "dataset_dict.json"  # beside the folders of the splits


def files(path: Path) -> list[Path]:
    """Parquet in a folder, else in data/, else below; else what `save_to_disk` left; or the one file.

    Beside data/ may lie other configurations, such as the augmented copies of a release.

    Raises:
        InputError: There is none.
    """
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    found = found or sorted(path.rglob("*.parquet"))
    found = found or sorted(path.glob("data-*.arrow")) or sorted(path.glob("*/data-*.arrow"))
    if not found:
        raise InputError(f"{path} holds no Parquet file: name a release, or a folder of Parquet with images")
    return found


def split(file: Path) -> str | None:
    """As the file's name begins; of Arrow the folder, where several were saved together."""
    if file.suffix == ".arrow":
        name = file.parent.name if (file.parent.parent / _SAVED).is_file() else None
    else:
        name = file.name.partition("-")[0].partition(".")[0]
    return {"val": "validation", "valid": "validation"}.get(name or "", name)


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
