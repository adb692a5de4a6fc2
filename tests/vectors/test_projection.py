"""The map: principal components against scikit-learn, and UMAP where it is installed."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from curate.records import FloatArray
from curate.vectors import projection


def cloud() -> FloatArray:
    rng = np.random.default_rng(1)
    return (rng.normal(size=(90, 6)) * [5, 3, 1, 0.5, 0.1, 0.1]).astype(np.float32)


@pytest.mark.parametrize("piece", [65_536, 7])
def test_the_same_plane_as_scikit_learn_finds(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    monkeypatch.setattr(projection, "_PIECE", piece)
    found = projection.principal_components(cloud())
    expected = decomposition.PCA(2).fit_transform(cloud())
    signs = np.sign((found * expected).sum(axis=0))
    assert found == pytest.approx(expected * signs, abs=1e-3)


def test_few_vectors_and_few_dimensions() -> None:
    assert projection.principal_components(np.zeros((0, 3), np.float32)).shape == (0, 2)
    assert projection.principal_components(np.ones((1, 3), np.float32)).tolist() == [[0.0, 0.0]]
    assert projection.principal_components(np.array([[0], [2]], np.float32)).tolist() == [[-1, 0], [1, 0]]


def test_umap_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def umap(**settings: Any) -> Any:
        asked.update(settings)
        return SimpleNamespace(fit_transform=lambda vectors: vectors[:, :2] * 2.0)

    find = importlib.util.find_spec
    monkeypatch.setattr(
        projection.importlib.util, "find_spec", lambda name: object() if name == "umap" else find(name)
    )
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=umap))
    points, method = projection.project(cloud())
    assert (method, points.dtype) == ("umap", np.float32)
    assert np.array_equal(points, cloud()[:, :2] * 2)
    assert (asked["metric"], asked["random_state"]) == ("cosine", 0)
    monkeypatch.setattr(projection.importlib.util, "find_spec", lambda _: None)
    assert projection.project(cloud())[1] == "pca"
