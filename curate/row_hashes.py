"""A 64-bit hash of every row of an Arrow table, to find the rows that changed without reading them in Python.

Equal rows have equal hashes, whatever the chunks of the table; two different ones have the same by chance
only (once in 2^64). The hash is not made against somebody who looks for such a pair.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from curate.compiled import compiled

UInt64s = NDArray[np.uint64]
_NULL: Final = np.uint64(0x9AE16A3B2F90404F)
_STEP: Final = np.uint64(0x100000001B3)  # FNV-1a's prime


def row_hashes(table: pa.Table, *, without: Collection[str] = ()) -> UInt64s:
    """Hash every row of a table.

    Args:
        table: Columns of numbers, truth values, texts, and lists, maps and structs of those.
        without: Columns that do not count.

    Returns:
        (n,) hashes; they depend on the order of the columns.

    Raises:
        TypeError: A column of another type.

    Examples:
        >>> hashes = row_hashes(pa.table({"a": [1, 2, 1], "b": ["x", "y", "x"]}))
        >>> bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1])
        (True, False)
    """
    found = np.zeros(table.num_rows, np.uint64)
    for name in table.column_names:
        if name not in without:
            parts = [_hashes(chunk) for chunk in table[name].chunks]
            found = mixed(found, np.concatenate(parts) if parts else found[:0])
    return found


def mixed(hashes: UInt64s, more: UInt64s | np.uint64) -> UInt64s:
    """Hashes of pairs, in this order; the mixing is that of splitmix64 (Steele et al., OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        found = hashes * _STEP + more + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(found ^ (found >> np.uint64(31)))


def _hashes(array: pa.Array) -> UInt64s:
    """Hash each value of one chunk."""
    kind = array.type
    if pt.is_string(kind):
        found = _of_texts(array)
    elif pt.is_struct(kind):
        found = np.zeros(len(array), np.uint64)
        for part in array.flatten():
            found = mixed(found, _hashes(part))
    elif pt.is_fixed_size_list(kind):
        start, size = array.offset, kind.list_size
        inner = _hashes(array.values)
        ends = np.arange(start, start + len(array) + 1, dtype=np.int64) * size
        found = _of_runs(ends, inner)
    elif pt.is_list(kind) or pt.is_map(kind):
        inner = mixed(_hashes(array.keys), _hashes(array.items)) if pt.is_map(kind) else _hashes(array.values)
        found = _of_runs(array.offsets.to_numpy().astype(np.int64), inner)
    elif pt.is_primitive(kind):
        found = _of_numbers(array)
    else:
        raise TypeError(f"rows with a column of {kind} cannot be hashed")
    if array.null_count:
        found[~array.is_valid().to_numpy(zero_copy_only=False)] = _NULL
    return found


def _of_numbers(array: pa.Array) -> UInt64s:
    plain = array.fill_null(False if pt.is_boolean(array.type) else 0) if array.null_count else array
    values: NDArray[Any] = plain.to_numpy(zero_copy_only=False)
    wide = values.astype(np.float64) if values.dtype.kind == "f" else values.astype(np.int64)
    return mixed(wide.view(np.uint64), np.uint64(1))


def _of_texts(array: pa.Array) -> UInt64s:
    _, ends, letters = array.buffers()
    offsets = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(letters, np.uint8) if letters is not None else np.empty(0, np.uint8)
    return mixed(_of_bytes(offsets.astype(np.int64), data), np.uint64(2))


@compiled
def _of_bytes(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> UInt64s:
    """FNV-1a of each run of bytes. Source: http://www.isthe.com/chongo/tech/comp/fnv/."""
    found = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(found)):
        value = np.uint64(0xCBF29CE484222325)
        for place in range(offsets[row], offsets[row + 1]):
            value = (value ^ np.uint64(data[place])) * np.uint64(0x100000001B3)
        found[row] = value
    return found


@compiled
def _of_runs(offsets: NDArray[np.int64], inner: UInt64s) -> UInt64s:
    """Hash runs of hashes, which are mixed well already."""
    found = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(found)):
        value = np.uint64(0xCBF29CE484222325) + np.uint64(offsets[row + 1] - offsets[row])
        for place in range(offsets[row], offsets[row + 1]):
            value = (value * np.uint64(0x100000001B3)) ^ inner[place]
            value ^= value >> np.uint64(29)
        found[row] = value
    return found
