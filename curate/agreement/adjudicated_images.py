"""What a senior labeler decided about images on which people disagree, in place of the consensus."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema
from curate.agreement.consensus import Consensus
from curate.agreement.settled_choices import SettledChoices
from curate.records import derived_id

_Row = Mapping[str, Any]
NOTHING_DECIDED = "skipped or unreadable"
UNKNOWN_CATEGORY = "with a category that the taxonomy does not name"
BOTH_KEPT = "with two drawings of one disputed object kept"
BY_OTHERS = "by somebody whose decisions do not count"
LEFT_IN = "with a planted error left in"
ASKED_AGAIN = "older than a line needs-qa of decisions.csv"


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions that count.

    Attributes:
        rows: By image the rows of `annotations` of the last decision: its objects, or one "empty".
        answers: Its row of `answers`, by image.
        left_out: Images of answers that decide nothing, by reason.
    """

    rows: Mapping[str, Sequence[_Row]]
    answers: Mapping[str, _Row]
    left_out: Mapping[str, Sequence[str]]

    def people(self) -> set[str]:
        """Pseudonyms of those who decided."""
        return {row["annotator_id"] for row in self.answers.values()}

    def only(self, image_ids: Collection[str], reason: str) -> Decisions:
        """Keep the decisions on some images; the others are left out for the reason."""
        rest = sorted(self.rows.keys() - image_ids)
        return Decisions(
            {key: rows for key, rows in self.rows.items() if key in image_ids},
            {key: row for key, row in self.answers.items() if key in image_ids},
            {**self.left_out, **({reason: rest} if rest else {})},
        )


def read(
    annotations: pa.Table,
    answers: pa.Table,
    *,
    planned: Collection[str],
    categories: Collection[str],
    people: Collection[str] = (),
) -> Decisions:
    """The last decision on each image.

    Args:
        annotations: What was drawn in the adjudication.
        answers: Its answers; drafts, replaced ones and those made without a page decide nothing.
        planned: Images that count.
        categories: Of the taxonomy.
        people: Whose decisions count; empty = everybody's.
    """
    drawn: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in annotations.to_pylist():
        drawn[row["task_id"], row["annotator_id"]].append(row)
    left_out: dict[str, list[str]] = defaultdict(list)
    latest: dict[str, _Row] = {}
    for row in sorted(answers.to_pylist(), key=lambda row: (row["updated_at"] or "", row["answer_id"])):
        if row["superseded"] or row["outcome"] in {"draft", "unattended"} or row["image_id"] not in planned:
            continue
        objects = drawn[row["task_id"], row["annotator_id"]]
        if people and row["annotator_id"] not in people:
            left_out[BY_OTHERS].append(row["image_id"])
        elif row["outcome"] != "submitted":
            left_out[NOTHING_DECIDED].append(row["image_id"])
        elif any(one["outcome"] == "object" and one["category"] not in categories for one in objects):
            left_out[UNKNOWN_CATEGORY].append(row["image_id"])
        else:
            latest[row["image_id"]] = row
    found = {key: drawn[row["task_id"], row["annotator_id"]] for key, row in latest.items()}
    return Decisions(found, latest, left_out)


def older_than(decisions: Decisions, asked: Mapping[str, datetime]) -> set[str]:
    """Images of which somebody asked for another look after they were decided.

    Args:
        decisions: What was decided, by image.
        asked: When somebody asked last, by image.
    """
    changed = {key: row["updated_at"] for key, row in decisions.answers.items() if key in asked}
    return {key for key, at in changed.items() if at is None or datetime.fromisoformat(at) < asked[key]}


def decided(decisions: Decisions, agreed: Consensus) -> Decisions:
    """Without those that keep two people's drawings of one disputed object: nobody chose between them."""
    disputed = agreed.objects.filter(pc.equal(agreed.objects["outcome"], "disputed"))
    group = {key: number for number, keys in enumerate(disputed["made_from"].to_pylist()) for key in keys}
    chosen = {
        image_id
        for image_id, rows in decisions.rows.items()
        if max(
            Counter(group[row["parent_id"]] for row in rows if row["parent_id"] in group).values(), default=0
        )
        < 2
    }
    return decisions.only(chosen, BOTH_KEPT)


def apply(agreed: Consensus, decisions: Decisions, tasks: Mapping[str, str]) -> Consensus:
    """The consensus, with each decided image as it was decided.

    The decision's objects have no confidence: nobody else's work says how probable they are. `made_from` is
    the row of the decision.

    Args:
        agreed: What people agree on.
        decisions: What takes its place.
        tasks: Task of every planned image.
    """
    if not decisions.rows:
        return agreed
    rows = [_row(row, tasks) for image_id in sorted(decisions.rows) for row in decisions.rows[image_id]]
    confidence = {key: sure for key, sure in agreed.image_confidence.items() if key not in decisions.rows}
    return replace(
        agreed,
        annotations=_with(agreed.annotations, rows, schema.ANNOTATIONS.arrow, decisions.rows),
        objects=_with(agreed.objects, rows, schema.CONSENSUS_OBJECTS.arrow, decisions.rows),
        image_confidence=confidence,
    )


def answer(settled: SettledChoices, decisions: Decisions) -> None:
    """Let the decisions' answers about whole images take the place of what people said; in place.

    A question that a decision leaves open stays as people settled it, or disputed.
    """
    for image_id, row in decisions.answers.items():
        chosen = {control: list(choices) for control, choices in row["choices"] if choices}
        settled.answers[image_id] = {**settled.answers.get(image_id, {}), **chosen}
        sure, disputed = settled.confidence.pop(image_id, {}), settled.disputed.pop(image_id, [])
        if left := {control: value for control, value in sure.items() if control not in chosen}:
            settled.confidence[image_id] = left
        if open_still := [control for control in disputed if control not in chosen]:
            settled.disputed[image_id] = open_still


def _with(table: pa.Table, rows: Sequence[_Row], columns: pa.Schema, image_ids: Iterable[str]) -> pa.Table:
    gone = pc.is_in(table["image_id"], value_set=pa.array(list(image_ids), pa.string()))
    return pa.concat_tables([table.filter(pc.invert(gone)), pa.Table.from_pylist(list(rows), schema=columns)])


def _row(row: _Row, tasks: Mapping[str, str]) -> dict[str, Any]:
    """A row of the consensus, of both its tables."""
    corners = (f"{value:.3f}" for value in row["bbox_xyxy"] or ())
    content = (row["category"], *corners, row["rle"] or "") if row["outcome"] == "object" else ("empty",)
    return {
        "annotation_id": derived_id("consensus", row["image_id"], *content),
        "image_id": row["image_id"],
        "origin": "consensus",
        "outcome": row["outcome"],
        "category": row["category"],
        "bbox_xyxy": row["bbox_xyxy"],
        "rle": row["rle"],
        "polygon": row["polygon"],
        "attributes": row["attributes"],
        "task_id": tasks[row["image_id"]],
        "votes": 1,
        "annotators": 1,
        "made_from": [row["annotation_id"]],
    }
