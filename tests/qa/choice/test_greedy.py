"""The greedy choice by weighted criteria."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from curate.qa.choice.greedy import Fixed, choose

MANY = 12
VALUES = arrays.arrays(np.float64, MANY, elements=st.floats(0, 1))


def fixed(values: list[float] | np.ndarray) -> Fixed:
    return Fixed(np.asarray(values, dtype=np.float64), lambda image: f"image {image}")


def test_weights_decide_and_the_reason_says_how_much() -> None:
    criteria = {"doubt": (1.0, fixed([0.8, 0.0, 0.4])), "rarity": (3.0, fixed([0.0, 0.5, 0.4]))}
    picks = choose(criteria, np.ones(3, dtype=bool), 2, np.zeros(3))
    assert [pick.image for pick in picks] == [2, 1]  # 1.6 and 1.5 against 0.8
    assert picks[0].shares == {"rarity": pytest.approx(0.75), "doubt": pytest.approx(0.25)}
    assert picks[0].why() == "75% rarity (image 2), 25% doubt (image 2)"
    assert picks[1].why() == "100% rarity (image 1)"


def test_of_equals_the_one_with_the_lowest_place_is_chosen() -> None:
    (pick,) = choose({"doubt": (1.0, fixed([0.5, 0.5, 0.5]))}, np.ones(3, dtype=bool), 1, np.array([3, 1, 2]))
    assert pick.image == 1


def test_an_image_for_which_nothing_speaks_is_not_chosen() -> None:
    picks = choose({"doubt": (1.0, fixed([0.0, 0.3, 0.0]))}, np.ones(3, dtype=bool), 3, np.zeros(3))
    assert [pick.image for pick in picks] == [1]


@given(VALUES, VALUES, arrays.arrays(np.bool_, MANY), st.integers(0, 15), VALUES)
def test_budget_candidates_and_order(
    one: np.ndarray, two: np.ndarray, candidates: np.ndarray, number: int, ties: np.ndarray
) -> None:
    criteria = {"one": (1.0, fixed(one)), "two": (2.5, fixed(two))}
    picks = choose(criteria, candidates, number, ties)
    chosen = [pick.image for pick in picks]
    assert len(chosen) == len(set(chosen)) <= number
    assert candidates[chosen].all()
    total = one + 2.5 * two
    assert len(chosen) == min(number, int((candidates & (total > 0)).sum()))
    assert (np.diff(total[chosen]) <= 0).all()  # criteria that do not depend on the choice: the best so many
    for pick in picks:
        assert sum(pick.shares.values()) == pytest.approx(1)
    assert choose(criteria, candidates, number, ties) == picks
