"""The searches for candidates by the workers of an engine, in shards.

Each column goes to a file of its own that all workers can read; the files are removed afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from curate.dedupe.candidates import Request, here
from curate.dedupe.columns import Column, Columns
from curate.dedupe.search.neighbours import NOTHING, Near
from curate.dedupe.search.search_plan import SearchPlan, plan
from curate.dedupe.search.shards import Search, bits_within, near_on
from curate.ports import Engine
from curate.tables import storage_error

LEAST_S: Final = 30.0  # core seconds; to start workers for less takes longer than to search here


@dataclass(frozen=True, slots=True)
class Spread:
    """Searches on an engine, except for those that are soon done here.

    Attributes:
        engine: Whose workers search.
        folder: That all workers see; made and removed.
        most_bytes: Of memory for a worker, by the cost model.
    """

    engine: Engine
    folder: Path
    most_bytes: int

    def __call__(self, requests: Sequence[Request], columns: Columns) -> Iterator[Near]:
        """One result a request.

        Raises:
            CurateError: A worker died of a shard, mostly for want of memory.
            StorageError: The columns cannot be written.
        """
        plans = [_plan(request, columns) for request in requests]
        if sum(chosen.core_seconds for chosen in plans) < LEAST_S:
            yield from here(requests, columns)
            return
        with _folder(self.folder) as folder:
            files = _Files(folder, columns)
            searches = [
                self._search(request, chosen, files) for request, chosen in zip(requests, plans, strict=True)
            ]
            found = near_on(self.engine, [search for search in searches if search is not None])
            for search in searches:
                yield NOTHING if search is None else next(found)

    def _search(self, request: Request, chosen: SearchPlan, files: _Files) -> Search | None:
        """None where a side is empty."""
        if not chosen.count or chosen.queries == 0:
            return None
        one, two = files.of(request.one), None if request.two is None else files.of(request.two)
        bits = bits_within(chosen, self.most_bytes)
        return Search(one, None, chosen, bits) if two is None else Search(two, one, chosen, bits)


def _plan(request: Request, columns: Columns) -> SearchPlan:
    count, bits = columns.count(request.one), columns.bits(request.one)
    if request.two is None:
        return plan(count, request.bits, bits)
    return plan(columns.count(request.two), request.bits, bits, queries=count)


class _Files:
    """Columns on disk, each written when it is first asked for."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self._folder, self._columns = folder, columns
        self._paths: dict[Column, Path] = {}

    def of(self, column: Column) -> Path:
        if column not in self._paths:
            path = self._folder / f"{column.side}-{column.name}-{column.number}.npy"
            np.save(path, self._columns.values(column))
            self._paths[column] = path.absolute()
        return self._paths[column]


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """An empty folder for the while; what a kill left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bytes_here(count: int, max_hamming: int, bits: int) -> int:
    """Of memory that `here` takes at most for the searches among so many images, by the cost model.

    A column and another with all its fields sorted, beside what is being sorted.
    """
    chosen = plan(count, max_hamming, bits, queries=count)
    row = bits // 8
    return chosen.peak_bytes + count * (2 * row + len(chosen.fields) * (row + 4))
