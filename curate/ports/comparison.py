"""People who compare two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from curate.ports.annotation import PushCounts


@dataclass(frozen=True, slots=True)
class ComparisonDraft:
    """Two pictures side by side, to be shown to some people.

    Attributes:
        task_id: Our idempotency key; changes whenever one of the pictures does.
        left: File of the left picture, relative to the project root. Its name tells nothing.
        right: File of the right one.
        raters: People wanted, at least 1.
    """

    task_id: str
    left: str
    right: str
    raters: int


@dataclass(frozen=True, slots=True)
class GivenVote:
    """One person's last answer to one comparison.

    Attributes:
        task_id: Key of the comparison.
        person: Who, as the server names them.
        side: Which picture looks better; None = skipped, or it cannot be read.
    """

    task_id: str
    person: str
    side: Literal["left", "right"] | None


@dataclass(frozen=True, slots=True)
class PulledVotes:
    """What people answered, as the server has it now.

    Attributes:
        url: Where they work.
        votes: Everybody's last answer to each comparison, in the order of keys and persons.
        superseded: Older answers of somebody who answered again.
        skipped: Among the votes.
        unreadable: Among the votes: neither left nor right is chosen, and it is no skip.
        unattended: Answers that were made without a page; they are nobody's.
        outside_plan: Answers to comparisons that were not asked for, such as of pictures that changed since.
        edited: Answers to tasks whose pictures somebody changed on the server, without a side: nobody knows
            what was seen. They are no votes, and those people are asked again.
    """

    url: str
    votes: tuple[GivenVote, ...]
    superseded: int = 0
    skipped: int = 0
    unreadable: int = 0
    unattended: int = 0
    outside_plan: int = 0
    edited: tuple[GivenVote, ...] = ()


class ComparisonTool(Protocol):
    """A server on which people say which of two pictures looks better."""

    def push(
        self, title: str, tasks: Sequence[ComparisonDraft], *, question: str, instructions: str
    ) -> PushCounts:
        """Make the server offer exactly one task per key. Safe to repeat and to interrupt; votes stay.

        A task whose pictures somebody changed on the server is closed as it is, and made anew.

        Args:
            title: Of the project, which is made if it is not there.
            tasks: All that shall be offered, in the order in which they are asked; others are closed.
            question: Above the pictures.
            instructions: Markdown, shown before the first.

        Raises:
            AnnotationToolError: Unreachable, refused, or the project of that title is another's.
        """

    def pull(self, title: str, tasks: Sequence[ComparisonDraft]) -> PulledVotes | None:
        """What people answered to these comparisons; None = there is no such project. Changes nothing.

        Raises:
            AnnotationToolError: Unreachable, or refused.
        """
