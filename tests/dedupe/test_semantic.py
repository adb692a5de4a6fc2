"""Cosine pairs are those that comparing all vectors finds, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from curate.dedupe import semantic
from curate.dedupe.hamming_search import TooManyPairsError
from curate.dedupe.semantic import CosinePairs, cosine_pairs
from curate.records import FloatArray

pytest.importorskip("faiss")


def unit(count: int, seed: int, width: int = 24) -> FloatArray:
    """Unit vectors, half of them near another."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, width))
    vectors[count // 2 :] = vectors[: count - count // 2] + 0.3 * rng.normal(size=(count - count // 2, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def rows(pairs: CosinePairs) -> list[tuple[int, int]]:
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


@pytest.mark.parametrize(("queries", "block"), [(512, 65_536), (7, 13), (64, 50)])
def test_same_as_every_vector_with_every_other(
    monkeypatch: pytest.MonkeyPatch, queries: int, block: int
) -> None:
    monkeypatch.setattr(semantic, "_QUERIES", queries)
    monkeypatch.setattr(semantic, "_BLOCK", block)
    a, b = unit(300, 0), unit(120, 1)
    b[5] = a[17]
    for bound in (-1.0, 0.5, 0.9):
        cosine = a.astype(np.float64) @ a.astype(np.float64).T
        found = cosine_pairs(a, bound)
        assert rows(found) == [(int(i), int(j)) for i, j in np.argwhere(cosine >= bound) if i < j]
        assert found.cosine == pytest.approx(cosine[found.first, found.second], abs=1e-6)
        cosine = a.astype(np.float64) @ b.astype(np.float64).T
        assert rows(cosine_pairs(a, bound, base=b)) == [
            (int(i), int(j)) for i, j in np.argwhere(cosine >= bound)
        ]
    assert rows(cosine_pairs(a, 1.0, base=b)) == [(17, 5)]


def test_above_the_limit_near_cells_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 vectors of 100 scenes and a near copy of each fifth; what k-means cells find of all pairs."""
    rng = np.random.default_rng(2)
    scenes = rng.normal(size=(100, 64))
    vectors = scenes[rng.integers(0, 100, 5000)] + 1.0 * rng.normal(size=(5000, 64))
    vectors[4000:] = vectors[:1000] + 0.25 * rng.normal(size=(1000, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    every = cosine_pairs(vectors, 0.9)
    assert len(every) >= 1000
    monkeypatch.setattr(semantic.cells, "ALL_PAIRS", 4999)
    found = cosine_pairs(vectors, 0.9)
    assert set(rows(found)) <= set(rows(every))
    assert len(found) == len(set(rows(found)))
    recall = len(found) / len(every)
    assert recall > 0.99, recall
    against = cosine_pairs(vectors[:50], 0.9, base=vectors)
    assert set(rows(against)) >= {(number, number) for number in range(50)}
    monkeypatch.setattr(semantic.cells, "ALL_PAIRS", 5000)
    assert rows(cosine_pairs(vectors, 0.9)) == rows(every)


def test_the_bound_itself_belongs_to_it() -> None:
    pair = np.array([[1, 0], [0.6, 0.8]], dtype=np.float64)
    bound = float(np.float32(0.6) / np.hypot(np.float64(np.float32(0.6)), np.float64(np.float32(0.8))))
    assert len(cosine_pairs(pair.astype(np.float32), np.nextafter(bound, 0))) == 1
    assert len(cosine_pairs(pair.astype(np.float32), bound + 1e-9)) == 0


def test_nothing_and_one() -> None:
    assert len(cosine_pairs(unit(0, 0), 0.5)) == 0
    assert len(cosine_pairs(unit(1, 0), -1)) == 0
    assert len(cosine_pairs(unit(3, 0), -1, base=unit(0, 0))) == 0


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="expected unit vectors"):
        cosine_pairs(unit(3, 0) * 2, 0.5)
    broken = unit(3, 0)
    broken[1, 1] = np.nan
    with pytest.raises(ValueError, match="expected unit vectors"):
        cosine_pairs(broken, 0.5)
    with pytest.raises(ValueError, match="of one D"):
        cosine_pairs(unit(3, 0), 0.5, base=unit(3, 0, width=5))
    with pytest.raises(ValueError, match=r"in \[-1, 1\], got 2"):
        cosine_pairs(unit(3, 0), 2)
    with pytest.raises(TooManyPairsError, match=r"set dedupe\.semantic\.min_cosine higher"):
        cosine_pairs(unit(30, 0), -1, max_pairs=100)
