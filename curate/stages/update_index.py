"""Indexes of a project's images, brought up to date: only images that they lack are decoded."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.dedupe import image_columns
from curate.dedupe.feature_index import Contents, Index, Layout
from curate.dedupe.features import Features, Recipe, extract
from curate.dedupe.id_rows import Ids
from curate.errors import InputError
from curate.ports import Casualty, Engine

_COMMIT = 8192  # images; what a kill makes the next run hash again at most, but for those under way
Item = tuple[bytes, bytes, str, str]  # image_id, content_id, path, place


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands in the place of an image that could not be read, where that is no reason to stop."""

    why: str


def contents(recipe: Recipe) -> Contents:
    """What an index of features of this recipe holds."""
    return Contents(recipe.digest(), asdict(recipe), Features.layout(recipe))


@dataclass(frozen=True, slots=True)
class Filling:
    """How columns are made from images.

    Attributes:
        setup: For `Engine.map_batches`: paths become rows of `pack`, or a `Refused`.
        layout: Of the rows.
        engine: Where.
        batch_size: Images that a worker takes at a time.
    """

    setup: Callable[[], Callable[[Sequence[str]], Sequence[bytes | Refused]]]
    layout: Layout
    engine: Engine
    batch_size: int

    def update(
        self, index: Index, table: Path, wanted: NDArray[np.bool_], content_ids: Ids
    ) -> dict[int, Casualty]:
        """Add the wanted images of a table that the index lacks.

        Args:
            index: Open for writing, of this layout.
            table: Images table; its paths start from the current folder.
            wanted: (N,) bool, rows of the table.
            content_ids: (N, 32) of the table.

        Returns:
            Images that killed their worker, by row of the table.

        Raises:
            InputError: A file has disappeared or is damaged.
            StorageError: The disk is full or refuses.
        """
        rows = np.flatnonzero(wanted)
        missing = np.zeros(len(content_ids), np.bool_)
        missing[rows[index.find(content_ids[rows]) < 0]] = True
        items = (
            (one.tobytes(), content.tobytes(), path, place)
            for piece in image_columns.files(table, missing)
            for one, content, path, place in zip(*piece, strict=True)
        )
        results = self.run(index, items, total=int(missing.sum()))
        rows = np.flatnonzero(missing)
        return {
            int(row): result
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, Casualty)
        }

    def run(
        self, index: Index, items: Iterable[Item], *, total: int | None = None
    ) -> Iterator[Casualty | Refused | None]:
        """Add files to an index; one result per item, None where all went well."""
        mine, theirs = itertools.tee(_batches(items, self.batch_size))
        paths = ([path for _, _, path, _ in one] for one in theirs)
        found = self.engine.map_batches(self.setup, paths, label="dedupe", total=total)
        waiting = 0
        for one, results in zip(mine, found, strict=True):
            waiting += _add(index, one, results, self.layout)
            if waiting >= _COMMIT:
                index.commit()
                waiting = 0
            for result in results:
                yield None if isinstance(result, bytes) else result
        index.commit()


def hashing(recipe: Recipe, engine: Engine, batch_size: int, *, lenient: bool = False) -> Filling:
    """How features are made; a file that cannot be read is an `InputError`, a `Refused` if `lenient`."""
    setup = functools.partial(_setup, recipe, lenient)
    return Filling(setup, Features.layout(recipe), engine, batch_size)


def _add(
    index: Index, items: Sequence[Item], results: Sequence[bytes | Refused | Casualty], layout: Layout
) -> int:
    """Add the images that could be hashed; how many."""
    good = [(item, row) for item, row in zip(items, results, strict=True) if isinstance(row, bytes)]
    if good:
        keys = b"".join(one + content for (one, content, _, _), _ in good)
        both = np.frombuffer(keys, np.uint8).reshape(len(good), 2, -1)
        ids, contents = both[:, 0], both[:, 1]
        places = [item[3] for item, _ in good]
        index.append(ids, unpack([row for _, row in good], layout), places, content_ids=contents)
    return len(good)


def features(index: Index) -> Features:
    """The columns of an index, on disk."""
    return Features.from_columns(index.columns())


def pack(columns: Mapping[str, NDArray[Any]], layout: Layout) -> list[bytes]:
    """One string of bytes per row: quick to send, whatever the number of columns."""
    flat = [
        np.ascontiguousarray(columns[name], dtype=kind).reshape(len(columns[name]), -1).view(np.uint8)
        for name, (kind, _) in layout.items()
    ]
    return [row.tobytes() for row in np.concatenate(flat, axis=1)]


def unpack(rows: Sequence[bytes], layout: Layout) -> dict[str, NDArray[Any]]:
    """Undo `pack`: columns from rows of bytes."""
    table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
    columns, start = {}, 0
    for name, (kind, shape) in layout.items():
        end = start + kind.itemsize * int(np.prod(shape, dtype=np.int64))
        part = np.ascontiguousarray(table[:, start:end])
        columns[name], start = part.view(kind).reshape(len(rows), *shape), end
    return columns


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    waiting = iter(items)
    while batch := list(itertools.islice(waiting, size)):
        yield batch


def _setup(recipe: Recipe, lenient: bool) -> Callable[[Sequence[str]], list[bytes | Refused]]:
    """What a worker does with a batch of paths."""
    return functools.partial(_hash, recipe, lenient)


def _hash(recipe: Recipe, lenient: bool, paths: Sequence[str]) -> list[bytes | Refused]:
    layout = Features.layout(recipe)
    try:
        return list(pack(extract([Path(path) for path in paths], recipe).columns(), layout))
    except InputError as error:
        if not lenient:
            raise
        if len(paths) == 1:
            return [Refused(str(error))]
    return [_hash(recipe, lenient, [path])[0] for path in paths]
