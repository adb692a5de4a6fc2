"""Plans, answers and objects for the tests of quality control."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import schema
from curate.qa import joined_answers as looks
from curate.qa import task_drafts
from curate.qa.joined_answers import Looks
from curate.records import Annotation, Box, derived_id
from curate.shown import record
from curate.shown.record import ShownRecord
from tests import builders
from tests.shown import showing

PEOPLE = ("ann@example.org", "bob@example.org")
CATEGORIES = ("stop_sign", "parking_sign")
BOX: Box = (20.0, 20.0, 80.0, 80.0)


def task(name: str) -> str:
    return derived_id("task", builders.image_id(name))


def plan(name: str, **changes: Any) -> dict[str, Any]:
    """A row of the plan for the image called `name`."""
    row = {
        "task_id": task(name), "slot": 0, "image_id": builders.image_id(name), "reason": "review",
        "detail": None, "arm": "suggested", "priority": 0, "labeler": None,
        "seeded_kind": None, "seeded_id": None,
    }  # fmt: skip
    return {**row, **changes}


def answer(name: str, person: str = PEOPLE[0], **changes: Any) -> dict[str, Any]:
    """A submitted answer to the image called `name`."""
    created = changes.get("created_at", "2026-01-05T10:00:00.000000Z")
    row = {
        "answer_id": derived_id("answer", task(name), person, created),
        "task_id": task(name), "image_id": builders.image_id(name), "annotator_id": person,
        "outcome": "submitted", "superseded": False, "objects": 0,
        "created_at": created, "updated_at": created, "lead_time_s": 20.0,
        "model_version": None, "choices": [], "comment": None, "raw": None,
        "taxonomy_digest": "t1", "guideline_digest": "g1", "shown_id": None, "not_joined": None,
    }  # fmt: skip
    return {**row, **changes}


def drew(name: str, category: str, box: Box, person: str = PEOPLE[0], **changes: Any) -> Annotation:
    """An object that a person drew."""
    return builders.annotation(name, category, box, annotator_id=person, rle=None, **changes)


def suggestion(name: str, category: str = "stop_sign", box: Box = BOX, **changes: Any) -> Annotation:
    """An object that the model proposes."""
    changes = {"score": 0.9, "rle": None, **changes}
    return builders.annotation(name, category, box, origin="model", **changes)


def known(name: str, category: str, box: Box) -> Annotation:
    """A known answer."""
    return builders.annotation(name, category, box, origin="gold", rle=None)


def plans(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema.PLAN.arrow)


def answers(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema.ANSWERS.arrow)


def annotations(*rows: Annotation) -> pa.Table:
    return pa.Table.from_pylist([row.row() for row in rows], schema=schema.ANNOTATIONS.arrow)


def shown(plan: pa.Table, suggestions: Sequence[Annotation] = ()) -> ShownRecord:
    """The record of a push of that plan with those suggestions."""
    sizes = {"path": "x.jpg", "width": builders.WIDTH, "height": builders.HEIGHT, "drop_reason": None}
    kept = {image_id: {"image_id": image_id, **sizes} for image_id in plan["image_id"].to_pylist()}
    planned = task_drafts.planned_tasks(plan.to_pylist(), kept, suggestions, names=CATEGORIES)
    with tempfile.TemporaryDirectory() as folder:
        since = "2026-01-05T00:00:00.000000Z"
        showing.write_planned(Path(folder), planned, since=since, confirmed=since)
        return record.load(Path(folder))


def joined(given: pa.Table, rec: ShownRecord) -> pa.Table:
    """The answers, each under the only row of its task."""
    ids = {row["task_id"]: row["shown_id"] for row in rec.shown.to_pylist()}
    column = pa.array([ids.get(task_id) for task_id in given["task_id"].to_pylist()], pa.string())
    return given.set_column(given.schema.get_field_index("shown_id"), "shown_id", column)


def collect(plan: pa.Table, given: pa.Table, *, known: Sequence[str] = ()) -> Looks:
    """Answers under that plan; `known` names images whose answer is known."""
    rec = shown(plan)
    known_images = pa.array([builders.image_id(name) for name in known], pa.string())
    return looks.collect(joined(given, rec), rec, known_images)


def images(names: Sequence[str]) -> pa.Table:
    return pa.Table.from_pylist([builders.image(name).row() for name in names], schema=schema.IMAGES.arrow)
