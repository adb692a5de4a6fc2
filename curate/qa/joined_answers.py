"""Answers in columns, each with what was shown when it was begun: what quality control is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.arrow_columns import flags, places
from curate.geometry.grouped_matching import Grouped
from curate.shown.join import NO_RECORD
from curate.shown.record import ShownRecord

_CORNERS = 4
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """The last submitted answer of every labeler to every task that could be joined to what was shown.

    Ordered by task and labeler, so that nothing depends on the order of the rows. A draft is no answer yet,
    and its time is part of the answer's once it is submitted. An answer that the same labeler replaced, one
    that was skipped, and one of which it is not known what was shown are left out and counted.

    Attributes:
        table: Rows of the `answers` table.
        shown: Row by row what was on the page: rows of the `shown` table.
        image: (N,) codes; `images` holds the ids.
        images: Ids, sorted.
        person: (N,) codes; `people` holds the names.
        people: Names, sorted.
        control: (N,) whether the labeler started without suggestions.
        known: (N,) whether the image's answer is known today.
        gold: (N,) whether the answer is scored against a known one: it was shown as a gold task, and did not
            begin from a planted error. What becomes known afterwards re-scores no work that is done.
        known_later: (N,) whether it is not scored only because the image was no gold task when it was shown.
        seeded: (N,) whether a planted error was shown.
        drafts: Rows left out because they are drafts.
        superseded: Rows left out because the labeler answered again.
        skipped: Rows left out because the labeler skipped the task.
        not_joined: Rows left out because it is not known what was shown, by reason.
    """

    table: pa.Table
    shown: pa.Table
    image: Codes
    images: list[str]
    person: Codes
    people: list[str]
    control: Flags
    known: Flags
    gold: Flags
    known_later: Flags
    seeded: Flags
    drafts: int
    superseded: int
    skipped: int
    not_joined: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.image)

    def seconds(self) -> NDArray[np.float64]:
        """(N,) lead times as the server has them, NaN where it has none."""
        column = pc.fill_null(self.table["lead_time_s"].cast(pa.float64()), float("nan"))
        return np.asarray(column.to_numpy(), dtype=np.float64)


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


def collect(answers: pa.Table, record: ShownRecord, known_images: pa.Array) -> Looks:
    """Join the answers with what was shown.

    Args:
        answers: Of pull.
        record: Of what was shown.
        known_images: image_id of every image whose answer is known.
    """
    submitted = pc.equal(answers["outcome"], "submitted")
    last = answers.filter(pc.and_(submitted, pc.invert(answers["superseded"])))
    kept = last.filter(pc.is_in(last["shown_id"], value_set=record.shown["shown_id"].combine_chunks()))
    kept = kept.sort_by([("task_id", "ascending"), ("annotator_id", "ascending"), ("answer_id", "ascending")])
    images, people = _names(kept["image_id"]), _names(kept["annotator_id"])
    row = places(kept["shown_id"], record.shown["shown_id"].combine_chunks())
    shown = record.shown.take(pa.array(row))
    control, seeded = flags(pc.equal(shown["arm"], "control")), flags(pc.is_valid(shown["seeded_kind"]))
    known = flags(pc.is_in(kept["image_id"], value_set=known_images))
    as_gold = flags(pc.equal(shown["reason"], "gold"))
    reasons = pc.value_counts(pc.fill_null(last["not_joined"].drop_null(), "")).to_pylist()
    lost = last.num_rows - kept.num_rows - sum(entry["counts"] for entry in reasons)
    return Looks(
        table=kept,
        shown=shown,
        image=places(kept["image_id"], images),
        images=images.to_pylist(),
        person=places(kept["annotator_id"], people),
        people=people.to_pylist(),
        control=control,
        known=known,
        gold=known & as_gold & ~control & ~seeded,
        known_later=known & ~as_gold & ~control & ~seeded,
        seeded=seeded,
        drafts=_count(pc.equal(answers["outcome"], "draft")),
        superseded=_count(pc.and_(answers["superseded"], pc.not_equal(answers["outcome"], "draft"))),
        skipped=_count(pc.and_(pc.equal(answers["outcome"], "skipped"), pc.invert(answers["superseded"]))),
        not_joined={
            **{entry["values"]: entry["counts"] for entry in sorted(reasons, key=str)},
            **({NO_RECORD: lost} if lost else {}),
        },
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
    look = places(_keys(rows), keys)
    order = pa.array(np.lexsort((places(rows["annotation_id"], _names(rows["annotation_id"])), look)))
    rows = rows.take(order)
    return Drawn(grouped(rows, look[np.asarray(order)], categories), rows, categories)


def on_images(looks: Looks, annotations: pa.Table, categories: list[str]) -> Drawn:
    """Objects of an `annotations` table of known answers, once for every look at their image."""
    rows = annotations.filter(pc.equal(annotations["outcome"], "object"))
    image = places(rows["image_id"], pa.array(looks.images, pa.string()))
    return _once_a_look(rows, image, looks.image, len(looks.images), categories)


def suggested(looks: Looks, record: ShownRecord, column: str, categories: list[str]) -> Drawn:
    """Suggestions, once for every look that they belong to.

    Args:
        looks: The answers.
        record: Of what was shown.
        column: `suggestions_digest` = what was on the page; `proposed_digest` = what models proposed then,
            shown or not, and before an error was planted.
        categories: Names by code; suggestions of any other category are left out.
    """
    digests = _names(pc.drop_null(looks.shown[column]))
    rows = record.suggestions.filter(pc.is_in(record.suggestions["suggestions_digest"], value_set=digests))
    group = places(rows["suggestions_digest"], digests)
    return _once_a_look(rows, group, places(looks.shown[column], digests), len(digests), categories)


def _once_a_look(rows: pa.Table, group: Codes, wanted: Codes, groups: int, categories: list[str]) -> Drawn:
    """Rows of a group for each look that wants it (-1 = none), ordered by look, then annotation_id."""
    named = np.asarray(pc.is_in(rows["category"], value_set=pa.array(categories, pa.string())).to_numpy())
    order = np.lexsort((places(rows["annotation_id"], _names(rows["annotation_id"])), group))
    order = order[(group[order] >= 0) & named[order]]
    starts = np.searchsorted(group[order], np.arange(groups + 1))
    sizes = np.append(np.diff(starts), 0)[wanted]  # of -1, nothing, the last
    look = np.repeat(np.arange(len(wanted)), sizes)
    within = np.arange(len(look)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    taken = order[starts[wanted[look]] + within]
    rows = rows.take(pa.array(taken, pa.int64()))
    return Drawn(grouped(rows, look.astype(np.int64), categories), rows, categories)


def grouped(rows: pa.Table, group: Codes, categories: list[str]) -> Grouped:
    """Boxes and category codes of rows of an `annotations` table that all have both."""
    column = rows["bbox_xyxy"].combine_chunks()
    boxes = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, _CORNERS)
    return Grouped(group, boxes, places(rows["category"], pa.array(categories, pa.string())))


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


def _count(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
