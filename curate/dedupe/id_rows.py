"""Rows of image_ids: in their order, the last of each, the place of one among others."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.dedupe.stored_column import StoredColumn

ID_BYTES: Final = 32
Ids = NDArray[np.uint8]  # (N, 32), the bytes of image_ids or of content_ids


def sorted_rows(ids: Ids | StoredColumn) -> NDArray[np.int64]:
    """Rows in order of their image_id: an order that does not depend on when they were added."""
    words = np.ascontiguousarray(ids).view(">u8")  # (N, 4)
    rows: NDArray[np.int64] = np.lexsort(tuple(words[:, word] for word in reversed(range(words.shape[1]))))
    return rows


def latest_rows(ids: Ids | StoredColumn) -> NDArray[np.int64]:
    """The last row of each image_id, in order of image_id.

    Example:
        >>> one, other = np.zeros(32, np.uint8), np.ones(32, np.uint8)
        >>> latest_rows(np.stack([other, one, other])).tolist()
        [1, 2]
    """
    rows = sorted_rows(ids)  # those of one id stay in their order
    ordered = np.ascontiguousarray(ids)[rows]
    is_last = np.append((ordered[1:] != ordered[:-1]).any(axis=1), True)[: len(rows)]
    latest: NDArray[np.int64] = rows[is_last]
    return latest


def places_of(ids: Ids, known: Ids) -> NDArray[np.int64]:
    """Place of each of `ids` (M, 32) in `known` (N, 32), -1 where it is not there."""
    found = pc.index_in(_binary(ids), value_set=_binary(known))
    places: NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return places


def _binary(ids: Ids) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(ids))
    return pa.Array.from_buffers(pa.binary(ID_BYTES), len(ids), [None, data])
