"""The server on which people annotate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from curate.records import Annotation, Category


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """What a labelling project must look like.

    Attributes:
        title: Shown to the labelers; the project is found again by it.
        categories: Labels, with their colours.
        instructions: Guideline text, Markdown.
        overlap: Most labelers that any task asks for, at least 1.
        images_root: Folder of the upright images, which the server serves.
    """

    title: str
    categories: tuple[Category, ...]
    instructions: str
    overlap: int
    images_root: Path


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """An existing project on the server."""

    project_id: int
    url: str


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task to be created.

    Attributes:
        task_id: Our idempotency key.
        image_id: Image to look at.
        path: Upright RGB file, relative to the project root.
        width: Upright pixels.
        height: Upright pixels.
        overlap: Labelers wanted, at least 1.
        pre_annotations: Model's rows for that image; may be empty.
        priority: Place in the queue, 0 first.
        labelers: `blind: strict` only: in whose projects the task is, one name a wanted labeler.
    """

    task_id: str
    image_id: str
    path: str
    width: int
    height: int
    overlap: int
    pre_annotations: tuple[Annotation, ...]
    priority: int = 0
    labelers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushCounts:
    """What a push changed on the server."""

    created: int
    unchanged: int
    predictions_replaced: int
    surplus: int  # tasks on the server that the plan does not name; left alone


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the labelers are.

    Attributes:
        slots_done: Task-labeler slots with submitted or skipped work, at most the wanted number a task.
        slots_needed: All wanted slots.
        tasks_done: Tasks whose every slot is done.
        tasks: All tasks.
        superseded: Older work of somebody who answered a task again; not among the rows.
    """

    slots_done: int
    slots_needed: int
    tasks_done: int
    tasks: int
    superseded: int = 0


class AnnotationTool(Protocol):
    """A server on which people annotate."""

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Create the project, or adopt the one of that title; never a second one.

        Raises:
            AnnotationToolError: Unreachable, refused, or an existing project that contradicts `spec`.
        """

    def find_project(self, title: str) -> ProjectRef:
        """The project of that title.

        Raises:
            AnnotationToolError: There is none: push first.
        """

    def push_tasks(self, project: ProjectRef, tasks: Sequence[TaskDraft]) -> PushCounts:
        """Make the server hold exactly one task a key with its current pre-annotations.

        Safe to repeat and to interrupt. Human work is never touched.
        """

    def pull_annotations(
        self, project: ProjectRef, wanted: Mapping[str, int]
    ) -> tuple[list[Annotation], Progress]:
        """Every annotator's submitted or skipped work on the wanted tasks.

        Args:
            project: The project to read.
            wanted: Labelers wanted by task_id.

        Returns:
            Rows of origin "human", and how far people are.
        """
