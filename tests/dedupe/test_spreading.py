"""Searches by the workers of an engine find what this machine finds, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.dedupe import spreading
from curate.dedupe.candidates import search
from curate.dedupe.columns import View
from curate.dedupe.features import PLAIN, Features, Recipe
from curate.dedupe.search.search_plan import plan
from curate.dedupe.search.shards import bits_within, shard_cost
from curate.dedupe.spreading import Spread, bytes_here
from curate.errors import CurateError
from tests.dedupe.search.here import Here
from tests.dedupe.test_candidates import random_features

pytestmark = pytest.mark.usefixtures("any_size")
RECIPE = Recipe("phash", 64, "fast", "mirrored", True)


@pytest.fixture(scope="module")
def any_size() -> Iterator[None]:
    """Small searches are spread too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreading, "LEAST_S", 0.0)
        yield


def related(count: int, seed: int) -> Features:
    """Random features among which many values are near to others, or the same."""
    features, rng = random_features(count, seed), np.random.default_rng(seed)
    every = (features.hashes, features.parts, features.windows, features.turned, features.phash[:, None])
    for _ in range(2 * count):
        one, two = every[int(rng.integers(len(every)))], every[int(rng.integers(len(every)))]
        flip = np.uint64((1 << int(rng.integers(6))) - 1)
        to, of = int(rng.integers(one.shape[1])), int(rng.integers(two.shape[1]))
        one[rng.integers(count), to] = two[rng.integers(count), of] ^ flip
    features.structure[rng.integers(0, count, count // 5)] = PLAIN / 2
    features.tone[:] = rng.integers(0, 4, count)
    return features


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 99), most_bytes=st.sampled_from([1 << 30, 30_000]), split=st.integers(0, 60))
def test_an_engine_finds_what_this_machine_finds(
    tmp_path: Path, seed: int, most_bytes: int, split: int
) -> None:
    features, order = related(60, seed), np.random.default_rng(seed).permutation(60)
    engine, folder = Here(), tmp_path / "search"
    spread = Spread(engine, folder, most_bytes)
    one, two = View(features, order[:split]), View(features, order[split:])
    for images, base in ((View(features, order), None), (one, two)):
        engine.items = 0
        here = search(images, RECIPE, 6, base=base)
        there = search(images, RECIPE, 6, base=base, searcher=spread)
        assert np.array_equal(here.keys, there.keys)
        assert here.largest == there.largest
        assert base is not None or len(here.keys) > 30
    assert not folder.exists()


def test_what_is_soon_done_is_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "LEAST_S", 1.0)
    engine = Here()
    found = search(View(related(60, 1)), RECIPE, 6, searcher=Spread(engine, tmp_path / "search", 1 << 30))
    assert len(found.keys) > 30
    assert engine.items == 0


def test_a_lost_shard_ends_the_search_and_leaves_no_files(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    folder.mkdir()
    (folder / "left by a kill").write_text("x")
    with pytest.raises(CurateError, match="lost a shard"):
        search(View(related(60, 1)), RECIPE, 6, searcher=Spread(Here(dies=3), folder, 1 << 30))
    assert not folder.exists()


def test_shards_become_smaller_until_they_fit() -> None:
    chosen = plan(10**8, 4, queries=10**8)
    bits = [bits_within(chosen, most) for most in (1 << 50, 4 << 30, 1 << 30, 1)]
    assert bits[0] == 0
    assert bits == sorted(bits)
    assert shard_cost(chosen, bits[1]).peak_bytes <= 4 << 30 < shard_cost(chosen, bits[1] - 1).peak_bytes
    assert bytes_here(10**8, 4, 64) > bytes_here(10**7, 4, 64) > 10**7 * 60
