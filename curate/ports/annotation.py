"""The server on which people annotate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from curate.records import Annotation, Category


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """One question about the whole image.

    Attributes:
        name: Of the control, such as "weather".
        options: What can be chosen, in the order shown; at least two.
        multiple: Whether several may be chosen.
    """

    name: str
    options: tuple[str, ...]
    multiple: bool = False


@dataclass(frozen=True, slots=True)
class ObjectAttribute:
    """One question about each object, such as "occluded".

    Attributes:
        name: Of the control; of no question about the image.
        options: What can be chosen, in the order shown; at least two.
        multiple: Whether several may be chosen.
        categories: Names of those whose objects are asked; empty = all.
    """

    name: str
    options: tuple[str, ...]
    multiple: bool = False
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """What a labelling project must look like.

    Attributes:
        title: Shown to the labelers; the project is found again by it.
        categories: Labels, with their colors.
        instructions: Guideline text, Markdown.
        overlap: Most labelers that any task asks for, at least 1.
        images_root: Folder of the upright images, which the server serves.
        choices: Questions about the whole image.
        guideline_digest: Of the guideline that the labelers are shown; None where there is none.
        taxonomy_digest: Of the taxonomy that the labels are made from.
        labeler: Who alone works in this project; None = everybody. Not part of `title`.
        instructions_folder: Where images with relative addresses in the instructions are.
        task_ids: Keys of the tasks that the plan names, by which a project without our mark is recognized.
        notes: The page shows the note of each task, and the caption of each of its objects.
        attributes: Questions about each object.
        question: The page shows two pictures beside each other, and asks this; empty = it shows one image.
    """

    title: str
    categories: tuple[Category, ...]
    instructions: str
    overlap: int
    images_root: Path
    choices: tuple[ImageChoice, ...] = ()
    guideline_digest: str | None = None
    taxonomy_digest: str | None = None
    labeler: str | None = None
    instructions_folder: Path | None = None
    task_ids: frozenset[str] = frozenset()
    notes: bool = False
    attributes: tuple[ObjectAttribute, ...] = ()
    question: str = ""


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """An existing project on the server.

    Attributes:
        project_id: The server's number.
        url: Where people work.
        labeler: Whose answers alone count in it; None = everybody's.
    """

    project_id: int
    url: str
    labeler: str | None = None


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
        labelers: `blind: strict` only: in whose projects the task is, one name per wanted labeler.
        name: The raw file's name, for people; empty = not known.
        note: What the page says of the task, in a project with `notes`.
        captions: What the page says of pre-annotations there: annotation_id and text.
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
    name: str = ""
    note: str = ""
    captions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PushCounts:
    """What a push changed on the server, or would change.

    Attributes:
        created: New tasks.
        unchanged: Tasks that are as wanted.
        predictions_replaced: Tasks whose suggestions are other ones now.
        surplus: Tasks of ours that the plan does not name, and that stay as they are.
        closed: Of those that the plan does not name any more: offered to nobody, work and task kept.
        deleted: The same, deleted because that was asked for, and nobody had worked on them.
        reopened: Closed tasks that the plan names again.
        overlap_changed: Tasks that want another number of labelers.
        recounted: Tasks that the server took to be done although people are missing, or the other way round.
        data_changed: Tasks with another address or size of the image.
        duplicates_removed: Copies of a task, without work, that a lost answer of the server left behind.
        edited: Of the new tasks: made because somebody changed the picture of the old one, which is closed.
    """

    created: int
    unchanged: int
    predictions_replaced: int
    surplus: int
    closed: int = 0
    deleted: int = 0
    reopened: int = 0
    overlap_changed: int = 0
    data_changed: int = 0
    duplicates_removed: int = 0
    recounted: int = 0
    edited: int = 0

    def __add__(self, other: PushCounts) -> PushCounts:
        """The counts of two projects together."""
        return PushCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would do.

    Attributes:
        title: Of the project.
        project: One line per change of the project itself; empty = stays as it is.
        counts: Of tasks.
        examples: A few tasks for each kind of change: the kind, and the tasks' keys with their images.
    """

    title: str
    project: tuple[str, ...]
    counts: PushCounts
    examples: tuple[tuple[str, tuple[str, ...]], ...]


RemovedTasks = Literal["close", "delete", "keep"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the labelers are.

    Attributes:
        slots_done: Task-labeler slots with submitted or skipped work, at most the wanted number per task.
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

    def projects(self, title: str) -> Mapping[str | None, ProjectRef]:
        """The project of that title (None) and those of single labelers; empty if there is none."""

    def strange_projects(self, title: str) -> Sequence[str]:
        """A line for each project that looks like ours and is not, or is ours and was renamed."""

    def now(self) -> datetime:
        """The server's time, in whose terms answers are dated.

        Raises:
            AnnotationToolError: Unreachable, refused, or it does not tell.
        """

    def worked_on(self, title: str) -> frozenset[str]:
        """Keys of the tasks of a project, and of those of single labelers, that hold work of people.

        That is a submitted or skipped answer, or one that somebody began. Empty if there is no project.
        """

    def showing(self, spec: ProjectSpec, tasks: Sequence[TaskDraft]) -> frozenset[str]:
        """Tell the keys of the tasks that the project shows just as drafted; changes nothing.

        Args:
            spec: Of the project, which need not exist.
            tasks: As they may have been pushed once.
        """

    def push_tasks(
        self, project: ProjectRef, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushCounts:
        """Make the server hold exactly one task per key with its current pre-annotations.

        Safe to repeat and to interrupt. Human work is never touched.

        Args:
            project: The project to fill.
            tasks: In any order; new ones are queued by their priority.
            removed: What becomes of tasks of ours that are not among `tasks`.
        """

    def plan_push(
        self, spec: ProjectSpec, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushPlan:
        """What `ensure_project` and `push_tasks` would do; changes nothing.

        Raises:
            AnnotationToolError: As those two would.
        """
