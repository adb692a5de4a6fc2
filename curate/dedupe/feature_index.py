"""Columns of fixed width on disk, one row per image: found by its content, only ever added to.

    <folder>/<recipe>/manifest.json      the recipe, the columns, and which parts count
    <folder>/<recipe>/part-000001.arrow  some thousands of rows: image_id, content_id, place, all columns; one
                                         Arrow batch

A part is written aside, synced, renamed; only then does the manifest, replaced in one step, count it. What a
kill leaves behind is removed by the next writer. Another recipe has a folder of its own, named by its digest,
and the old one goes when the new one is finished. Parts are read through memory maps, and a row keeps its
number as long as the recipe stays and nothing is damaged. An image whose upright file has changed has another
content_id (`image_columns`), and so one more row: the last row of an image_id is that of its latest file, but
where a file became again what it was before.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import system
from curate.dedupe.id_rows import ID_BYTES, Ids, places_of
from curate.dedupe.stored_column import StoredColumn
from curate.errors import TableError
from curate.tables import replacing, storage_error

FORMAT: Final = 3
MANIFEST: Final = "manifest.json"
_NAME_DIGITS: Final = 16
_PART_ROWS: Final = 8192  # of a part that smaller ones are put together to
Layout = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What an index holds.

    Attributes:
        digest: Hex; changes with whatever could change a value.
        settings: What the digest was made of, for people.
        layout: Type and shape of an image's value in each column.
    """

    digest: str
    settings: Mapping[str, Any]
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of `rows` rows and `size` bytes; `ids` is the CRC-32 of its image_ids."""

    name: str
    rows: int
    size: int
    ids: int


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What counts; `finished` tells that the writer had no more to add."""

    format: int
    digest: str
    settings: Mapping[str, Any]
    columns: Mapping[str, tuple[str, tuple[int, ...]]]
    next_part: int = 1
    finished: bool = False
    parts: tuple[_Part, ...] = field(default=())


class Index:
    """The rows of an index; `writing` gives one that can be added to, `reading` any."""

    def __init__(self, folder: Path, manifest: _Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._batches = [_opened(folder / part.name) for part in manifest.parts]
        self._waiting: list[pa.RecordBatch] = []

    def __len__(self) -> int:
        """Number of rows that count."""
        return sum(part.rows for part in self._manifest.parts)

    @property
    def folder(self) -> Path:
        """Folder of its files; it goes when its rows no longer count."""
        return self._folder

    @property
    def digest(self) -> str:
        """Digest of the recipe."""
        return self._manifest.digest

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the recipe."""
        return self._manifest.settings

    @property
    def ids(self) -> StoredColumn:
        """(N, 32) uint8 on disk, image_ids: of one whose upright file changed there are several."""
        return self._column("image_id", np.dtype(np.uint8), (ID_BYTES,))

    @property
    def content_ids(self) -> StoredColumn:
        """(N, 32) uint8 on disk, no two alike."""
        return self._column("content_id", np.dtype(np.uint8), (ID_BYTES,))

    def columns(self) -> dict[str, StoredColumn]:
        """Every column by name, on disk."""
        return {
            name: self._column(name, np.dtype(kind), tuple(shape))
            for name, (kind, shape) in self._manifest.columns.items()
        }

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """Places where the images at `rows` were found when they were added."""
        chunks = pa.chunked_array([batch["place"] for batch in self._batches], pa.string())
        return [str(place) for place in chunks.take(pa.array(rows)).to_pylist()]

    def find(self, content_ids: Ids) -> NDArray[np.int64]:
        """Rows of `content_ids` (M, 32), -1 where there is none."""
        return places_of(content_ids, np.asarray(self.content_ids))

    def append(
        self,
        ids: Ids,
        columns: Mapping[str, NDArray[Any]],
        places: Sequence[str],
        *,
        content_ids: Ids | None = None,
    ) -> None:
        """Add rows, which count from the next `commit` on.

        Args:
            ids: (M, 32) uint8, image_ids.
            columns: (M, ...) of the layout.
            places: M texts that tell people where the images are.
            content_ids: (M, 32) uint8, none of which is there yet; None = the image_ids.
        """
        contents = ids if content_ids is None else content_ids
        texts = [place.encode(errors="backslashreplace").decode() for place in places]
        arrays = {
            "image_id": _binary(ids, ID_BYTES),
            "content_id": _binary(contents, ID_BYTES),
            "place": pa.array(texts, pa.string()),
        }
        for name, (kind, shape) in self._manifest.columns.items():
            values = np.asarray(columns[name], dtype=kind).reshape(len(ids), *shape)
            arrays[name] = _binary(values, _bytes_per_row(kind, shape))
        self._waiting.append(pa.record_batch(arrays))

    def commit(self) -> None:
        """Make the rows added so far count, whatever happens next.

        Raises:
            StorageError: The disk is full or refuses.
        """
        if self._waiting:
            self._replace_last(0)

    def _finish(self) -> None:
        """Put the small parts at the end together, so that many deliveries do not make many files."""
        small = rows = 0
        for part in reversed(self._manifest.parts):
            rows += part.rows
            if rows > _PART_ROWS:
                break
            small += 1
        if small > 1:
            self._replace_last(small)
        self._store(replace(self._manifest, finished=True))

    def _replace_last(self, number: int) -> None:
        """One new part with the rows of the last ones and those that wait."""
        kept = len(self._batches) - number
        batches = [*self._batches[kept:], *self._waiting]
        whole = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
        name = f"part-{self._manifest.next_part:06}.arrow"
        path = self._folder / name
        with (
            replacing(path) as partial,
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, whole.schema) as writer,
        ):
            writer.write_batch(whole)
        part = _Part(name, whole.num_rows, path.stat().st_size, _crc(whole))
        gone = self._manifest.parts[kept:]
        parts = (*self._manifest.parts[:kept], part)
        number = self._manifest.next_part + 1
        self._store(replace(self._manifest, parts=parts, next_part=number, finished=False))
        self._batches = [*self._batches[:kept], _opened(path)]
        self._waiting = []
        for one in gone:
            (self._folder / one.name).unlink(missing_ok=True)

    def _store(self, manifest: _Manifest) -> None:
        if manifest != self._manifest:
            with storing(self._folder), replacing(self._folder / MANIFEST) as partial:
                content = json.dumps(asdict(manifest), indent=1)
                partial.write_text(f"{content}\n", encoding="utf-8")
            self._manifest = manifest

    def _column(self, name: str, kind: np.dtype[Any], shape: tuple[int, ...]) -> StoredColumn:
        return StoredColumn([_values(batch[name], kind, shape) for batch in self._batches], kind, shape)


def reading(folder: Path) -> Index:
    """An index that is finished, for reading.

    Raises:
        TableError: There is no index, it is damaged, unfinished, or of another format.
    """
    found = sorted(folder.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    if not found:
        raise TableError(f"{folder} holds no index: make one with curate dedupe index")
    for path in found:  # of two that are finished a kill kept the writer from removing the older one
        manifest, wrong = _load(path.parent)
        if manifest is None or wrong:
            raise TableError(f"index {folder} is damaged ({wrong}): make it again")
        if manifest.finished:
            return Index(path.parent, manifest)
    raise TableError(f"index {folder} is not finished: run curate dedupe index again")


@contextmanager
def writing(folder: Path, contents: Contents) -> Iterator[tuple[Index, str | None]]:
    """An index of these contents that can be added to; one process at a time.

    Rows of an interrupted writer are there, as far as they were committed. If the block ends well, indexes of
    other recipes are removed.

    Yields:
        The index, and what was wrong with the one that had to be begun again (None: nothing).

    Raises:
        StorageError: Another process writes, or the disk is full or refuses.
    """
    own = folder / contents.digest[:_NAME_DIGITS]
    with storing(own):
        own.mkdir(parents=True, exist_ok=True)
    with system.locked(folder / "lock"):
        manifest, wrong = _load(own) if (own / MANIFEST).exists() else (None, None)
        columns = {name: (kind.str, tuple(shape)) for name, (kind, shape) in contents.layout.items()}
        if manifest and not wrong and (manifest.digest != contents.digest or manifest.columns != columns):
            wrong = f"{own} is of another recipe"
        if manifest is None or wrong:
            with storing(own):
                shutil.rmtree(own)  # with what was made from it
                own.mkdir()
            manifest = _Manifest(FORMAT, contents.digest, dict(contents.settings), columns)
        with storing(own):
            _remove_uncounted(own, manifest)
        index = Index(own, manifest)
        yield index, wrong
        index.commit()
        index._finish()
        for other in folder.iterdir():
            if other.is_dir() and other != own:
                shutil.rmtree(other, ignore_errors=True)


def _load(folder: Path) -> tuple[_Manifest | None, str | None]:
    """The manifest, and what is wrong with it or its parts."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None, f"format {content['format']}, this curate reads {FORMAT}"
        content["columns"] = {
            name: (kind, tuple(shape)) for name, (kind, shape) in content["columns"].items()
        }
        content["parts"] = tuple(_Part(**part) for part in content["parts"])
        manifest = _Manifest(**content)
        for part in manifest.parts:
            path = folder / part.name
            found = path.stat().st_size if path.exists() else 0
            if found != part.size:
                return manifest, f"{path} holds {found} bytes, expected {part.size}"
            if _crc(_opened(path)) != part.ids:
                return manifest, f"{path} has changed"
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        return None, f"{folder / MANIFEST} cannot be read: {error}"
    return manifest, None


def _remove_uncounted(folder: Path, manifest: _Manifest) -> None:
    counted = {part.name for part in manifest.parts}
    for path in folder.glob("*part-*"):  # those half written have a dot before
        if path.name not in counted:
            path.unlink(missing_ok=True)


def _opened(path: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)


def _crc(batch: pa.RecordBatch) -> int:
    return zlib.crc32(np.ascontiguousarray(_values(batch["image_id"], np.dtype(np.uint8), (ID_BYTES,))).data)


def _binary(values: NDArray[Any], width: int) -> pa.Array:
    """Rows of any shape as a column of that many bytes per row."""
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, data])


def _values(column: pa.Array, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Undo `_binary`: values of a column, without a copy."""
    start = column.offset * column.type.byte_width
    flat = np.frombuffer(column.buffers()[1], np.uint8)[start : start + len(column) * column.type.byte_width]
    return flat.view(kind).reshape(len(column), *shape)


def _bytes_per_row(kind: str, shape: tuple[int, ...]) -> int:
    return np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Errors of the disk in words."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error
