"""People who vote: comparisons are put before them round by round, and their answers taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curate import pseudonyms
from curate.params import VoteParams
from curate.ports.comparison import ComparisonDraft, ComparisonTool, GivenVote, PulledVotes
from curate.restoration import cast_votes
from curate.restoration.cast_votes import CastVote
from curate.restoration.comparison_plan import Comparison
from curate.restoration.pairwise_ranking import Strength

QUESTION: Final = "Which picture looks better?"
INSTRUCTIONS: Final = """Two pictures show the same. **Click the one that looks better**, then Submit.

- Look at both as they are; zoom in if you like.
- Sharper is not always better: edges with halos, patterns that cannot be there, plastic skin are faults.
- If you really cannot tell, skip.
"""
_TITLE_LIMIT: Final = 50
_SUFFIX: Final = " votes"


@dataclass(frozen=True, slots=True)
class People:
    """Raters to ask, and the tool to ask them with.

    Attributes:
        tool: The server.
        title: Of the project of votes.
        remembered: `data/people.csv`, which says who is called what.
    """

    tool: ComparisonTool
    title: str
    remembered: Path


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of people to comparisons.

    Attributes:
        votes: Everybody's last answer, skips too.
        edited: Answers about pictures that somebody changed on the server; no votes.
        rounds: How many were asked.
        pulled: How they were read.
        open_looks: Answers that are still missing, of `wanted_looks`.
        wanted_looks: Of all rounds that were asked.
        waiting: What people are asked to do before it goes on; None = it goes on.
    """

    votes: list[CastVote]
    edited: list[CastVote]
    rounds: int
    pulled: PulledVotes
    open_looks: int
    wanted_looks: int
    waiting: str | None


def title(project: str) -> str:
    """What the project of votes is called, in at most 50 characters.

    Examples:
        >>> title("my-sr")
        'my-sr votes'
    """
    return project[: _TITLE_LIMIT - len(_SUFFIX)].rstrip() + _SUFFIX


def ask(
    params: VoteParams,
    rounds: Sequence[Sequence[Comparison]],
    draft: Callable[[Comparison], ComparisonDraft],
    rank: Callable[[Sequence[CastVote]], Sequence[Strength]],
    people: People,
) -> Answers:
    """Put before people what is due, and take back what they answered. Safe to kill and to repeat.

    The server is asked first, and its answers alone say which rounds are due: nothing of an earlier run is
    believed. Votes of a later round, from when more were asked, are read as well.

    Args:
        params: The section `vote`.
        rounds: At least one.
        draft: The task of a comparison, with its pictures.
        rank: Strengths by some votes.
        people: Whom to ask.

    Raises:
        AnnotationToolError: Unreachable or refused.
    """
    by_round = [[draft(one) for one in planned] for planned in rounds]
    drafts = [task for tasks in by_round for task in tasks]
    comparison_of = {
        task.task_id: one
        for planned, tasks in zip(rounds, by_round, strict=True)
        for one, task in zip(planned, tasks, strict=True)
    }
    while True:
        pulled = people.tool.pull(people.title, drafts)
        votes, edited = ([], []) if pulled is None else _cast(pulled, comparison_of, people.remembered)
        looks = Counter(one.task_id for one in pulled.votes) if pulled is not None else Counter[str]()
        due = _Due(rounds, by_round, looks, votes, rank)
        number = cast_votes.rounds_needed(rounds, due.is_open, due.ranking)
        asked = [task for tasks in by_round[:number] for task in tasks]
        counts = people.tool.push(people.title, asked, question=QUESTION, instructions=INSTRUCTIONS)
        if pulled is not None and not counts.created + counts.reopened:
            break  # what was read is what there is
    wanted, missing = sum(task.raters for task in asked), due.missing(number)
    waiting = (
        f"waiting for people: {wanted - missing} of {wanted} votes of round {number} of at most "
        f"{len(rounds)} are in at {pulled.url} - vote on, then run `dvc repro` again "
        "(vote.allow_partial: true goes on with what is there)"
    )
    goes_on = not missing or params.allow_partial
    return Answers(votes, edited, number, pulled, missing, wanted, None if goes_on else waiting)


@dataclass(frozen=True, slots=True)
class _Due:
    """What the answers so far say of each round."""

    rounds: Sequence[Sequence[Comparison]]
    tasks: Sequence[Sequence[ComparisonDraft]]
    looks: Mapping[str, int]
    votes: Sequence[CastVote]
    rank: Callable[[Sequence[CastVote]], Sequence[Strength]]

    def missing(self, number: int) -> int:
        """Looks that the first rounds still need; one person's second look is none."""
        asked = [task for tasks in self.tasks[:number] for task in tasks]
        return sum(max(0, task.raters - self.looks.get(task.task_id, 0)) for task in asked)

    def is_open(self, number: int) -> bool:
        """Whether there are any."""
        return self.missing(number) > 0

    def ranking(self, number: int) -> Sequence[Strength]:
        """Rank the models by the votes of the first `number` rounds."""
        asked = {one.comparison_id for planned in self.rounds[:number] for one in planned}
        return self.rank([one for one in self.votes if one.comparison.comparison_id in asked])


def _cast(
    pulled: PulledVotes, comparison_of: Mapping[str, Comparison], remembered: Path
) -> tuple[list[CastVote], list[CastVote]]:
    """Everybody's last answer, and those that are no votes, under pseudonyms in the order of comparisons."""
    names = pseudonyms.remember(remembered, [one.person for one in (*pulled.votes, *pulled.edited)])
    place = {comparison: k for k, comparison in enumerate(comparison_of.values())}

    def cast(given: Sequence[GivenVote]) -> list[CastVote]:
        found = [_one(comparison_of[one.task_id], names[one.person], one) for one in given]
        return sorted(found, key=lambda one: (place[one.comparison], one.rater_id))

    return cast(pulled.votes), cast(pulled.edited)


def _one(comparison: Comparison, rater: str, given: GivenVote) -> CastVote:
    side = {"left": comparison.left, "right": comparison.right, None: None}[given.side]
    return CastVote(comparison, rater, side)
