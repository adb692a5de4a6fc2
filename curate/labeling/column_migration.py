"""The columns of a table under a migration plan; see `curate.labeling.migration`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.geometry.boxes import box_iou
from curate.labeling.migration_plan import Plan, Split

_CORNERS = 4
NEEDED = ("annotation_id", "image_id", "annotator_id", "category", "bbox_xyxy", "prompt", "parent_id")
PAIRED = ("annotation_a", "annotation_b", "category_a", "category_b")
LISTED = pa.schema(
    [
        (name, pa.string())
        for name in (
            "table", "annotation_id", "image_id", "annotator_id", "before", "after", "why", "other_id"
        )
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the rows of a table became.

    Attributes:
        ids: annotation_id of every row.
        categories: Their new categories.
    """

    ids: pa.Array
    categories: pa.Array


def joined(parts: Sequence[Annotations]) -> Annotations:
    """What the rows of several tables became."""
    ids, categories = ([getattr(part, name) for part in parts] for name in ("ids", "categories"))
    return Annotations(pa.concat_arrays(ids), pa.concat_arrays(categories))


def migrated(
    table: pa.Table, plan: Plan, suggestions: Annotations | None, name: str
) -> tuple[pa.Array, pa.Table]:
    """The new categories of an annotations table, and the rows to look at again.

    A row of a category that is split goes where its prompt went; without a prompt, where the suggestion went
    that it was edited from; otherwise to `otherwise`. Every such row is listed. So are two objects of one
    annotator in one image that a merge made one category and that overlap.

    Args:
        table: `NEEDED` columns of the schema `annotations`.
        plan: What moves where.
        suggestions: The model's rows after their own migration, if there are any: a person's row that was
            edited from one follows it.
        name: Of the table, in the list.

    Returns:
        New categories in the order of the rows, and a table of the schema `LISTED`.
    """
    before = table["category"].combine_chunks()
    after = _renamed(before, {**plan.renamed, **plan.merged})
    listed = []
    for split in plan.splits:
        after, why = _split(table, before, after, split, suggestions)
        rows = np.flatnonzero(why.is_valid().to_numpy(zero_copy_only=False))
        listed.append(
            _listed(name, table=table, before=before, after=after, rows=rows, why=why.take(pa.array(rows)))
        )
    first, second = _duplicates(table, before, after, plan)
    if len(first):
        why = pa.array(["overlaps another row since the merge"] * len(first))
        other = table["annotation_id"].take(pa.array(second))
        listed.append(
            _listed(name, table=table, before=before, after=after, rows=first, why=why, other=other)
        )
    return after, pa.concat_tables(listed) if listed else LISTED.empty_table()


def paired(table: pa.Table, people: Annotations) -> dict[str, pa.Array]:
    """The new columns category_a and category_b of a pairs table: those of the annotations it names."""
    columns = {}
    for side in ("a", "b"):
        found = pc.index_in(table[f"annotation_{side}"].combine_chunks(), value_set=people.ids)
        own = table[f"category_{side}"].combine_chunks()
        columns[f"category_{side}"] = pc.coalesce(people.categories.take(found), own)
    return columns


def _renamed(column: pa.Array, names: dict[str, str]) -> pa.Array:
    if not names:
        return column
    return pc.coalesce(_mapped(column, names), column)


def _mapped(column: pa.Array, values: dict[str, str]) -> pa.Array:
    """The value of each key; null where the key is unknown."""
    keys = pa.array(list(values), pa.string())
    return pa.array(list(values.values()), pa.string()).take(pc.index_in(column, value_set=keys))


def _split(
    table: pa.Table, before: pa.Array, after: pa.Array, split: Split, suggestions: Annotations | None
) -> tuple[pa.Array, pa.Array]:
    """New categories, and for each row of the old one how its new one was found (null for other rows)."""
    inside = pc.fill_null(pc.equal(before, split.source), False)
    by_prompt = _mapped(table["prompt"].combine_chunks(), split.owners)
    by_parent = pa.nulls(len(before), pa.string())
    if suggestions is not None:
        found = pc.index_in(table["parent_id"].combine_chunks(), value_set=suggestions.ids)
        # A parent of another category says nothing on which part of this one the row is.
        parents = suggestions.categories.take(found)
        by_parent = _mapped(parents, {name: name for name in split.into})
    chosen = pc.coalesce(by_prompt, by_parent, pa.scalar(split.otherwise))
    how = pc.if_else(
        by_prompt.is_valid(),
        "split by its prompt",
        pc.if_else(by_parent.is_valid(), "split as its suggestion was", "split without a clue"),
    )
    nothing = pa.nulls(len(before), pa.string())
    return pc.if_else(inside, chosen, after), pc.if_else(inside, how, nothing)


def _duplicates(
    table: pa.Table, before: pa.Array, after: pa.Array, plan: Plan
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows (first, second) of one image and annotator that a merge made one category and that overlap."""
    targets = pa.array(sorted(set(plan.merged.values())), pa.string())
    rows = np.flatnonzero(pc.is_in(after, value_set=targets).to_numpy(zero_copy_only=False))
    there = table["bbox_xyxy"].combine_chunks().take(pa.array(rows))
    rows = rows[there.is_valid().to_numpy(zero_copy_only=False)]
    if not len(rows):
        return rows, rows
    chosen = table.select(["image_id", "annotator_id", "bbox_xyxy"]).take(pa.array(rows))
    boxes = chosen["bbox_xyxy"].combine_chunks().flatten().to_numpy().reshape(-1, _CORNERS)
    old = before.take(pa.array(rows)).dictionary_encode().indices.to_numpy()
    columns = [
        pc.fill_null(column, "").combine_chunks().dictionary_encode().indices.to_numpy()
        for column in (chosen["image_id"], chosen["annotator_id"])
    ]
    columns.append(after.take(pa.array(rows)).dictionary_encode().indices.to_numpy())
    order = np.lexsort(columns)
    keys = np.stack(columns)[:, order]
    borders = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    found: list[NDArray[np.intp]] = [np.empty((2, 0), dtype=np.intp)]
    for group in np.split(order, borders):
        if len(group) > 1:
            alike = np.triu(box_iou(boxes[group], boxes[group]) >= plan.duplicate_iou, 1)
            a, b = np.nonzero(alike & (old[group][:, None] != old[group][None, :]))
            found.append(np.stack([group[a], group[b]]))
    first, second = np.concatenate(found, axis=1)
    return rows[first], rows[second]


def _listed(
    name: str,
    *,
    table: pa.Table,
    before: pa.Array,
    after: pa.Array,
    rows: NDArray[np.intp],
    why: pa.Array,
    other: pa.ChunkedArray | None = None,
) -> pa.Table:
    at = pa.array(rows)
    chosen = table.select(["annotation_id", "image_id", "annotator_id"]).take(at)
    nothing = pa.nulls(len(rows), pa.string())
    columns = [
        pa.array([name] * len(rows), pa.string()),
        *(chosen[column] for column in chosen.column_names),
        before.take(at),
        after.take(at),
        why,
        nothing if other is None else other,
    ]
    return pa.Table.from_arrays(columns, schema=LISTED)
