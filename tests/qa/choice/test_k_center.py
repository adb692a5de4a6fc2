"""k-center greedy: by hand on a line, against another implementation, and against the best there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from curate.qa.choice.greedy import choose
from curate.qa.choice.k_center import KCenter
from tests.vector_table import arc


def flags(number: int, *chosen: int) -> np.ndarray:
    return np.isin(np.arange(number), chosen)


def chosen(vectors: np.ndarray, looked: np.ndarray, number: int) -> list[int]:
    criteria = {"diversity": (1.0, KCenter(vectors, looked))}
    return [pick.image for pick in choose(criteria, ~looked, number, np.zeros(len(vectors)))]


def test_on_a_line_the_farthest_comes_first() -> None:
    """From 0: 180 is farthest; then 90, halfway; then 20, which is 20 from 0, against 10 for 10 and 100."""
    line = arc([0, 10, 20, 90, 100, 180])
    assert chosen(line, flags(6, 0), 3) == [5, 3, 2]


def test_from_nothing_all_are_alike_and_the_first_place_decides() -> None:
    line = arc([0, 45, 170])
    criteria = {"diversity": (1.0, KCenter(line, flags(3)))}
    picks = choose(criteria, np.ones(3, dtype=bool), 2, np.array([0.9, 0.1, 0.5]))
    assert [pick.image for pick in picks] == [1, 2]
    assert picks[0].why() == "100% diversity (nobody looks at anything yet)"
    assert picks[1].why() == "100% diversity (cosine -0.57 to the nearest image that people look at)"


def test_it_says_less_while_everything_is_being_covered() -> None:
    """Of a chord of 2: 90 degrees are 0.71 of it, and once they are taken, 20 degrees 0.17."""
    line = arc([0, 20, 90, 180])
    measure, free = KCenter(line, flags(4, 0)), flags(4, 1, 2, 3)
    assert measure.values(free)[1:] == pytest.approx([0.174, 0.707, 1.0], abs=1e-3)
    for image in (3, 2):
        free[image] = False
        measure.take(image, free)
    assert measure.values(free)[1] == pytest.approx(0.174, abs=1e-3)


def test_a_copy_of_what_is_labeled_is_worth_nothing() -> None:
    assert chosen(arc([30, 30, 30]), flags(3, 1), 2) == []


def test_copies_that_float32_does_not_tell_apart_are_worth_nothing() -> None:
    """Two minus twice the cosine is about 1e-7 for them, not 0."""
    one = np.array([1 / 3, 2 / 3, 2 / 3], np.float32)
    vectors = np.tile(one, (5, 1))
    criterion = KCenter(vectors, flags(5, 0))
    criterion._cosine = np.full(5, 1 - 6e-8)
    assert criterion.values(~flags(5, 0)).tolist() == [0.0] * 5


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(0, 200), st.integers(1, 12))
def test_as_the_textbook_does_it(seed: int, number: int, labeled: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(number, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    looked = flags(number, *rng.choice(number, min(number, max(1, labeled)), replace=False).tolist())
    between = cdist(vectors, vectors)
    centers, expected = np.flatnonzero(looked).tolist(), []
    for _ in range(min(budget, number - len(centers))):
        nearest = between[:, centers].min(axis=1)
        expected.append(int(nearest.argmax()))
        centers.append(expected[-1])
    assert chosen(vectors, looked, budget) == expected


@pytest.mark.parametrize("seed", range(5))
def test_no_further_than_twice_the_best_there_is(seed: int) -> None:
    """The bound of the algorithm: Gonzalez 1985; the best is found by trying all choices."""
    vectors = arc(np.random.default_rng(seed).uniform(0, 360, 12))
    between = cdist(vectors, vectors)
    picks = [0, *chosen(vectors, flags(12, 0), 3)]
    best = min(
        between[:, list(some)].min(axis=1).max() for some in itertools.combinations(range(12), len(picks))
    )
    assert between[:, picks].min(axis=1).max() <= 2 * best + 1e-6
