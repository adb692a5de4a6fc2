"""Nearest neighbors against comparing all, and the figures against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from curate.records import FloatArray
from curate.vectors import nearest as module
from curate.vectors.nearest import nearest
from curate.vectors.neighborhood_scores import figures


def clusters(
    count: int, width: int = 32, *, centers: int = 20, spread: float = 0.4, seed: int = 0
) -> FloatArray:
    """Unit vectors around some directions."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(centers, width))
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    made = middle[rng.integers(0, centers, count)] + spread * rng.normal(size=(count, width)) / np.sqrt(width)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 5, 299, 1000])
@pytest.mark.parametrize("products", [1 << 24, 1000])
def test_same_as_sorting_all(monkeypatch: pytest.MonkeyPatch, k: int, products: int) -> None:
    monkeypatch.setattr(module, "_PRODUCTS", products)
    vectors = clusters(300)
    cosine = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    np.fill_diagonal(cosine, -9)
    expected = np.argsort(-cosine, axis=1)[:, : min(k, 299)]
    found = nearest(vectors, k)
    assert found.cosine == pytest.approx(np.take_along_axis(cosine, expected, axis=1), abs=1e-6)
    assert (found.rows == expected).mean() > 0.99  # but for ties of float32
    assert not (found.rows == np.arange(300)[:, None]).any()


def test_above_the_size_near_cells_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    vectors = clusters(4000, centers=60)
    exact = nearest(vectors, 5)
    monkeypatch.setattr(module, "EXACT", 1000)
    found = nearest(vectors, 5)
    assert not (found.rows == np.arange(4000)[:, None]).any()
    same = [len(set(a) & set(b)) for a, b in zip(exact.rows.tolist(), found.rows.tolist(), strict=True)]
    assert np.mean(same) / 5 > 0.98


def test_of_copies_those_of_lower_rows() -> None:
    found = nearest(np.tile(np.array([[1, 0]], np.float32), (500, 1)), 3)
    assert found.rows[:4].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert (found.rows[4:] == [0, 1, 2]).all()


def test_many_copies_make_nobody_an_outlier() -> None:
    vectors = clusters(300, centers=1)
    vectors[:25] = vectors[0]  # more than are looked at
    outlier = figures(nearest(vectors, 20)).outlier
    assert np.isnan(outlier[:25]).all()
    assert np.nanmax(outlier) < 2


def test_none_and_one() -> None:
    assert nearest(clusters(1), 3).rows.shape == (1, 0)
    assert nearest(np.zeros((0, 4), np.float32), 3).rows.shape == (0, 0)
    alone = figures(nearest(clusters(1), 3))
    assert np.isnan([alone.uniqueness[0], alone.representativeness[0], alone.outlier[0]]).all()


def test_figures_by_hand_and_against_scikit_learn() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    vectors = clusters(200, centers=3)
    vectors[7] = vectors[8]
    vectors[0] = -vectors[1:].mean(axis=0) / np.linalg.norm(vectors[1:].mean(axis=0))  # far from all
    found = figures(nearest(vectors, 20))
    expected = -neighbors.LocalOutlierFactor(20).fit(vectors).negative_outlier_factor_
    assert found.outlier == pytest.approx(expected, rel=1e-3)
    assert found.uniqueness[7] == found.uniqueness[8] == pytest.approx(0, abs=1e-6)
    assert found.outlier.argmax() == found.uniqueness.argmax() == found.representativeness.argmin() == 0
    middle = vectors[5] @ vectors.T
    assert found.uniqueness[5] == pytest.approx(1 - np.sort(middle)[-2], abs=1e-6)
    assert found.representativeness[5] == pytest.approx(np.sort(middle)[-21:-1].mean(), abs=1e-6)
