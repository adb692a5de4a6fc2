"""What dedupe needs of the images table, read in pieces into columns: 84 bytes per row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema, tables
from curate.dedupe.id_rows import ID_BYTES, Ids
from curate.dedupe.keepers import KeeperColumns
from curate.errors import ParamsError, TableError

_COLUMNS = ("image_id", "upright_sha256", "drop_reason", "sources", "width", "height", "sharpness", "bytes")
_OF_FILES = ("image_id", "upright_sha256", "path", "sources")


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The table's rows, in its order, which is that of image_id.

    Attributes:
        ids: (N, 32) uint8.
        content_ids: (N, 32) uint8, by which what was made from an upright file is kept; see `content_bytes`.
        usable: (N,) bool; images that no earlier stage dropped.
        keeper_columns: Of all rows; `keep` is false everywhere.
        places: Row by place, of those that were asked for.
    """

    ids: Ids
    content_ids: Ids
    usable: NDArray[np.bool_]
    keeper_columns: KeeperColumns
    places: Mapping[str, int]


def read(path: Path, *, prefer: tuple[str, ...] = (), places: Collection[str] = ()) -> ImageColumns:
    """Read an images table.

    Args:
        path: The Parquet file.
        prefer: Names of sources, best first.
        places: Entries of the column `sources` whose rows are wanted.

    Raises:
        TableError: The table is missing, damaged or of another version.
        ParamsError: No image comes from a preferred source.
    """
    wanted = pa.array(sorted(places), pa.string())
    at: dict[str, int] = {}
    names: set[str] = set()
    parts: list[dict[str, NDArray[Any]]] = []
    rows = 0
    for piece in tables.pieces(path, schema.IMAGES, columns=_COLUMNS):
        sources = piece["sources"].combine_chunks()
        owner, entries = pc.list_parent_indices(sources).to_numpy(), sources.flatten()
        parts.append({**_plain(piece), "preference": _preference(owner, entries, prefer, piece.num_rows)})
        if len(wanted):
            for found in np.flatnonzero(pc.is_in(entries, wanted).to_numpy(zero_copy_only=False)):
                at[entries[found].as_py()] = rows + int(owner[found])
        if prefer:
            names.update(
                pc.unique(pc.list_element(pc.split_pattern(entries, "/", max_splits=1), 0)).to_pylist()
            )
        rows += piece.num_rows
    if unknown := [name for name in prefer if name not in names]:
        raise ParamsError(
            f"dedupe.prefer: no image comes from {unknown[0]!r}, only from {', '.join(sorted(names))}"
        )
    return _together(parts, at)


def _plain(piece: pa.Table) -> dict[str, NDArray[Any]]:
    columns = {
        name: pc.fill_null(piece[name], 0).to_numpy() for name in ("width", "height", "sharpness", "bytes")
    }
    return {
        **columns,
        "ids": id_bytes(piece["image_id"]),
        "content_ids": content_bytes(piece),
        "usable": piece["drop_reason"].is_null().to_numpy(),
    }


def _preference(
    owner: NDArray[np.int64], entries: pa.Array, prefer: tuple[str, ...], rows: int
) -> NDArray[np.int16]:
    """Place of the best source of each row in `prefer`, or their number."""
    best = np.full(rows, len(prefer), dtype=np.int16)
    for place, name in reversed(list(enumerate(prefer))):
        best[owner[pc.starts_with(entries, f"{name}/").to_numpy(zero_copy_only=False)]] = place
    return best


def _together(parts: list[dict[str, NDArray[Any]]], places: Mapping[str, int]) -> ImageColumns:
    def whole(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *(part[name].astype(kind, copy=False) for part in parts)])

    nothing = np.zeros((0, ID_BYTES), np.uint8)
    ids, content_ids = (
        np.concatenate([nothing, *(part[name] for part in parts)]) for name in ("ids", "content_ids")
    )
    keeper_columns = KeeperColumns(
        keep=np.zeros(len(ids), np.bool_),
        preference=whole("preference", np.int16),
        width=whole("width", np.int32),
        height=whole("height", np.int32),
        sharpness=whole("sharpness", np.float32),
        bytes=whole("bytes", np.int64),
    )
    return ImageColumns(ids, content_ids, whole("usable", np.bool_), keeper_columns, places)


def id_bytes(column: pa.ChunkedArray) -> Ids:
    """(N, 32) uint8 of image_ids in hexadecimal."""
    parts = []
    for chunk in column.chunks:
        lengths = pc.unique(pc.binary_length(chunk)).to_pylist()
        if lengths not in ([], [2 * ID_BYTES]):
            raise TableError(f"image_id: expected {2 * ID_BYTES} hexadecimal digits")
        _, ends, digits = chunk.buffers()
        if digits is None:
            continue
        first = np.frombuffer(ends, np.int32)[chunk.offset]
        text = memoryview(digits)[first : first + 2 * ID_BYTES * len(chunk)]
        parts.append(np.frombuffer(bytes.fromhex(str(text, "ascii")), np.uint8).reshape(-1, ID_BYTES))
    return np.concatenate([np.zeros((0, ID_BYTES), np.uint8), *parts])


def content_bytes(piece: pa.Table) -> Ids:
    """(N, 32) uint8 that tell an image with its upright file from every other, and from its earlier files.

    The image_id, where the upright file holds the source's bytes; else that xor the sha256 of the file.

    Args:
        piece: Columns image_id and upright_sha256.
    """
    ids = id_bytes(piece["image_id"])
    written = piece["upright_sha256"].is_valid().to_numpy()
    if written.any():
        ids[written] ^= id_bytes(piece["upright_sha256"].drop_null())
    return ids


def id_texts(ids: Ids) -> list[str]:
    """Hexadecimal image_ids of (N, 32) bytes."""
    digits = np.ascontiguousarray(ids).tobytes().hex()
    return [digits[start : start + 2 * ID_BYTES] for start in range(0, len(digits), 2 * ID_BYTES)]


def id_array(ids: Ids) -> pa.StringArray:
    """Turn image_ids (N, 32) into an Arrow array of hex digits."""
    digits = np.ascontiguousarray(ids).tobytes().hex().encode()
    ends = np.arange(len(ids) + 1, dtype=np.int32) * 2 * ID_BYTES
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(digits))


class ListedFiles(NamedTuple):
    """Upright files of some rows, with the ids of `ImageColumns` and the first place of each image."""

    ids: Ids
    content_ids: Ids
    paths: list[str]
    places: list[str]


def files(path: Path, wanted: NDArray[np.bool_]) -> Iterator[ListedFiles]:
    """The files of the wanted rows, a piece of the table at a time."""
    if not wanted.any():
        return
    start = 0
    for piece in tables.pieces(path, schema.IMAGES, columns=_OF_FILES):
        chosen = pa.array(wanted[start : start + piece.num_rows])
        start += piece.num_rows
        rows = piece.filter(chosen)
        if rows.num_rows:
            first = pc.list_element(rows["sources"], 0).to_pylist()
            ids, contents = id_bytes(rows["image_id"]), content_bytes(rows)
            yield ListedFiles(ids, contents, rows["path"].to_pylist(), first)
