"""Votes as they were cast: which of them count, and what they say of models and of raters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from curate.restoration import pairwise_ranking
from curate.restoration.comparison_plan import CLEAN, Comparison, Kind
from curate.restoration.pairwise_ranking import Strength, Vote


@dataclass(frozen=True, slots=True)
class CastVote:
    """One answer to one comparison.

    Attributes:
        comparison: What was asked.
        rater_id: Who; a pseudonym.
        winner: What looks better; one of the comparison's two sides. None = skipped, or it cannot be read.
    """

    comparison: Comparison
    rater_id: str
    winner: str | None

    @property
    def kind(self) -> Kind:
        """Kind of the comparison."""
        return self.comparison.kind

    @property
    def loser(self) -> str | None:
        """Side that was not chosen; None where no side was."""
        if self.winner is None:
            return None
        return self.comparison.right if self.winner == self.comparison.left else self.comparison.left

    def votes(self, image_id: str) -> list[Vote]:
        """Votes for the ranking, under that image; none where no side was chosen."""
        if self.winner is None or self.loser is None:
            return []
        return [Vote(image_id, self.rater_id, self.winner, self.loser)]


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """How a rater did at attention checks. A check that was skipped was asked, and not passed."""

    passed: int
    asked: int

    def fails(self, min_share: float) -> bool:
        """Whether too few were passed. Who was asked none has not failed."""
        return self.asked > 0 and self.passed < min_share * self.asked


def attention(votes: Sequence[CastVote]) -> dict[str, AttentionRecord]:
    """The record of every rater, also of those who were asked no check."""
    found: dict[str, AttentionRecord] = {}
    for rater in sorted({one.rater_id for one in votes}):
        checks = [one.winner == CLEAN for one in votes if (one.rater_id, one.kind) == (rater, "attention")]
        found[rater] = AttentionRecord(sum(checks), len(checks))
    return found


def unchecked(votes: Sequence[CastVote]) -> list[str]:
    """Raters who met no attention check: whether they look is not known."""
    return [rater for rater, record in attention(votes).items() if not record.asked]


def inattentive(votes: Sequence[CastVote], min_share: float) -> frozenset[str]:
    """Raters who passed less than that share of their attention checks."""
    return frozenset(rater for rater, record in attention(votes).items() if record.fails(min_share))


def for_ranking(
    votes: Sequence[CastVote], image_of: Mapping[str, str], left_out: frozenset[str] = frozenset()
) -> list[Vote]:
    """Votes that count: no checks, no skips, of a repeat the first question, nobody who is left out.

    Args:
        votes: All.
        image_of: The image of each pair: what is resampled, as pairs of one image depend on each other.
        left_out: Raters who do not count.
    """
    return [
        vote
        for one in votes
        if one.kind == "vote" and one.rater_id not in left_out
        for vote in one.votes(image_of.get(one.comparison.pair_id, one.comparison.pair_id))
    ]


def rounds(planned: Sequence[Comparison], round_pairs: int) -> list[list[Comparison]]:
    """Comparisons in rounds of so many pairs, in the order in which they are asked."""
    place = {pair: k for k, pair in enumerate(dict.fromkeys(one.pair_id for one in planned))}
    found: list[list[Comparison]] = [[] for _ in range(-(-len(place) // round_pairs))]
    for one in planned:
        found[place[one.pair_id] // round_pairs].append(one)
    return found


def compared(planned: Iterable[Comparison]) -> frozenset[str]:
    """The models that are compared with each other; attention checks compare none."""
    return frozenset(side for one in planned if one.kind == "vote" for side in (one.left, one.right))


def rounds_needed(
    rounds: Sequence[Sequence[Comparison]],
    is_open: Callable[[int], bool],
    ranking: Callable[[int], Sequence[Strength]],
) -> int:
    """How many rounds are asked: up to the first that is not answered, or after which the order is settled.

    One round alone settles nothing: a chance order of a few pairs would end it. Nor is anything settled
    before each model was compared: one that failed on the images of the first rounds waits for its own.

    Args:
        rounds: That are planned, at least 1.
        is_open: Whether one of the first n rounds still lacks answers.
        ranking: By the votes of the first n rounds.
    """
    models = compared(one for planned in rounds for one in planned)
    for number in range(1, len(rounds)):
        if is_open(number) or (number > 1 and pairwise_ranking.is_settled(ranking(number), models)):
            return number
    return len(rounds)
