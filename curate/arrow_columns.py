"""Columns of Arrow tables as NumPy arrays, with what null means said."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def flags(column: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    """(N,) bool of a column of booleans; null is False.

    Example:
        >>> flags(pa.array([True, None, False])).tolist()
        [True, False, False]
    """
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def places(column: pa.ChunkedArray | pa.Array, values: pa.Array) -> NDArray[np.int64]:
    """(N,) place of each value of a column among `values`; -1 where it is not among them.

    Example:
        >>> places(pa.array(["b", "c", None]), pa.array(["a", "b"])).tolist()
        [1, -1, -1]
    """
    found = pc.fill_null(pc.index_in(column, value_set=values), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)
