"""What push adds to the record of what was shown: before it sends, and when the server has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from curate.ports import AnnotationTool, ProjectSpec, TaskDraft
from curate.records import Annotation
from curate.shown import record, rows
from curate.shown.join import TIME
from curate.shown.record import ShownRecord
from curate.shown.rows import PlannedTask

_CLOCK = timedelta(seconds=1)  # servers tell their time in whole seconds


def before_push(
    folder: Path,
    planned: Sequence[PlannedTask],
    specs: Sequence[ProjectSpec],
    tool: AnnotationTool,
    *,
    taxonomy_file: Path,
) -> int:
    """Record what is about to be shown, and find out what became of a push that died.

    Args:
        folder: Of the record.
        planned: All tasks.
        specs: The projects that they go into.
        tool: The server, which tells its time and what it shows.
        taxonomy_file: Kept as it is shown.

    Returns:
        Number of rows added.

    Raises:
        AnnotationToolError: The server cannot be asked; then nothing was recorded, and nothing may be sent.
        TableError: The record is damaged.
        StorageError: It cannot be written.
    """
    known = record.load(folder, required=False)
    now = tool.now().strftime(TIME)
    if known.open_rows():
        before = record.load(folder, as_shown=True)  # the server has the names of then
        record.settle(folder, _reached(before, specs, tool, {task.draft.task_id for task in planned}), at=now)
        known = record.load(folder)
    spec = specs[0]
    wanted = [
        row
        for task in planned
        for row in rows.shown_rows(task, guideline=spec.guideline_digest, taxonomy=spec.taxonomy_digest)
    ]
    news = record.rows_to_send(known, wanted)
    if spec.guideline_digest is not None:
        record.keep_text(folder, "guideline", spec.guideline_digest, spec.instructions)
    record.keep_text(folder, "taxonomy", spec.taxonomy_digest, taxonomy_file.read_text(encoding="utf-8"))
    if news or not known.parts:
        tasks = {row["task_id"] for row in news}
        record.append(folder, known, news, _suggestions(planned, tasks), since=now)
    return len(news)


def after_push(folder: Path, tool: AnnotationTool) -> None:
    """Say that what every task shows by the record has reached the server.

    What a push that died meant to show, and a later one replaced, stays open: people may have seen it.

    Raises:
        AnnotationToolError: The server does not tell its time; the next push finds out.
        StorageError: It cannot be written.
    """
    known = record.load(folder)
    confirmed_at = (tool.now() + _CLOCK).strftime(TIME)
    current = {row["shown_id"] for row in known.latest().values()}
    open_now = [row["shown_id"] for row in known.open_rows() if row["shown_id"] in current]
    record.settle(folder, dict.fromkeys(open_now, True), at=confirmed_at)


def _suggestions(planned: Sequence[PlannedTask], tasks: set[Any]) -> Iterator[dict[str, Any]]:
    for task in planned:
        if task.draft.task_id in tasks:
            yield from rows.suggestion_rows(task.proposed)
            if task.seeded_kind is not None:
                yield from rows.suggestion_rows(task.draft.pre_annotations)


def _reached(
    known: ShownRecord, specs: Sequence[ProjectSpec], tool: AnnotationTool, planned: AbstractSet[str]
) -> dict[str, bool]:
    """The open rows that the server shows; asked with all that it was meant to show then.

    A row that it does not show now stays open: that is not "never was". The push may have died between two
    requests, or after it had sent for a plan that is another one today.
    """
    latest = known.latest()
    # What had left the plan before was not sent with them.
    asked = planned | {row["task_id"] for row in known.open_rows()}
    by_digest = suggestions_by_digest(known)
    drafts: dict[str | None, list[TaskDraft]] = {}
    for (task_id, labeler), row in latest.items():
        if task_id in asked:
            drafts.setdefault(labeler, []).append(_draft(row, by_digest, specs[0].images_root))
    there = {
        labeler: tool.showing(replace(specs[0], labeler=labeler), tasks) for labeler, tasks in drafts.items()
    }
    current = {row["shown_id"] for row in latest.values()}
    return {
        row["shown_id"]: True
        for row in known.open_rows()
        if row["shown_id"] in current and row["task_id"] in there.get(row["labeler"], ())
    }


def suggestions_by_digest(known: ShownRecord) -> dict[str, list[Annotation]]:
    """Every set of suggestions that was ever shown or proposed, without its image."""
    by_digest: dict[str, list[Annotation]] = {}
    for row in known.suggestions.to_pylist():
        by_digest.setdefault(row["suggestions_digest"], []).append(_annotation(row))
    return by_digest


def _draft(row: Mapping[str, Any], by_digest: Mapping[str, list[Annotation]], images_root: Path) -> TaskDraft:
    """The task as a push had it, as far as it tells what the server shows."""
    image_id = row["image_id"]
    shown = tuple(
        replace(found, image_id=image_id) for found in by_digest.get(row["suggestions_digest"] or "", [])
    )
    return TaskDraft(row["task_id"], image_id, str(images_root / image_id), 1, 1, 1, shown)


def _annotation(row: Mapping[str, Any]) -> Annotation:
    x1, y1, x2, y2 = row["bbox_xyxy"]
    return Annotation(
        annotation_id=row["annotation_id"],
        image_id="",
        origin="model",
        category=row["category"],
        bbox_xyxy=(x1, y1, x2, y2),
        rle=row["rle"],
        score=row["score"],
        model_version=row["model_version"],
        polygon=row["polygon"],
        attributes=tuple((name, tuple(values)) for name, values in row["attributes"] or ()),
    )
