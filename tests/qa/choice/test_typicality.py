"""TypiClust: by hand on two clusters, its typicality against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from curate.qa.choice.greedy import choose
from curate.qa.choice.typicality import Typicality, k_means, typicality
from tests.vector_table import arc


def flags(number: int, *chosen: int) -> np.ndarray:
    return np.isin(np.arange(number), chosen)


# Seven around 3 degrees, then five around 122: the middle of each is its fourth and third.
TWO = arc([0, 1, 2, 3, 4, 5, 6, 120, 121, 122, 123, 124])


def chosen(vectors: np.ndarray, looked: np.ndarray, number: int, seed: int = 0) -> list[int]:
    criteria = {"typicality": (1.0, Typicality(vectors, looked, number, seed))}
    return [pick.image for pick in choose(criteria, ~looked, number, np.zeros(len(vectors)))]


@pytest.mark.parametrize("seed", range(5))
def test_the_middle_of_the_larger_cluster_then_of_the_smaller(seed: int) -> None:
    assert chosen(TWO, flags(12), 2, seed) == [3, 9]


@pytest.mark.parametrize("seed", range(5))
def test_a_cluster_that_people_look_at_waits(seed: int) -> None:
    assert chosen(TWO, flags(12, 6), 1, seed) == [9]


def test_a_small_cluster_comes_last() -> None:
    """Nobody looks at any of the four around 240, and yet both large ones come first."""
    vectors = np.concatenate([TWO, arc([240, 241, 242, 243])])
    looked = flags(16, 0)
    assert chosen(vectors, looked, 2)[0] == 9
    assert chosen(vectors, looked, 2)[1] < 12


def test_the_reason_says_of_how_many() -> None:
    criteria = {"typicality": (1.0, Typicality(TWO, flags(12), 2, 0))}
    first, second = choose(criteria, np.ones(12, dtype=bool), 2, np.zeros(12))
    assert first.why() == "100% typicality (typical of 7 images alike, of which people look at 0)"
    assert second.words["typicality"].startswith("typical of 5 images alike")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 6))
def test_typicality_as_another_library_finds_neighbors(seed: int, number: int, clusters: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(number, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cluster = rng.integers(0, clusters, number)
    expected = np.full(number, 1e5)
    for one in range(clusters):
        members = np.flatnonzero(cluster == one)
        if len(members) > 1:
            finder = NearestNeighbors(n_neighbors=min(20, len(members) - 1)).fit(vectors[members])
            expected[members] = 1 / (finder.kneighbors()[0].mean(axis=1) + 1e-5)
    np.testing.assert_allclose(typicality(vectors.astype(np.float32), cluster), expected, rtol=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.integers(0, 30), st.integers(1, 30))
def test_no_image_twice_and_the_same_again(seed: int, number: int, labeled: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = arc(
        rng.choice([0, 1, 2, 40, 41, 200], number) + rng.choice([0.0, 0.3], number)
    )  # many are equal
    looked = flags(number, *rng.choice(number, min(labeled, number), replace=False).tolist())
    picks = chosen(vectors, looked, budget, seed)
    assert len(picks) == len(set(picks)) == min(budget, int((~looked).sum()))
    assert not looked[picks].any()
    assert chosen(vectors, looked, budget, seed) == picks


def test_k_means_is_fitted_to_a_sample_of_many() -> None:
    """400 images for 2 clusters are more than 50 each: all are assigned all the same."""
    vectors = arc(np.concatenate([np.linspace(0, 5, 300), np.linspace(90, 95, 100)]))
    cluster = k_means(vectors, 2, seed=3)
    assert len(set(cluster[:300])) == len(set(cluster[300:])) == 1
    assert cluster[0] != cluster[-1]
