"""The plan of comparisons: what was asked stays the same whatever is added; checks are spread over rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from curate.restoration import cast_votes, comparison_plan
from curate.restoration.comparison_plan import Comparison

MODELS = ["bicubic", "compact", "large"]
SHARES = {"repeat_share": 0.2, "attention_share": 0.3}
RESULTS = {f"p{n:02}": MODELS for n in range(60)}


def plan(results: Mapping[str, Sequence[str]], images: int = 60, **shares: float) -> list[Comparison]:
    shares = SHARES | shares
    return comparison_plan.plan(
        results,
        max_pairs=images,
        round_pairs=10,
        repeat_share=shares["repeat_share"],
        attention_share=shares["attention_share"],
        seed=3,
    )


def ids(planned: Sequence[Comparison]) -> set[str]:
    return {one.comparison_id for one in planned}


@pytest.mark.parametrize(
    ("results", "images"),
    [
        pytest.param(RESULTS | {"a new photograph": MODELS}, 61, id="a photograph more"),
        pytest.param({image: [*MODELS, "another"] for image in RESULTS}, 60, id="a model more"),
    ],
)
def test_every_comparison_that_was_asked_is_asked_when_something_is_added(
    results: dict[str, list[str]], images: int
) -> None:
    before = plan(RESULTS)
    after = plan(results, images)
    assert ids(before) < ids(after)
    assert len(before) == len(ids(before))


def test_more_images_keep_the_ones_before_and_their_rounds() -> None:
    before, after = (cast_votes.rounds(plan(RESULTS, images), 10) for images in (40, 41))
    assert after[:4] == before
    assert len({one.pair_id for one in after[4]}) == 1


def test_a_photograph_among_chosen_ones_pushes_out_one_at_most() -> None:
    before = plan(RESULTS, 40)
    after = plan(RESULTS | {f"new {n}": MODELS for n in range(3)}, 40)
    lost = {one.pair_id for one in before} - {one.pair_id for one in after}
    assert len(lost) <= 3
    assert ids([one for one in before if one.pair_id not in lost]) <= ids(after)


def test_a_result_that_fails_changes_its_own_comparisons_only() -> None:
    after = plan(RESULTS | {"p07": ["bicubic", "compact"]})
    gone = [one for one in plan(RESULTS) if one.comparison_id not in ids(after)]
    assert {one.pair_id for one in gone} == {"p07"}
    assert all("large" in {one.left, one.right} for one in gone if one.kind != "attention")
    assert ids(after) < ids(plan(RESULTS))


def test_there_are_as_many_checks_as_asked_for_and_every_round_has_some() -> None:
    planned = plan(RESULTS, 40, attention_share=0.5)
    checks = [one for one in planned if one.kind == "attention"]
    assert 54 <= len(checks) <= 66  # half of 120 votes
    assert len(ids(planned)) == len(planned)
    assert max(Counter(one.pair_id for one in checks).values()) == 2
    rounds = cast_votes.rounds(planned, 10)
    found = [sum(one.kind == "attention" for one in asked) for asked in rounds]
    assert min(found) >= 10
    assert max(found) <= 20


def test_shares_of_none_and_of_all() -> None:
    none = Counter(one.kind for one in plan(RESULTS, repeat_share=0, attention_share=0))
    assert none == {"vote": 180}
    every = Counter(one.kind for one in plan(RESULTS, repeat_share=1, attention_share=1))
    assert every == {"vote": 180, "repeat": 180, "attention": 180}


@pytest.mark.parametrize("seed", range(20))
def test_a_small_set_has_a_check_in_the_first_round(seed: int) -> None:
    few = {f"p{n}": MODELS[:2] for n in range(3)}
    planned = comparison_plan.plan(
        few, max_pairs=3, round_pairs=1, repeat_share=0, attention_share=0.01, seed=seed
    )
    first = cast_votes.rounds(planned, 1)[0]
    assert sum(one.kind == "attention" for one in first) == 1
