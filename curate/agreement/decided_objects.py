"""What people decided about single objects of the consensus, in decisions.csv, applied to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema
from curate.agreement.annotator_pairs import Size
from curate.agreement.consensus import Consensus
from curate.decision_file import Decision
from curate.geometry import boxes
from curate.records import Box, derived_id

_Row = dict[str, Any]
_SAME: Final = (
    0.9  # IoU of the box that a line names with an object's, if no object has the line's id any more
)
_FIRST: Final = "first_id"  # of a changed row: its id in the consensus; no column of a table
_OF_ATTRIBUTES: Final = ("attributes_confidence", "disputed_attributes")
ABSENT: Final = "about objects that are no longer there"
OUTSIDE: Final = "about images that nobody answered"
UNKNOWN: Final = "with a category that the taxonomy does not name"
BEYOND: Final = "with a box beyond its image"


@dataclass(slots=True)
class Applied:
    """What became of the decisions.

    Attributes:
        counts: Those that changed the consensus, or found it as they say, by decision.
        left_out: Those that did not count, by reason.
    """

    counts: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, list[Decision]] = field(default_factory=lambda: defaultdict(list))


def apply(
    agreed: Consensus,
    decisions: Mapping[str, Sequence[Decision]],
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    categories: Collection[str],
) -> tuple[Consensus, Applied]:
    """The consensus with the objects that people relabelled, moved, deleted and added.

    Lines are applied in the order of their times, as a later one names the id that an earlier one makes.
    An object is found by its annotation_id, which is made of its image, category and outline; or, where it
    was drawn anew since, by the box that the line remembers. What a line says of a disputed object settles
    it. A moved box loses its mask. An image whose last object is deleted becomes an empty one.

    Args:
        agreed: What people settled on.
        decisions: Lines by image.
        sizes: Width and height of every planned image, upright pixels.
        tasks: Task of every planned image.
        categories: Of the taxonomy.
    """
    applied = Applied()
    touched = {image_id: lines for image_id, lines in decisions.items() if lines}
    if not touched:
        return agreed, applied
    changed: dict[str, list[_Row]] = {}
    found = _rows(agreed.annotations, touched)
    for image_id, lines in sorted(touched.items()):
        if image_id not in tasks or image_id not in found:
            applied.left_out[OUTSIDE].extend(lines)
            continue
        image = _Image(image_id, found[image_id], sizes[image_id], categories)
        _decide(image, lines, applied)
        changed[image_id] = image.rows
    return _with(agreed, changed, tasks), applied


def _decide(image: _Image, lines: Sequence[Decision], applied: Applied) -> None:
    """Apply lines in the order of their times, whatever the order of the file.

    An object that is relabelled or moved has another id, which a later line names. A line without a time may
    mean an object before or after any other line: it is tried by id at first, and again at the end.
    """
    ordered = sorted(lines, key=lambda one: (one.when, one.key))
    pending = _settle(image, [one for one in ordered if not one.when], applied, by_box=False)
    lost: list[Decision] = []
    for _, some in groupby((one for one in ordered if one.when), key=lambda one: one.when):
        lost += _settle(image, list(some), applied, by_box=True)
        pending = _settle(image, pending, applied, by_box=False)
    lost += _settle(image, pending, applied, by_box=True)
    if lost:
        applied.left_out[ABSENT] += lost


def _settle(image: _Image, lines: list[Decision], applied: Applied, *, by_box: bool) -> list[Decision]:
    """Apply lines until nothing moves, those first whose object has their id; which found no object."""
    pending = lines
    while pending:
        tries = (False, True) if by_box else (False,)
        for one, boxed in ((one, boxed) for boxed in tries for one in pending):
            reason = image.decide(one, by_box=boxed)
            if reason == ABSENT:
                continue
            if reason is None:
                applied.counts[one.decision] += 1
            else:
                applied.left_out[reason].append(one)
            pending = [other for other in pending if other is not one]
            break
        else:
            return pending
    return []


def _rows(annotations: pa.Table, image_ids: Collection[str]) -> dict[str, list[_Row]]:
    """Objects by image; an empty list for an image without any."""
    found: dict[str, list[_Row]] = {}
    for row in annotations.filter(_of(annotations, image_ids)).to_pylist():
        rows = found.setdefault(row["image_id"], [])
        if row["outcome"] != "empty":
            rows.append(row)
    return found


@dataclass(frozen=True, slots=True)
class _Image:
    """The objects of one image, which `decide` changes."""

    image_id: str
    rows: list[_Row]
    size: Size
    categories: Collection[str]

    def decide(self, one: Decision, *, by_box: bool) -> str | None:
        """Apply one line; why it does not count, if it does not."""
        if one.decision != "delete" and one.argument and one.argument not in self.categories:
            return UNKNOWN
        shape: _Row = {}
        if one.decision in {"edit", "add"}:
            box = _within(one.corners, self.size)
            if box is None:
                return BEYOND
            shape = {"bbox_xyxy": box, "rle": None, "polygon": None, "category": one.argument}
        if one.decision == "add":
            self._put(len(self.rows), {**dict.fromkeys(schema.ANNOTATIONS.arrow.names), **shape})
            return None
        at = self._find(one, by_box=by_box)
        if at is None:
            return ABSENT
        if one.decision == "delete":
            del self.rows[at]
        else:
            row = self.rows[at]
            self._put(at, {**row, **shape, "category": one.argument or row["category"]})
        return None

    def _find(self, one: Decision, *, by_box: bool) -> int | None:
        ids = [row["annotation_id"] for row in self.rows]
        if one.annotation in ids:
            return ids.index(one.annotation)
        if not (by_box and self.rows and one.box):
            return None
        own = np.array([row["bbox_xyxy"] for row in self.rows], dtype=np.float32)
        overlap = boxes.box_iou(own, np.array([one.corners], dtype=np.float32))[:, 0]
        best = int(overlap.argmax())
        return best if overlap[best] >= _SAME else None

    def _put(self, at: int, row: _Row) -> None:
        """Write an object under the id that follows from what it is; nothing if it is there already."""
        corners = (f"{value:.3f}" for value in row["bbox_xyxy"])
        content = (self.image_id, row["category"], *corners, row["rle"] or "")
        named = {
            **row,
            "annotation_id": derived_id("consensus", *content),
            _FIRST: row.get(_FIRST) or row["annotation_id"],
            "image_id": self.image_id,
            "outcome": "object",
            "reject_reason": None,
        }
        others = [other["annotation_id"] for place, other in enumerate(self.rows) if place != at]
        self.rows[at : at + 1] = [] if named["annotation_id"] in others else [named]


def _within(box: Box, size: Size) -> list[float] | None:
    """The part of a box inside its image; None where there is none."""
    x1, y1 = max(box[0], 0.0), max(box[1], 0.0)
    x2, y2 = min(box[2], float(size[0])), min(box[3], float(size[1]))
    return [x1, y1, x2, y2] if x1 < x2 and y1 < y2 else None


def _with(agreed: Consensus, changed: Mapping[str, list[_Row]], tasks: Mapping[str, str]) -> Consensus:
    """Both tables with the changed images; a changed or added object has no confidence.

    What people agree on of its attributes, and what they dispute, stays with an object that was changed. One
    that is added where people voted it absent takes that one's place.
    """
    before = {row["annotation_id"]: row for row in agreed.objects.to_pylist() if row["image_id"] in changed}
    people = {row["image_id"]: row["annotators"] for row in before.values()}
    absent = {key: row for key, row in before.items() if row["outcome"] == "absent"}
    present = {key: row for key, row in before.items() if key not in absent}
    rows, objects = [], []
    for image_id, found in changed.items():
        empty = {"annotation_id": derived_id("consensus", image_id, "empty"), "outcome": "empty"}
        for row in found or [empty]:
            own = {"image_id": image_id, "task_id": tasks[image_id], "origin": "consensus"}
            rows.append({**row, **own})
            ours = {"votes": 1, "annotators": people.get(image_id, 1), "made_from": [], "confidence": None}
            first = present.get(row.get(_FIRST), {})
            ours |= {name: first.get(name) for name in _OF_ATTRIBUTES}
            objects.append({**ours, **present.get(row["annotation_id"], {}), **row, **own})
            absent.pop(row["annotation_id"], None)
    confidence = {key: sure for key, sure in agreed.image_confidence.items() if key not in changed}
    return replace(
        agreed,
        annotations=_replaced(agreed.annotations, rows, changed),
        objects=_replaced(agreed.objects, [*objects, *absent.values()], changed),
        image_confidence=confidence,
    )


def _replaced(table: pa.Table, rows: Sequence[_Row], image_ids: Collection[str]) -> pa.Table:
    own = [{name: row.get(name) for name in table.column_names} for row in rows]
    kept = table.filter(pc.invert(_of(table, image_ids)))
    return pa.concat_tables([kept, pa.Table.from_pylist(own, schema=table.schema)])


def _of(table: pa.Table, image_ids: Collection[str]) -> pa.ChunkedArray:
    return pc.is_in(table["image_id"], value_set=pa.array(list(image_ids), pa.string()))
