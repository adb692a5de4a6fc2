"""Columns of fixed width on disk, one row an image: found by image_id, only ever added to.

    <folder>/manifest.json           the generation that counts
    <folder>/<generation>/manifest.json, image_id.bin, place.bin, place_end.bin, <column>.bin

A generation holds columns of one recipe; its name is the start of the recipe's digest. Rows are added to the
ends of the files, these are synced, and only then does the manifest, replaced in one step, count them: what
a kill leaves behind lies after the counted rows and is cut off by the next writer. Another recipe starts
another generation, and the old one goes when the new one is finished. Columns are read through memory maps.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.errors import StorageError, TableError
from curate.tables import replacing, storage_error

FORMAT: Final = 1
ID_BYTES: Final = 32
_MANIFEST: Final = "manifest.json"
_NAME_DIGITS: Final = 16
Ids = NDArray[np.uint8]  # (N, 32), the bytes of image_ids
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
class _Manifest:
    """`count` rows are whole; their places take `place_bytes`; `crc` is that of their image_ids."""

    format: int
    digest: str
    settings: Mapping[str, Any]
    columns: Mapping[str, tuple[str, list[int]]]
    count: int = 0
    place_bytes: int = 0
    crc: int = 0


class Index:
    """The rows of one generation; `writing` gives one that can be added to, `reading` any."""

    def __init__(self, folder: Path, manifest: _Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._files: dict[str, Any] = {}  # open ones, of a writer
        self._added = manifest

    def __len__(self) -> int:
        """Rows that are whole."""
        return self._manifest.count

    @property
    def folder(self) -> Path:
        """Of the generation; it is removed when its rows no longer count."""
        return self._folder

    @property
    def digest(self) -> str:
        """Of the recipe."""
        return self._manifest.digest

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe."""
        return self._manifest.settings

    @property
    def ids(self) -> Ids:
        """(N, 32) uint8 on disk."""
        return self._map("image_id", np.dtype(np.uint8), (ID_BYTES,))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every column by name, on disk."""
        return {
            name: self._map(name, np.dtype(kind), tuple(shape))
            for name, (kind, shape) in self._manifest.columns.items()
        }

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """Where the images at `rows` were found when they were added."""
        if not len(rows):
            return []
        ends = self._map("place_end", np.dtype(np.int64), ())
        text = np.memmap(self._path("place"), np.uint8, "r") if self._manifest.place_bytes else b""
        starts = [int(ends[row - 1]) if row else 0 for row in rows.tolist()]
        return [
            bytes(text[start : int(ends[row])]).decode()
            for row, start in zip(rows.tolist(), starts, strict=True)
        ]

    def find(self, ids: Ids) -> NDArray[np.int64]:
        """Rows of `ids` (M, 32), -1 where there is none; takes 16 bytes a row of the index meanwhile."""
        return find(self.ids, ids)

    def append(self, ids: Ids, columns: Mapping[str, NDArray[Any]], places: Sequence[str]) -> None:
        """Add rows, which count from the next `commit` on.

        Args:
            ids: (M, 32) uint8, none of which is there yet.
            columns: (M, ...) of the layout.
            places: M texts that tell people where the images are.

        Raises:
            StorageError: The disk is full or refuses.
        """
        texts = [place.encode(errors="backslashreplace") for place in places]
        ends = self._added.place_bytes + np.cumsum([len(text) for text in texts], dtype=np.int64)
        pieces = {"image_id": ids, "place": np.frombuffer(b"".join(texts), np.uint8), "place_end": ends}
        for name, (kind, shape) in self._manifest.columns.items():
            pieces[name] = np.asarray(columns[name], dtype=kind).reshape(len(ids), *shape)
        for name, piece in pieces.items():
            with _storing(self._path(name)):
                self._files[name].write(np.ascontiguousarray(piece).data)
        crc = zlib.crc32(np.ascontiguousarray(ids).data, self._added.crc)
        place_bytes = int(ends[-1]) if len(ends) else self._added.place_bytes
        self._added = self._with(self._added.count + len(ids), place_bytes, crc)

    def commit(self) -> None:
        """Make the rows added so far count, whatever happens next.

        Raises:
            StorageError: The disk is full or refuses.
        """
        if self._added == self._manifest:
            return
        for name, file in self._files.items():
            with _storing(self._path(name)):
                file.flush()
                os.fsync(file.fileno())
        _write(self._folder / _MANIFEST, asdict(self._added))
        self._manifest = self._added

    def _with(self, count: int, place_bytes: int, crc: int) -> _Manifest:
        old = self._manifest
        return _Manifest(FORMAT, old.digest, old.settings, old.columns, count, place_bytes, crc)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.bin"

    def _map(self, name: str, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        if not len(self):
            return np.empty((0, *shape), dtype=kind)
        return np.memmap(self._path(name), kind, "r", shape=(len(self), *shape))

    def _sizes(self) -> dict[str, int]:
        """Bytes of each file that count."""
        rows = {"image_id": ID_BYTES, "place_end": 8}
        for name, (kind, shape) in self._manifest.columns.items():
            rows[name] = np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))
        counted = {name: size * len(self) for name, size in rows.items()}
        return {**counted, "place": self._manifest.place_bytes}

    def _check(self) -> str | None:
        """What is wrong with the files; None if they are as the manifest says."""
        for name, size in self._sizes().items():
            path = self._path(name)
            found = path.stat().st_size if path.exists() else 0
            if found < size:
                return f"{path} holds {found} bytes, expected {size}"
        if len(self) and zlib.crc32(np.ascontiguousarray(self.ids).data) != self._manifest.crc:
            return f"{self._path('image_id')} has changed"
        return None

    def _open_files(self) -> None:
        for name, size in self._sizes().items():
            with _storing(self._path(name)):
                file = self._path(name).open("ab")
                self._files[name] = file
                file.truncate(size)  # what a kill left

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def find(known: Ids, ids: Ids) -> NDArray[np.int64]:
    """Row in `known` (N, 32) of each of `ids` (M, 32); -1 where there is none."""
    keys, wanted = _keys(known), _keys(ids)
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys, wanted, sorter=order)
    rows = np.full(len(ids), -1, dtype=np.int64)
    open_ = np.arange(len(ids))
    while len(open_ := open_[at[open_] < len(keys)]):
        candidates = order[at[open_]]
        open_, candidates = (part[keys[candidates] == wanted[open_]] for part in (open_, candidates))
        same = (known[candidates] == ids[open_]).all(axis=1)
        rows[open_[same]] = candidates[same]
        open_ = open_[~same]  # equal in their first 8 bytes only: look at the next
        at[open_] += 1
    return rows


def sorted_rows(ids: Ids) -> NDArray[np.int64]:
    """Rows in order of their image_id: an order that does not depend on when they were added."""
    words = np.ascontiguousarray(ids).view(">u8").reshape(len(ids), -1)
    rows: NDArray[np.int64] = np.lexsort(tuple(words[:, word] for word in reversed(range(words.shape[1]))))
    return rows


def _keys(ids: Ids) -> NDArray[np.uint64]:
    return np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def reading(folder: Path) -> Index:
    """The generation that counts, for reading.

    Raises:
        TableError: There is no index, it is damaged, or of another format.
    """
    if not (folder / _MANIFEST).exists():
        raise TableError(f"{folder} holds no index: make one with curate dedupe index")
    try:
        current = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if current["format"] != FORMAT:
            raise TableError(f"{folder} has format {current['format']}, this curate reads {FORMAT}")
        index = _load(folder / current["generation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"index {folder} is damaged ({error}): make it again") from error
    if wrong := index._check():
        raise TableError(f"index {folder} is damaged ({wrong}): make it again")
    return index


@contextmanager
def writing(folder: Path, contents: Contents) -> Iterator[tuple[Index, str | None]]:
    """An index of these contents that can be added to; one process at a time.

    Rows of an interrupted writer are there, as far as they were committed. If the block ends well, the
    generation becomes the one that counts and all others are removed.

    Yields:
        The index, and what was wrong with one that had to be begun again (None: nothing).

    Raises:
        StorageError: Another process writes, or the disk is full or refuses.
    """
    name = contents.digest[:_NAME_DIGITS]
    with _storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        index, wrong = _begin(folder / name, contents)
        index._open_files()
        try:
            yield index, wrong
            index.commit()
        finally:
            index._close()
        _write(folder / _MANIFEST, {"format": FORMAT, "generation": name})
        for old in folder.iterdir():
            if old.is_dir() and old.name != name:
                shutil.rmtree(old, ignore_errors=True)


def _begin(folder: Path, contents: Contents) -> tuple[Index, str | None]:
    columns = {name: (kind.str, list(shape)) for name, (kind, shape) in contents.layout.items()}
    empty = _Manifest(FORMAT, contents.digest, dict(contents.settings), columns)
    wrong = None
    if (folder / _MANIFEST).exists():
        try:
            index = _load(folder)
            wrong = index._check()
            if index.digest != contents.digest or dict(index._manifest.columns) != columns:
                wrong = f"{folder} is of another recipe"
        except (OSError, ValueError, KeyError, TypeError) as error:
            wrong = f"{folder / _MANIFEST} cannot be read: {error}"
        if wrong is None:
            return index, None
    with _storing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _MANIFEST, asdict(empty))
    return Index(folder, empty), wrong


def _load(folder: Path) -> Index:
    content = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    content["columns"] = {name: (kind, shape) for name, (kind, shape) in content["columns"].items()}
    manifest = _Manifest(**content)
    if manifest.format != FORMAT:
        raise ValueError(f"format {manifest.format}, this curate reads {FORMAT}")
    return Index(folder, manifest)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second writer out; the lock goes with the process, however it ends."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every platform

    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(f"another process writes to {folder}: wait until it has ended") from error
        yield
