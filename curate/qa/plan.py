"""Who must look at what: one row per task and labeler slot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema
from curate.qa import assignment, error_injection, plan_reasons, sampling, task_order
from curate.qa.strata import ACCEPTED, AUDIT, CONTROL, GOLD, NONE, REASONS, Membership, Pool
from curate.records import derived_id

Ints = NDArray[np.int64]
_UNSPOILED = (GOLD, CONTROL, AUDIT, ACCEPTED)  # reasons of images whose figures a planted error would spoil


def task_key(image_id: str) -> str:
    """The key of an image's task, the same on every server."""
    return derived_id("task", image_id)


def make(pool: Pool, members: Membership, earlier: pa.Table | None) -> pa.Table:
    """The plan of all kept images.

    Args:
        pool: The images and what is known of them.
        members: By `parts.membership`.
        earlier: The plan as it was; its queue and its assignments to labelers go on.

    Returns:
        The `plan` table, ordered by task and slot.

    Raises:
        ParamsError: Fewer people than `blind: strict` needs.
    """
    params = pool.params
    main = members.main(params.rest)
    planned = np.flatnonzero(main != NONE)
    reason = main[planned]
    slots = _slots(pool, main)[planned]
    image = np.repeat(np.arange(len(planned)), slots)
    slot = np.arange(len(image)) - np.repeat(np.cumsum(slots) - slots, slots)
    tasks = pa.array([task_key(pool.ids[i]) for i in planned.tolist()], pa.string())
    kinds, seeded = _seeded(pool, main, slots, planned)
    arm = np.where(reason == CONTROL, "control", np.where(reason == ACCEPTED, "accepted", "suggested"))
    reasons = np.array(REASONS, dtype=object)[reason][image]
    reasons[(slot > 0) & (reason[image] != GOLD)] = "overlap"
    names = assignment.labelers(params, tasks, np.where(reason == ACCEPTED, 0, slots), earlier)
    places = task_order.places(pool, planned, reason, tasks, earlier)
    details = plan_reasons.of(pool, members, planned, reason)
    columns = {
        "task_id": tasks.take(pa.array(image)),
        "slot": pa.array(slot, pa.int32()),
        "image_id": pa.array(pool.ids, pa.string()).take(pa.array(planned[image])),
        "reason": pa.array(reasons, pa.string()),
        "detail": pa.array(details, pa.string()).take(pa.array(image)),
        "arm": pa.array(arm[image], pa.string()),
        "priority": pa.array(places[image], pa.int32()),
        "labeler": pa.array(names[image, slot], pa.string()),
        "seeded_kind": kinds.take(pa.array(image)),
        "seeded_id": seeded.take(pa.array(image)),
    }
    table = pa.table(columns, schema=schema.PLAN.arrow)
    return table.sort_by([("task_id", "ascending"), ("slot", "ascending")])


def _slots(pool: Pool, main: Ints) -> Ints:
    """(N,) labelers of each image."""
    params = pool.params
    shared = pool.places("overlap") < params.overlap_share
    slots = np.where(shared, params.overlap, 1)
    slots = np.where(main == GOLD, np.maximum(slots, params.gold_labelers), slots)
    return np.asarray(np.where(main == ACCEPTED, 1, slots), dtype=np.int64)


def _seeded(pool: Pool, main: Ints, slots: Ints, planned: Ints) -> tuple[pa.Array, pa.Array]:
    """Kind and annotation_id of the planted error of each planned image, or null."""
    params = pool.params
    if params.seeded_errors == 0:
        return (pa.nulls(len(planned), pa.string()),) * 2
    chosen = pool.suggested & (pool.places("seeded") < params.seeded_errors) & ~np.isin(main, _UNSPOILED)
    here = chosen[planned] & (slots == 1)
    kind = (sampling.hashes(pool.ids, "seeded kind", params.seed) % len(error_injection.KINDS)).astype(
        np.int64
    )
    names = np.array(error_injection.KINDS, dtype=object)[kind]
    if len(pool.names) == 1:
        names[names == "category"] = "moved"
    best = _best(pool)
    ids = [
        None
        if not flag
        else error_injection.spurious_id(pool.ids[image])
        if names[image] == "spurious"
        else pool.found.ids[int(best[image])].as_py()
        for image, flag in zip(planned.tolist(), here.tolist(), strict=True)
    ]
    kinds = names[planned]
    kinds[~here] = None
    return pa.array(kinds, pa.string()), pa.array(ids, pa.string())


def _best(pool: Pool) -> Ints:
    """(N,) for each image the row of its suggestion of the best score, the first id on a tie; -1 = none."""
    found = pool.found
    rows = np.flatnonzero(found.shown)
    order = np.lexsort((rows, -np.nan_to_num(found.scores[rows], nan=-1.0), found.images[rows]))
    image, first = np.unique(found.images[rows][order], return_index=True)
    best = np.full(len(pool.ids), -1, dtype=np.int64)
    best[image] = rows[order][first]
    return best


def looked_at(plan: pa.Table) -> pa.Table:
    """The rows of a plan that somebody must look at: all but the accepted ones."""
    return plan.filter(pc.not_equal(plan["arm"], "accepted"))


def labelers_wanted(task_ids: Iterable[str]) -> Mapping[str, int]:
    """How many people must look, by task, from the `task_id` column of slots that people look at."""
    numbers: dict[str, int] = {}
    for task_id in task_ids:
        numbers[task_id] = numbers.get(task_id, 0) + 1
    return numbers


def main_reasons(plan: pa.Table | None, ids: Sequence[str]) -> Ints:
    """(N,) the main reason of each image by a plan, a place in `REASONS`; NONE = it is not named."""
    result = np.full(len(ids), NONE, dtype=np.int64)
    if plan is not None:
        first = plan.filter(pc.equal(plan["slot"], 0))
        image = pc.fill_null(
            pc.index_in(first["image_id"], value_set=pa.array(ids, pa.string())), -1
        ).to_numpy()
        reason = pc.fill_null(pc.index_in(first["reason"], value_set=pa.array(REASONS)), NONE).to_numpy()
        result[image[image >= 0]] = reason[image >= 0]
    return result
