"""Which votes count: checks, repeats, raters who do not look; and how many rounds are asked."""

from __future__ import annotations

from curate.restoration import cast_votes
from curate.restoration.cast_votes import AttentionRecord, CastVote
from curate.restoration.comparison_plan import CLEAN, SPOILT, Comparison, Kind
from curate.restoration.pairwise_ranking import Strength, Vote


def asked(image: str, kind: Kind = "vote", left: str = "a", right: str = "b") -> Comparison:
    return Comparison(f"{image} {kind} {left} {right}", image, left, right, kind)


def check(image: str, rater: str, *, passed: bool) -> CastVote:
    return CastVote(asked(image, "attention", CLEAN, SPOILT), rater, CLEAN if passed else SPOILT)


def test_the_loser_is_the_other_side() -> None:
    assert CastVote(asked("i"), "r", "a").loser == "b"
    assert CastVote(asked("i"), "r", "b").loser == "a"


def test_who_passes_too_few_checks_is_inattentive_and_who_has_none_is_not() -> None:
    votes = [check(f"i{n}", "most", passed=n < 4) for n in range(5)]
    votes += [check(f"i{n}", "half", passed=n < 2) for n in range(4)]
    votes += [CastVote(asked("i"), "unchecked", "a")]
    assert cast_votes.attention(votes) == {
        "most": AttentionRecord(4, 5),
        "half": AttentionRecord(2, 4),
        "unchecked": AttentionRecord(0, 0),
    }
    assert cast_votes.inattentive(votes, 0.8) == {"half"}
    assert cast_votes.inattentive(votes, 0.5) == set()
    assert cast_votes.inattentive(votes, 1) == {"half", "most"}
    assert cast_votes.inattentive(votes, 0) == set()


def test_a_skipped_check_was_asked_and_a_skipped_vote_says_nothing() -> None:
    votes = [CastVote(asked(f"i{n}", "attention", CLEAN, SPOILT), "skips", None) for n in range(3)]
    votes += [CastVote(asked("i"), "skips", None), CastVote(asked("i"), "unchecked", "a")]
    assert cast_votes.attention(votes)["skips"] == AttentionRecord(0, 3)
    assert cast_votes.inattentive(votes, 0.8) == {"skips"}
    assert cast_votes.unchecked(votes) == ["unchecked"]
    assert cast_votes.for_ranking(votes, {}) == [Vote("i", "unchecked", "a", "b")]
    assert votes[0].loser is None


def test_only_first_votes_of_raters_who_count_are_ranked() -> None:
    votes = [
        CastVote(asked("p1"), "ann", "a"),
        CastVote(asked("p1", "repeat", "b", "a"), "ann", "b"),
        check("p1", "ann", passed=True),
        CastVote(asked("p2"), "bob", "b"),
    ]
    image_of = {"p1": "one image"}
    every = [Vote("one image", "ann", "a", "b"), Vote("p2", "bob", "b", "a")]
    assert cast_votes.for_ranking(votes, image_of) == every
    assert cast_votes.for_ranking(votes, image_of, frozenset({"bob"})) == every[:1]


def test_rounds_keep_an_image_together_in_the_order_of_asking() -> None:
    planned = [asked(image, kind) for image, kind in
               (("c", "vote"), ("a", "vote"), ("b", "vote"), ("c", "repeat"), ("d", "vote"))]  # fmt: skip
    rounds = cast_votes.rounds(planned, 2)
    assert [[one.pair_id for one in some] for some in rounds] == [["c", "a", "c"], ["b", "d"]]
    assert cast_votes.rounds([], 2) == []


def test_rounds_end_at_the_first_open_one_and_where_the_order_is_settled_from_the_second_on() -> None:
    settled = [Strength("a", 1, 0.9, 1.1, 9), Strength("b", -1, -1.1, -0.9, 9)]
    five = [[asked(f"i{n}")] for n in range(5)]
    assert cast_votes.rounds_needed(five, lambda number: number >= 3, lambda _: []) == 3
    assert cast_votes.rounds_needed(five, lambda _: False, lambda _: settled) == 2
    assert cast_votes.rounds_needed(five, lambda _: False, lambda number: settled if number > 3 else []) == 4
    assert cast_votes.rounds_needed(five, lambda _: False, lambda _: []) == 5
    assert cast_votes.rounds_needed(five[:1], lambda _: True, lambda _: settled) == 1


def test_rounds_go_on_while_a_model_was_not_compared_yet() -> None:
    two = [Strength("a", 1, 0.9, 1.1, 9), Strength("b", -1, -1.1, -0.9, 9)]
    three = [*two, Strength("c", -3, -3.1, -2.9, 9)]
    rounds = [[asked(f"i{n}"), asked(f"i{n}", "attention", CLEAN, SPOILT)] for n in range(5)]
    rounds[3].append(asked("i3", left="c"))
    needed = cast_votes.rounds_needed(rounds, lambda _: False, lambda number: three if number > 3 else two)
    assert needed == 4
    assert cast_votes.compared(rounds[0]) == {"a", "b"}
