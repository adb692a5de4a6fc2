"""Reading the server on which people annotate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from curate.ports.annotation import Progress

Taken = TypeVar("Taken")
Pieces = Callable[[], Iterator[Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class PullCounts:
    """How a snapshot came about; the same server gives the same snapshot whatever stands here.

    Attributes:
        full: Everything was read, not only what changed.
        tasks_read: Tasks whose content was read.
        tasks_gone: Tasks that the server has no more.
        raw_regions: Regions that no rule reads, by reason; they are kept in the column `raw`.
        answers_outside_plan: Answers to tasks that the plan does not name.
    """

    full: bool
    tasks_read: int
    tasks_gone: int
    raw_regions: Mapping[str, int] = field(default_factory=dict)
    answers_outside_plan: int = 0


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
        self, title: str, wanted: Mapping[str, int], take: Callable[[Snapshot], Taken], *, full: bool = False
    ) -> Taken:
        """Read what people did, and hand it to `take`, whose result is returned.

        Args:
            title: Title of the project; with those of single labelers, if there are any.
            wanted: Labelers wanted by task_id; other tasks are left out.
            take: Called with the snapshot, which can be read only during the call; perhaps called again.
            full: Read everything, also what did not change since the last time.

        Raises:
            AnnotationToolError: Unreachable, refused, or there is no such project.
        """
