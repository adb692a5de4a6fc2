"""Stage pull: a snapshot of what people did."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import pseudonyms, schema, tables
from curate.errors import WaitingForPeopleError
from curate.labeling import taxonomy
from curate.params import LabelStudioParams, QaParams
from curate.ports import Progress
from curate.ports.pulled import AnnotationReader, PullCounts, Snapshot, WantedTask
from curate.qa import plan
from curate.records import StageReport
from curate.schema import TableSchema
from curate.shown import record
from curate.stages import adjudication_decisions
from curate.stages.answer_join import AnswerJoin

_ACCEPTED = "accepted"
_FORCE_SELECT = "imported answers to images accepted without a human (run `dvc repro --force select`)"


@dataclass(frozen=True, slots=True)
class PullParams:
    """The two sections of params.yaml that this stage reads."""

    labelstudio: LabelStudioParams
    qa: QaParams


@dataclass(frozen=True, slots=True)
class Inputs:
    """The images, the plan, the record of what was shown, and the taxonomy that the labels must be of.

    `adjudication` is the record of what was shown in the adjudication; None = there is none.
    """

    images: Path
    plan: Path
    shown: Path
    taxonomy: Path
    adjudication: Path | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: Annotations with origin "human": everybody's last answer.
        answers: All answers, older and begun ones too.
        people: Who is called what in metrics (`curate.pseudonyms`); None = numbered anew each time.
        decisions: Tables of the adjudication; None = they are not read.
    """

    table: Path
    answers: Path
    people: Path | None = None
    decisions: adjudication_decisions.DecisionTables | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The annotation server; `adjudication` reads the decisions there, None = there is no server now."""

    reader: AnnotationReader
    adjudication: AnnotationReader | None = None


@dataclass(slots=True)
class _Tally:
    """What went into the tables, counted while it did."""

    digest: Any = field(default_factory=hashlib.sha256)
    outcomes: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    seen: set[str | None] = field(default_factory=set)
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
            self.seen.add(row["annotator_id"])
            self.from_suggestions += row["parent_id"] is not None
            self.with_mask += row["rle"] is not None
            self.with_polygon += row["polygon"] is not None

    def answer(self, row: Mapping[str, Any]) -> None:
        self._add(row)
        self.seen.add(row["annotator_id"])
        self.drafts += row["outcome"] == "draft"
        self.last_answers += row["outcome"] not in {"draft", "unattended"} and not row["superseded"]

    def _add(self, row: Mapping[str, Any]) -> None:
        # Which part of the record an answer belongs to is no work of people.
        work = {name: value for name, value in row.items() if name != "shown_id"}
        self.digest.update(json.dumps(work, sort_keys=True).encode() + b"\n")


def wanted(plan_table: Path, images: Path) -> Mapping[str, WantedTask]:
    """What our tables say of each task of the plan; what is accepted without a human is left out.

    Raises:
        TableError: A table is missing or damaged.
    """
    slots = tables.read(plan_table, schema.PLAN, columns=["task_id", "image_id", "arm"]).to_pylist()
    looked = [slot for slot in slots if slot["arm"] != _ACCEPTED]
    sizes = tables.read(images, schema.IMAGES, columns=["image_id", "width", "height"]).to_pylist()
    by_id = {image["image_id"]: image for image in sizes}
    image_of = {slot["task_id"]: slot["image_id"] for slot in looked}
    return {
        task: WantedTask(image_of[task], image["width"], image["height"], labelers)
        for task, labelers in plan.labelers_wanted(slot["task_id"] for slot in looked).items()
        if (image := by_id.get(image_of[task])) is not None
    }


def _unread_of_accepted(plan_table: Path, counts: PullCounts) -> int:
    """Imported answers to images that the plan, made before they were there, accepts without a human."""
    slots = tables.read(plan_table, schema.PLAN, columns=["image_id", "arm"]).to_pylist()
    accepted = {slot["image_id"] for slot in slots if slot["arm"] == _ACCEPTED}
    return sum(number for image_id, number in counts.imported_outside_plan.items() if image_id in accepted)


def run(params: PullParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Read everybody's answers to the planned tasks.

    Raises:
        WaitingForPeopleError: Slots are open and `qa.allow_partial` is false.
        AnnotationToolError: Unreachable, refused, or no such project.
        TableError: A table is damaged.
    """
    join = AnswerJoin(record.load(inputs.shown))
    known = set(tables.read(inputs.images, schema.IMAGES, columns=["image_id"])["image_id"].to_pylist())
    labels = [category.name for category in taxonomy.load(inputs.taxonomy)]
    tasks = wanted(inputs.plan, inputs.images)
    with ports.reader.pull(params.labelstudio.project, tasks, labels=labels) as snapshot:
        if snapshot.progress.slots_done < snapshot.progress.slots_needed and not params.qa.allow_partial:
            raise _waiting(snapshot.progress, snapshot.url)
        tally = _Tally()
        annotations = (list(map(join.annotation, piece)) for piece in snapshot.annotations())
        _write(annotations, outputs.table, schema.ANNOTATIONS, known, tally.annotation)
        answers = (list(map(join.answer, piece)) for piece in snapshot.answers())
        _write(answers, outputs.answers, schema.ANSWERS, known, tally.answer)
        seen = tally.seen | snapshot.counts.unattended.keys() | snapshot.counts.in_projects_of_others.keys()
        report = _report(snapshot, tally, join, pseudonyms.remember(outputs.people, seen))
        if unread := _unread_of_accepted(inputs.plan, snapshot.counts):
            report = replace(report, this_run=(*report.this_run, (_FORCE_SELECT, unread)))
    if inputs.adjudication is None or outputs.decisions is None:
        return report
    done, asked = adjudication_decisions.pull(
        ports.adjudication,
        adjudication_decisions.title(params.labelstudio.project),
        shown=inputs.adjudication,
        images=inputs.images,
        outputs=outputs.decisions,
    )
    counts = (("decided", done), ("handed over for a decision", asked)) if asked else ()
    return replace(report, counts=(*report.counts, *counts))


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


def _report(snapshot: Snapshot, tally: _Tally, join: AnswerJoin, names: Mapping[str, str]) -> StageReport:
    progress, counts = snapshot.progress, snapshot.counts
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
            "answers_outside_plan": counts.answers_outside_plan,
            "raw_regions": dict(counts.raw_regions),
            "unreadable": counts.n_unreadable,
            "unreadable_regions": dict(counts.unreadable),
            "corrected": dict(counts.corrected),
            "unattended": sum(counts.unattended.values()),
            "in_projects_of_others": sum(counts.in_projects_of_others.values()),
            "nameless": counts.nameless,
            "foreign_tasks": counts.foreign_tasks,
            "edited_tasks": counts.edited_tasks,
            "not_joined": dict(sorted(join.not_joined.items())),
            "objects_from_suggestions": tally.from_suggestions,
            "objects_with_mask": tally.with_mask,
            "objects_with_polygon": tally.with_polygon,
            "objects_by_annotator": {names[person]: count for person, count in sorted(tally.people.items())},
        },
        (("tasks read", counts.tasks_read), *_remarks(counts, join, names)),
    )


def _remarks(counts: PullCounts, join: AnswerJoin, names: Mapping[str, str]) -> list[tuple[str, int]]:
    """What somebody should know of: whatever is not as it should be, counted and named."""
    unattended, of_others = (
        {names[person]: number for person, number in sorted(found.items())}
        for found in (counts.unattended, counts.in_projects_of_others)
    )
    remarks = [
        (f"unreadable answers, held back ({_named(counts.unreadable)})", counts.n_unreadable),
        (
            f"answers made without a page, no looks ({_named(unattended)})",
            sum(unattended.values()),
        ),
        (f"answers in a colleague's project, left out ({_named(of_others)})", sum(of_others.values())),
        ("answers of deleted accounts without a name, each a person of its own", counts.nameless),
        ("answers to tasks outside the plan, not read", counts.answers_outside_plan),
        (f"regions kept raw ({_named(counts.raw_regions)})", sum(counts.raw_regions.values())),
        ("tasks that push did not make", counts.foreign_tasks),
        ("tasks that were edited on the server", counts.edited_tasks),
        *((f"times: {kind}", number) for kind, number in counts.corrected.items()),
        (
            f"answers not joined to what was shown ({_named(dict(sorted(join.not_joined.items())))})",
            join.not_joined.total(),
        ),
    ]
    return [(text, number) for text, number in remarks if number]


def _named(counted: Mapping[str, int]) -> str:
    return "; ".join(f"{name}: {number:,}" for name, number in counted.items())
