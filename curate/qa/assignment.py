"""Whose each slot is, where every labeler has a project of their own (`blind: strict`).

For each task every person has a place by a hash of both, and the first so many have it: each has about the
same number, a new colleague takes tasks from all, and one who leaves gives theirs to all.

Source:
    Thaler and Ravishankar, Using name-based mappings to increase hit rates (1998): highest random weight.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.errors import ParamsError
from curate.params import QaParams
from curate.qa import sampling

Ints = NDArray[np.int64]
_LAST = np.uint64(2**64 - 1)


def labelers(params: QaParams, tasks: pa.Array, slots: Ints, earlier: pa.Table | None) -> NDArray[np.object_]:
    """Assign a labeler to each slot of each task.

    Args:
        params: Of the section `qa`.
        tasks: P task_ids.
        slots: (P,) labelers of each, 0 where nobody looks.
        earlier: The plan as it was: who had a slot and is still there keeps it.

    Returns:
        (P, most slots, at least 1) names; None beyond a task's slots, and everywhere unless `blind: strict`.

    Raises:
        ParamsError: Fewer people than one image needs.
    """
    max_slots = int(slots.max(initial=1))
    if params.blind != "strict":
        return np.full((len(tasks), max_slots), None, dtype=object)
    people = sorted(set(params.people))
    if len(people) < max_slots:
        raise ParamsError(
            f"qa.people names {len(people)} labelers, and {max_slots} must look at one image: "
            "qa.blind: strict needs at least so many"
        )
    had = _earlier_labelers(tasks, people, max_slots, earlier)
    own = sampling.hashes(tasks.to_pylist(), "labeler", params.seed)
    chance = np.stack([_mixed(own, name) for name in people], axis=1)
    for number in range(max_slots):  # who has a slot of the task gets no second one
        rows = np.flatnonzero(had[:, number] >= 0)
        chance[rows, had[rows, number]] = _LAST
    line = np.argsort(chance, axis=1, kind="stable")
    taken = np.zeros(len(tasks), dtype=np.int64)
    for number in range(max_slots):
        rows = np.flatnonzero(had[:, number] < 0)
        had[rows, number] = line[rows, taken[rows]]
        taken[rows] += 1
    names = np.array(people, dtype=object)[had]
    names[np.arange(max_slots) >= slots[:, None]] = None
    return np.asarray(names, dtype=object)


def _earlier_labelers(tasks: pa.Array, people: list[str], max_slots: int, earlier: pa.Table | None) -> Ints:
    """(P, max_slots) place among the people of who had each slot; -1 = nobody who is still there."""
    result = np.full((len(tasks), max_slots), -1, dtype=np.int64)
    if earlier is None:
        return result
    task = pc.fill_null(pc.index_in(earlier["task_id"], value_set=tasks), -1).to_numpy()
    known = pa.array(people, pa.string())
    person = pc.fill_null(pc.index_in(earlier["labeler"], value_set=known), -1).to_numpy()
    slot = earlier["slot"].to_numpy()
    there = (task >= 0) & (person >= 0) & (slot < max_slots)
    result[task[there], slot[there]] = person[there]
    return result


def _mixed(own: NDArray[np.uint64], name: str) -> NDArray[np.uint64]:
    """64 bits for each pair of a task's bits and a person, as good as random, below `_LAST`.

    Source:
        The finalizer of splitmix64: Steele, Lea and Flood, Fast splittable pseudorandom number generators
        (2014).
    """
    mixed = own ^ sampling.hashes([name], "person", 0)[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1))
