"""Reading the server on which people annotate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from curate.ports.annotation import Progress

Pieces = Callable[[], Iterator[Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class WantedTask:
    """What our own tables say of a task; nothing of it is believed of the server.

    Attributes:
        image_id: Image to look at.
        width: Upright pixels.
        height: Upright pixels.
        labelers: How many people must look at it.
    """

    image_id: str
    width: int
    height: int
    labelers: int

    @property
    def identity(self) -> str:
        """What answers are read with, as one text."""
        return f"{self.image_id} {self.width} x {self.height}"


@dataclass(frozen=True, slots=True)
class PullCounts:
    """How a snapshot came about; the same server gives the same snapshot whatever stands here.

    Attributes:
        full: Everything was read, not only what changed.
        tasks_read: Tasks whose content was read.
        tasks_gone: Tasks that the server has no more.
        raw_regions: Results of readable answers that no rule reads, by reason; they are kept in `raw`.
        answers_outside_plan: Answers to tasks that the plan does not name, or gives to nobody.
        imported_outside_plan: Those of them that were imported, by image_id.
        n_unreadable: Answers that cannot be read; they stand for nothing.
        unreadable: Regions that make them so, by reason.
        corrected: What was put right in readable answers, by kind.
        unattended: Answers that were made without a page, by who did it; they are nobody's look.
        in_projects_of_others: Answers given or begun in a colleague's own project, by who did it; left out.
        nameless: Answers of deleted accounts whose names nobody has read; each counts as a person's own.
        foreign_tasks: Tasks of the project that were not made by push.
        edited_tasks: Tasks whose data somebody changed after push.
    """

    full: bool
    tasks_read: int
    tasks_gone: int
    raw_regions: Mapping[str, int] = field(default_factory=dict)
    answers_outside_plan: int = 0
    imported_outside_plan: Mapping[str, int] = field(default_factory=dict)
    n_unreadable: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    corrected: Mapping[str, int] = field(default_factory=dict)
    unattended: Mapping[str, int] = field(default_factory=dict)
    in_projects_of_others: Mapping[str, int] = field(default_factory=dict)
    nameless: int = 0
    foreign_tasks: int = 0
    edited_tasks: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What people did, as the server has it at one time.

    Attributes:
        url: Where people work.
        progress: How far they are.
        counts: What was read, and what could not be.
        answers: Rows of the `answers` table in pieces, in its order; from the start at each call.
        annotations: The same of `annotations`: the rows of everybody's last answer to each task.
    """

    url: str
    progress: Progress
    counts: PullCounts
    answers: Pieces
    annotations: Pieces


class AnnotationReader(Protocol):
    """A server on which people annotate, as far as it is read."""

    def pull(
        self,
        title: str,
        wanted: Mapping[str, WantedTask],
        *,
        labels: Sequence[str] | None = None,
        full: bool = False,
    ) -> AbstractContextManager[Snapshot]:
        """What people did; the snapshot can be read only as long as the context lasts.

        Args:
            title: Title of the project; with those of single labelers, if there are any.
            wanted: What our tables say of each task, by task_id; other tasks are left out.
            labels: Category names that the project must have; None = whatever it has.
            full: Read everything, also what did not change since the last time.

        Raises:
            AnnotationToolError: Unreachable, refused, no such project, or one with other labels.
        """
