"""The order of the tasks.

Gold and control images are spread evenly through the queue, so that people meet them at every hour and
neither arm is labelled by people who are more tired or more practised. Images that were asked for (audit,
uncertain, rare) come before those of the rest. Tasks of an earlier plan keep their place, new ones follow.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.qa.strata import ACCEPTED, CONTROL, GOLD, REVIEW, Pool

Ints = NDArray[np.int64]


def places(pool: Pool, planned: Ints, reason: Ints, tasks: pa.Array, earlier: pa.Table | None) -> Ints:
    """(P,) place in the queue of every planned image.

    Args:
        pool: All kept images.
        planned: (P,) places of the planned ones among them.
        reason: (P,) main reasons, places in `REASONS`.
        tasks: P task_ids.
        earlier: The plan as it was.
    """
    result = _earlier_places(tasks, earlier)
    new = np.flatnonzero(result < 0)
    chance = pool.places("queue")[planned[new]]
    stream = np.select([reason[new] == GOLD, reason[new] == CONTROL, reason[new] == ACCEPTED], [1, 2, 3], 0)
    rest = (stream == 0) & (reason[new] == REVIEW)
    order = np.lexsort((chance, rest, stream))
    sizes = np.bincount(stream, minlength=4)
    rank = np.arange(len(new)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Each stream from 0 to 1 in even steps; accepted images, at which nobody looks, come last.
    along = (rank + 0.5) / np.repeat(np.maximum(sizes, 1), sizes) + (np.repeat(np.arange(4), sizes) == 3)
    merged = order[np.lexsort((chance[order], along))]
    result[new[merged]] = np.arange(len(new)) + result.max(initial=-1) + 1
    return result


def _earlier_places(tasks: pa.Array, earlier: pa.Table | None) -> Ints:
    """(P,) place in the earlier queue; -1 where the task was not in it."""
    result = np.full(len(tasks), -1, dtype=np.int64)
    if earlier is not None:
        first = earlier.filter(
            pc.and_(pc.equal(earlier["slot"], 0), pc.not_equal(earlier["arm"], "accepted"))
        )
        row = pc.fill_null(pc.index_in(tasks, value_set=first["task_id"].combine_chunks()), -1)
        found = row.to_numpy(zero_copy_only=False)
        there = found >= 0
        result[there] = first["priority"].to_numpy()[found[there]]
    return result
