"""Answers in columns, each with what the plan says of its task: what quality control is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.geometry.groups import Grouped

_CORNERS = 4
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """The last submitted answer of every labeler to every planned task.

    Ordered by task and labeler, so that nothing depends on the order of the rows. A draft is no answer yet,
    and its time is part of the answer's once it is submitted; an answer that the same labeler replaced, and
    one that was skipped, are left out and counted.

    Attributes:
        table: Rows of the `answers` table.
        image: (N,) codes; `images` holds the ids.
        images: Ids, sorted.
        person: (N,) codes; `people` holds the names.
        people: Names, sorted.
        control: (N,) whether the labeler started without suggestions.
        gold: (N,) whether the task's answer is known.
        seeded: (N,) whether the task carries a planted error.
        plan_row: (N,) row of the plan's first slot of the task.
        plan: One row a task, of the `plan` table: its first slot.
        drafts: Rows left out because they are drafts.
        superseded: Rows left out because the labeler answered again.
        skipped: Rows left out because the labeler skipped the task.
    """

    table: pa.Table
    image: Codes
    images: list[str]
    person: Codes
    people: list[str]
    control: Flags
    gold: Flags
    seeded: Flags
    plan_row: Codes
    plan: pa.Table
    drafts: int
    superseded: int
    skipped: int

    def __len__(self) -> int:
        return len(self.image)

    def seconds(self) -> NDArray[np.float64]:
        """(N,) lead times as the server has them, NaN where it has none."""
        column = pc.fill_null(self.table["lead_time_s"].cast(pa.float64()), float("nan"))
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def task_of(self, rows: Codes) -> pa.Array:
        """Task of each of some rows."""
        return self.table["task_id"].take(pa.array(rows)).combine_chunks()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The objects of all looks, ordered by look.

    Attributes:
        objects: Boxes with their group: the look's number.
        table: The same rows of the `annotations` table.
        categories: Names by code.
    """

    objects: Grouped
    table: pa.Table
    categories: list[str]


def collect(plan: pa.Table, answers: pa.Table) -> Looks:
    """Join the answers with the plan; answers to tasks outside the plan are left out."""
    tasks = plan.filter(pc.equal(plan["slot"], 0)).sort_by("task_id")
    planned = answers.filter(pc.is_in(answers["task_id"], value_set=tasks["task_id"].combine_chunks()))
    submitted = pc.equal(planned["outcome"], "submitted")
    kept = planned.filter(pc.and_(submitted, pc.invert(planned["superseded"])))
    kept = kept.sort_by([("task_id", "ascending"), ("annotator_id", "ascending"), ("answer_id", "ascending")])
    images, people = _names(kept["image_id"]), _names(kept["annotator_id"])
    row = _codes(kept["task_id"], tasks["task_id"].combine_chunks())
    of_task = tasks.take(pa.array(row))
    return Looks(
        table=kept,
        image=_codes(kept["image_id"], images),
        images=images.to_pylist(),
        person=_codes(kept["annotator_id"], people),
        people=people.to_pylist(),
        control=_flags(pc.equal(of_task["arm"], "control")),
        gold=_flags(pc.equal(of_task["reason"], "gold")),
        seeded=_flags(pc.is_valid(of_task["seeded_kind"])),
        plan_row=row,
        plan=tasks,
        drafts=_count(pc.equal(planned["outcome"], "draft")),
        superseded=_count(pc.and_(planned["superseded"], pc.not_equal(planned["outcome"], "draft"))),
        skipped=_count(pc.and_(pc.equal(planned["outcome"], "skipped"), pc.invert(planned["superseded"]))),
    )


def drawn(looks: Looks, annotations: pa.Table, categories: list[str]) -> Drawn:
    """The objects of the looks, from the `annotations` table of people.

    Args:
        looks: The answers.
        annotations: Rows of origin "human"; those of other answers are left out.
        categories: Names by code; objects of any other category are left out.
    """
    rows = annotations.filter(pc.equal(annotations["outcome"], "object"))
    rows = rows.filter(pc.is_in(rows["category"], value_set=pa.array(categories, pa.string())))
    keys = _keys(looks.table)
    rows = rows.filter(pc.is_in(_keys(rows), value_set=keys))
    look = _codes(_keys(rows), keys)
    order = pa.array(np.lexsort((_codes(rows["annotation_id"], _names(rows["annotation_id"])), look)))
    rows = rows.take(order)
    return Drawn(grouped(rows, look[np.asarray(order)], categories), rows, categories)


def on_images(looks: Looks, annotations: pa.Table, categories: list[str]) -> Drawn:
    """Objects of an `annotations` table, once for every look at their image: known answers, suggestions."""
    rows = annotations.filter(pc.equal(annotations["outcome"], "object"))
    rows = rows.filter(pc.is_in(rows["category"], value_set=pa.array(categories, pa.string())))
    image = _codes(rows["image_id"], pa.array(looks.images, pa.string()))
    order = np.lexsort((_codes(rows["annotation_id"], _names(rows["annotation_id"])), image))
    order = order[image[order] >= 0]
    starts = np.searchsorted(image[order], np.arange(len(looks.images) + 1))
    sizes = np.diff(starts)[looks.image]
    look = np.repeat(np.arange(len(looks)), sizes)
    within = np.arange(len(look)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    taken = order[starts[looks.image][look] + within]
    rows = rows.take(pa.array(taken, pa.int64()))
    return Drawn(grouped(rows, look.astype(np.int64), categories), rows, categories)


def grouped(rows: pa.Table, group: Codes, categories: list[str]) -> Grouped:
    """Boxes and category codes of rows of an `annotations` table that all have both."""
    column = rows["bbox_xyxy"].combine_chunks()
    boxes = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, _CORNERS)
    return Grouped(group, boxes, _codes(rows["category"], pa.array(categories, pa.string())))


def category_names(*annotations: pa.Table) -> list[str]:
    """Every category of some `annotations` tables, sorted."""
    parts = [table["category"].unique().drop_null().to_pylist() for table in annotations]
    return sorted({name for part in parts for name in part})


def _keys(table: pa.Table) -> pa.Array:
    """Task and labeler as one text."""
    joined = pc.binary_join_element_wise(table["task_id"], table["annotator_id"], "\x1f")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _names(column: pa.ChunkedArray) -> pa.Array:
    names = column.unique()
    return names.take(pc.sort_indices(names))


def _codes(column: pa.ChunkedArray | pa.Array, names: pa.Array) -> Codes:
    """Place of each value among the names; -1 where it is not among them."""
    found = pc.fill_null(pc.index_in(column, value_set=names), -1)
    return (
        np.asarray(found.to_numpy(), dtype=np.int64)
        if isinstance(found, pa.ChunkedArray)
        else np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)
    )


def _flags(column: pa.ChunkedArray) -> Flags:
    return np.asarray(pc.fill_null(column, False).to_numpy(), dtype=np.bool_)


def _count(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
