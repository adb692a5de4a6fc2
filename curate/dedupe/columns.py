"""Columns of hashes to be searched: some rows of features, on disk or in memory, one column at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.features import PLAIN, Features
from curate.dedupe.hashes import UInt64Array

_BLOCK: Final = 4  # columns fetched at once: rows on disk are far apart, columns of a row are not
Rows = NDArray[np.int64]
Name = Literal["hashes", "tone", "phash", "parts", "turned", "windows"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one side of a search.

    Attributes:
        side: 0 or 1.
        name: Of the features.
        number: Of the word, where the feature has several that are searched one by one.
    """

    side: int
    name: Name
    number: int = 0


class View:
    """Some rows of features; places count in them.

    Mean colours are searched of plain pictures only, and hashes of what a thumbnail shows of all others.

    Attributes:
        plain: (P,) places of plain pictures.
        others: (M - P,) places of all others.
    """

    def __init__(self, features: Features, rows: Rows | None = None) -> None:
        """Look at `rows` of the features, in that order; None = all."""
        self._features = features
        self._rows = np.arange(len(features), dtype=np.int64) if rows is None else rows
        plain = np.asarray(features.structure)[self._rows] < PLAIN
        self.plain, self.others = np.flatnonzero(plain), np.flatnonzero(~plain)
        self._block: tuple[Name, int, UInt64Array] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def width(self, name: Name) -> int:
        """Words of a feature: columns, or words of one long hash."""
        values = getattr(self._features, name)
        return int(values.shape[1]) if values.ndim == 2 else 1

    def places(self, column: Column) -> Rows | None:
        """Of the column's values; None = all, in order."""
        return {"hashes": None, "tone": self.plain}.get(column.name, self.others)

    def values(self, column: Column) -> UInt64Array:
        """(M,) or (M, W) uint64 in memory."""
        places = self.places(column)
        rows = self._rows if places is None else self._rows[places]
        values = getattr(self._features, column.name)
        if column.name == "hashes" or values.ndim == 1:
            return np.ascontiguousarray(values[rows])
        first = column.number - column.number % _BLOCK
        if self._block is None or self._block[:2] != (column.name, first):
            self._block = None  # freed before the next one comes
            block = values[:, first : first + _BLOCK][rows]
            self._block = column.name, first, block
        return np.ascontiguousarray(self._block[2][:, column.number - first])

    def count(self, column: Column) -> int:
        """How many values the column has."""
        places = self.places(column)
        return len(self) if places is None else len(places)

    def area(self, places: Rows) -> NDArray[np.int64]:
        """Pixels of the files at some places."""
        size = self._features.size[self._rows[places]].astype(np.int64)
        area: NDArray[np.int64] = size[:, 0] * size[:, 1]
        return area

    def forget(self) -> None:
        """Free what was fetched."""
        self._block = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of both sides of a search."""

    views: tuple[View, View]

    def values(self, column: Column) -> UInt64Array:
        """(M,) or (M, W) uint64 in memory."""
        return self.views[column.side].values(column)

    def count(self, column: Column) -> int:
        """How many values it has."""
        return self.views[column.side].count(column)

    def bits(self, column: Column) -> int:
        """Of a value."""
        return 64 * (self.views[column.side].width(column.name) if column.name == "hashes" else 1)
