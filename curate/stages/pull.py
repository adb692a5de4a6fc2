"""Stage pull: a snapshot of what people did."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import schema, tables
from curate.errors import WaitingForPeopleError
from curate.params import LabelStudioParams, QaParams
from curate.ports import Progress
from curate.ports.pulled import AnnotationReader, Snapshot
from curate.qa import plan
from curate.records import StageReport
from curate.schema import TableSchema
from curate.shown import record
from curate.stages.answer_join import AnswerJoin


@dataclass(frozen=True, slots=True)
class PullParams:
    """The two sections of params.yaml that this stage reads."""

    labelstudio: LabelStudioParams
    qa: QaParams


@dataclass(frozen=True, slots=True)
class Inputs:
    """The images, the plan, and the record of what was shown."""

    images: Path
    plan: Path
    shown: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """Annotations with origin "human": everybody's last answer; and all answers, older and begun ones too."""

    table: Path
    answers: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The annotation server."""

    reader: AnnotationReader


@dataclass(slots=True)
class _Tally:
    """What went into the tables, counted while it did."""

    digest: Any = field(default_factory=hashlib.sha256)
    outcomes: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    last_answers: int = 0
    from_suggestions: int = 0
    with_mask: int = 0
    with_polygon: int = 0
    drafts: int = 0

    def annotation(self, row: Mapping[str, Any]) -> None:
        self._add(row)
        self.outcomes[row["outcome"]] += 1
        if row["outcome"] == "object":
            self.people[str(row["annotator_id"])] += 1
            self.from_suggestions += row["parent_id"] is not None
            self.with_mask += row["rle"] is not None
            self.with_polygon += row["polygon"] is not None

    def answer(self, row: Mapping[str, Any]) -> None:
        self._add(row)
        self.drafts += row["outcome"] == "draft"
        self.last_answers += row["outcome"] != "draft" and not row["superseded"]

    def _add(self, row: Mapping[str, Any]) -> None:
        # Which part of the record an answer belongs to is no work of people.
        work = {name: value for name, value in row.items() if name != "shown_id"}
        self.digest.update(json.dumps(work, sort_keys=True).encode() + b"\n")


def wanted(path: Path) -> Mapping[str, int]:
    """How many people must look at each task of the plan; what is accepted without a human is left out.

    Raises:
        TableError: The plan is missing or damaged.
    """
    slots = tables.read(path, schema.PLAN, columns=["task_id", "arm"]).to_pydict()
    looked = zip(slots["task_id"], slots["arm"], strict=True)
    return plan.labelers_wanted(task for task, arm in looked if arm != "accepted")


def run(params: PullParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Read everybody's answers to the planned tasks.

    Raises:
        WaitingForPeopleError: Slots are open and `qa.allow_partial` is false.
        AnnotationToolError: Unreachable, refused, or no such project.
        TableError: A table is damaged.
    """
    join = AnswerJoin(record.load(inputs.shown))
    known = set(tables.read(inputs.images, schema.IMAGES, columns=["image_id"])["image_id"].to_pylist())

    def take(snapshot: Snapshot) -> StageReport:
        if snapshot.progress.slots_done < snapshot.progress.slots_needed and not params.qa.allow_partial:
            raise _waiting(snapshot.progress, snapshot.url)
        tally = _Tally()
        annotations = (list(map(join.annotation, piece)) for piece in snapshot.annotations())
        _write(annotations, outputs.table, schema.ANNOTATIONS, known, tally.annotation)
        answers = (list(map(join.answer, piece)) for piece in snapshot.answers())
        _write(answers, outputs.answers, schema.ANSWERS, known, tally.answer)
        return _report(snapshot, tally, join)

    return ports.reader.pull(params.labelstudio.project, wanted(inputs.plan), take)


def _waiting(progress: Progress, url: str) -> WaitingForPeopleError:
    return WaitingForPeopleError(
        f"waiting for people: {progress.tasks_done} of {progress.tasks} tasks done "
        f"({progress.slots_done} of {progress.slots_needed} looks) at {url} - label on, then run "
        "`dvc repro` again (qa.allow_partial: true goes on with what is there; `curate qa status` shows more)"
    )


def _write(
    pieces: Iterable[Sequence[Mapping[str, Any]]],
    path: Path,
    columns: TableSchema,
    known: Collection[str],
    count: Callable[[Mapping[str, Any]], None],
) -> None:
    """Stream rows into a table; rows of images that are gone are left out."""
    with tables.stream(path, columns) as writer:
        for piece in pieces:
            kept: Sequence[Mapping[str, Any]] = [row for row in piece if row["image_id"] in known]
            for row in kept:
                count(row)
            writer.write(pa.Table.from_pylist(list(kept), schema=columns.arrow))


def _report(snapshot: Snapshot, tally: _Tally, join: AnswerJoin) -> StageReport:
    progress, raw = snapshot.progress, snapshot.counts.raw_regions
    this_run = [("tasks read", snapshot.counts.tasks_read)]
    if raw:
        reasons = "; ".join(f"{reason}: {number}" for reason, number in raw.items())
        this_run.append((f"regions kept raw ({reasons})", sum(raw.values())))
    if join.not_joined:
        reasons = "; ".join(f"{reason}: {number}" for reason, number in sorted(join.not_joined.items()))
        this_run.append((f"answers not joined to what was shown ({reasons})", join.not_joined.total()))
    return StageReport(
        "pull",
        (
            ("tasks done", progress.tasks_done),
            ("tasks", progress.tasks),
            ("answers", tally.last_answers),
            ("objects", tally.outcomes["object"]),
            ("skipped", tally.outcomes["skipped"]),
        ),
        {
            "snapshot": tally.digest.hexdigest(),
            "slots_done": progress.slots_done,
            "slots_needed": progress.slots_needed,
            "empty": tally.outcomes["empty"],
            "superseded": progress.superseded,
            "drafts": tally.drafts,
            "answers_outside_plan": snapshot.counts.answers_outside_plan,
            "raw_regions": dict(raw),
            "not_joined": dict(sorted(join.not_joined.items())),
            "objects_from_suggestions": tally.from_suggestions,
            "objects_with_mask": tally.with_mask,
            "objects_with_polygon": tally.with_polygon,
            "objects_by_annotator": dict(sorted(tally.people.items())),
        },
        tuple(this_run),
    )
