"""A column that lies on disk in parts, read as if it were one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class StoredColumn:
    """Parts of a column, of which only what is asked for comes into memory.

    `column[rows]` takes an array of rows, `column[:, number]` a number of each row, `np.asarray(column)` all.

    Attributes:
        shape: (N, ...), as of an array.
        dtype: As of an array.
    """

    def __init__(self, parts: Sequence[NDArray[Any]], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Put parts (n, *shape) together."""
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        self.dtype = dtype
        self.shape = (int(self._ends[-1]) if len(parts) else 0, *shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions, as of an array."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, tuple):
            if key[0] != slice(None):
                return np.asarray(self[key[0]][(slice(None), *key[1:])])
            empty = np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *key[1:])]
            return np.concatenate([empty, *(part[(slice(None), *key[1:])] for part in self._parts)])
        if isinstance(key, slice):
            return self[np.arange(len(self))[key]]
        rows = np.asarray(key)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        return self._rows(rows) if rows.ndim else self._rows(rows[None])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # it is always one
        whole = np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self._parts])
        return np.asarray(whole, dtype)

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < len(self)):
            raise IndexError(f"expected rows in 0..{len(self) - 1}, got {rows.min()}..{rows.max()}")
        if len(self._parts) == 1:
            return np.asarray(self._parts[0][rows])
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], self._ends)
        start, offset = 0, 0
        for part, end in zip(self._parts, bounds.tolist(), strict=True):
            if end > start:
                some = order[start:end]
                found[some] = part[rows[some] - offset]
            start, offset = end, offset + len(part)
        return found
