"""The weighted choice as a part of the plan: budget, rounds, and random samples that it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.params.choose import ChooseParams
from curate.qa import plan, strata
from curate.qa.choice import criteria
from curate.qa.choice.evidence import Evidence
from curate.qa.strata import Membership, Pool
from tests.qa.test_plan import ALL_ON, MANY, first_slots, numbers, pool, with_reason

IDS = MANY[:300]
WEIGHTS: dict[str, Any] = {"uncertainty": 1, "diversity": 1, "typicality": 1, "rarity": 1, "disagreement": 1}


def vectors(ids: list[str]) -> np.ndarray:
    angles = 2 * np.pi * numbers(ids, "angle")
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def choosing(
    ids: list[str],
    earlier: pa.Table | None = None,
    *,
    choose: dict[str, Any],
    evidence: dict[str, Any] | None = None,
    **params: Any,
) -> Pool:
    filled = pool(ids, earlier, choose=ChooseParams(**choose), **params)
    words = {
        row["image_id"]: row["detail"]
        for row in (earlier.to_pylist() if earlier is not None else [])
        if row["reason"] == "chosen"
    }
    told: dict[str, Any] = {
        "shown": np.zeros(len(ids), dtype=bool),
        "with_vector": np.ones(len(ids), dtype=bool),
        "vectors": vectors(ids),
        "disagreement": {"stop_sign": 0.2, "yield_sign": 0.6},
        "earlier_words": words,
    }
    return replace(filled, evidence=Evidence(**{**told, **(evidence or {})}))


def make(ids: list[str], earlier: pa.Table | None = None, **settings: Any) -> tuple[pa.Table, Membership]:
    filled = choosing(ids, earlier, **settings)
    members = strata.membership(filled)
    return plan.make(filled, members, earlier), members


CHOICES = st.fixed_dictionaries(
    {name: st.sampled_from([0.0, 1.0, 3.0]) for name in WEIGHTS if name != "uncertainty"},
).map(lambda some: {**some, "uncertainty": 1.0})


@settings(deadline=None, max_examples=25)
@given(CHOICES, st.sampled_from([0, 1, 7, 40, 0.1]), st.sampled_from(["none", "review"]), st.integers(0, 3))
def test_random_samples_are_the_same_with_and_without_the_choice(
    weights: dict[str, float], budget: float, rest: str, seed: int
) -> None:
    """Gold, control and audit, and who sees an image twice: decided by hashes that no choice touches."""
    common = {**ALL_ON, "rest": rest, "seed": seed}
    filled = choosing(IDS, choose={**weights, "budget": budget}, **common)
    without = strata.membership(pool(IDS, **common))
    members = strata.membership(filled)
    for part in (strata.GOLD, strata.CONTROL, strata.AUDIT, strata.UNCERTAIN):
        assert (members.member[part] == without.member[part]).all()
    assert (members.drawn == without.drawn).all()
    assert (members.waiting == without.waiting).all()
    chosen = members.member[strata.CHOSEN]
    assert not (chosen & members.member[: strata.CHOSEN].any(axis=0)).any()
    assert int(chosen.sum()) <= (budget if budget >= 1 else np.ceil(budget * len(IDS)))


@settings(deadline=None, max_examples=25)
@given(CHOICES, st.lists(st.integers(1, 25), min_size=1, max_size=4), st.integers(100, 300))
def test_budget_over_rounds(weights: dict[str, float], rounds: list[int], first: int) -> None:
    """Each round raises the budget while the data set grows: nothing twice, no more than the budget."""
    earlier, before, budget = None, set[str](), 0
    for number, more in enumerate(rounds):
        ids = MANY[: first + 50 * number]
        budget += more
        table, members = make(ids, earlier, choose={**weights, "budget": budget}, rest="none", audit=10)
        chosen = with_reason(table, "chosen")
        assert before <= chosen
        assert len(chosen) <= budget
        new = {ids[pick.image] for pick in members.picks}
        assert new == chosen - before
        assert len(new) == budget - len(before)  # there is always an image of which something speaks
        again, _ = make(ids, table, choose={**weights, "budget": budget}, rest="none", audit=10)
        assert again.equals(table)  # reasons in words too
        earlier, before = table, chosen


def test_weights_count_only_where_something_is_chosen() -> None:
    assert criteria.weights(ChooseParams(diversity=2)) == {}
    assert criteria.weights(ChooseParams(budget=9, uncertainty=0, diversity=2)) == {"diversity": 2}


def test_what_was_planned_or_given_before_is_not_chosen() -> None:
    choose = {**WEIGHTS, "budget": 0}
    earlier, _ = make(IDS, choose=choose, rest="none", audit=60, gold=None)
    planned = set(first_slots(earlier))
    given_before = {key for key in IDS if key not in planned and numbers([key], "given")[0] < 0.5}
    filled = choosing(IDS, earlier, choose={**choose, "budget": 500}, rest="none", audit=0.0)
    filled = replace(filled, given=np.isin(IDS, list(given_before)))
    members = strata.membership(filled)
    chosen = {IDS[pick.image] for pick in members.picks}
    assert chosen
    assert not chosen & (planned | given_before)


def test_an_image_stays_chosen_though_it_is_among_the_most_uncertain_by_now() -> None:
    earlier, _ = make(IDS, choose={"budget": 60}, rest="none")
    table, members = make(IDS, earlier, choose={"budget": 60}, rest="none", uncertain=40)
    assert with_reason(table, "chosen") == with_reason(earlier, "chosen")
    assert with_reason(table, "uncertain") == set()
    assert not members.picks


def test_with_a_review_of_the_rest_the_second_round_finds_nothing_new() -> None:
    earlier, _ = make(IDS, choose={"budget": 20}, rest="review")
    table, members = make(IDS, earlier, choose={"budget": 40}, rest="review")
    assert not members.picks
    assert with_reason(table, "chosen") == with_reason(earlier, "chosen")


def test_what_was_labeled_as_chosen_is_spent_though_it_is_kept_no_more() -> None:
    """Seven of the ten were dropped since: three are left to choose; after a lost plan those shown stay."""
    _, members = make(IDS, choose={"budget": 10, "diversity": 1}, evidence={"gone": 7}, rest="none")
    assert len(members.picks) == 3
    shown = np.zeros(len(IDS), dtype=bool)
    unknown = [place for place, key in enumerate(IDS) if numbers([key], "known")[0] >= 0.1]
    shown[unknown[:4]] = True
    table, members = make(IDS, choose={"budget": 10, "diversity": 1}, evidence={"shown": shown}, rest="none")
    assert len(members.picks) == 6
    chosen = with_reason(table, "chosen")
    assert {IDS[place] for place in unknown[:4]} <= chosen
    assert {first_slots(table)[IDS[place]]["detail"] for place in unknown[:4]} == {
        "chosen in an earlier round"
    }


def test_an_image_without_a_vector_is_not_chosen_where_one_is_needed() -> None:
    there = numbers(IDS, "vector") < 0.5
    evidence = {"with_vector": there, "vectors": vectors(IDS)[there]}
    _, members = make(IDS, choose={"budget": 60, "diversity": 1}, evidence=evidence, rest="none")
    assert len(members.picks) == 60
    assert there[[pick.image for pick in members.picks]].all()


def test_diversity_begins_at_what_other_parts_show() -> None:
    """Two images of one angle: the one that is a copy of an audit image is farthest from nothing."""
    table, members = make(IDS, choose={"budget": 1, "uncertainty": 0, "diversity": 1}, rest="none", audit=100)
    looked = np.isin(IDS, list(first_slots(table))) & ~np.isin(IDS, list(with_reason(table, "chosen")))
    cosine = (vectors(IDS) @ vectors(IDS)[looked].T).max(axis=1)
    (pick,) = members.picks
    free = ~looked & ~(strata.membership(choosing(IDS, choose={"budget": 1}, audit=100)).waiting)
    known = numbers(IDS, "known") < 0.1
    assert cosine[pick.image] == pytest.approx(cosine[free & ~known].min())


def test_each_row_says_why() -> None:
    table, _ = make(IDS, choose={**WEIGHTS, "budget": 40}, rest="none", rare_floor=0)
    rows = [row for row in first_slots(table).values() if row["reason"] == "chosen"]
    assert len(rows) == 40
    assert all("% diversity (cosine" in row["detail"] or "% typicality (" in row["detail"] for row in rows)
    words = " ".join(row["detail"] for row in rows)
    for part in (
        "uncertainty (",
        "stop_sign: score",
        "yield_sign is suggested on",
        "people disagree on 60% of",
    ):
        assert part in words


def test_chosen_images_count_towards_the_floor_of_rare_categories() -> None:
    choose = {"budget": 100, "uncertainty": 0, "rarity": 1}
    with_choice, _ = make(IDS, choose=choose, rest="none", rare_floor=5)
    without, _ = make(IDS, choose={"budget": 0}, rest="none", rare_floor=5)
    assert len(with_reason(with_choice, "rare")) < len(with_reason(without, "rare"))


def test_a_category_that_no_two_people_met_is_between_agreed_and_disputed() -> None:
    table, _ = make(
        IDS,
        choose={"budget": 10, "disagreement": 1},
        evidence={"disagreement": {"stop_sign": 0.2}},
        rest="none",
    )
    words = [row["detail"] for row in table.to_pylist() if row["reason"] == "chosen"]
    assert words
    assert all("no two people have labelled" in text for text in words)
