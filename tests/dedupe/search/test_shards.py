"""Shards find together what one search finds, on any engine."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.dedupe.search.neighbours import Pairs, pairs_within, rows_of_pairs
from curate.dedupe.search.search_plan import FOLD_S, SCAN_S, TooManyPairsError, plan
from curate.dedupe.search.shards import merged, pairs_of_shard, pairs_on, shard_cost, shards
from curate.errors import CurateError
from tests.dedupe.search.here import Here

COUNT = 20_000


def hashes(words: int = 1) -> np.ndarray[Any, np.dtype[np.uint64]]:
    rng = np.random.default_rng(2)
    table = rng.integers(0, 2**64, (COUNT, words), dtype=np.uint64)
    table[COUNT // 2 :: 3] = table[: COUNT // 2 : 3]
    flips = rng.integers(0, 64, (2, COUNT // 5)).astype(np.uint64)
    table[1 : 5 * (COUNT // 5) : 5, 0] = table[: COUNT // 5, 0] ^ (np.uint64(1) << flips[0])
    return table[:, 0] if words == 1 else table


def same(a: Pairs, b: Pairs) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("first", "second", "hamming"))


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize(("max_hamming", "bits"), [(0, 2), (2, 0), (5, 1), (8, 3)])
def test_shards_find_what_one_search_finds(words: int, max_hamming: int, bits: int) -> None:
    table = hashes(words)
    chosen = plan(COUNT, max_hamming, 64 * words)
    parts = [pairs_of_shard(table, chosen, shard) for shard in shards(chosen, bits)]
    assert len(parts) >= len(chosen.fields) << bits
    for identical in ("all", "first"):
        whole = pairs_within(table, max_hamming, identical=identical)
        assert len(whole) > 2500
        near = merged(reversed(parts))
        assert same(rows_of_pairs(near, chosen, identical=identical, most_pairs=10**6), whole)


def test_workers_read_the_hashes_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "hashes.npy", hashes())
    engine = Here()
    found = pairs_on(engine, tmp_path / "hashes.npy", 6, bits=2)
    assert same(found, pairs_within(hashes(), 6))
    assert engine.items > 4


def test_what_shards_cost() -> None:
    chosen = plan(10**9, 4)
    costs = [shard_cost(chosen, bits) for bits in range(6)]
    assert [cost.shards for cost in costs] == [len(shards(chosen, bits)) for bits in range(6)]
    assert costs[0].core_seconds == pytest.approx(
        chosen.core_seconds + 10**9 * ((len(chosen.fields) - 1) * FOLD_S + len(chosen.fields) * SCAN_S)
    )  # each field reads and folds all hashes anew
    for less, more in itertools.pairwise(costs[2:]):  # two halves are as much as the whole
        assert more.peak_bytes < less.peak_bytes < chosen.peak_bytes
        assert more.core_seconds > less.core_seconds > chosen.core_seconds
    assert costs[1].read_bytes == costs[1].shards * 8 * 10**9


def test_a_lost_shard_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "hashes.npy", hashes())
    with pytest.raises(CurateError, match="lost a shard: its worker ended with SIGKILL"):
        pairs_on(Here(dies=2), tmp_path / "hashes.npy", 6, bits=2)
    with pytest.raises(TooManyPairsError):
        pairs_on(Here(), tmp_path / "hashes.npy", 6, bits=2, most_pairs=100)
