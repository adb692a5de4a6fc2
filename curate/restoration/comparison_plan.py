"""Which two results a person is asked to compare: sides and order at random, repeats, attention checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from curate.records import derived_id

Kind = Literal["vote", "repeat", "attention"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question: which of two results looks better?

    Attributes:
        comparison_id: Deterministic; no name of a model shows in it.
        pair_id: Of the pair whose results are shown.
        left: Model of the left side.
        right: Model of the right side.
        kind: vote; repeat = asked before, with the sides exchanged; attention = the clean image against a
            spoilt one, which everybody who looks gets right.
    """

    comparison_id: str
    pair_id: str
    left: str
    right: str
    kind: Kind


CLEAN, SPOILT = "(clean)", "(spoilt)"  # the two of an attention check; no names of models


def plan(
    results: Mapping[str, Sequence[str]],
    *,
    max_pairs: int,
    round_pairs: int,
    repeat_share: float,
    attention_share: float,
    seed: int,
) -> list[Comparison]:
    """Comparisons in the order in which they are asked: round by round, and within a round at random.

    Each draw is a hash of the seed and of what it is about, never of what else is there. So a new pair, a
    new model or a result that fails leaves every other comparison as it was, and the votes that it has.

    Args:
        results: Models with a result, by pair.
        max_pairs: Pairs of which results are shown, at most; drawn at random.
        round_pairs: Pairs of a round.
        repeat_share: Chance of each vote to be asked twice, 0 to 1.
        attention_share: Attention checks for each vote, 0 to 1; a pair may have several.
        seed: Of everything that is drawn.
    """
    able = [pair for pair, models in results.items() if len(models) > 1]
    chosen = sorted(able, key=lambda pair: _drawn(seed, "image", pair))[:max_pairs]
    asked = [
        (place // round_pairs, _drawn(seed, "order", one.comparison_id), one)
        for place, pair in enumerate(chosen)
        for one in _of_pair(pair, results[pair], repeat_share, attention_share, seed, first=place == 0)
    ]
    return [one for _, _, one in sorted(asked, key=lambda place: place[:2])]


def _of_pair(
    pair: str, models: Sequence[str], repeat_share: float, attention_share: float, seed: int, *, first: bool
) -> Iterator[Comparison]:
    """Plan the comparisons of one pair; the first pair always has a check, where checks are wanted."""
    duels = list(combinations(sorted(models), 2))
    for duel in duels:
        left, right = _sides(seed, pair, *duel)
        yield _comparison(pair, left, right, "vote")
        if _drawn(seed, "repeat", pair, *duel) < repeat_share:
            yield _comparison(pair, right, left, "repeat")
    checks = int(attention_share * len(duels) + _drawn(seed, "attention", pair))
    for k in range(max(checks, first and attention_share > 0)):
        yield _comparison(pair, *_sides(seed, pair, CLEAN, SPOILT, k), "attention", k)


def _drawn(*parts: str | int) -> float:
    """A number in [0, 1] that depends on these parts alone."""
    return int(derived_id(*parts), 16) / 16**24


def _sides(seed: int, pair: str, first: str, second: str, k: int = 0) -> tuple[str, str]:
    return (first, second) if _drawn(seed, "sides", pair, first, second, k) < 0.5 else (second, first)


def _comparison(pair: str, left: str, right: str, kind: Kind, k: int = 0) -> Comparison:
    return Comparison(derived_id("vote", pair, left, right, kind, k), pair, left, right, kind)
