"""Planted errors that people left in: the image is held back until its task got a later answer without them.

Read from the record of what was shown, so that no change of plan, model, thresholds or gold lets one through.
An answer leaves an error in where it was, or may have been, begun under it and still agrees with it
(`error_injection.left_in`). A later answer to the task that does not, by whomever, settles the image; the one
that left the error in then takes no part in the consensus.

Only answers that could be read, and that somebody gave on the page, settle anything. Two people who draw
nothing where a suggestion was left out are right: models are wrong too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.qa import error_injection
from curate.records import Annotation
from curate.shown.join import BEFORE_RECORD, CHANGED_MEANWHILE, IMPORTED, NO_RECORD
from curate.shown.record import ShownRecord

ANSWER_COLUMNS = (
    "task_id", "image_id", "annotator_id", "outcome", "superseded", "created_at", "updated_at", "shown_id",
    "not_joined",
)  # fmt: skip
Key = tuple[str, str]  # task and labeler


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What may not be released, and what takes no part in the consensus.

    Attributes:
        left_in: Images in which a planted error was left, and no later answer is without it; sorted.
        replaced: Answers that left one in, and that a later one of the task replaces.
        unknown: Images of which no answer could be joined to what was shown; sorted.
    """

    left_in: list[str]
    replaced: frozenset[Key]
    unknown: list[str]


@dataclass(frozen=True, slots=True)
class _Planted:
    """One planted error as it was on the page."""

    shown_id: str
    since: str
    kind: str
    seeded_id: str
    before: list[Annotation]
    shown: list[Annotation]


def find(record: ShownRecord, answers: pa.Table, annotations: pa.Table, *, iou_threshold: float) -> HeldBack:
    """Find what people left in.

    Args:
        record: Of what was shown.
        answers: `ANSWER_COLUMNS` of pull.
        annotations: Of pull: what people drew.
        iou_threshold: From this IoU on two boxes show the same object, in (0, 1].
    """
    last = [row for row in answers.to_pylist() if row["outcome"] == "submitted" and not row["superseded"]]
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in last:
        by_task.setdefault(row["task_id"], []).append(row)
    planted = _planted(record, by_task.keys())
    drawn = _drawn(annotations, planted.keys())
    left_in: set[str] = set()
    replaced: set[Key] = set()
    for task_id, errors in planted.items():
        given = by_task[task_id]
        bad = [row for row in given if _leaves_any(row, given, errors, drawn, iou_threshold)]
        if not bad:
            continue
        good = [_when(row) for row in given if row not in bad]
        if good and max(good) > max(map(_when, bad)):
            replaced |= {(task_id, row["annotator_id"]) for row in bad}
        else:
            left_in.add(given[0]["image_id"])
    return HeldBack(sorted(left_in), frozenset(replaced), _unknown(last))


def _unknown(answers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Images with answers of which none is covered by the record."""
    covered: dict[str, bool] = {}
    for row in answers:
        known = row["not_joined"] not in (NO_RECORD, BEFORE_RECORD)
        covered[row["image_id"]] = covered.get(row["image_id"], False) or known
    return sorted(image_id for image_id, known in covered.items() if not known)


def _leaves_any(
    row: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    errors: Sequence[_Planted],
    drawn: Mapping[Key, list[Annotation]],
    iou_threshold: float,
) -> bool:
    """Whether an answer holds an error that it was, or may have been, begun under."""
    for error in errors:
        if not _may_have_seen(row, error):
            continue
        if not _holds(row, error, drawn, iou_threshold):
            continue
        alone = error.kind != "missing" or len(given) == 1
        if alone or not all(_holds(other, error, drawn, iou_threshold) for other in given):
            return True
    return False


def _may_have_seen(row: Mapping[str, Any], error: _Planted) -> bool:
    if row["shown_id"] is not None:
        return bool(row["shown_id"] == error.shown_id)
    if row["not_joined"] == CHANGED_MEANWHILE:
        return row["created_at"] is None or error.since <= row["created_at"]
    return bool(row["not_joined"] != IMPORTED)  # of all others nothing is known


def _holds(
    row: Mapping[str, Any], error: _Planted, drawn: Mapping[Key, list[Annotation]], iou_threshold: float
) -> bool:
    return error_injection.left_in(
        error.kind,
        error.seeded_id,
        before=error.before,
        shown=error.shown,
        drawn=drawn.get((row["task_id"], row["annotator_id"]), []),
        iou_threshold=iou_threshold,
    )


def _when(row: Mapping[str, Any]) -> str:
    """When an answer got its present form."""
    return str(row["updated_at"] or row["created_at"] or "")


def _planted(record: ShownRecord, answered: Collection[str]) -> dict[str, list[_Planted]]:
    """The errors that answered tasks showed, by task."""
    shown = record.shown
    reached = pc.fill_null(shown["reached"], True)
    rows = shown.filter(pc.and_(pc.is_valid(shown["seeded_kind"]), reached))
    rows = rows.filter(pc.is_in(rows["task_id"], value_set=pa.array(sorted(answered), pa.string())))
    digests = pa.array(sorted({key for name in _SIDES for key in rows[name].to_pylist() if key}), pa.string())
    found = record.suggestions
    found = found.filter(pc.is_in(found["suggestions_digest"], value_set=digests))
    sets: dict[str | None, list[Annotation]] = {}
    for suggestion in found.to_pylist():
        sets.setdefault(suggestion["suggestions_digest"], []).append(_suggestion(suggestion))
    planted: dict[str, list[_Planted]] = {}
    for row in rows.to_pylist():
        before, after = (sets.get(row[name], []) for name in _SIDES)
        error = _Planted(row["shown_id"], row["since"], row["seeded_kind"], row["seeded_id"], before, after)
        planted.setdefault(row["task_id"], []).append(error)
    return planted


_SIDES = ("proposed_digest", "suggestions_digest")


def _suggestion(row: Mapping[str, Any]) -> Annotation:
    x1, y1, x2, y2 = row["bbox_xyxy"]
    return Annotation(row["annotation_id"], "", "model", row["category"], (x1, y1, x2, y2))


def _drawn(annotations: pa.Table, tasks: Collection[str]) -> dict[Key, list[Annotation]]:
    """Objects of some tasks by task and labeler."""
    here = pc.is_in(annotations["task_id"], value_set=pa.array(sorted(tasks), pa.string()))
    found: dict[Key, list[Annotation]] = {}
    for row in annotations.filter(pc.and_(here, pc.equal(annotations["outcome"], "object"))).to_pylist():
        found.setdefault((row["task_id"], row["annotator_id"]), []).append(Annotation.from_row(row))
    return found
