"""Suggestions of another model go to tasks that nobody has begun: the others keep what was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.ports import AnnotationTool, ProjectSpec
from curate.records import Annotation, derived_id
from curate.shown import record, rows
from curate.shown.rows import PlannedTask
from curate.stages import shown_record


def keep_begun(
    folder: Path, planned: Sequence[PlannedTask], spec: ProjectSpec, tool: AnnotationTool
) -> tuple[list[PlannedTask], int]:
    """Tasks as they shall be shown, and how many of them keep suggestions of a model that was another one.

    Where somebody answered, skipped or began, the next person starts from what the first one saw, and an
    answer that is opened again stands beside what it was made from. Renewed all the same is what the plan
    wants in another arm, and suggestions of a category that the taxonomy does not name any more. Other
    suggestions of the same model, by other thresholds say, go to all tasks.

    Args:
        folder: Of the record of what was shown.
        planned: All tasks, with what models propose today.
        spec: Of one of the projects.
        tool: The server; asked only where there is another model.

    Raises:
        TableError: The record is damaged.
        AnnotationToolError: The server cannot be asked.
    """
    known = record.load(folder, required=False)
    latest = {task_id: row for (task_id, _), row in known.latest().items()}
    other = {
        task.draft.task_id
        for task in planned
        if (row := latest.get(task.draft.task_id)) is not None
        and row["arm"] == task.arm
        and row["model_version"] != rows.model_version(task.proposed)
    }
    begun = other & tool.worked_on(spec.title) if other else set()
    if not begun:
        return list(planned), 0
    by_digest = shown_record.suggestions_by_digest(known)
    names = {category.name for category in spec.categories}
    kept = {task_id for task_id in begun if _categories(latest[task_id], by_digest) <= names}
    return [
        _as_shown(task, latest[task.draft.task_id], by_digest) if task.draft.task_id in kept else task
        for task in planned
    ], len(kept)


_Sets = Mapping[str, Sequence[Annotation]]


def _categories(row: Mapping[str, Any], by_digest: _Sets) -> set[str | None]:
    digests = (row["suggestions_digest"], row["proposed_digest"])
    return {one.category for digest in digests for one in by_digest.get(digest or "", ())}


def _as_shown(task: PlannedTask, row: Mapping[str, Any], by_digest: _Sets) -> PlannedTask:
    """The task with the suggestions and the planted error that it was shown with last."""
    image_id = task.draft.image_id

    def of(digest: str | None) -> tuple[Annotation, ...]:
        return tuple(replace(one, image_id=image_id) for one in by_digest.get(digest or "", ()))

    proposed = of(row["proposed_digest"])
    if not proposed and row["model_version"] is not None:  # it saw nothing
        identity = derived_id("model", image_id, row["model_version"], "empty")
        proposed = (
            Annotation(identity, image_id, "model", outcome="empty", model_version=row["model_version"]),
        )
    return replace(
        task,
        draft=replace(task.draft, pre_annotations=of(row["suggestions_digest"])),
        proposed=proposed,
        seeded_kind=row["seeded_kind"],
        seeded_id=row["seeded_id"],
    )
